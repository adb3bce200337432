"""What a match gets right and wrong, in one plain sentence made of measurements.

"Pitch right, attack 40 ms late, the top octave is missing": pitch first, then time, then colour, and only what differs
by more than a listener would overlook.
"""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from generators.notes.pitches import note_name

if TYPE_CHECKING:
    from generators.analysis.musical_measures import MusicalMeasures, OctaveBand

IN_TUNE = 15.0
"""Cents within which a pitch counts as right: the tracker itself strays by up to 8."""

SEMITONES = 100.0
"""Cents from which on a difference is named in semitones, and in octaves where it is near a whole number of them."""

AT_ONCE = 10.0
"""Milliseconds within which two attacks count as simultaneous."""

AS_LONG = 80.0
"""Milliseconds within which two sounds count as equally long: a tenth of the amplitude is hard to hear earlier."""

WEAK, MISSING = 6.0, 15.0
"""Decibels by which an octave must differ to be too much or too little, and by which it is missing."""

HEARD = -30.0
"""Decibels from the target's loudest octave down to which another is heard beside it, both A-weighted."""

LIKE_ENVELOPE = 0.9
"""Envelope cosine below which the loudness takes another course; a held tone and one that falls by 20 dB have 0.85."""

DETAIL = 0.5
"""Log-mel distance in dB beyond which something differs, even where no clause says what; nearer is the same sound."""


def describe_differences(found: "MusicalMeasures") -> str:
    """Return one sentence: what of pitch, time and colour is right, and what is not."""
    clauses = [_pitch(found)] if _pitch(found) else []
    clauses += list(_timing(found)) or ["attack right"]
    exact = found.log_mel_distance <= DETAIL
    clauses += list(_colour(found.octaves)) or ["tone right" if exact else "the tone differs in detail"]
    sentence = ", ".join(clauses)
    return f"{sentence[0].upper()}{sentence[1:]}."


def describe_pitch(cents: float) -> str:
    """Write a difference of pitch: `30 cents sharp`, `3 semitones too low`, `an octave too low`."""
    size = abs(cents)
    if size < SEMITONES:
        return f"{size:.0f} cents {'sharp' if cents > 0 else 'flat'}"
    way = "high" if cents > 0 else "low"
    octaves = round(size / 1200.0)
    if octaves and abs(size - 1200.0 * octaves) <= 50.0:
        return f"{'an octave' if octaves == 1 else f'{octaves} octaves'} too {way}"
    semitones = round(size / 100.0)
    return f"{'a semitone' if semitones == 1 else f'{semitones} semitones'} too {way}"


def _pitch(found: "MusicalMeasures") -> str:
    cents, target, match = found.pitch_cents, found.target_note, found.match_note
    if cents is None and target is not None and match is not None:
        cents = 100.0 * (match - target)
    if cents is not None:
        return "pitch right" if abs(cents) <= IN_TUNE else f"pitch {describe_pitch(cents)}"
    if target is not None:
        return f"no clear pitch where the target plays {note_name(round(target))}"
    return "" if match is None else f"one steady pitch ({note_name(round(match))}) where the target has none or several"


def _timing(found: "MusicalMeasures") -> Iterator[str]:
    late, long = abs(found.attack_ms) > AT_ONCE, abs(found.end_ms) > AS_LONG
    if late:
        yield f"attack {_milliseconds(found.attack_ms)} {'late' if found.attack_ms > 0 else 'early'}"
    if long:
        yield f"fades {_milliseconds(found.end_ms)} too {'late' if found.end_ms > 0 else 'soon'}"
    if not late and not long and found.envelope_cosine < LIKE_ENVELOPE:
        yield "its loudness takes another course"


def _milliseconds(value: float) -> str:
    size = abs(value)
    return f"{size:.0f} ms" if size < 100.0 else f"{10 * round(size / 10.0)} ms"


def _colour(bands: "tuple[OctaveBand, ...]") -> Iterator[str]:
    """Name the one range of neighbouring octaves that differs most to the ear."""
    weights = [a_weighting((band.low * band.high) ** 0.5) for band in bands]
    loudest = max(band.target + weight for band, weight in zip(bands, weights, strict=True))
    heard = [
        max(band.target, band.match) + weight - loudest - HEARD for band, weight in zip(bands, weights, strict=True)
    ]
    ranges = []
    for judged, group in groupby(range(len(bands)), key=lambda place: _judge(bands[place], heard[place])):
        places = list(group)
        if judged:
            effect = sum(min(abs(bands[k].match - bands[k].target), 2 * MISSING) * heard[k] for k in places)
            ranges.append((effect, places[0], places[-1], judged))
    if ranges:
        _, first, last, judged = max(ranges)
        yield judged.format(_range(bands, first, last))


def _judge(band: "OctaveBand", heard: float) -> str:
    """Return what to say of a range of such octaves, or nothing where they are as loud as in the target, or unheard."""
    difference = band.match - band.target
    if heard < 0.0 or abs(difference) < WEAK:
        return ""
    if difference > 0:
        return "too much of {}"
    return "{} is missing" if difference < -MISSING else "too little of {}"


def a_weighting(frequency: float) -> float:
    """Return by how many dB a frequency counts more than 1 kHz to the ear: IEC 61672-1, weighting A."""
    square = frequency * frequency
    gain = 12194.0**2 * square**2 / ((square + 20.6**2) * (square + 12194.0**2))
    gain /= ((square + 107.7**2) * (square + 737.9**2)) ** 0.5
    return 20.0 * math.log10(gain) + 2.0


def _range(bands: "tuple[OctaveBand, ...]", first: int, last: int) -> str:
    low, high = _hertz(bands[first].low), _hertz(bands[last].high)
    top, bottom = last == len(bands) - 1, first == 0
    if top and first == last:
        return "the top octave"
    if top:
        return f"all above {low}"
    if bottom:
        return f"all below {high}"
    return f"the range from {low} to {high}"


def _hertz(frequency: float) -> str:
    """Write a frequency as people say it: 512 Hz, 4 kHz for 4,096 Hz, 5.5 kHz."""
    if frequency < 1000.0:
        return f"{frequency:.0f} Hz"
    whole = round(frequency / 1000.0)
    return f"{whole} kHz" if abs(frequency - 1000.0 * whole) < 0.03 * frequency else f"{frequency / 1000.0:.2g} kHz"
