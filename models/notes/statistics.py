"""Statistics of a set of generated notes against real ones: pitch, variety, and distance of the distributions.

The measures of Engel et al. 2019 (GANSynth, arXiv 1902.08710): pitch accuracy of a classifier, its inception score and
Fréchet distance, and the number of statistically different bins (Richardson and Weiss 2018, arXiv 1805.12462). Two
more cover what these can miss: distances to the nearest training note, which are small where training notes are
memorised, and those among notes of one pitch, which are small where all notes have one timbre.

Statistics of a whole set take `counts` (n,), how often each note is in it (once each by default), so that sets can be
resampled (`inversynth.evaluation.bootstrap`). None depends on gain.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.spectrogram import power_spectrogram
from generators.errors import ModelError

Numbers = NDArray[np.floating[Any]]

WINDOW_SECONDS = 0.064
"""Window of the spectrograms by which notes are compared, with an overlap of one half."""

RANGE_DB = 60.0
"""Range below the loudest point of a note; below it a comparison would measure a network's noise, not its timbre."""

CELLS = 50
"""Bins of k-means (published)."""

CRITICAL = 1.959964
"""Standard errors between two shares that differ at the level of 5 %."""


def pitch_hits(probabilities: Numbers, wanted: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return which pitches are classified correctly. Shapes: (n, 128), (n,) -> (n, 2): exactly, within a semitone."""
    off = np.abs(probabilities.argmax(axis=1) - wanted)
    return np.stack([off == 0, off <= 1], axis=-1).astype(np.float64)


def entropies(shares: Numbers) -> NDArray[np.float64]:
    """Return the entropy of each row in nats. Shapes: (n, k), rows that sum to 1 -> (n,)."""
    shares = np.asarray(shares, np.float64)
    return -np.sum(shares * np.log(np.where(shares > 0.0, shares, 1.0)), axis=1)


def inception_score(probabilities: Numbers, counts: Numbers | None = None) -> float:
    """Return exp of the mean KL divergence of predictions from their mean, 1 if all are equal. Shapes: (n, 128)."""
    weights = _shares(len(probabilities), counts)
    return float(np.exp(entropies((weights @ probabilities)[None])[0] - weights @ entropies(probabilities)))


def highest_inception_score(pitch: NDArray[np.integer[Any]]) -> float:
    """Return the score of certain and correct predictions. Shapes: (n,) whole numbers."""
    shares = np.unique(pitch, return_counts=True)[1] / len(pitch)
    return float(np.exp(entropies(shares[None])[0]))


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d) of features."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, features: Numbers, counts: Numbers | None = None) -> "Moments":
        """Measure features (n, d). Raises: ModelError for fewer than two notes, and for values that are not finite."""
        features = np.asarray(features, np.float64)
        if len(features) < 2 or not np.isfinite(features).all():
            raise ModelError(f"moments are taken of two notes or more, all finite. Received: {len(features)} notes")
        weights = _shares(len(features), counts)
        total = len(features) if counts is None else np.sum(counts)
        mean = weights @ features
        centred = features - mean
        return cls(mean, (centred.T * weights) @ centred * (total / (total - 1)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """Return |mean difference|² + tr(A + B - 2 (AB)^½), also where covariances lack rank: never NaN, never below 0.

    It decreases with the number of notes; compare only sets of one size.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    mixed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b.covariance @ root), 0.0)).sum()
    distance = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * mixed
    return float(max(distance, 0.0))


def decibel_spectrograms(audio: Numbers, sample_rate: int) -> NDArray[np.float32]:
    """Return spectrograms in decibels below the loudest point of each note: 1 there, 0 at 60 dB below.

    Shapes: (n, samples) -> (n, frames * bins); all zero for a silent note.
    """
    window = 2 ** round(np.log2(WINDOW_SECONDS * sample_rate))
    parts = []
    for first in range(0, len(audio), 64):
        power = power_spectrogram(np.asarray(audio[first : first + 64], np.float32), window, window // 2)
        power = np.asarray(power, np.float64).reshape(len(power), -1)
        loudest = power.max(axis=1, keepdims=True)
        relative = np.where(loudest > 0.0, power / np.where(loudest > 0.0, loudest, 1.0), 0.0)
        decibels = 10.0 * np.log10(np.maximum(relative, 10.0 ** (-RANGE_DB / 10.0)))
        parts.append((1.0 + decibels / RANGE_DB).astype(np.float32))
    return np.concatenate(parts)


def distances(a: Numbers, b: Numbers) -> NDArray[np.float64]:
    """Return the distances between spectrograms, in decibels (root mean square). Shapes: (n, d), (m, d) -> (n, m)."""
    from sklearn.metrics.pairwise import euclidean_distances

    return np.asarray(euclidean_distances(a, b), np.float64) * (RANGE_DB / np.sqrt(a.shape[1]))


@dataclass(frozen=True)
class Spread:
    """Distances among the notes of each pitch.

    Attributes: `rows`, the notes of each pitch, (k,) each; `distances`, (k, k) each.
    """

    rows: tuple[NDArray[np.intp], ...]
    distances: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, spectrograms: NDArray[np.float32], pitch: NDArray[np.integer[Any]]) -> "Spread":
        """Measure spectrograms (n, d) of notes of pitch (n,). Raises: ModelError where no two are of one pitch."""
        rows = [np.flatnonzero(pitch == one) for one in np.unique(pitch)]
        rows = [one for one in rows if len(one) > 1]
        if not rows:
            raise ModelError(f"a spread takes two notes of one pitch. Received: {len(pitch)} of as many pitches")
        return cls(tuple(rows), tuple(distances(spectrograms[one], spectrograms[one]) for one in rows))

    def mean(self, counts: NDArray[np.float64] | None = None) -> float:
        """Return the mean distance between two different notes of one pitch, over all such pairs."""
        total = pairs = 0.0
        for rows, distance in zip(self.rows, self.distances, strict=True):
            weights = np.ones(len(rows)) if counts is None else counts[rows]
            total += float(weights @ distance @ weights)
            pairs += float(weights.sum() ** 2 - weights @ weights)
        return total / pairs if pairs else 0.0


@dataclass(frozen=True)
class Cells:
    """K-means clusters of training notes: centres (k, d), and the number of training notes in each (k,)."""

    centres: NDArray[np.float32]
    training: NDArray[np.int64]

    @classmethod
    def of(cls, spectrograms: NDArray[np.float32], cells: int = CELLS, seed: int = 0) -> "Cells":
        """Cluster spectrograms (n, d) of training notes. Raises: ModelError for fewer notes than cells."""
        from sklearn.cluster import KMeans

        if len(spectrograms) < cells:
            raise ModelError(f"{cells} cells need as many training notes. Received: {len(spectrograms)}")
        found = KMeans(cells, n_init=1, random_state=seed).fit(spectrograms)
        return cls(found.cluster_centers_, np.bincount(found.labels_, minlength=cells))

    def number(self, spectrograms: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the cell of each spectrogram. Shapes: (n, d) -> (n,)."""
        return distances(spectrograms, self.centres).argmin(axis=1)

    def different(self, numbers: NDArray[np.intp], counts: Numbers | None = None) -> int:
        """Return the number of cells with significantly different shares of a set and of the training notes, at 5 %.

        `numbers` (n,) are the cells of the set's notes. It is a two-sample test: more notes make more differences
        significant.
        """
        total = self.training.sum()
        own, size = self._cell_counts(numbers, counts)
        pooled = (own + self.training) / (size + total)
        error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / size + 1.0 / total))
        return int(np.sum(np.abs(own / size - self.training / total) > CRITICAL * error))

    def js_divergence(self, numbers: NDArray[np.intp], counts: Numbers | None = None) -> float:
        """Return the Jensen-Shannon divergence of the set's shares from those in training: 0 to ln 2 nats."""
        own, size = self._cell_counts(numbers, counts)
        parts = np.stack([own / size, self.training / self.training.sum()])
        return float(entropies(parts.mean(axis=0)[None])[0] - entropies(parts).mean())

    def _cell_counts(self, numbers: NDArray[np.intp], counts: Numbers | None) -> tuple[NDArray[np.float64], float]:
        own = np.bincount(numbers, counts, len(self.training)).astype(np.float64)
        return own, float(own.sum())


def _shares(n: int, counts: Numbers | None) -> NDArray[np.float64]:
    return np.full(n, 1.0 / n) if counts is None else np.asarray(counts, np.float64) / np.sum(counts)
