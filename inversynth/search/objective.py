"""What a search minimises: the energy left of a sound, and the log-mel distance between two sounds.

`residual` compares waveforms: exact where a synth can make the very sound, and meaningless where phases differ.
`Objective` measures the log-mel distance (`generators.analysis.distance`), which also ranks patches for sounds that no
patch reproduces sample by sample; a search never ends farther away than it began. Where the level of a sound is known,
the difference of levels counts too. `SpectralLoss` is a smooth stand-in over `xp`, for gradients.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.distance import LogMelDistance
from generators.analysis.spectrogram import magnitude_spectrogram

WINDOWS = (2048, 512)
"""Window lengths of `SpectralLoss`: two A4 semitones stand 26 Hz apart, three bins of the long one; the short one
follows envelopes."""

FLOOR = 1e-3
"""Magnitude relative to the target's loudest (-60 dB) below which bins count as silent."""

DECIBELS = 20.0
"""Difference of levels, averaged over bins, that weighs as much as losing all energy."""

EXPLAINED = 0.05
"""Energy left, relative to the sound (-13 dB), below which a patch explains its waveform: one made with other phases,
or of another synth, leaves more."""

ENOUGH = 1e-4
"""Energy left, relative to the sound (-40 dB), at which nothing new is begun."""

MADE = 1.0
"""Log-mel distance in dB up to which a sound counts as made by a patch on its levels.

In white noise 20 dB below it the exact patch of `fm` lies at 0.2 dB, and from its sound by an independent renderer at
0.5 dB (median; 99 % of 300 sounds: 0.91). The nearest of 82 sounds that `fm` cannot make was matched to 1.5 dB.
"""

INAUDIBLE = 1e-6
"""Energy of a difference, relative to the sound (-60 dB), below which two sounds count as the same."""

TAIL = 4.0
"""Exponent of a likelihood, (1 + difference/scale)^-4: a class 10 dB above the scale keeps 1e-4, not e^-10, since it
may be another parameter that is wrong."""

SILENT = np.float32(1e-12)
"""Energy below which a sound is not turned up."""

LEVEL_WEIGHT = 0.5
"""Of an error of level in dB among several sounds: one of 2 dB, which is just heard, counts as a distance of 1 dB."""


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
    """Distance of sounds from one target, in dB; 0 is equal.

    A target may be several sounds of equal length, one after another: their distances are averaged, and where one
    common gain leaves their levels at odds, the mean error of level is added at `LEVEL_WEIGHT`.

    Args:
        target: (samples,), not silent. sample_rate: Hz. any_level: whether sounds may have any level; otherwise the
            difference of their levels in dB is added to the log-mel distance, which does not see it. parts: sounds of
            which the target consists.
    """

    def __init__(self, target: ArrayLike, sample_rate: int, any_level: bool = False, parts: int = 1) -> None:
        self.target = np.asarray(target, np.float32)
        self.energy = np.float32(self.target @ self.target)
        self.any_level, self.parts = any_level, parts
        sounds = self.target.reshape(parts, -1)
        self._log_mel = [LogMelDistance(sound, sample_rate) for sound in sounds]
        self._levels = _levels(sounds)

    def distance(self, audio: ArrayLike) -> NDArray[np.float64]:
        """Measure sounds. Shapes: (n, samples) -> (n,), (samples,) -> ()."""
        sounds = np.asarray(audio, np.float32)
        shape = (*sounds.shape[:-1], self.parts, -1)
        pieces = sounds.reshape(shape)
        found = np.asarray(
            np.mean([one.distance(pieces[..., place, :]) for place, one in enumerate(self._log_mel)], axis=0)
        )
        if self.any_level and self.parts == 1:
            return found
        if self.any_level:
            errors = self._levels - _levels(pieces)
            errors -= np.median(errors, axis=-1, keepdims=True)
            return np.asarray(found + LEVEL_WEIGHT * np.abs(errors).mean(axis=-1))
        energy = np.einsum("...s,...s->...", sounds, sounds)
        return found + np.abs(10.0 * np.log10(np.maximum(energy, SILENT) / self.energy))

    def differences(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Return the differences of levels of which the log-mel distance is the weighted mean, without those of level.

        `weights @ abs(differences)` is that distance. Shapes: (n, samples) -> (n, numbers).
        """
        sounds = np.asarray(audio, np.float32)
        pieces = sounds.reshape(len(sounds), self.parts, -1)
        return np.concatenate([one.differences(pieces[:, place]) for place, one in enumerate(self._log_mel)], axis=1)

    @property
    def weights(self) -> NDArray[np.float32]:
        """The weight of each of `differences`, (numbers,)."""
        return np.concatenate([one.weights / self.parts for one in self._log_mel])

    def gains(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Return the factors that bring sounds to the level of the target. Shapes: (n, samples) -> (n,).

        Where the target is several sounds, their gains differ; it is the median of them.
        """
        sounds = np.asarray(audio)
        if self.parts == 1:
            return np.asarray(_gains(self.energy, sounds, np))
        errors = self._levels - _levels(sounds.reshape(len(sounds), self.parts, -1))
        return np.asarray(10.0 ** (np.median(errors, axis=-1) / 20.0), np.float32)


class SpectralLoss:
    """A distance of sounds from one target that has gradients: 0 is equal, about 1 is silence.

    The mean, over a long and a short window, of the spectral convergence |S - S'| / |S| (Arik, Jun, Diamos 2018) and
    of the mean difference of levels in units of 20 dB, with everything 60 dB below the target's loudest bin held there.
    """

    def __init__(self, target: ArrayLike) -> None:
        self.target = np.asarray(target, np.float32)
        self.energy = np.float32(self.target @ self.target)
        self.spectra = [magnitude_spectrogram(self.target[None], n, n // 2)[0] for n in WINDOWS]
        self.floors = [max(float(spectrum.max()) * FLOOR, 1e-9) for spectrum in self.spectra]

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
        return _gains(self.energy, audio, xp)


def _gains(energy: np.float32, audio: Any, xp: Any) -> Any:
    """Return the factors that bring sounds (n, samples) to an energy, (n,)."""
    return xp.sqrt(energy / xp.maximum(xp.einsum("ns,ns->n", audio, audio), SILENT))


def _levels(sounds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the levels of sounds in dB, (…, samples) -> (…)."""
    energy = np.einsum("...s,...s->...", sounds, sounds, dtype=np.float64)
    return np.asarray(10.0 * np.log10(np.maximum(energy, SILENT)))
