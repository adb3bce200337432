"""A paragraph of an explanation, and the words that explanations of all synthesizers share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SHARP, SLOW = 0.012, 0.15
"""Seconds: an attack up to the first starts at once, a fade up to the second is a strike."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph: two or three words that head it, and its sentences."""

    head: str
    text: str


def joined(words: Sequence[str]) -> str:
    """Write a list: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def seconds(time: float) -> str:
    """Write a time by about two digits: `5 ms`, `0.25 s`, `1.4 s`, `12 s`."""
    if time < 0.0995:
        return f"{max(round(1000.0 * time), 1)} ms"
    return f"{time:.2f} s".replace("0 s", " s") if time < 0.995 else f"{time:.1f} s" if time < 9.95 else f"{time:.0f} s"


def hertz(frequency: float) -> str:
    """Write a frequency by about three digits: `0.75 Hz`, `261.6 Hz`, `3.66 kHz`."""
    if frequency >= 1000.0:
        return f"{frequency / 1000.0:.2f} kHz"
    return f"{frequency:.3g} Hz" if frequency < 100.0 else f"{frequency:.1f} Hz"


def interval(ratio: float) -> str:
    """Say how far a frequency is above or below another, by their ratio: `an octave above`, `3 times`, `0.97 times`."""
    octaves = math.log2(ratio)
    if abs(octaves) < 0.012:  # 14 cents: detune
        return "at the pitch of the note"
    if abs(octaves - round(octaves)) < 0.012:
        count = abs(round(octaves))
        words = {1: "an octave", 2: "two octaves", 3: "three octaves", 4: "four octaves"}.get(count, f"{count} octaves")
        return f"{words} {'above' if octaves > 0 else 'below'} the note"
    if abs(ratio - round(ratio)) < 0.007 * ratio:
        return f"at {round(ratio)} times the note, its harmonic {round(ratio)}"
    semitones = 12.0 * octaves
    way = "above" if semitones > 0 else "below"
    size = abs(round(semitones)) if abs(semitones - round(semitones)) < 0.15 else round(abs(semitones), 1)
    return f"{size:g} semitones {way} the note"
