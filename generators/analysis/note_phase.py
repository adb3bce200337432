"""The phase of notes: how many cycles of its fundamental a note of known pitch has gone through, sample by sample.

The phase follows the sound, so that it turns more slowly where a note is flat and swings with vibrato. It is found by
demodulation at the nominal frequency (Flanagan and Golden 1966, the phase vocoder) in Hann windows of four periods or
more, in which the other partials vanish. Where the fundamental is weak, a stronger partial is followed and its phase
divided by its number.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 128
"""Samples between two estimates; between them the deviation from the nominal phase is interpolated linearly."""

PERIODS, SHORTEST = 4, 512
"""Periods, and samples, that a window has at least: four periods keep the next partial out of a Hann window."""

PARTIALS = 8
"""Partials among which the one to be followed is chosen."""

WEAK = 0.25
"""The lowest partial is followed that has this share of the strongest partial's amplitude."""

MOST_DETUNED = 0.03
"""Of the frequency: half a semitone. A phase that turns faster or slower is that of noise, and is held back."""


def note_frequency(note: Any) -> Any:
    """Return the frequency of MIDI notes in hertz. Shapes: any, the same."""
    return 440.0 * 2.0 ** ((np.asarray(note, float) - 69.0) / 12.0)


def nominal_phase(note: Any, first: int, count: int, sample_rate: int) -> NDArray[np.float32]:
    """Return the phase of notes that are in tune and begin at sample 0 with phase 0.

    Shapes: note (n,), MIDI, may have a fraction -> (n, count) cycles in 0..1, of the samples from `first` on.
    """
    turned = note_frequency(note)[:, None] * (np.arange(first, first + count) / sample_rate)
    return np.asarray(turned % 1.0, np.float32)


def track_phase(audio: NDArray[np.floating[Any]], note: Any, sample_rate: int) -> NDArray[np.float32]:
    """Find the phase of the fundamental in pieces of notes.

    Shapes: audio (n, samples), note (n,), MIDI -> (n, samples) cycles, rising from -0.5..0.5 on.
    """
    frequencies = note_frequency(note)
    return np.stack([_track(np.asarray(one, float), f, sample_rate) for one, f in zip(audio, frequencies, strict=True)])


def _track(audio: NDArray[np.float64], frequency: float, sample_rate: int) -> NDArray[np.float32]:
    samples = len(audio)
    window = min(samples, max(SHORTEST, round(PERIODS * sample_rate / frequency)))
    hann = np.hanning(window + 2)[1:-1]
    nominal = frequency / sample_rate * np.arange(samples)
    whole = audio * np.hanning(samples + 2)[1:-1]
    numbers = np.arange(1, max(1, min(PARTIALS, int(0.5 * sample_rate / frequency))) + 1)
    levels = np.abs([whole @ np.exp(-2j * np.pi * k * nominal) for k in numbers])
    partial = int(numbers[np.argmax(levels >= WEAK * levels.max())])
    frames = np.lib.stride_tricks.sliding_window_view(audio * np.exp(-2j * np.pi * partial * nominal), window)[::STEP]
    centres = np.arange(len(frames)) * STEP + 0.5 * (window - 1)
    cycles = np.unwrap(np.angle(frames @ hann)) / (2 * np.pi * partial)
    most = MOST_DETUNED * STEP * frequency / sample_rate
    deviation = cycles[0] + np.concatenate([[0.0], np.cumsum(np.clip(np.diff(cycles), -most, most))])
    return np.asarray(nominal + _extended(np.arange(samples), centres, deviation), np.float32)


def _extended(at: NDArray[Any], centres: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float64]:
    """Interpolate linearly, and go on with the slope of either end outside the centres."""
    if len(centres) == 1:
        return np.full(len(at), values[0])
    found = np.interp(at, centres, values)
    for edge, inner, outside in ((0, 1, at < centres[0]), (-1, -2, at > centres[-1])):
        slope = (values[edge] - values[inner]) / (centres[edge] - centres[inner])
        found = np.where(outside, values[edge] + slope * (at - centres[edge]), found)
    return found
