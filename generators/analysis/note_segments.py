"""Melodies note by note: pitch and onsets together, so that legato, soft attacks and repeated notes all count.

Where the level rises in many mel bands at once (with vibrato taken out as in SuperFlux, Böck and Widmer 2013) or the
pitch moves, a note may begin. A logistic model of nine measurements at that place decides; its weights were fitted to
synthetic melodies of SoundFont instruments, and `python -m benchmarks.pitch` prints how it does on others.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import mel_filters
from generators.analysis.pitch_strength import (
    STEP,
    STEPS,
    VOICED,
    exact_note,
    mean_pitch,
    pitch_strength,
    strongest_path,
)

Floats = NDArray[np.float64]

AUDIBLE_DB = 40.0
"""Decibels below the loudest frame under which no note is looked for."""

SHORTEST = 0.07
"""Seconds that a note lasts at least."""

WINDOW, BANDS = 0.046, 80
"""Seconds of the windows in which rises of level are measured, and the mel bands."""

LOUD, ALL = 25.0, 40.0
"""Decibels below the loudest band within which bands count: the partials, and what an attack adds around them."""

SLOW, FAST = 6, 3
"""Frames over which a level rises: 60 and 30 ms."""

WEIGHTS = (-0.94, 3.76, 0.48, 0.47, 2.08, 2.98, 0.3, 1.29, 0.89)
BIAS = -7.21
"""Of the logistic model; the order is that of `Place.measurements`."""

ATTACK = 1.0
"""Decibels by which the level rises at least where a note of the same pitch begins."""

WAVERING = 0.5
"""Semitones between the medians of 80 ms up to which a pitch only wavers: a vibrato of 40 cents either way."""

SALIENT = 0.5
"""Least sum of a quarter of the rise in dB and twice the change of pitch in semitones for a place to be considered."""


@dataclass(frozen=True)
class Segment:
    """One note: seconds of its start and end, its MIDI pitch with a fraction, and how certain the pitch is, 0..1.

    `rise` is by how many dB the level rises where it begins, infinite for what sounds from the start.
    """

    start: float
    end: float
    pitch: float
    confidence: float
    rise: float = math.inf


@dataclass(frozen=True)
class Place:
    """Where a note may begin: seconds, and the measurements that decide.

    Log rises of the partials and of all bands over 60 ms; of all bands and of the partials over 30 ms without vibrato;
    the change of pitch beyond a vibrato, 1 a semitone; the dip of the pitch strength; the rise of the level in units of
    6 dB; the log rise beside that of other moments around; the level relative to the loudest in units of 10 dB.
    """

    time: float
    measurements: tuple[float, ...]

    @property
    def score(self) -> float:
        """Log odds of a beginning."""
        return float(np.dot(WEIGHTS, self.measurements)) + BIAS


def segment_notes(audio: ArrayLike, sample_rate: int) -> list[Segment]:
    """Find the notes of a melody. Shapes: audio (samples,). Noise and silence have none."""
    sound = np.asarray(audio, np.float32)
    if not len(sound) or not sound.any():
        return []
    strength = pitch_strength(sound, sample_rate)
    track = strongest_path(strength)
    voicing = strength[np.arange(len(track)), track]
    power, levels = _bands(sound, sample_rate, len(track))
    voiced = (voicing > VOICED) & (levels > levels.max() - AUDIBLE_DB)
    starts = [place for place in _places(power, levels, track, voicing) if place.score > 0.0]
    bounds = [round(place.time / STEP) for place in starts]
    rises = [6.0 * place.measurements[6] for place in starts]
    if not voiced.any():
        return []
    if not bounds or np.argmax(voiced) < bounds[0] - SHORTEST / STEP:  # what sounds from the start begins there
        bounds.insert(0, int(np.argmax(voiced)))
        rises.insert(0, math.inf)
    found: list[Segment] = []
    for first, last, rise in zip(bounds, [*bounds[1:], len(track)], rises, strict=True):
        inside = np.flatnonzero(voiced[first:last]) + first
        if len(inside) * STEP < SHORTEST:
            continue
        core = inside[min(len(inside) // 4, 5) :]  # behind the attack and what is left of the note before
        pitch, certain = mean_pitch(strength[core], levels[core])
        start, end = first * STEP, float(inside[-1] + 1) * STEP
        if found and rise <= ATTACK and abs(pitch - found[-1].pitch) < WAVERING:  # neither louder nor another pitch
            found[-1] = replace(found[-1], end=end)
            continue
        found.append(Segment(start, end, exact_note(sound, sample_rate, pitch, core), certain, rise))
    return found


def possible_onsets(audio: ArrayLike, sample_rate: int) -> list[Place]:
    """Return every place at which a note may begin, with its measurements; what the model is fitted to."""
    sound = np.asarray(audio, np.float32)
    strength = pitch_strength(sound, sample_rate)
    track = strongest_path(strength)
    power, levels = _bands(sound, sample_rate, len(track))
    return _places(power, levels, track, strength[np.arange(len(track)), track])


def _bands(sound: NDArray[np.float32], sample_rate: int, frames: int) -> tuple[Floats, Floats]:
    """Return the levels in dB of mel bands, (frames, BANDS), and of the whole, (frames,)."""
    length = 2 * round(WINDOW * sample_rate / 2)
    places = np.round(np.arange(frames) * STEP * sample_rate).astype(np.int64)
    views = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (length // 2, length)), length)[places]
    size = 1 << (length - 1).bit_length()
    power = np.square(np.abs(np.fft.rfft(views * np.hanning(length), size, axis=1)))
    mels = power @ mel_filters(BANDS, size, sample_rate, htk=True)
    return 10.0 * np.log10(np.maximum(mels, 1e-20)), 10.0 * np.log10(np.maximum(power.sum(axis=1), 1e-20))


def _rise(bands: Floats, lag: int, depth: float, vibrato: bool) -> Floats:
    """Return the mean rise in dB over `lag` frames of the bands within `depth` dB of the loudest.

    Args:
        vibrato: count what moves from one band to the next as a rise, too.
    """
    lowest = bands.max() - depth
    held = np.maximum(bands, lowest)
    before = held if vibrato else np.maximum(held, np.maximum(np.roll(held, 1, axis=1), np.roll(held, -1, axis=1)))
    rises = np.zeros(len(bands))
    loud = held[lag:] > lowest
    rises[lag:] = (np.maximum(held[lag:] - before[:-lag], 0.0) * loud).sum(axis=1) / np.maximum(loud.sum(axis=1), 6)
    return rises


def _places(bands: Floats, levels: Floats, track: NDArray[np.int64], voicing: Floats) -> list[Place]:
    """Find the places where a rise and a change of pitch together are greatest, in order of time."""
    count = len(levels)
    partials, everything = _rise(bands, SLOW, LOUD, True), _rise(bands, SLOW, ALL, True)
    attack, sharp = _rise(bands, FAST, ALL, False), _rise(bands, FAST, LOUD, False)
    pitches = 12.0 * track / STEPS
    moves = np.zeros(count)
    for k in range(3, count - 3):
        moved = abs(float(np.median(pitches[k : k + 8]) - np.median(pitches[max(k - 8, 0) : k])))
        moves[k] = np.clip((moved - WAVERING) / (1.0 - WAVERING), 0.0, 1.0)
    salience = (partials + everything) / 4.0 + 2.0 * moves
    mean = np.maximum(bands, bands.max() - LOUD).mean(axis=1)
    found: list[Place] = []
    for k in range(1, count - 1):
        near = slice(max(k - 4, 0), k + 5)
        if salience[k] < SALIENT or salience[k] < salience[near].max():
            continue
        lowest = levels[max(k - SLOW, 0) : k + 1].min()
        measurements = (
            np.log1p(partials[k]),
            np.log1p(everything[k]),
            np.log1p(attack[near].max()),
            np.log1p(sharp[near].max()),
            moves[near].max(),
            np.median(voicing[max(k - 8, 0) : k + 9]) - voicing[max(k - 5, 0) : k + 4].min(),
            np.clip((levels[k : k + 8].max() - lowest) / 6.0, 0.0, 4.0),
            np.log1p(partials[k]) - np.log1p(np.quantile(partials[max(k - 50, 0) : k + 50], 0.8)),
            (levels[k : k + 5].max() - levels.max()) / 10.0,
        )
        time = _beginning(mean, k) * STEP
        if not found or time - found[-1].time >= SHORTEST:
            found.append(Place(time, tuple(float(each) for each in measurements)))
    return found


def _beginning(mean: Floats, peak: int) -> int:
    """Return the frame at which a rise has made a quarter of its way to `peak`."""
    first = max(peak - 2 * SLOW, 0)
    rising = mean[first : peak + 1]
    low = int(rising.argmin())
    if rising[-1] - rising[low] < 0.7:  # a change of pitch without a rise: the track turns in the middle of it
        return max(peak - 2, 0)
    threshold = rising[low] + 0.25 * (rising[-1] - rising[low])
    return first + low + int(np.argmax(rising[low:] >= threshold))
