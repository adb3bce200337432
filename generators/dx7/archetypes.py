"""Archetypes of DX7 voices: for each family of instruments, how frequency modulation makes such a sound.

They are written from what is known of FM synthesis (Chowning 1973; Chowning and Bristow 1986), not from anybody's
voices: a 1:1 pair whose index follows the level is brass; a modulator at 14 that dies at once is the tine of an
electric piano; a ratio that is no whole number rings like a bell; sines at whole ratios are drawbars. Each says what
belongs together (stacks with their ratios, levels and envelopes), and `generators.dx7.prior` mutates and crosses them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from generators.dx7.voice import Voice

FAMILIES = (
    "electric piano",
    "brass",
    "bell",
    "bass",
    "organ",
    "pluck",
    "strings",
    "lead",
    "percussion",
    "effects",
)

UNPITCHED = ("bell", "percussion", "effects")
"""Families whose partials need not be harmonics of the note."""

Envelope = tuple[int, int, int, int, int, int, int, int]

ENVELOPES: dict[str, Envelope] = {  # rates 1-4, levels 1-4; a decay at rate 25, 40, 60 falls by 4, 21, 190 dB/s
    # struck: a jump, then the decay of a string, a bar, a hammer
    "struck": (96, 27, 22, 51, 99, 91, 0, 0),
    "struck long": (93, 22, 17, 44, 99, 93, 0, 0),
    "struck short": (97, 38, 29, 57, 99, 84, 0, 0),
    "reed": (93, 44, 21, 52, 99, 90, 0, 0),
    "tine": (97, 49, 34, 54, 99, 70, 0, 0),
    "hammer": (98, 66, 47, 62, 99, 58, 0, 0),
    "mellow": (88, 30, 20, 45, 97, 86, 20, 0),
    # metal: long and uneven
    "bell": (94, 30, 19, 33, 99, 86, 0, 0),
    "bell long": (90, 23, 15, 24, 99, 90, 0, 0),
    "bell slow": (72, 24, 18, 26, 99, 92, 0, 0),
    "clang": (97, 45, 25, 35, 99, 76, 0, 0),
    "ping": (99, 54, 36, 45, 99, 62, 0, 0),
    # plucked
    "pluck": (97, 44, 27, 60, 99, 82, 0, 0),
    "pluck long": (95, 32, 22, 48, 99, 88, 0, 0),
    "pluck bright": (98, 57, 37, 62, 99, 70, 0, 0),
    "pluck tight": (98, 60, 45, 68, 99, 74, 0, 0),
    "finger": (93, 48, 23, 63, 99, 89, 78, 0),
    "snap": (99, 74, 55, 70, 99, 46, 0, 0),
    # held
    "gate": (92, 90, 90, 70, 99, 99, 99, 0),
    "gate soft": (78, 60, 60, 55, 99, 98, 97, 0),
    "drawbar": (95, 99, 95, 78, 99, 98, 99, 0),
    "click": (99, 82, 70, 80, 99, 35, 0, 0),
    "held": (88, 45, 30, 58, 99, 94, 90, 0),
    "held falling": (90, 35, 20, 55, 99, 93, 70, 0),
    # blown: the level of the modulator is the brightness
    "brass": (66, 40, 28, 60, 99, 92, 91, 0),
    "brass bright": (58, 38, 25, 52, 99, 87, 82, 0),
    "brass slow": (49, 30, 24, 50, 98, 93, 90, 0),
    "brass stab": (74, 52, 34, 63, 99, 82, 66, 0),
    "blat": (80, 66, 50, 60, 99, 50, 30, 0),
    "blown": (60, 50, 35, 58, 98, 95, 94, 0),
    "chiff": (84, 62, 52, 64, 99, 25, 0, 0),
    "breath": (64, 42, 30, 60, 96, 88, 84, 0),
    # bowed, and slow
    "bow": (53, 42, 30, 47, 98, 95, 93, 0),
    "bow bright": (48, 34, 25, 46, 97, 91, 87, 0),
    "pad": (40, 35, 28, 38, 98, 96, 94, 0),
    "pad slow": (31, 28, 24, 33, 97, 94, 91, 0),
    "pad bright": (35, 26, 22, 36, 96, 85, 78, 0),
    "swell": (27, 40, 26, 36, 99, 90, 85, 0),
    "bloom": (44, 22, 20, 38, 99, 80, 55, 0),
    # drums and noises
    "drum": (99, 50, 40, 60, 99, 78, 0, 0),
    "drum deep": (98, 43, 36, 50, 99, 84, 0, 0),
    "stick": (99, 78, 66, 72, 99, 40, 0, 0),
    "snare": (98, 56, 48, 60, 99, 72, 0, 0),
    "cymbal": (97, 37, 27, 34, 99, 80, 0, 0),
    "block": (99, 68, 58, 70, 99, 62, 0, 0),
    "rising": (22, 50, 40, 40, 99, 95, 90, 0),
    "falling": (85, 20, 20, 32, 99, 60, 30, 0),
    "gust": (30, 28, 27, 30, 99, 70, 92, 0),
    "drone": (55, 18, 20, 28, 97, 90, 94, 0),
}


@dataclass(frozen=True)
class Operator:
    """One operator of an archetype, in the numbers of the instrument's panel.

    Attributes:
        ratio: to the note; or `hertz` of a fixed frequency. level: 0-99. envelope: its name in `ENVELOPES`.
        detune: -7..7. velocity, rate_scaling: 0-7. left, right: how far the level falls (curve -exp) below and above
            C3, 0-99. tremolo: amplitude modulation sensitivity, 0-3.
    """

    ratio: float
    level: int
    envelope: str
    detune: int = 0
    velocity: int = 0
    rate_scaling: int = 0
    left: int = 0
    right: int = 0
    tremolo: int = 0
    hertz: float = 0.0

    def values(self) -> list[int]:
        """Return the 21 bytes of the operator."""
        fixed, coarse, fine = fixed_frequency(self.hertz) if self.hertz else (0, *ratio_bytes(self.ratio))
        return [
            *ENVELOPES[self.envelope],
            *(39, self.left, self.right, 1, 1),
            *(self.rate_scaling, self.tremolo, self.velocity, self.level),
            *(fixed, coarse, fine, 7 + self.detune),
        ]


@dataclass(frozen=True)
class Lfo:
    """The LFO: speed, delay, depths 0-99, wave 0-5, sensitivity of the pitch 0-7."""

    speed: int = 34
    delay: int = 30
    pitch: int = 0
    amplitude: int = 0
    wave: int = 4
    sensitivity: int = 3


@dataclass(frozen=True)
class Archetype:
    """One typical voice.

    Attributes:
        name: its first ten characters name the voice. family: one of FAMILIES. algorithm: 1-32. feedback: 0-7.
        operators: from 1 to 6. lfo, pitch (the eight bytes of the pitch envelope), transpose (semitones): as named.
    """

    name: str
    family: str
    algorithm: int
    feedback: int
    operators: tuple[Operator, ...]
    lfo: Lfo = Lfo()
    pitch: tuple[int, ...] = (99, 99, 99, 99, 50, 50, 50, 50)
    transpose: int = 0

    def voice(self) -> Voice:
        """Return the voice."""
        data: list[int] = []
        for operator in reversed(self.operators):
            data += operator.values()
        lfo = self.lfo
        data += [*self.pitch, self.algorithm - 1, self.feedback, 1]
        data += [lfo.speed, lfo.delay, lfo.pitch, lfo.amplitude, 0, lfo.wave, lfo.sensitivity, 24 + self.transpose]
        return Voice(bytes(data) + self.name.upper().encode("ascii")[:10].ljust(10))


def ratio_bytes(ratio: float) -> tuple[int, int]:
    """Return coarse and fine of the ratio nearest to a number from 0.5 to 61."""
    coarse = min(int(ratio), 31)
    return coarse, min(max(round(100.0 * (ratio / (coarse or 0.5) - 1.0)), 0), 99)


def fixed_frequency(hertz: float) -> tuple[int, int, int]:
    """Return mode, coarse and fine of the fixed frequency nearest to 1 to 9,772 Hz."""
    hundredths = min(max(round(100.0 * float(np.log10(hertz))), 0), 399)
    return 1, hundredths // 100, hundredths % 100


_op = Operator


def _off(ratio: float = 1.0) -> Operator:
    return Operator(ratio, 0, "gate")


def _electric_pianos() -> tuple[Archetype, ...]:
    """Pairs: a 1:1 body with little index, and a tine whose modulator, at a high ratio, dies at once."""
    body, body_modulator = _op(1, 97, "struck", 0, 2, 3), _op(1, 62, "struck", 0, 3, 3, right=12)
    tine, tine_modulator = _op(1, 94, "struck short", 2, 2, 3), _op(14, 60, "tine", 0, 5, 4, right=22)
    warm, warm_modulator = _op(1, 92, "struck", -2, 2, 3), _op(1, 76, "struck", 3, 6, 3, right=14)
    family = "electric piano"
    return (
        Archetype("tine piano", family, 5, 5, (tine, tine_modulator, body, body_modulator, warm, warm_modulator)),
        Archetype(
            "bark piano",
            family,
            5,
            6,
            (
                *(_op(1, 98, "reed", 0, 3, 3), _op(1, 80, "reed", 0, 6, 3, right=20)),
                *(_op(1, 93, "struck short", -3, 3, 3), _op(7, 50, "tine", 0, 6, 4, right=24)),
                *(_op(1, 86, "struck", 3, 2, 2), _op(2, 66, "struck short", 0, 5, 3, right=16)),
            ),
        ),
        Archetype(
            "reed piano",
            family,
            5,
            6,
            (
                *(_op(1, 97, "reed", 0, 3, 2), _op(1, 74, "mellow", 0, 5, 2)),
                *(_op(2, 82, "reed", 1, 3, 2), _op(3, 64, "struck short", 0, 5, 3)),
                *(_op(1, 90, "reed", -1, 3, 2), _op(5, 52, "tine", 0, 5, 3)),
            ),
            Lfo(38, 0, 0, 12, 4),
        ),
        Archetype(
            "grand",
            family,
            3,
            4,
            (
                *(_op(1, 98, "struck", 0, 3, 3), _op(1, 79, "struck", 1, 4, 3, right=18), _op(4, 62, "hammer", 0, 5)),
                *(_op(1, 92, "struck", -2, 3, 3), _op(2, 74, "struck short", 0, 4, 3), _op(9, 55, "hammer", 0, 5, 3)),
            ),
        ),
        Archetype(
            "clav",
            family,
            3,
            5,
            (
                *(_op(0.5, 97, "pluck", 0, 2, 2), _op(1, 86, "pluck long", 0, 3, 2), _op(4, 78, "pluck", 0, 4, 2)),
                *(_op(1, 92, "pluck tight", 0, 2, 2), _op(3, 80, "pluck", 0, 3, 2), _op(8, 70, "pluck bright", 0, 4)),
            ),
        ),
        Archetype(
            "soft keys",
            family,
            12,
            3,
            (
                *(_op(1, 98, "struck long", 0, 2, 2), _op(1, 66, "mellow", 0, 3, 2)),
                *(_op(1, 93, "struck", 2, 2, 2), _op(1, 60, "mellow", 0, 4), _op(3, 50, "struck short", 0, 4)),
                _op(10, 46, "tine", 0, 5, 3),
            ),
            Lfo(30, 20, 4, 6, 4, 2),
        ),
        Archetype(
            "glass keys",
            family,
            5,
            3,
            (
                *(_op(1, 96, "struck long", 0, 1, 2), _op(2, 60, "struck short", 0, 3, 3)),
                *(_op(4, 78, "bell", 2, 2, 3), _op(11, 58, "tine", 0, 5, 3)),
                *(_op(1, 92, "bloom", -2, 1, 1), _op(1, 56, "mellow", 0, 2, 1)),
            ),
        ),
    )


def _brass() -> tuple[Archetype, ...]:
    """A 1:1 pair whose index rises with the level, feedback for the edge, three of them apart for a section."""
    family = "brass"
    vibrato = Lfo(36, 45, 6, 0, 4, 3)
    return (
        Archetype(
            "section",
            family,
            22,
            7,
            (
                *(_op(1, 98, "brass", 0, 1), _op(1, 76, "brass bright", 0, 2, right=10)),
                *(_op(1, 97, "brass", -4, 1), _op(1, 97, "brass", 4, 1), _op(1, 96, "brass", 1, 1)),
                _op(1, 79, "brass bright", 0, 3, right=12),
            ),
        ),
        Archetype(
            "trumpet",
            family,
            18,
            6,
            (
                *(_op(1, 98, "brass", 0, 1), _op(1, 78, "brass bright", 0, 3), _op(1, 80, "brass", 1, 2)),
                *(_op(2, 64, "blat", 0, 2), _op(5, 54, "chiff", 0, 2), _off(1)),
            ),
            vibrato,
        ),
        Archetype(
            "horn",
            family,
            1,
            4,
            (
                *(_op(1, 98, "brass slow", 0, 1), _op(1, 70, "brass slow", 0, 2, right=16)),
                *(_op(1, 90, "brass slow", 2, 1), _op(1, 66, "brass", 0, 2), _op(2, 48, "blat"), _off(1)),
            ),
            vibrato,
        ),
        Archetype(
            "stab",
            family,
            5,
            7,
            (
                *(_op(1, 98, "brass stab", 0, 2), _op(1, 84, "brass stab", 0, 3)),
                *(_op(2, 92, "brass stab", 3, 2), _op(1, 80, "brass bright", 0, 3)),
                *(_op(1, 97, "brass stab", -3, 2), _op(1, 85, "brass", 0, 3)),
            ),
            pitch=(84, 95, 95, 60, 48, 50, 50, 50),
        ),
        Archetype(
            "synth brass",
            family,
            2,
            7,
            (
                *(_op(1, 98, "held", -3, 1), _op(1, 83, "brass bright", 0, 2)),
                *(
                    _op(0.5, 96, "held", 3, 1),
                    _op(0.5, 82, "brass bright", 0, 2),
                    _op(1, 70, "brass"),
                    _op(2, 55, "blat"),
                ),
            ),
        ),
        Archetype(
            "wood reed",
            family,
            16,
            3,
            (
                *(_op(1, 99, "blown", 0, 1), _op(2, 76, "breath", 0, 2)),
                *(_op(1, 56, "breath"), _op(4, 40, "chiff"), _op(3, 60, "breath", 0, 1), _op(6, 45, "chiff")),
            ),
            vibrato,
        ),
        Archetype(
            "double reed",
            family,
            4,
            5,
            (
                *(_op(1, 96, "blown", 0, 1), _op(3, 79, "breath", 0, 1), _op(1, 66, "breath")),
                *(_op(2, 94, "blown", 1, 1), _op(1, 80, "breath", 0, 1), _op(5, 58, "breath")),
            ),
            vibrato,
        ),
    )


def _bells() -> tuple[Archetype, ...]:
    """Pairs at ratios that are no whole numbers, whose index falls faster than their level."""
    family = "bell"
    return (
        Archetype(
            "tubular",
            family,
            5,
            5,
            (
                *(_op(1, 96, "bell", 0, 2), _op(3.5, 82, "bell", 0, 2)),
                *(_op(1, 96, "bell", -3, 2), _op(3.5, 80, "bell", 0, 2)),
                *(_op(2, 86, "clang", 2, 2), _op(2.75, 78, "clang", 0, 2)),
            ),
        ),
        Archetype(
            "church",
            family,
            7,
            3,
            (
                *(_op(0.5, 95, "bell long", 0, 1), _op(1.4, 76, "bell long", 0, 2)),
                *(_op(1, 96, "bell", 2, 1), _op(2.76, 72, "bell", 0, 2), _op(5.4, 66, "clang", 0, 3)),
                _op(8.93, 60, "ping", 0, 3),
            ),
        ),
        Archetype(
            "vibes",
            family,
            23,
            2,
            (
                *(_op(1, 98, "bell", 0, 2, 2), _op(1, 94, "bell", 3, 2, 2, tremolo=2), _op(4, 66, "ping", 0, 4, 3)),
                *(_op(1, 90, "bell", -3, 2, 2, tremolo=2), _op(4, 84, "clang", 0, 3, 3), _op(10, 50, "ping", 0, 4, 3)),
            ),
            Lfo(48, 0, 0, 28, 4, 2),
        ),
        Archetype(
            "marimba",
            family,
            7,
            2,
            (
                *(_op(1, 99, "drum", 0, 2, 3), _op(4, 58, "stick", 0, 4, 3)),
                *(_op(4, 80, "block", 0, 3, 3), _op(10, 56, "stick", 0, 4, 3), _op(1, 60, "drum", 0, 3, 3)),
                _op(2.4, 52, "stick", 0, 4, 3),
            ),
        ),
        Archetype(
            "glocken",
            family,
            32,
            0,
            (
                *(_op(1, 92, "bell", 0, 2, 3), _op(2.75, 84, "bell", 0, 3, 3), _op(5.4, 78, "clang", 0, 3, 3)),
                *(_op(8.93, 70, "ping", 0, 4, 3), _op(4, 80, "bell", 1, 3, 3), _op(2, 82, "bell long", 0, 2, 2)),
            ),
            transpose=12,
        ),
        Archetype(
            "celesta",
            family,
            31,
            4,
            (
                *(_op(2, 97, "bell", 0, 2, 3), _op(4, 86, "bell", 1, 2, 3), _op(8, 76, "clang", 0, 3, 3)),
                *(_op(2, 92, "bell long", -1, 2, 3), _op(4, 82, "clang", 0, 3, 3), _op(11, 68, "ping", 0, 4, 3)),
            ),
        ),
        Archetype(
            "gamelan",
            family,
            13,
            5,
            (
                *(_op(1, 98, "bell", 0, 2, 2), _op(2.7, 78, "clang", 0, 2, 2)),
                *(_op(1.01, 92, "bell", 4, 2, 2), _op(1.61, 70, "clang", 0, 2), _op(4.23, 66, "ping", 0, 3)),
                _op(6.8, 60, "ping", 0, 3),
            ),
        ),
        Archetype(
            "glass",
            family,
            5,
            1,
            (
                *(_op(2, 90, "bell slow", 0, 1), _op(7, 58, "bell", 0, 2)),
                *(_op(4, 82, "bell slow", 3, 1), _op(4, 62, "bell long", 0, 2)),
                *(_op(1, 94, "pad", -2, 0), _op(3, 48, "bell slow", 0, 1)),
            ),
        ),
        Archetype(
            "toy box",
            family,
            31,
            3,
            (
                *(_op(4, 94, "clang", 0, 1, 2), _op(4, 86, "bell", 2, 1, 2), _op(8, 72, "ping", 0, 2, 2)),
                *(_op(12, 66, "ping", -2, 2, 2), _op(4, 84, "bell", -3, 1, 2), _op(14.7, 74, "snap", 0, 3, 2)),
            ),
        ),
    )


def _basses() -> tuple[Archetype, ...]:
    """A low carrier, one or two modulators in series that fall within a tenth of a second, feedback for grit."""
    family = "bass"
    return (
        Archetype(
            "slap",
            family,
            16,
            7,
            (
                *(_op(0.5, 99, "finger", 0, 2, 2), _op(0.5, 80, "pluck", 0, 3, 2)),
                *(_op(1, 82, "pluck bright", 0, 3, 2), _op(5, 68, "snap", 0, 3), _op(0.5, 84, "pluck", 0, 3, 2)),
                _op(9, 76, "snap", 0, 4),
            ),
        ),
        Archetype(
            "finger",
            family,
            17,
            5,
            (
                *(_op(0.5, 99, "finger", 0, 1, 1), _op(0.5, 76, "pluck long", 0, 2, 1)),
                *(_op(1, 70, "pluck", 0, 2, 1), _op(3, 54, "hammer", 0, 2), _op(0.5, 72, "pluck long", 0, 2)),
                _op(2, 55, "snap", 0, 2),
            ),
        ),
        Archetype(
            "synth bass",
            family,
            3,
            7,
            (
                *(_op(0.5, 98, "held falling", -2, 1), _op(0.5, 84, "pluck", 0, 2), _op(1, 72, "pluck bright", 0, 2)),
                *(_op(0.5, 97, "held falling", 2, 1), _op(1, 82, "pluck", 0, 2), _op(0.5, 76, "held falling")),
            ),
        ),
        Archetype(
            "pick bass",
            family,
            1,
            6,
            (
                *(_op(0.5, 98, "pluck long", 0, 1, 2), _op(1, 79, "pluck", 0, 2, 2)),
                *(_op(0.5, 94, "pluck long", 1, 1, 2), _op(0.5, 80, "pluck", 0, 2), _op(2, 72, "pluck bright", 0, 3)),
                _op(6, 66, "snap", 0, 3),
            ),
        ),
        Archetype(
            "upright",
            family,
            7,
            2,
            (
                *(_op(0.5, 99, "pluck long", 0, 2, 2), _op(0.5, 66, "pluck", 0, 3, 2)),
                *(_op(1, 78, "pluck", 0, 2, 2), _op(1, 62, "hammer", 0, 3), _op(3, 50, "snap", 0, 3)),
                _op(1, 48, "hammer", 0, 3),
            ),
        ),
        Archetype(
            "rubber",
            family,
            18,
            7,
            (
                *(_op(0.5, 99, "held", 0, 1), _op(0.5, 80, "bloom", 0, 2), _op(1, 82, "pluck", 0, 2)),
                *(_op(0.5, 72, "held falling", 0, 1), _op(1, 66, "pluck"), _op(2, 60, "pluck bright")),
            ),
        ),
        Archetype(
            "organ bass",
            family,
            5,
            4,
            (
                *(_op(0.5, 99, "gate", 0), _op(0.5, 70, "gate", 0)),
                *(_op(1, 88, "held", 1, 1), _op(1, 66, "pluck", 0, 2)),
                *(_op(0.5, 95, "gate", -2), _op(2, 56, "click", 0, 1)),
            ),
        ),
    )


def _organs() -> tuple[Archetype, ...]:
    """Sines at whole ratios that sound as long as the key is down; pairs for reeds and pipes."""
    family = "organ"
    bars = ((0.5, 92), (1.5, 80), (1, 96), (2, 88), (3, 80), (4, 78))
    return (
        Archetype(
            "drawbars",
            family,
            32,
            0,
            tuple(
                _op(ratio, level, "drawbar", detune)
                for (ratio, level), detune in zip(bars, (0, 1, -1, 2, 0, -2), strict=True)
            ),
            Lfo(40, 0, 4, 0, 4, 2),
        ),
        Archetype(
            "percussive",
            family,
            32,
            4,
            (
                *(_op(0.5, 94, "drawbar"), _op(1, 94, "drawbar", 1), _op(1.5, 82, "drawbar", -1)),
                *(_op(2, 86, "drawbar"), _op(3, 88, "ping"), _op(1, 64, "click")),
            ),
            Lfo(44, 0, 5, 4, 4, 2),
        ),
        Archetype(
            "full",
            family,
            31,
            5,
            (
                *(_op(0.5, 92, "drawbar"), _op(1, 93, "drawbar"), _op(2, 88, "drawbar", 2), _op(4, 82, "drawbar", -2)),
                *(_op(1, 90, "drawbar", -3), _op(1, 74, "drawbar")),
            ),
        ),
        Archetype(
            "pipes",
            family,
            5,
            3,
            (
                *(_op(1, 96, "gate soft"), _op(2, 62, "gate soft")),
                *(_op(2, 92, "gate soft", 2), _op(4, 60, "gate soft")),
                *(_op(0.5, 94, "gate soft", -2), _op(3, 64, "chiff")),
            ),
        ),
        Archetype(
            "reed stop",
            family,
            5,
            6,
            (
                *(_op(1, 96, "gate", 0), _op(1, 76, "gate")),
                *(_op(1, 94, "gate", 3), _op(2, 74, "gate")),
                *(_op(2, 88, "gate", -3), _op(1, 78, "gate")),
            ),
        ),
        Archetype(
            "accordion",
            family,
            6,
            5,
            (
                *(_op(1, 95, "blown", -4), _op(3, 72, "blown")),
                *(_op(1, 95, "blown", 4), _op(2, 74, "blown")),
                *(_op(2, 88, "blown", 1), _op(1, 74, "blown")),
            ),
        ),
        Archetype(
            "combo",
            family,
            29,
            5,
            (
                *(_op(1, 92, "drawbar"), _op(2, 88, "drawbar", 2), _op(2, 84, "drawbar", -2), _op(2, 70, "drawbar")),
                *(_op(1, 92, "drawbar", -1), _op(3, 72, "drawbar")),
            ),
            Lfo(46, 0, 8, 0, 4, 2),
        ),
        Archetype(
            "rock organ",
            family,
            23,
            6,
            (
                *(_op(0.5, 94, "drawbar"), _op(1, 92, "drawbar", 1), _op(3, 72, "click", 0, 1)),
                *(_op(0.5, 92, "drawbar", -2), _op(1, 92, "drawbar", 2), _op(1, 74, "drawbar")),
            ),
        ),
    )


def _plucks() -> tuple[Archetype, ...]:
    """A fast attack, an index that falls first, then a level that falls; more of it for high notes."""
    family = "pluck"
    return (
        Archetype(
            "nylon",
            family,
            8,
            5,
            (
                *(_op(1, 97, "pluck long", 0, 2, 3), _op(1, 72, "pluck", 0, 3, 3)),
                *(_op(1, 92, "pluck", -2, 2, 3), _op(3, 70, "pluck bright", 0, 3, 3), _op(2, 60, "pluck", 0, 3)),
                _op(4, 58, "hammer", 0, 4, 3),
            ),
        ),
        Archetype(
            "steel",
            family,
            3,
            6,
            (
                *(_op(1, 97, "pluck long", 0, 2, 3), _op(3, 79, "pluck", 0, 3, 3), _op(1, 70, "pluck bright", 0, 3)),
                *(_op(1, 93, "pluck long", 3, 2, 3), _op(2, 78, "pluck", 0, 3, 3), _op(9, 64, "snap", 0, 4)),
            ),
        ),
        Archetype(
            "harp",
            family,
            5,
            3,
            (
                *(_op(1, 98, "struck", 0, 2, 3), _op(2, 62, "pluck", 0, 3, 3)),
                *(_op(1, 90, "struck long", 2, 2, 3), _op(1, 60, "pluck long", 0, 3, 3)),
                *(_op(3, 78, "pluck", -1, 3, 3), _op(5, 56, "snap", 0, 4, 3)),
            ),
        ),
        Archetype(
            "koto",
            family,
            15,
            6,
            (
                *(_op(1, 97, "pluck long", 0, 2, 3), _op(3, 76, "pluck bright", 0, 3, 3)),
                *(_op(1, 93, "pluck", 2, 2, 3), _op(3, 82, "pluck", 0, 3, 3), _op(5, 66, "snap", 0, 4, 3)),
                _op(8, 62, "snap", 0, 4, 3),
            ),
            pitch=(90, 60, 70, 60, 52, 50, 50, 50),
        ),
        Archetype(
            "cembalo",
            family,
            5,
            4,
            (
                *(_op(1, 94, "pluck long", 0, 0, 3), _op(4, 82, "pluck long", 0, 0, 3)),
                *(_op(2, 88, "pluck long", 1, 0, 3), _op(5, 79, "pluck", 0, 0, 3)),
                *(_op(1, 90, "pluck", -1, 0, 3), _op(12, 76, "pluck bright", 0, 0, 3)),
            ),
        ),
        Archetype(
            "banjo",
            family,
            7,
            5,
            (
                *(_op(1, 96, "pluck tight", 0, 2, 3), _op(4, 79, "pluck bright", 0, 3, 3)),
                *(_op(2, 90, "pluck tight", 2, 2, 3), _op(3, 80, "pluck", 0, 3, 3), _op(10, 68, "snap", 0, 4, 3)),
                _op(1, 70, "pluck", 0, 3, 3),
            ),
        ),
        Archetype(
            "muted",
            family,
            1,
            6,
            (
                *(_op(1, 99, "pluck tight", 0, 2, 3), _op(2, 80, "pluck tight", 0, 3, 3)),
                *(_op(1, 90, "pluck tight", -2, 2, 3), _op(1, 82, "hammer", 0, 3), _op(5, 72, "snap", 0, 3)),
                _op(3, 66, "snap", 0, 3),
            ),
        ),
        Archetype(
            "sitar",
            family,
            3,
            7,
            (
                *(_op(1, 95, "pluck long", 0, 1, 2), _op(4, 80, "bloom", 0, 2, 2), _op(1, 76, "pluck long", 0, 2)),
                *(_op(2, 88, "struck", 3, 1, 2), _op(7, 74, "bloom", 0, 2, 2), _op(1.01, 78, "struck", 0, 2)),
            ),
        ),
    )


def _strings() -> tuple[Archetype, ...]:
    """Slow 1:1 and 1:2 pairs apart by a few cents, much feedback, vibrato that comes in late."""
    family = "strings"
    vibrato = Lfo(34, 40, 8, 0, 4, 3)
    return (
        Archetype(
            "ensemble",
            family,
            2,
            7,
            (
                *(_op(1, 98, "bow", -4), _op(1, 79, "bow bright", 0, 1, right=12)),
                *(_op(1, 98, "bow", 4), _op(1, 76, "bow bright", 0, 1), _op(2, 66, "bow"), _op(4, 52, "bow bright")),
            ),
            vibrato,
        ),
        Archetype(
            "solo bow",
            family,
            17,
            6,
            (
                *(_op(1, 98, "bow", 0, 1), _op(1, 80, "bow bright", 0, 2, right=14)),
                *(_op(1, 68, "bow", 0, 1), _op(3, 50, "chiff"), _op(2, 66, "bow", 0, 1), _op(5, 48, "bow bright")),
            ),
            vibrato,
        ),
        Archetype(
            "slow pad",
            family,
            5,
            6,
            (
                *(_op(1, 97, "pad", -3), _op(1, 74, "pad bright", 0)),
                *(_op(1, 97, "pad slow", 3), _op(2, 70, "pad bright", 0)),
                *(_op(2, 86, "pad", 1), _op(1, 76, "pad slow")),
            ),
            Lfo(28, 20, 5, 0, 4, 3),
        ),
        Archetype(
            "choir",
            family,
            5,
            3,
            (
                *(_op(1, 97, "pad", -4), _op(1, 62, "pad")),
                *(_op(1, 96, "pad", 4), _op(2, 62, "pad slow")),
                *(_op(4, 74, "pad", 0), _op(1, 56, "pad bright")),
            ),
            Lfo(33, 25, 10, 0, 4, 3),
        ),
        Archetype(
            "octaves",
            family,
            22,
            7,
            (
                *(_op(1, 97, "bow", 0), _op(2, 72, "bow bright", 0, 1)),
                *(_op(2, 92, "bow", -4), _op(1, 97, "bow", 4), _op(0.5, 92, "bow", 1), _op(1, 78, "bow bright", 0, 1)),
            ),
            vibrato,
        ),
        Archetype(
            "bright pad",
            family,
            19,
            6,
            (
                *(_op(1, 96, "pad", 0), _op(1, 79, "pad bright"), _op(3, 66, "pad slow")),
                *(_op(1, 96, "pad", -4), _op(2, 90, "pad", 4), _op(1, 80, "pad bright")),
            ),
            Lfo(30, 30, 6, 0, 0, 3),
        ),
        Archetype(
            "pizzicato",
            family,
            2,
            6,
            (
                *(_op(1, 98, "pluck tight", -3, 2, 2), _op(1, 80, "pluck tight", 0, 3, 2)),
                *(_op(1, 98, "pluck tight", 3, 2, 2), _op(3, 74, "snap", 0, 3), _op(2, 60, "snap"), _op(1, 55, "snap")),
            ),
        ),
    )


def _leads() -> tuple[Archetype, ...]:
    """Steady spectra: an index that hardly moves, high feedback for a saw, ratio 2 for a square; flutes among them."""
    family = "lead"
    vibrato = Lfo(36, 35, 8, 0, 4, 3)
    return (
        Archetype(
            "saw lead",
            family,
            2,
            7,
            (
                *(_op(1, 98, "gate", -3, 1), _op(1, 82, "gate", 0, 1)),
                *(_op(1, 97, "gate", 3, 1), _op(1, 82, "held", 0, 1), _op(1, 68, "held"), _op(2, 50, "held")),
            ),
            vibrato,
        ),
        Archetype(
            "square lead",
            family,
            5,
            3,
            (
                *(_op(1, 98, "gate", 0, 1), _op(2, 79, "gate", 0, 1)),
                *(_op(1, 95, "gate", 3, 1), _op(2, 76, "held", 0, 1)),
                *(_op(0.5, 86, "gate", -2), _op(1, 70, "held")),
            ),
            vibrato,
        ),
        Archetype(
            "flute",
            family,
            16,
            4,
            (
                *(_op(1, 99, "blown", 0, 1), _op(1, 54, "breath", 0, 1)),
                *(_op(2, 52, "breath", 0, 1), _op(5, 45, "chiff"), _op(1, 48, "chiff"), _op(3, 60, "chiff")),
            ),
            Lfo(36, 35, 6, 8, 4, 3),
        ),
        Archetype(
            "recorder",
            family,
            5,
            2,
            (
                *(_op(1, 98, "blown", 0, 1), _op(3, 52, "breath")),
                *(_op(2, 76, "blown", 0, 1), _op(2, 50, "chiff")),
                *(_op(3, 66, "chiff", 0, 1), _op(7, 62, "chiff")),
            ),
            vibrato,
        ),
        Archetype(
            "harmonica",
            family,
            1,
            3,
            (
                *(_op(1, 96, "blown", 0, 1), _op(2, 76, "breath", 0, 1)),
                *(_op(2, 90, "blown", 1, 1), _op(1, 74, "breath"), _op(3, 62, "breath"), _op(6, 50, "chiff")),
            ),
            Lfo(38, 20, 6, 10, 4, 3),
        ),
        Archetype(
            "whistle",
            family,
            31,
            6,
            (
                *(_op(2, 99, "blown", 0), _op(4, 66, "blown", 0), _off(1), _off(1)),
                *(_op(2, 78, "chiff", 0), _op(5.3, 88, "chiff")),
            ),
            vibrato,
        ),
        Archetype(
            "fifth lead",
            family,
            8,
            6,
            (
                *(_op(1, 96, "held", -2, 1), _op(1, 80, "held", 0, 1)),
                *(_op(1.5, 90, "held", 2, 1), _op(1.5, 78, "held", 0, 1), _op(1, 66, "held"), _op(3, 58, "pluck")),
            ),
        ),
        Archetype(
            "vocal",
            family,
            7,
            5,
            (
                *(_op(1, 98, "blown", 0), _op(1, 70, "breath")),
                *(_op(3, 84, "blown", 1), _op(1, 72, "breath"), _op(1, 66, "pad"), _op(1, 60, "breath")),
            ),
            vibrato,
        ),
        Archetype(
            "comp synth",
            family,
            3,
            6,
            (
                *(_op(1, 97, "held falling", 3, 2), _op(1, 82, "pluck long", 0, 2), _op(2, 68, "pluck")),
                *(_op(1, 97, "held falling", -3, 2), _op(3, 78, "pluck", 0, 2), _op(1, 74, "held falling")),
            ),
        ),
    )


def _percussion() -> tuple[Archetype, ...]:
    """Ratios without order and feedback for noise, all of it over within a second; a pitch that falls for a skin."""
    family = "percussion"
    falling = (99, 75, 60, 60, 62, 50, 50, 50)
    return (
        Archetype(
            "kick",
            family,
            7,
            6,
            (
                *(_op(0.5, 99, "drum deep", 0, 2), _op(0.5, 78, "drum", 0, 2)),
                *(
                    _op(1, 80, "drum", 0, 2),
                    _op(1.41, 74, "stick", 0, 2),
                    _op(0.7, 80, "stick", 0, 2),
                    _op(3, 70, "stick"),
                ),
            ),
            pitch=(99, 80, 70, 60, 70, 50, 50, 50),
        ),
        Archetype(
            "tom",
            family,
            5,
            4,
            (
                *(_op(0.5, 98, "drum deep", 0, 2), _op(0.72, 76, "drum", 0, 2)),
                *(_op(0.79, 92, "drum", 0, 2), _op(1.2, 72, "stick", 0, 3)),
                *(_op(1, 80, "stick", 0, 2), _op(2.9, 84, "stick", 0, 3)),
            ),
            pitch=falling,
        ),
        Archetype(
            "snare",
            family,
            3,
            7,
            (
                *(_op(1, 95, "drum", 0, 2), _op(1.6, 80, "drum", 0, 2), _op(4.3, 88, "snare", 0, 2)),
                *(_op(2, 96, "snare", 0, 2), _op(7.1, 96, "snare", 0, 2), _op(11.3, 97, "snare", 0, 2)),
            ),
        ),
        Archetype(
            "cymbal",
            family,
            1,
            7,
            (
                *(_op(3.9, 92, "cymbal", 0, 2), _op(6.3, 92, "cymbal", 0, 2)),
                *(_op(5.2, 94, "cymbal", 0, 2), _op(9.7, 94, "cymbal", 0, 2), _op(13.1, 92, "cymbal", 0, 2)),
                _op(17.3, 90, "cymbal", 0, 2),
            ),
        ),
        Archetype(
            "wood block",
            family,
            5,
            5,
            (
                *(_op(2, 98, "block", 0, 2), _op(2.8, 70, "stick", 0, 2)),
                *(_op(4.6, 86, "block", 0, 2), _op(3.3, 72, "stick", 0, 2)),
                *(_op(1, 84, "stick", 0, 2), _op(8.8, 86, "stick", 0, 2)),
            ),
        ),
        Archetype(
            "log drum",
            family,
            12,
            5,
            (
                *(_op(1, 99, "drum", 0, 2, 2), _op(1, 76, "stick", 0, 3, 2)),
                *(_op(1, 90, "drum", 2, 2, 2), _op(1.4, 66, "stick", 0, 3), _op(3.1, 62, "stick", 0, 3)),
                _op(2, 66, "block", 0, 3),
            ),
            pitch=(95, 70, 70, 60, 54, 50, 50, 50),
        ),
        Archetype(
            "timpani",
            family,
            16,
            6,
            (
                *(_op(0.5, 99, "drum deep", 0, 2, 1), _op(0.74, 78, "drum deep", 0, 3, 1)),
                *(_op(0.99, 70, "drum", 0, 3), _op(1.7, 80, "stick", 0, 3), _op(0.6, 74, "drum", 0, 3)),
                _op(2.6, 80, "stick", 0, 3),
            ),
        ),
        Archetype(
            "cowbell",
            family,
            5,
            6,
            (
                *(_op(2, 96, "drum", 0, 2), _op(3.4, 76, "drum", 0, 2)),
                *(_op(2.98, 94, "drum", 0, 2), _op(2.2, 72, "drum", 0, 2)),
                *(_op(5.4, 82, "stick", 0, 2), _op(1.5, 80, "stick", 0, 2)),
            ),
        ),
    )


def _effects() -> tuple[Archetype, ...]:
    """Fixed frequencies, deep LFOs, long pitch envelopes and noise by feedback."""
    family = "effects"
    return (
        Archetype(
            "wind",
            family,
            18,
            7,
            (
                *(_op(1, 96, "gust", 0, hertz=400), _op(3, 86, "gust"), _op(5, 99, "drone")),
                *(_op(7, 96, "drone"), _op(11, 94, "drone"), _op(13, 92, "drone")),
            ),
            Lfo(8, 0, 30, 40, 5, 4),
        ),
        Archetype(
            "siren",
            family,
            5,
            4,
            (
                *(_op(1, 97, "gate soft", -2), _op(1, 72, "gate soft")),
                *(_op(1, 96, "gate soft", 2), _op(2, 70, "gate soft")),
                *(_op(2, 80, "gate soft"), _op(1, 66, "gate soft")),
            ),
            Lfo(22, 0, 80, 0, 0, 5),
        ),
        Archetype(
            "laser",
            family,
            16,
            6,
            (
                *(_op(1, 98, "falling"), _op(1, 80, "falling")),
                *(_op(2, 74, "falling"), _op(5, 66, "falling"), _op(3, 70, "falling"), _op(7, 66, "falling")),
            ),
            pitch=(99, 40, 35, 40, 95, 40, 12, 50),
        ),
        Archetype(
            "machine",
            family,
            14,
            7,
            (
                *(_op(1, 95, "drone", hertz=60), _op(3.3, 84, "drone", hertz=7)),
                *(_op(0.5, 96, "drone"), _op(1.7, 82, "drone"), _op(6.1, 78, "drone", hertz=13), _op(2.9, 84, "drone")),
            ),
            Lfo(60, 0, 10, 40, 5, 3),
        ),
        Archetype(
            "space",
            family,
            5,
            5,
            (
                *(_op(1, 94, "swell", -4), _op(3.14, 74, "rising")),
                *(_op(0.5, 95, "swell", 4), _op(1.41, 72, "falling")),
                *(_op(4, 78, "rising"), _op(5.07, 70, "swell")),
            ),
            Lfo(20, 0, 12, 0, 0, 3),
        ),
        Archetype(
            "rain",
            family,
            29,
            7,
            (
                *(_op(9, 80, "cymbal"), _op(13, 78, "cymbal"), _op(5, 92, "snare"), _op(7.7, 97, "snare")),
                *(_op(3, 88, "gust"), _op(17.3, 99, "drone")),
            ),
            Lfo(84, 0, 20, 70, 5, 6),
        ),
        Archetype(
            "robot",
            family,
            4,
            6,
            (
                *(_op(1, 96, "held"), _op(1, 84, "held", hertz=90), _op(2, 80, "held")),
                *(_op(1, 92, "held", 3), _op(2, 82, "held", hertz=140), _op(1, 70, "held")),
            ),
            Lfo(50, 0, 0, 60, 3, 3),
        ),
        Archetype(
            "blow up",
            family,
            2,
            7,
            (
                *(_op(0.5, 99, "falling"), _op(0.7, 99, "falling")),
                *(_op(0.5, 98, "bloom"), _op(1.3, 99, "falling"), _op(3.7, 99, "falling"), _op(5.9, 99, "falling")),
            ),
            pitch=(90, 25, 30, 40, 60, 30, 5, 50),
        ),
    )


def _four(name: str, family: str, algorithm: int, feedback: int, *heard: Operator, lfo: Lfo | None = None) -> Archetype:
    """Return an archetype of which operators 3 to 6 alone are heard."""
    return Archetype(name, family, algorithm, feedback, (_off(), _off(), *heard), lfo or Lfo())


def _four_operators() -> tuple[Archetype, ...]:
    """Voices as synthesizers of four operators make them, in the algorithms here that hold the charts of those.

    One carrier with a modulator and a stack of two beside it (7 and 8), with a stack of three (1), with one modulator
    that two others modulate (14), two pairs (5), one modulator of three carriers (22).
    """
    vibrato = Lfo(36, 40, 6, 0, 4, 3)
    reed, bowed = (_op(1, 97, "reed", 0, 2, 2), _op(1, 97, "bow"))
    return (
        _four(
            "four keys",
            "electric piano",
            7,
            4,
            reed,
            _op(13, 52, "tine", 0, 4, 3),
            _op(1, 72, "struck", 0, 3, 2),
            _op(1, 64, "struck short", 0, 3, 2),
        ),
        _four(
            "four grand",
            "electric piano",
            8,
            5,
            reed,
            _op(1, 78, "struck", 1, 3, 2),
            _op(3, 70, "struck short", 0, 4, 3),
            _op(7, 58, "hammer", 0, 4, 3),
        ),
        _four(
            "four reeds",
            "electric piano",
            5,
            5,
            reed,
            _op(1, 75, "mellow", 0, 4, 2),
            _op(2, 84, "struck", -2, 2, 2),
            _op(5, 62, "tine", 0, 4, 3),
        ),
        _four(
            "four horns",
            "brass",
            7,
            6,
            _op(1, 98, "brass", 0, 1),
            _op(1, 78, "brass bright", 0, 2),
            _op(1, 74, "brass", 2, 1),
            _op(2, 58, "blat", 0, 1),
            lfo=vibrato,
        ),
        _four(
            "four brass",
            "brass",
            22,
            7,
            _op(1, 98, "brass", -4, 1),
            _op(1, 98, "brass", 4, 1),
            _op(0.5, 92, "brass slow", 0, 1),
            _op(1, 80, "brass bright", 0, 2),
        ),
        _four(
            "four chimes",
            "bell",
            7,
            3,
            _op(1, 97, "bell", 0, 1),
            _op(3.5, 74, "bell", 0, 2),
            _op(2, 70, "clang", 0, 2),
            _op(7.1, 62, "clang", 0, 2),
        ),
        _four(
            "four glass",
            "bell",
            5,
            4,
            _op(2, 95, "bell slow", 0, 1),
            _op(5.6, 66, "ping", 0, 2),
            _op(1, 92, "bell long", 3, 1),
            _op(2.8, 72, "bell", 0, 2),
        ),
        _four(
            "four basses",
            "bass",
            7,
            6,
            _op(0.5, 99, "pluck", 0, 2),
            _op(0.5, 82, "pluck", 0, 2),
            _op(1, 78, "finger", 0, 2),
            _op(3, 70, "snap", 0, 3),
        ),
        _four(
            "four slap",
            "bass",
            14,
            6,
            _op(0.5, 99, "pluck", 0, 2),
            _op(1, 82, "pluck", 0, 2),
            _op(4, 72, "snap", 0, 3),
            _op(1, 74, "pluck bright", 0, 3),
        ),
        _four(
            "four solid",
            "bass",
            1,
            5,
            _op(0.5, 99, "finger", 0, 2),
            _op(1, 80, "finger", 0, 2),
            _op(0.5, 74, "pluck", 0, 2),
            _op(5, 60, "snap", 0, 3),
        ),
        _four(
            "four draws",
            "organ",
            7,
            4,
            _op(0.5, 97, "drawbar"),
            _op(1.5, 78, "drawbar"),
            _op(1, 80, "drawbar"),
            _op(4, 66, "drawbar"),
            lfo=Lfo(40, 0, 8, 10, 4, 2),
        ),
        _four(
            "four pipes",
            "organ",
            22,
            5,
            _op(0.5, 96, "gate"),
            _op(1, 94, "gate", 2),
            _op(2, 90, "gate", -2),
            _op(2, 74, "gate"),
        ),
        _four(
            "four strum",
            "pluck",
            7,
            5,
            _op(1, 98, "pluck long", 0, 2, 1),
            _op(3, 78, "pluck", 0, 2, 1),
            _op(1, 76, "pluck long", 0, 2, 1),
            _op(5, 68, "pluck bright", 0, 3, 2),
        ),
        _four(
            "four quills",
            "pluck",
            8,
            6,
            _op(1, 98, "pluck", 0, 2, 2),
            _op(5, 80, "pluck", 0, 2, 2),
            _op(2, 84, "pluck", 0, 2, 2),
            _op(11, 72, "pluck bright", 0, 3, 2),
        ),
        _four(
            "four clavis",
            "pluck",
            7,
            7,
            _op(0.5, 98, "pluck tight", 0, 2, 2),
            _op(3, 88, "pluck", 0, 2, 2),
            _op(0.5, 84, "pluck", 0, 2, 2),
            _op(7, 78, "pluck bright", 0, 3),
        ),
        _four(
            "four bows",
            "strings",
            7,
            6,
            bowed,
            _op(1, 78, "bow bright", 0, 1),
            _op(1, 72, "bow", 3),
            _op(3, 56, "bow bright", 0, 1),
            lfo=vibrato,
        ),
        _four(
            "four pads",
            "strings",
            5,
            7,
            _op(1, 97, "pad", -4),
            _op(1, 78, "pad bright"),
            _op(1, 97, "pad slow", 4),
            _op(2, 72, "pad"),
            lfo=vibrato,
        ),
        _four(
            "four winds",
            "lead",
            8,
            3,
            _op(1, 98, "blown", 0, 1),
            _op(2, 68, "breath", 0, 1),
            _op(1, 62, "breath"),
            _op(5, 50, "chiff"),
            lfo=vibrato,
        ),
        _four(
            "four synths",
            "lead",
            14,
            6,
            _op(1, 98, "held", 0, 1),
            _op(1, 80, "held", 0, 1),
            _op(2, 70, "held falling"),
            _op(1, 74, "held"),
        ),
        _four(
            "four mallets",
            "percussion",
            7,
            3,
            _op(1, 99, "drum", 0, 2, 2),
            _op(4, 70, "stick", 0, 2, 2),
            _op(1, 66, "drum", 0, 2, 2),
            _op(9.2, 64, "stick", 0, 3, 2),
        ),
        _four(
            "four metals",
            "percussion",
            14,
            7,
            _op(1.4, 96, "cymbal", 0, 2),
            _op(3.7, 88, "cymbal", 0, 2),
            _op(6.1, 84, "snare", 0, 2),
            _op(9.3, 86, "cymbal", 0, 2),
        ),
    )


ARCHETYPES: tuple[Archetype, ...] = (
    *_electric_pianos(),
    *_brass(),
    *_bells(),
    *_basses(),
    *_organs(),
    *_plucks(),
    *_strings(),
    *_leads(),
    *_percussion(),
    *_effects(),
    *_four_operators(),
)
"""All archetypes, by family."""


@lru_cache(maxsize=1)
def archetype_values() -> NDArray[np.uint8]:
    """Return the bytes of all archetypes, (archetypes, 155), read-only."""
    values = np.array([archetype.voice().values for archetype in ARCHETYPES], np.uint8)
    values.flags.writeable = False
    return values
