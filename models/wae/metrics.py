"""Metrics of note autoencoders: reconstruction errors, labels predictable from a latent, its distance from the prior,
and how mixtures of styles follow their weights.

Source: Esling et al. 2019, arXiv 1904.06215, for what is measured; sizes and bounds are ours, where it gives none.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import log_mel_to_mel
from generators.errors import ModelError

FLOOR = 5e-3
"""Magnitude at which logarithms are floored (as in the group's sibling work)."""

PROBE_UNITS = (128, 128)
PROBE_EPOCHS = 150
"""Epochs of a probe at most; it stops where its loss no longer falls."""

MAX_MEAN, MIN_DEVIATION, MAX_DEVIATION = 0.2, 0.8, 1.2
"""Bounds on mean and standard deviation of each latent dimension that matches the prior."""

DRAWS = 100
"""Pairs of samples of the prior, from which the MMD by chance is estimated."""

PRIOR_SAMPLES = 10
"""Samples of the prior that latents are compared with; their mean varies less than a single one."""

NEIGHBOURS = 10

STEADY = 0.01
"""Decrease in probability up to which a curve still counts as rising."""

MIXES = np.linspace(0.0, 1.5, 13)
"""Weights t of the second style, beside 1 - t of the first: in eighths from one to the other, and on to 1.5."""

Floats = NDArray[np.floating[Any]]


# --- spectrograms --------------------------------------------------------------------------------------------------


def reconstruction_errors(spectrograms: Floats, found: Floats) -> dict[str, NDArray[np.float64]]:
    """Measure reconstructed spectrograms, note by note.

    Returns: `rmse`, of log(1 + magnitude); `lsd`, the log-spectral distance of magnitudes in dB, frame by frame, with a
        floor of 5e-3; `convergence`, the norm of the error of magnitudes over their norm.
    Shapes: (n, bands, frames) both -> (n,) each. Raises: ModelError where the shapes differ.
    """
    if np.ndim(spectrograms) != 3 or np.shape(spectrograms) != np.shape(found):
        received = f"{np.shape(spectrograms)}, {np.shape(found)}"
        raise ModelError(f"spectrograms are (n, bands, frames) both. Received: {received}")
    spectrograms, found = np.asarray(spectrograms, np.float64), np.asarray(found, np.float64)
    true, made = log_mel_to_mel(spectrograms), log_mel_to_mel(found)
    decibels = 20.0 * np.log10(np.maximum(true, FLOOR) / np.maximum(made, FLOOR))
    norm = np.maximum(np.linalg.norm(true, axis=(1, 2)), FLOOR)
    return {
        "rmse": np.sqrt(np.mean(np.square(found - spectrograms), axis=(1, 2))),
        "lsd": np.sqrt(np.mean(np.square(decibels), axis=1)).mean(axis=1),
        "convergence": np.linalg.norm(true - made, axis=(1, 2)) / norm,
    }


# --- latents -------------------------------------------------------------------------------------------------------


def probe(
    latents: Floats,
    labels: NDArray[np.integer[Any]],
    held_out: Floats,
    truth: NDArray[np.integer[Any]],
    seed: int = 0,
    epochs: int = PROBE_EPOCHS,
) -> float:
    """Return the accuracy on held-out latents of a small network trained to predict labels from latents.

    Latents are standardised, so that a small scale hides nothing.

    Shapes: (n, latent), (n,) for training; (m, latent), (m,) held out.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    network = MLPClassifier(PROBE_UNITS, batch_size=min(64, len(latents)), max_iter=epochs, random_state=seed)
    with warnings.catch_warnings(), threadpool_limits(1):  # steps this small gain nothing from a second thread
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is intended
        fitted = make_pipeline(StandardScaler(), network).fit(latents, labels)
    return float(fitted.score(held_out, truth))


@dataclass(frozen=True)
class LatentQuality:
    """Latents compared with the prior, a standard normal distribution.

    Attributes:
        means, deviations: of each dimension. mmd: from the prior, the mean over several samples of it. chance: the 95th
            percentile of the MMD between two samples of the prior of that size.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    mmd: float
    chance: float

    @property
    def close(self) -> bool:
        """Whether all measures are within their bounds."""
        centred = all(abs(mean) <= MAX_MEAN for mean in self.means)
        spread = all(MIN_DEVIATION <= deviation <= MAX_DEVIATION for deviation in self.deviations)
        return centred and spread and self.mmd < 2.0 * self.chance


def latent_quality(latents: Floats, seed: int = 0) -> LatentQuality:
    """Compare latents with the prior. Shapes: (n, latent), n >= 2. Raises: ModelError for fewer."""
    from models.wae.losses import mmd

    if np.ndim(latents) != 2 or len(latents) < 2:
        raise ModelError(f"latents are (n, latent), two or more. Received: {np.shape(latents)}")
    latents = np.asarray(latents, np.float32)
    rng = np.random.default_rng(seed)
    distances = [float(mmd(latents, _prior(rng, latents.shape))) for _ in range(PRIOR_SAMPLES)]
    return LatentQuality(
        tuple(float(mean) for mean in latents.mean(axis=0)),
        tuple(float(deviation) for deviation in latents.std(axis=0)),
        float(np.mean(distances)),
        chance_mmd(*latents.shape),
    )


@lru_cache(maxsize=8)
def chance_mmd(count: int, width: int, draws: int = DRAWS) -> float:
    """Return the 95th percentile of the MMD between two samples of the prior."""
    from models.wae.losses import mmd

    rng = np.random.default_rng([count, width])
    found = [float(mmd(_prior(rng, (count, width)), _prior(rng, (count, width)))) for _ in range(draws)]
    return float(np.percentile(found, 95))


def purity(latents: Floats, labels: NDArray[np.integer[Any]], neighbours: int = NEIGHBOURS) -> float:
    """Return the share of each latent's nearest neighbours with its label. Shapes: (n, latent), (n,), n > neighbours.

    Raises: ModelError where there are fewer.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(latents) <= neighbours:
        raise ModelError(f"{neighbours} neighbours need more latents. Received: {len(latents)}")
    near = NearestNeighbors(n_neighbors=neighbours).fit(latents).kneighbors(return_distance=False)
    return float(np.mean(labels[near] == labels[:, None]))


def chance_purity(labels: NDArray[np.integer[Any]]) -> float:
    """Return the expected purity of shuffled labels."""
    _, counts = np.unique(labels, return_counts=True)
    return float(np.sum(counts * (counts - 1)) / (len(labels) * (len(labels) - 1)))


def _prior(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


# --- mixtures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StyleMixing:
    """Probabilities of two styles while the weights move from one to the other.

    Attributes:
        mixes: weights of the second style, (steps,). first, second: probability of either, (pairs, steps), each
            the mean over notes.
    """

    mixes: Floats
    first: Floats
    second: Floats

    def scores(self) -> dict[str, float]:
        """Return scores, each a mean over pairs.

        Returns: of weights up to 1, `rank`, the rank correlation of the weight with the second's probability and with
            that of the first falling; `steady`, the share of steps in which neither decreases by more than 0.01;
            `start`, `end`, the probability of the first at a weight of 0 and of the second at 1; `middle`, the sum of
            both at one half; `beyond`, the probability of the second at the largest weight.
        """
        from scipy.stats import spearmanr

        within = self.mixes <= 1.0
        curves = np.concatenate([self.second[:, within], 1.0 - self.first[:, within]])
        ranks = [spearmanr(self.mixes[within], curve).statistic if np.ptp(curve) else 0.0 for curve in curves]
        half, whole = (int(np.argmin(np.abs(self.mixes - mix))) for mix in (0.5, 1.0))
        return {
            "rank": float(np.mean(ranks)),
            "steady": float(np.mean(np.diff(curves, axis=1) >= -STEADY)),
            "start": float(self.first[:, 0].mean()),
            "end": float(self.second[:, whole].mean()),
            "middle": float((self.first + self.second)[:, half].mean()),
            "beyond": float(self.second[:, -1].mean()),
        }


def mix_styles(
    decode: Callable[[Floats, NDArray[np.intp], Floats], Floats],
    classify: Callable[[Floats], Mapping[str, Floats]],
    latents: Floats,
    notes: NDArray[np.intp],
    styles: int,
    pairs: Sequence[tuple[int, int]],
    mixes: ArrayLike = MIXES,
) -> StyleMixing:
    """Decode mixtures of pairs of styles, and classify them.

    Args:
        decode: latents, notes and weights to spectrograms. classify: spectrograms to probabilities by label, among
            them `style`. pairs: indices of styles. mixes: weights t of the second; the first has 1 - t.
    Shapes: latents (n, latent), notes (n,): each pair is decoded at all of them.
    """
    steps, count = np.asarray(mixes, np.float64), len(latents)
    first, second = [], []
    for one, other in pairs:
        weights = np.zeros((len(steps), styles), np.float32)
        weights[:, one], weights[:, other] = 1.0 - steps, steps
        made = decode(np.tile(latents, (len(steps), 1)), np.tile(notes, len(steps)), weights.repeat(count, axis=0))
        likely = np.reshape(classify(made)["style"], (len(steps), count, styles)).mean(axis=1)
        first.append(likely[:, one])
        second.append(likely[:, other])
    return StyleMixing(steps, np.asarray(first), np.asarray(second))


def draw_style_pairs(styles: int, most: int, seed: int = 0) -> list[tuple[int, int]]:
    """Draw up to `most` different pairs of different styles, in either order."""
    every = [(one, other) for one in range(styles) for other in range(styles) if one != other]
    rows = np.random.default_rng(seed).permutation(len(every))[:most]
    return [every[row] for row in rows]
