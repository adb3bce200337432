"""What an operator of the DX7 does to the sound, in words, by its frequency, its level and how that moves.

What a ratio of modulator to carrier gives follows Chowning (1973): reduced to p/q, it gives the harmonics |q +- k p| of
a fundamental q times lower than the carrier. How many of them there are follows the index of modulation.
"""

import math
from fractions import Fraction

from generators.dx7.voice import Voice
from inversynth.explanation.dx7_parts import FALLEN, LONG, Course
from inversynth.explanation.paragraph import SHARP, SLOW, hertz, seconds

FULL_INDEX = 4.0 * math.pi
"""Index of modulation, in radians, of an operator at full level: its output moves the phase by two cycles."""

WEAK, STRONG = 0.5, 5.0
"""Indices below which a modulator adds its first partials faintly, and from which on many."""

NOISE = 2.0
"""Radians of feedback from which on it is noise. Measured, a pair at C4: 0.1 % of the power off the harmonics at 1.9,
13 % at 2.9, 34 % at 2.2 with another level, 92 % at 4.5."""

QUARTERED = (3, 5, 31)
"""Algorithms, from 0, whose feedback is a quarter of the others' (`generators.dx7.kernel`)."""

LARGEST = 4
"""Largest divisor for which a ratio counts as one of whole numbers."""

IN_TUNE, NEARLY = 0.008, 0.03
"""How far a ratio may be off whole numbers: by 14 cents, a detune, and by half a semitone, which is heard to beat."""

STOPS = 0.05
"""Seconds of release within which a note stops with its key."""

ORDINALS = {3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}

RUMBLE = 20.0
"""Hertz below which a modulator is heard as a movement and not as partials."""

RING = 8
"""Ratio from which on the partials of a modulator stand so far above the carrier that they are heard by themselves."""


def modulation_index(course: Course) -> float:
    """Return the largest index of modulation that an operator reaches, in radians."""
    return FULL_INDEX * 10.0 ** (course.peak / 20.0)


def feedback_radians(voice: Voice, course: Course) -> float:
    """Return by how much an operator that is fed back moves its own phase at most."""
    shift = voice["feedback"] - 7 - (2 if voice["algorithm"] in QUARTERED else 0)
    return 2.0 * math.pi * 10.0 ** (course.peak / 20.0) * 2.0**shift


def spectrum(modulator: float, carrier: float, index: float, course: Course) -> str:
    """Say what a modulator adds to its carrier, by their frequencies in hertz and the index of modulation."""
    if modulator < RUMBLE:
        return f"makes it waver {modulator:.1f} times a second"
    how = "faintly adds" if index < WEAK else "strongly adds" if index >= STRONG else "adds"
    ratio = modulator / carrier
    whole = Fraction(ratio).limit_denominator(LARGEST)
    off = abs(float(whole) / ratio - 1.0)
    if ratio >= RING:
        if off > IN_TUNE or whole.denominator > 1:
            kind = "metal or a bell"
        else:
            kind = "the tine of an electric piano" if course.fade < 1.0 else "glass"
        return f"{how} a high ring around {hertz(modulator)}, as of {kind}"
    p, q = whole.numerator, whole.denominator
    if off > NEARLY or not whole or (q > 1 and ratio > 2.0):  # the latter leave gaps, in which no ear hears harmonics
        return f"{how} partials off the harmonics, as of metal or bells"
    if q > 1:
        lower = {2: "an octave lower", 4: "two octaves lower"}.get(q, f"{q} times lower")
        harmonics = f"harmonics of a tone {lower} ({hertz(carrier / q)})"
    elif p == 1:
        harmonics = "all harmonics, as of a saw"
    elif p == 2:
        harmonics = "odd harmonics, hollow as of a square wave"
    else:
        harmonics = f"harmonics around every {ORDINALS[p]} one"
    return f"{how} {harmonics}" + (", slightly out of tune" if off > IN_TUNE else "")


def carrier_course(course: Course) -> str:
    """Say how a carrier's loudness moves."""
    start = "starts at once" if course.attack <= SHARP else f"rises within {seconds(course.attack)}"
    if course.fade < math.inf:
        then = f"fades by 20 dB within {seconds(course.fade)}"
    elif course.sustain < 1.0:
        then = "stays as loud while the key is held"
    else:
        then = f"falls by {course.sustain:.0f} dB while the key is held"
    if course.release < STOPS:
        after = "stops with the key"
    else:
        after = f"rings {f'for {seconds(course.release)}' if course.release < LONG - 0.1 else 'on'} after it"
    return f"{start}, {then} and {after}" if course.fade > 1.0 else f"{start} and {then}"


def modulator_course(course: Course) -> str:
    """Say when a modulator colours the sound, as the end of a sentence."""
    if course.fade <= SLOW:
        return f", in the attack alone ({seconds(course.fade)})"
    grows = f", growing within {seconds(course.attack)}" if course.attack > 0.03 else ""
    if course.fade < math.inf:
        return f"{grows}, fading within {seconds(course.fade)}"
    if course.sustain >= FALLEN / 3:
        return f"{grows}, most at first"
    return grows or ", as long as it sounds"
