"""What a search calls better: the energy left of a sound, and how far two sounds are apart to the ear.

`residual` compares waveforms: exact where a synth can make the very sound, and meaningless where phases differ.
`Objective` compares magnitudes only, in a long and a short window, so that it also ranks patches for sounds that no
patch reproduces sample by sample; it is what refinement promises never to make worse. Silence and level count: a quiet
match of a loud sound is far from it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.spectrogram import magnitude_spectrogram

WINDOWS = (2048, 512)
"""Window lengths: two A4 semitones stand 26 Hz apart, three bins of the long one; the short one follows envelopes."""

FLOOR = 1e-3
"""Magnitude relative to the target's loudest (-60 dB) below which bins count as silent."""

DECIBELS = 20.0
"""Difference of levels, averaged over bins, that weighs as much as losing all energy."""


def residual(target: ArrayLike, match: ArrayLike) -> NDArray[np.float64]:
    """Return the energy of the difference relative to the target's; 0 is equal, 1 as far as silence.

    Shapes: target (samples,), match (n, samples) or (samples,) -> (n,) or ().
    """
    sound, other = np.asarray(target, np.float64), np.asarray(match, np.float64)
    return np.asarray(np.square(other - sound).sum(axis=-1) / max(float(sound @ sound), 1e-30))


def decibels(energy: float) -> float:
    """Return a relative energy in dB, never below -150 (float32 rounding of a sound lies near -140)."""
    return float(10.0 * np.log10(max(float(energy), 1e-15)))


class Objective:
    """Distance of sounds from one target: 0 is alike, about 1 is silence.

    The mean, over a long and a short window, of the spectral convergence |S - S'| / |S| (Arik, Jun, Diamos 2018) and
    of the mean difference of levels in units of 20 dB, with everything 60 dB below the target's loudest bin held there.
    """

    def __init__(self, target: ArrayLike) -> None:
        self.target = np.asarray(target, np.float32)
        self.spectra = [magnitude_spectrogram(self.target[None], n, n // 2)[0] for n in WINDOWS]
        self.floors = [max(float(spectrum.max()) * FLOOR, 1e-9) for spectrum in self.spectra]

    def distance(self, audio: ArrayLike) -> NDArray[np.float64]:
        """Measure sounds. Shapes: (n, samples) -> (n,), (samples,) -> ()."""
        sounds = np.asarray(audio, np.float32)
        if sounds.ndim == 1:
            return np.asarray(self.distance(sounds[None])[0])
        found = np.zeros(len(sounds))
        for first in range(0, len(sounds), 16):  # as many spectrograms as the cache likes
            part = sounds[first : first + 16]
            for window, mine, floor in zip(WINDOWS, self.spectra, self.floors, strict=True):
                theirs = magnitude_spectrogram(part, window, window // 2)
                norm = max(float(np.linalg.norm(mine)), floor)
                lost = np.linalg.norm((theirs - mine).reshape(len(part), -1), axis=1) / norm
                levels = 20.0 * np.log10(np.maximum(theirs, floor) / np.maximum(mine, floor))
                apart = np.abs(levels).mean(axis=(1, 2)) / DECIBELS
                found[first : first + len(part)] += (lost + apart) / (2 * len(WINDOWS))
        return found
