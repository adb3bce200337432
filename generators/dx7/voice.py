"""The DX7 voice: 155 bytes, what each of them is called and means, and how 128 bytes of a bank hold them.

A voice is kept as the instrument keeps it while it is edited (Yamaha's VCED format): operator 6 first, then 5 to 1,
then what all operators share, then the name. `PARAMETERS` is the one table of its 145 parameters; names, ranges and the
packing of banks follow from it. Numbers are those of the instrument's panel except where a meaning says otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ParameterError, look_up

OPERATORS = 6
OPERATOR_BYTES = 21
PARAMETER_BYTES = 145
VOICE_BYTES = 155
PACKED_BYTES = 128
NAME_LENGTH = VOICE_BYTES - PARAMETER_BYTES

CURVES = ("-lin", "-exp", "+exp", "+lin")
"""Keyboard scaling curves, as values 0-3."""

WAVES = ("triangle", "saw down", "saw up", "square", "sine", "sample & hold")
"""LFO waves, as values 0-5."""

MODES = ("ratio", "fixed")
"""Frequency modes of an operator, as values 0-1."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a voice: an integer from 0 to `highest` in one byte.

    Attributes:
        name: e.g. `op1_output_level`. byte: its place in the 155. highest: its largest value. initial: its value in
            the initial voice. meaning: in words, with the unit or the value that means "none".
    """

    name: str
    byte: int
    highest: int
    initial: int
    meaning: str


_OPERATOR = (  # name, highest, initial, meaning; in the order of the bytes
    *((f"rate_{k}", 99, 99, f"envelope: speed towards level {k}") for k in range(1, 5)),
    *((f"level_{k}", 99, 99 if k < 4 else 0, f"envelope: level {k}") for k in range(1, 5)),
    ("break_point", 99, 39, "keyboard level scaling: the note where both sides meet; 39 is C3 (note 56)"),
    ("left_depth", 99, 0, "keyboard level scaling below the break point"),
    ("right_depth", 99, 0, "keyboard level scaling above the break point"),
    ("left_curve", 3, 0, "keyboard level scaling below the break point: -lin, -exp, +exp, +lin"),
    ("right_curve", 3, 0, "keyboard level scaling above the break point: -lin, -exp, +exp, +lin"),
    ("rate_scaling", 7, 0, "how much faster the envelope is for higher notes"),
    ("am_sensitivity", 3, 0, "how far the LFO moves the level"),
    ("velocity_sensitivity", 7, 0, "how far the velocity moves the level"),
    ("output_level", 99, 0, "level; loudness of a carrier, depth of a modulator, 0.75 dB a step above 20"),
    ("mode", 1, 0, "frequency: ratio to the note, or fixed"),
    ("coarse", 31, 1, "frequency: ratio, 0 means 1/2; fixed: the power of ten, modulo 4"),
    ("fine", 99, 0, "frequency: percent above the coarse ratio; fixed: hundredths of a power of ten"),
    ("detune", 14, 7, "frequency: a few cents; 7 is none"),
)

_SHARED = (
    *((f"pitch_rate_{k}", 99, 99, f"pitch envelope: speed towards level {k}") for k in range(1, 5)),
    *((f"pitch_level_{k}", 99, 50, f"pitch envelope: level {k}; 50 is none") for k in range(1, 5)),
    ("algorithm", 31, 0, "which operators modulate which; 0 is the panel's algorithm 1"),
    ("feedback", 7, 0, "how far the operator of the feedback loop modulates itself"),
    ("oscillator_sync", 1, 1, "whether a note restarts the phases of the operators"),
    ("lfo_speed", 99, 35, "LFO: 0.06 to 49 Hz"),
    ("lfo_delay", 99, 0, "LFO: time until it sets in"),
    ("lfo_pitch_depth", 99, 0, "LFO: depth of pitch modulation"),
    ("lfo_amplitude_depth", 99, 0, "LFO: depth of amplitude modulation"),
    ("lfo_sync", 1, 1, "LFO: whether a note restarts it"),
    ("lfo_wave", 5, 0, "LFO: triangle, saw down, saw up, square, sine, sample & hold"),
    ("pitch_sensitivity", 7, 3, "how far the LFO moves the pitch"),
    ("transpose", 48, 24, "semitones; 24 is none"),
)


def _table() -> tuple[Parameter, ...]:
    rows = [
        (f"op{operator}_{name}", *rest) for operator in range(OPERATORS, 0, -1) for name, *rest in _OPERATOR
    ] + list(_SHARED)
    return tuple(Parameter(str(row[0]), byte, *row[1:]) for byte, row in enumerate(rows))  # type: ignore[arg-type]


PARAMETERS = _table()
"""All parameters of a voice, in the order of its bytes."""

PARAMETER_BY_NAME: Mapping[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}
"""The parameters by name."""

HIGHEST: NDArray[np.uint8] = np.array([p.highest for p in PARAMETERS] + [127] * NAME_LENGTH, np.uint8)
"""The largest value of each byte of a voice, (155,)."""

_INITIAL = bytes(p.initial if p.name != "op1_output_level" else 99 for p in PARAMETERS) + b"INIT VOICE"


@dataclass(frozen=True)
class Voice:
    """A DX7 voice. Voices with the same bytes are equal.

    Args:
        data: the 155 bytes; the initial voice, one sine, if left out.
    Raises: ParameterError for another length and for bytes above their range; `clamped_voice` takes those.
    """

    data: bytes = _INITIAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", bytes(self.data))
        if len(self.data) != VOICE_BYTES:
            raise ParameterError(f"a DX7 voice has {VOICE_BYTES} bytes. Received: {len(self.data)}")
        above = np.flatnonzero(self.values > HIGHEST)
        if len(above):
            byte = int(above[0])
            raise ParameterError(f"{_byte_name(byte)} is 0 to {HIGHEST[byte]}. Received: {self.data[byte]}")

    @cached_property
    def values(self) -> NDArray[np.uint8]:
        """The bytes as a read-only array, (155,)."""
        return np.frombuffer(self.data, np.uint8)

    @property
    def name(self) -> str:
        """The ten characters of the name without spaces at its end; what is not printable ASCII is shown as `?`."""
        return "".join(chr(c) if 32 <= c < 127 else "?" for c in self.data[PARAMETER_BYTES:]).rstrip()

    def __getitem__(self, name: str) -> int:
        """Return the value of a parameter by its name. Raises ParameterError, with the nearest, for an unknown one."""
        return self.data[look_up("DX7 parameter", name, PARAMETER_BY_NAME, ParameterError).byte]

    def replaced(self, name: str | None = None, **values: int) -> Self:
        """Return a copy with other values of some parameters, and with another name.

        Raises: ParameterError for an unknown parameter, a value out of its range, a name that is not ASCII.
        """
        data = bytearray(self.data)
        for key, value in values.items():
            parameter = look_up("DX7 parameter", key, PARAMETER_BY_NAME, ParameterError)
            if not 0 <= value <= parameter.highest:
                raise ParameterError(f"{key} is 0 to {parameter.highest}. Received: {value}")
            data[parameter.byte] = value
        if name is not None:
            if not (name.isascii() and name.isprintable()):
                raise ParameterError(f"the name of a DX7 voice is up to 10 ASCII characters. Received: {name!r}")
            data[PARAMETER_BYTES:] = name[:NAME_LENGTH].ljust(NAME_LENGTH).encode("ascii")
        return type(self)(bytes(data))


def uniquely_named(voices: Iterable[Voice]) -> tuple[Voice, ...]:
    """Return voices of which no two have one name: further ones end in a number, and empty names are `VOICE`."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    found = []
    for voice in voices:
        first = name = voice.name.strip() or "VOICE"
        while name in taken:
            number = numbers[first] = numbers.get(first, 1) + 1
            name = f"{first[: NAME_LENGTH - len(str(number)) - 1].rstrip()} {number}"
        taken.add(name)
        found.append(voice if name == voice.name else voice.replaced(name=name))
    return tuple(found)


def voices_from_values(values: ArrayLike) -> tuple[Voice, ...]:
    """Return the voices of integers (batch, 155) or (155,). Raises ParameterError where they are none."""
    table = np.atleast_2d(np.asarray(values))
    if table.ndim != 2 or table.shape[1] != VOICE_BYTES or not np.issubdtype(table.dtype, np.integer):
        raise ParameterError(
            f"voices are integers of shape (batch, {VOICE_BYTES}). Received: {table.dtype} of shape {table.shape}"
        )
    if table.size and (table.min() < 0 or table.max() > 255):
        raise ParameterError(f"values of voices are 0 to 127. Received: {table.min()} to {table.max()}")
    return tuple(Voice(row.astype(np.uint8).tobytes()) for row in table)


def clamped_voice(data: bytes) -> tuple[Voice, tuple[str, ...]]:
    """Return a voice of 155 bytes with what lies above its range set to its highest value, and the names of those.

    Old banks hold such bytes: editors marked voices by them, and players clamp them.
    """
    values = np.frombuffer(data, np.uint8)
    if len(values) != VOICE_BYTES:
        raise ParameterError(f"a DX7 voice has {VOICE_BYTES} bytes. Received: {len(values)}")
    above = np.flatnonzero(values > HIGHEST)
    return Voice(np.minimum(values, HIGHEST).tobytes()), tuple(_byte_name(int(byte)) for byte in above)


def _byte_name(byte: int) -> str:
    return PARAMETERS[byte].name if byte < PARAMETER_BYTES else f"character {byte - PARAMETER_BYTES + 1} of the name"


# --- 128 bytes of a bank ----------------------------------------------------------------------------------------------
# Each packed byte holds one to three values: (name, shift, bits), lowest bits first.

_PACKED_OPERATOR: tuple[tuple[tuple[str, int, int], ...], ...] = (
    *(((f"rate_{k}", 0, 7),) for k in range(1, 5)),
    *(((f"level_{k}", 0, 7),) for k in range(1, 5)),
    (("break_point", 0, 7),),
    (("left_depth", 0, 7),),
    (("right_depth", 0, 7),),
    (("left_curve", 0, 2), ("right_curve", 2, 2)),
    (("rate_scaling", 0, 3), ("detune", 3, 4)),
    (("am_sensitivity", 0, 2), ("velocity_sensitivity", 2, 3)),
    (("output_level", 0, 7),),
    (("mode", 0, 1), ("coarse", 1, 5)),
    (("fine", 0, 7),),
)

_PACKED_SHARED: tuple[tuple[tuple[str, int, int], ...], ...] = (
    *(((f"pitch_rate_{k}", 0, 7),) for k in range(1, 5)),
    *(((f"pitch_level_{k}", 0, 7),) for k in range(1, 5)),
    (("algorithm", 0, 5),),
    (("feedback", 0, 3), ("oscillator_sync", 3, 1)),
    (("lfo_speed", 0, 7),),
    (("lfo_delay", 0, 7),),
    (("lfo_pitch_depth", 0, 7),),
    (("lfo_amplitude_depth", 0, 7),),
    (("lfo_sync", 0, 1), ("lfo_wave", 1, 3), ("pitch_sensitivity", 4, 3)),
    (("transpose", 0, 7),),
)


def _packing() -> tuple[tuple[int, int, int, int], ...]:
    """Return (packed byte, shift, bits, byte of the voice) of every value and character of a packed voice."""
    places = []
    for operator in range(OPERATORS, 0, -1):
        first = (OPERATORS - operator) * len(_PACKED_OPERATOR)
        for k, fields in enumerate(_PACKED_OPERATOR):
            places += [
                (first + k, shift, bits, PARAMETER_BY_NAME[f"op{operator}_{name}"].byte) for name, shift, bits in fields
            ]
    first = OPERATORS * len(_PACKED_OPERATOR)
    for k, fields in enumerate(_PACKED_SHARED):
        places += [(first + k, shift, bits, PARAMETER_BY_NAME[name].byte) for name, shift, bits in fields]
    first = PACKED_BYTES - NAME_LENGTH
    places += [(first + k, 0, 7, PARAMETER_BYTES + k) for k in range(NAME_LENGTH)]
    return tuple(places)


_PACKING = _packing()


def pack_voice(voice: Voice) -> bytes:
    """Return the 128 bytes by which a bank holds a voice (Yamaha's VMEM format)."""
    packed = bytearray(PACKED_BYTES)
    for place, shift, _, byte in _PACKING:
        packed[place] |= voice.data[byte] << shift
    return bytes(packed)


def unpack_voice(packed: bytes) -> bytes:
    """Return the 155 bytes of a packed voice, as they are: values may lie above their range. Raises ParameterError."""
    if len(packed) != PACKED_BYTES:
        raise ParameterError(f"a packed DX7 voice has {PACKED_BYTES} bytes. Received: {len(packed)}")
    data = bytearray(VOICE_BYTES)
    for place, shift, bits, byte in _PACKING:
        data[byte] = packed[place] >> shift & (1 << bits) - 1
    return bytes(data)


def stack_values(voices: Iterable[Voice]) -> NDArray[np.uint8]:
    """Return the bytes of voices as the engine takes them, (batch, 155)."""
    return np.array([voice.values for voice in voices], np.uint8).reshape(-1, VOICE_BYTES)
