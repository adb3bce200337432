"""What a search minimises: the energy left of a sound, and the spectral distance between two sounds.

`residual` compares waveforms: exact where a synth can make the very sound, and meaningless where phases differ.
`Objective` compares magnitudes, in a long and a short window, so that it also ranks patches for sounds that no patch
reproduces sample by sample; a refinement never makes it worse. Silence and level count: a quiet match of a loud sound
is far from it. It is written over `xp`: NumPy for a search, `keras.ops` for gradients.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.spectrogram import magnitude_spectrogram

WINDOWS = (2048, 512)
"""Window lengths: two A4 semitones stand 26 Hz apart, three bins of the long one; the short one follows envelopes."""

FLOOR = 1e-3
"""Magnitude relative to the target's loudest (-60 dB) below which bins count as silent."""

DECIBELS = 20.0
"""Difference of levels, averaged over bins, that weighs as much as losing all energy."""

ENOUGH = 1e-4
"""Energy left, relative to the sound (-40 dB), at which nothing new is begun."""

INAUDIBLE = 1e-6
"""Energy of a difference, relative to the sound (-60 dB), below which two sounds count as the same."""

SILENT = np.float32(1e-12)
"""Energy below which a sound is not turned up."""

CHUNK = 16
"""Sounds measured at a time: their spectrograms take 4 MB for one second, which the last-level cache holds."""


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
    """Distance of sounds from one target: 0 is equal, about 1 is silence.

    The mean, over a long and a short window, of the spectral convergence |S - S'| / |S| (Arik, Jun, Diamos 2018) and
    of the mean difference of levels in units of 20 dB, with everything 60 dB below the target's loudest bin held there.
    """

    def __init__(self, target: ArrayLike) -> None:
        self.target = np.asarray(target, np.float32)
        self.energy = np.float32(self.target @ self.target)
        self.spectra = [magnitude_spectrogram(self.target[None], n, n // 2)[0] for n in WINDOWS]
        self.floors = [max(float(spectrum.max()) * FLOOR, 1e-9) for spectrum in self.spectra]

    def distance(self, audio: ArrayLike) -> NDArray[np.float64]:
        """Measure sounds. Shapes: (n, samples) -> (n,), (samples,) -> ()."""
        sounds = np.asarray(audio, np.float32)
        if sounds.ndim == 1:
            return np.asarray(self.distance(sounds[None])[0])
        found = np.zeros(len(sounds))
        for first in range(0, len(sounds), CHUNK):
            part = sounds[first : first + CHUNK]
            for term in self.terms(part):
                found[first : first + len(part)] += term
        return found

    def terms(self, audio: Any, xp: Any = np) -> Iterator[Any]:
        """Yield what each window contributes to the distance of sounds; their sum is the distance.

        Differentiable but for the target itself, where the norm of the difference has no gradient.
        Shapes: audio (n, samples) -> (n,) for each of `WINDOWS`.
        """
        for window, target, floor in zip(WINDOWS, self.spectra, self.floors, strict=True):
            spectra = magnitude_spectrogram(audio, window, window // 2, xp)
            norm = max(float(np.linalg.norm(target)), floor)
            difference = xp.reshape(spectra - target, (-1, target.size))
            lost = xp.sqrt(xp.sum(xp.square(difference), axis=1)) / norm
            levels = 20.0 * xp.log10(xp.maximum(spectra, floor) / np.maximum(target, floor))
            yield (lost + xp.mean(xp.abs(levels), axis=(1, 2)) / DECIBELS) / (2 * len(WINDOWS))

    def gains(self, audio: Any, xp: Any = np) -> Any:
        """Return the factors that bring sounds to the energy of the target. Shapes: (n, samples) -> (n,)."""
        return xp.sqrt(self.energy / xp.maximum(xp.einsum("ns,ns->n", audio, audio), SILENT))
