"""How much like real notes a set of made notes is: pitch, variety, and how close its distribution comes.

The measures of Engel et al. 2019 (GANSynth, arXiv 1902.08710): pitch as a classifier names it, its inception score and
Fréchet distance, and the number of statistically different bins (Richardson and Weiss 2018, arXiv 1805.12462). Two
more look for what these can miss: distances to the nearest training note, which are small where notes are learned by
heart, and those among notes of one pitch, which are small where there is one timbre for all.

What is said of a whole set takes `counts` (n,), how often each note is in it (once each by default), so that sets can
be drawn anew (`inversynth.evaluation.bootstrap`). Gain never matters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.spectrogram import power_spectrogram
from generators.errors import ModelError

Numbers = NDArray[np.floating[Any]]

WINDOW_SECONDS = 0.064
"""Of the pictures that notes are compared by; they overlap by a half."""

RANGE_DB = 60.0
"""Below the loudest point of a note nothing is compared: there a network's hiss would speak, and not its timbre."""

CELLS = 50
"""Bins of k-means (published)."""

CRITICAL = 1.959964
"""Standard errors between two shares that differ at the level of 5 %."""


def pitch_hits(likely: Numbers, wanted: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Say which notes are named as they should be. Shapes: (n, 128), (n,) -> (n, 2): the very note, and a semitone."""
    off = np.abs(likely.argmax(axis=1) - wanted)
    return np.stack([off == 0, off <= 1], axis=-1).astype(np.float64)


def entropies(shares: Numbers) -> NDArray[np.float64]:
    """Return the entropy of each row in nats: how unsure a naming is. Shapes: (n, k), rows adding up to 1 -> (n,)."""
    shares = np.asarray(shares, np.float64)
    return -np.sum(shares * np.log(np.where(shares > 0.0, shares, 1.0)), axis=1)


def inception_score(likely: Numbers, counts: Numbers | None = None) -> float:
    """Return exp of the mean kl_divergence of namings from their mean: 1 where all are alike. Shapes: (n, 128)."""
    weights = _shares(len(likely), counts)
    return float(np.exp(entropies((weights @ likely)[None])[0] - weights @ entropies(likely)))


def highest_inception_score(pitch: NDArray[np.integer[Any]]) -> float:
    """Return the score of notes that are all named surely and rightly. Shapes: (n,) whole numbers."""
    shares = np.unique(pitch, return_counts=True)[1] / len(pitch)
    return float(np.exp(entropies(shares[None])[0]))


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d) of features."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, features: Numbers, counts: Numbers | None = None) -> "Moments":
        """Measure features (n, d). Raises: ModelError for fewer than two notes, and for what is not finite."""
        features = np.asarray(features, np.float64)
        if len(features) < 2 or not np.isfinite(features).all():
            raise ModelError(f"moments are taken of two notes or more, all finite. Received: {len(features)} notes")
        weights = _shares(len(features), counts)
        total = len(features) if counts is None else np.sum(counts)
        mean = weights @ features
        apart = features - mean
        return cls(mean, (apart.T * weights) @ apart * (total / (total - 1)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """Return |mean difference|² + tr(A + B - 2 (AB)^½), also where covariances lack rank: never NaN, never below 0.

    It falls with the number of notes; compare sets of one size alone.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    mixed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b.covariance @ root), 0.0)).sum()
    apart = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * mixed
    return float(max(apart, 0.0))


def note_pictures(audio: Numbers, sample_rate: int) -> NDArray[np.float32]:
    """Show notes by their decibels below their loudest point, down to 60: 1 to 0.

    Shapes: (n, samples) -> (n, frames * bins); a silent note is black.
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
    """Return the distances between pictures, in decibels (root mean square). Shapes: (n, d), (m, d) -> (n, m)."""
    from sklearn.metrics.pairwise import euclidean_distances

    return np.asarray(euclidean_distances(a, b), np.float64) * (RANGE_DB / np.sqrt(a.shape[1]))


@dataclass(frozen=True)
class Spread:
    """How far the notes of each pitch lie from one another.

    Attributes: `rows`, the notes of each pitch, (k,) each; `apart`, their distances (k, k) each.
    """

    rows: tuple[NDArray[np.intp], ...]
    apart: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, pictures: NDArray[np.float32], pitch: NDArray[np.integer[Any]]) -> "Spread":
        """Measure pictures (n, d) of notes of pitch (n,). Raises: ModelError where no two are of one pitch."""
        rows = [np.flatnonzero(pitch == one) for one in np.unique(pitch)]
        rows = [one for one in rows if len(one) > 1]
        if not rows:
            raise ModelError(f"a spread takes two notes of one pitch. Received: {len(pitch)} of as many pitches")
        return cls(tuple(rows), tuple(distances(pictures[one], pictures[one]) for one in rows))

    def mean(self, counts: NDArray[np.float64] | None = None) -> float:
        """Return the mean distance between two different notes of one pitch, over all such pairs."""
        total = pairs = 0.0
        for rows, apart in zip(self.rows, self.apart, strict=True):
            weights = np.ones(len(rows)) if counts is None else counts[rows]
            total += float(weights @ apart @ weights)
            pairs += float(weights.sum() ** 2 - weights @ weights)
        return total / pairs if pairs else 0.0


@dataclass(frozen=True)
class Cells:
    """Where training notes lie: the middles of k-means cells (k, d), and the training notes in each (k,)."""

    middles: NDArray[np.float32]
    training: NDArray[np.int64]

    @classmethod
    def of(cls, pictures: NDArray[np.float32], cells: int = CELLS, seed: int = 0) -> "Cells":
        """Part pictures (n, d) of training notes. Raises: ModelError for fewer notes than cells."""
        from sklearn.cluster import KMeans

        if len(pictures) < cells:
            raise ModelError(f"{cells} cells need as many training notes. Received: {len(pictures)}")
        found = KMeans(cells, n_init=1, random_state=seed).fit(pictures)
        return cls(found.cluster_centers_, np.bincount(found.labels_, minlength=cells))

    def number(self, pictures: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the cell of each picture. Shapes: (n, d) -> (n,)."""
        return distances(pictures, self.middles).argmin(axis=1)

    def different(self, numbers: NDArray[np.intp], counts: Numbers | None = None) -> int:
        """Return how many cells hold another share of a set than of the training notes, by a two-sample test at 5 %.

        `numbers` (n,) are the cells of the set's notes. The test tells more apart the more notes there are.
        """
        total = self.training.sum()
        own, size = self._filled(numbers, counts)
        pooled = (own + self.training) / (size + total)
        error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / size + 1.0 / total))
        return int(np.sum(np.abs(own / size - self.training / total) > CRITICAL * error))

    def kl_divergence(self, numbers: NDArray[np.intp], counts: Numbers | None = None) -> float:
        """Return the Jensen-Shannon kl_divergence of the set's shares from those in training: 0 to ln 2 nats."""
        own, size = self._filled(numbers, counts)
        parts = np.stack([own / size, self.training / self.training.sum()])
        return float(entropies(parts.mean(axis=0)[None])[0] - entropies(parts).mean())

    def _filled(self, numbers: NDArray[np.intp], counts: Numbers | None) -> tuple[NDArray[np.float64], float]:
        own = np.bincount(numbers, counts, len(self.training)).astype(np.float64)
        return own, float(own.sum())


def _shares(n: int, counts: Numbers | None) -> NDArray[np.float64]:
    return np.full(n, 1.0 / n) if counts is None else np.asarray(counts, np.float64) / np.sum(counts)
