"""The `dx7` synthesizer: DX7 voices as patches of 145 parameters, which searches, players and reports can use.

A patch holds all parameters of a voice but its name. Its root is the MIDI note at which it was found: a voice sounds at
every note, and keyboard scaling, rates and velocity make each of them different.
"""

import copy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dx7.engine import render
from generators.dx7.voice import NAME_LENGTH, PARAMETERS, VOICE_BYTES, Voice
from generators.errors import ParameterError
from generators.parameters import Parameter, ParameterSpace
from generators.synth import DEFAULT_LENGTH, Synth

SAMPLE_RATE = 32000
"""Hertz at which sounds are compared: hardly a voice sounds above half of it, and 44.1 kHz takes 1.4 times as long."""

VELOCITY = 100
"""MIDI velocity at which patches are rendered."""

RELEASE = 1.0
"""Seconds rendered after a note of any length has ended; what then still sounds is faded out."""

FADE = 0.01
"""Seconds of that fade."""

NO_NAME = b" " * NAME_LENGTH


def _parameters() -> tuple[Parameter, ...]:
    rows = []
    for one in PARAMETERS:
        operator, underscore, _ = one.name.partition("_")
        group = f"Operator {operator[2:]}" if underscore and operator.startswith("op") and len(operator) == 3 else "All"
        levels = tuple(float(value) for value in range(one.highest + 1))
        rows.append(Parameter(one.name, levels, "", one.meaning, group))
    return tuple(rows)


class Dx7Synth(Synth):
    """The DX7: six operators in 32 algorithms, 145 parameters; one carrier at full level has the amplitude 1."""

    name: ClassVar[str] = "dx7"
    description: ClassVar[str] = "the Yamaha DX7: six operators in 32 algorithms, 145 parameters"
    search_stages: ClassVar[tuple[str, ...]] = ("voices", "levels", "islands", "hop")
    note_fraction: ClassVar[float] = 0.75
    transposes: ClassVar[bool] = True
    plays_keys: ClassVar[bool] = True
    space: ParameterSpace = ParameterSpace("dx7", _parameters())

    def __init__(self, sample_rate: int = SAMPLE_RATE, length: float = DEFAULT_LENGTH) -> None:
        super().__init__(sample_rate, length)
        self.velocity = VELOCITY

    def at_key(self, note: int, velocity: int) -> "Dx7Synth":
        """Return this synth at another root, a MIDI note, and velocity."""
        moved = copy.copy(self)
        moved.root, moved.velocity = self._check_root(note), int(velocity)
        return moved

    @property
    def roots(self) -> tuple[float, float]:
        """All MIDI notes."""
        return 0.0, 127.0

    @property
    def pitch_factors(self) -> NDArray[np.float64]:
        """1 for every parameter: the note moves the pitch, and no value."""
        return np.ones(len(self.space))

    def _check_root(self, root: float) -> float:
        if not 0.0 <= root <= 127.0 or root != round(root):
            raise ParameterError(f"the root of a DX7 patch is a MIDI note, a whole number 0..127. Received: {root:g}")
        return float(root)

    def synthesize(self, values: Any, xp: Any = np) -> Any:
        """Render (batch, 145) -> (batch, samples); the nearest whole number of each value counts, without gradients."""
        voices = values_to_bytes(np.asarray(values))
        hold = self.note_fraction * self.length
        audio = render(
            voices, round(self.root), self.velocity, hold, self.samples / self.sample_rate, self.sample_rate, 1
        )
        return xp.asarray(audio)

    def render_note(self, values: ArrayLike, held: float) -> NDArray[np.float32]:
        """Render one sound at the root held for `held` seconds, with its release; (parameters,) -> (samples,)."""
        return self.render_key(values, round(self.root), self.velocity, held)

    def render_key(self, values: ArrayLike, note: int, velocity: int, held: float) -> NDArray[np.float32]:
        """Render a MIDI note of a velocity, held for `held` seconds (ten minutes at most), with a second of release."""
        from generators.dx7.engine import LONGEST, render

        held = min(held, LONGEST - RELEASE)
        voices = values_to_bytes(np.atleast_2d(np.asarray(values, np.float64)))
        audio = render(voices, note, velocity, held, held + RELEASE, self.sample_rate, 1)[0]
        fade = round(FADE * self.sample_rate)
        audio[len(audio) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        return audio


def values_to_bytes(values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the bytes of patches, with an empty name. Shapes: (batch, 145) -> (batch, 155)."""
    voices = np.full((len(values), VOICE_BYTES), NO_NAME[0], np.int64)
    voices[:, : len(PARAMETERS)] = np.rint(values).astype(np.int64)
    return voices


def patch_voice(values: ArrayLike, name: str = "") -> Voice:
    """Return the voice of a patch's values, (145,), under a name of at most ten ASCII characters."""
    voice = Voice(values_to_bytes(np.asarray(values, np.float64)[None])[0].astype(np.uint8).tobytes())
    return voice.replaced(name="".join(c if c.isascii() and c.isprintable() else "?" for c in name))


def voice_values(voices: ArrayLike) -> NDArray[np.int64]:
    """Return the values of voices' bytes as patches hold them, which are also their classes: (…, 155) -> (…, 145)."""
    return np.asarray(voices, np.int64)[..., : len(PARAMETERS)]
