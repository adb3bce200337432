"""What the network hears: levels of a note in 10 ms frames, by mel bands and at the multiples of half its pitch.

The ratios of a DX7 are mostly whole, so the levels at multiples of half the note's frequency show which operators sound
whatever the note; mel bands show the rest, and two frames of 5 ms each beside them the attack.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.distance import FLOOR_DB, LEVEL, log_mel_levels
from generators.dsp.units import midi_to_hz

Floats = NDArray[np.float32]

SAMPLE_RATE = 22050
LENGTH = 1.0
"""Hertz and seconds of the sounds that the network hears."""

FRAMES = 100
HARMONICS = 96
"""Multiples of half the note's frequency."""

CHANNELS = 64 + 2 * 32 + HARMONICS
"""Numbers of a frame: bands of 25 ms windows, bands of two of 10 ms, and harmonics of 93 ms."""

WINDOW, STRIDE = 2048, 3
"""Samples from which levels at harmonics are measured, and frames for which they stand: 93 and 30 ms."""

_CHUNK = 16


def note_features(audio: ArrayLike, note: ArrayLike) -> Floats:
    """Return what the network hears, from -1 (80 dB below full scale, at -20 dBFS RMS) to about 1.

    Args:
        audio: (n, samples) at SAMPLE_RATE, from the onset on; LENGTH of it is heard. note: (n,) MIDI notes, with
            fractions.
    Returns: (n, FRAMES, CHANNELS).
    """
    samples = round(SAMPLE_RATE * LENGTH)
    given = np.asarray(audio, np.float32)[:, :samples]
    sounds = np.zeros((len(given), samples), np.float32)
    sounds[:, : given.shape[1]] = given
    short, middle, _ = log_mel_levels(sounds, SAMPLE_RATE)
    pairs = np.zeros((len(sounds), FRAMES * 2, short.shape[2]), np.float32) + np.float32(FLOOR_DB)
    pairs[:, : short.shape[1]] = short[:, : FRAMES * 2]
    levels = np.concatenate(
        [
            _fitted(middle),
            pairs.reshape(len(sounds), FRAMES, -1),
            _harmonic_levels(sounds, midi_to_hz(np.asarray(note, np.float64))),
        ],
        axis=2,
    )
    return np.asarray((levels - np.float32(FLOOR_DB)) / np.float32(-FLOOR_DB / 2.0) - np.float32(1.0), np.float32)


def _fitted(levels: Floats) -> Floats:
    found = np.full((len(levels), FRAMES, levels.shape[2]), FLOOR_DB, np.float32)
    found[:, : levels.shape[1]] = levels[:, :FRAMES]
    return found


def _harmonic_levels(sounds: Floats, hertz: NDArray[np.float64]) -> Floats:
    """Return the levels at multiples of half a frequency, the loudest of three bins, (n, frames, HARMONICS) dB."""
    from scipy.fft import rfft

    hop, window = SAMPLE_RATE // FRAMES, _window()
    padded = np.pad(sounds, ((0, 0), (WINDOW // 2, WINDOW // 2 + STRIDE * hop)))
    scale = np.float32(LEVEL) / np.sqrt(np.maximum(np.mean(np.square(sounds), axis=1), 1e-30))
    found = np.empty((len(sounds), -(-FRAMES // STRIDE), HARMONICS), np.float32)
    places = np.arange(1, HARMONICS + 1) * (hertz[:, None] / 2.0) * (WINDOW / SAMPLE_RATE)
    centres = np.rint(places).astype(np.int64)
    above = centres > WINDOW // 2 - 1
    centres = np.clip(centres, 1, WINDOW // 2 - 1)
    first_middle = hop // 2 + STRIDE // 2 * hop
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, first_middle :: STRIDE * hop]
    frames = frames[:, : -(-FRAMES // STRIDE)]
    for first in range(0, len(sounds), _CHUNK):
        part = slice(first, first + _CHUNK)
        spectra = rfft(frames[part] * (window * scale[part, None, None]), axis=2)
        power = np.square(spectra.real) + np.square(spectra.imag)
        for row, picked, hidden in zip(range(first, len(sounds)), centres[part], above[part], strict=False):
            own = power[row - first]
            loudest = np.maximum(np.maximum(own[:, picked - 1], own[:, picked]), own[:, picked + 1])
            found[row] = np.where(hidden, np.float32(FLOOR_DB), 10.0 * np.log10(np.maximum(loudest, 1e-8)))
    return np.repeat(np.maximum(found, np.float32(FLOOR_DB)), STRIDE, axis=1)[:, :FRAMES]


@lru_cache(maxsize=1)
def _window() -> Floats:
    """Return a Hann window by which the bin of a full-scale sine is 0 dB."""
    window = np.hanning(WINDOW + 1)[:-1]
    return np.asarray(window * (2.0 / window.sum()), np.float32)
