"""What autoencoders of notes are measured by: pictures beside pictures, what a latent tells, the law that it follows,
and whether a mixture of styles moves as its weights do.

Source: Esling et al. 2019, arXiv 1904.06215, for what is measured; sizes and bounds are ours, where nothing is said.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import mels_of
from generators.errors import ModelError

FLOOR = 5e-3
"""Magnitude below which logarithms do not look (the floor of the group's sibling work)."""

PROBE_UNITS = (128, 128)
PROBE_EPOCHS = 150
"""Most of a probe's passes; it stops where its loss no longer falls."""

MOST_MEAN, LEAST_SPREAD, MOST_SPREAD = 0.2, 0.8, 1.2
"""Bounds on mean and standard deviation of each number of a latent that lies as the prior does."""

DRAWS = 100
"""Pairs of sets of the prior that tell how far two of them lie apart by chance."""

AGAINST = 10
"""Sets of the prior that latents are compared with; the mean over them moves less than one."""

NEIGHBOURS = 10

STEADY = 0.01
"""Probability by which a curve may fall back and still count as rising."""

MIXES = np.linspace(0.0, 1.5, 13)
"""Weights t of the second style, beside 1 - t of the first: eighths from one to the other, and half as far again."""

Floats = NDArray[np.floating[Any]]


# --- pictures ------------------------------------------------------------------------------------------------------


def reconstruction(pictures: Floats, found: Floats) -> dict[str, NDArray[np.float64]]:
    """Measure how pictures came back, note by note.

    Returns: `rmse`, of log(1 + magnitude); `lsd`, the log-spectral distance of magnitudes in dB, frame by frame, not
        looking below 5e-3; `convergence`, the norm of the error of magnitudes over their norm.
    Shapes: (n, bands, frames) both -> (n,) each. Raises: ModelError where the shapes differ.
    """
    if np.ndim(pictures) != 3 or np.shape(pictures) != np.shape(found):
        raise ModelError(f"pictures are (n, bands, frames) both. Received: {np.shape(pictures)}, {np.shape(found)}")
    pictures, found = np.asarray(pictures, np.float64), np.asarray(found, np.float64)
    true, made = mels_of(pictures), mels_of(found)
    decibels = 20.0 * np.log10(np.maximum(true, FLOOR) / np.maximum(made, FLOOR))
    norm = np.maximum(np.linalg.norm(true, axis=(1, 2)), FLOOR)
    return {
        "rmse": np.sqrt(np.mean(np.square(found - pictures), axis=(1, 2))),
        "lsd": np.sqrt(np.mean(np.square(decibels), axis=1)).mean(axis=1),
        "convergence": np.linalg.norm(true - made, axis=(1, 2)) / norm,
    }


# --- latents -------------------------------------------------------------------------------------------------------


def probe(
    latents: Floats,
    names: NDArray[np.integer[Any]],
    held_out: Floats,
    truth: NDArray[np.integer[Any]],
    seed: int = 0,
    epochs: int = PROBE_EPOCHS,
) -> float:
    """Return how often a network that learned names from some latents is right about others.

    It sees latents standardised, so that a collapsed one hides nothing.

    Shapes: (n, latent), (n,) to learn from; (m, latent), (m,) to be asked about.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    network = MLPClassifier(PROBE_UNITS, batch_size=min(64, len(latents)), max_iter=epochs, random_state=seed)
    with warnings.catch_warnings(), threadpool_limits(1):  # steps so small only wait for a second thread
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many passes are meant
        fitted = make_pipeline(StandardScaler(), network).fit(latents, names)
    return float(fitted.score(held_out, truth))


@dataclass(frozen=True)
class LatentQuality:
    """Where latents lie beside the prior, a standard normal law.

    Attributes:
        means, deviations: of each number. mmd: from the prior, the mean over several sets of it. chance: what
            two sets of the prior of that size reach once in twenty times.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    mmd: float
    chance: float

    @property
    def close(self) -> bool:
        """Whether all of it keeps within its bounds."""
        centred = all(abs(mean) <= MOST_MEAN for mean in self.means)
        spread = all(LEAST_SPREAD <= deviation <= MOST_SPREAD for deviation in self.deviations)
        return centred and spread and self.mmd < 2.0 * self.chance


def latent_quality(latents: Floats, seed: int = 0) -> LatentQuality:
    """Compare latents with the prior. Shapes: (n, latent), n >= 2. Raises: ModelError for fewer."""
    from models.wae.losses import mmd

    if np.ndim(latents) != 2 or len(latents) < 2:
        raise ModelError(f"latents are (n, latent), two or more. Received: {np.shape(latents)}")
    latents = np.asarray(latents, np.float32)
    rng = np.random.default_rng(seed)
    apart = [float(mmd(latents, _prior(rng, latents.shape))) for _ in range(AGAINST)]
    return LatentQuality(
        tuple(float(mean) for mean in latents.mean(axis=0)),
        tuple(float(deviation) for deviation in latents.std(axis=0)),
        float(np.mean(apart)),
        chance_discrepancy(*latents.shape),
    )


@lru_cache(maxsize=8)
def chance_discrepancy(count: int, width: int, draws: int = DRAWS) -> float:
    """Return the 95th percentile of the mmd between two sets of the prior."""
    from models.wae.losses import mmd

    rng = np.random.default_rng([count, width])
    found = [float(mmd(_prior(rng, (count, width)), _prior(rng, (count, width)))) for _ in range(draws)]
    return float(np.percentile(found, 95))


def purity(latents: Floats, names: NDArray[np.integer[Any]], neighbours: int = NEIGHBOURS) -> float:
    """Return the share of the nearest latents of each that bear its name. Shapes: (n, latent), (n,), n > neighbours.

    Raises: ModelError where there are fewer.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(latents) <= neighbours:
        raise ModelError(f"{neighbours} neighbours need more latents. Received: {len(latents)}")
    near = NearestNeighbors(n_neighbors=neighbours).fit(latents).kneighbors(return_distance=False)
    return float(np.mean(names[near] == names[:, None]))


def purity_by_chance(names: NDArray[np.integer[Any]]) -> float:
    """Return the purity of names that were dealt out at random."""
    _, counts = np.unique(names, return_counts=True)
    return float(np.sum(counts * (counts - 1)) / (len(names) * (len(names) - 1)))


def _prior(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


# --- mixtures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mixing:
    """What judges make of one style turning into another.

    Attributes:
        mixes: weights of the second style, (steps,). first, second: how likely either is, (pairs, steps), each the mean
            over notes.
    """

    mixes: Floats
    first: Floats
    second: Floats

    def scores(self) -> dict[str, float]:
        """Return measures, each a mean over pairs.

        Returns: of weights up to 1, `rank`, the rank correlation of the weight with the second's probability and with
            that of the first falling; `steady`, the share of steps in which neither falls back by more than 0.01;
            `start`, `end`, how likely the first is at a weight of 0 and the second at 1; `middle`, both together half
            way; `beyond`, how likely the second is at the largest weight.
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


def mixing(
    decode: Callable[[Floats, NDArray[np.intp], Floats], Floats],
    judge: Callable[[Floats], Mapping[str, Floats]],
    latents: Floats,
    notes: NDArray[np.intp],
    styles: int,
    pairs: Sequence[tuple[int, int]],
    mixes: ArrayLike = MIXES,
) -> Mixing:
    """Let pairs of styles turn into each other, and ask judges on the way.

    Args:
        decode: latents, notes and weights to pictures. judge: pictures to probabilities by label, `style` among them.
        pairs: numbers of styles. mixes: weights t of the second; the first has 1 - t.
    Shapes: latents (n, latent), notes (n,): each pair is decoded at all of them.
    """
    steps, count = np.asarray(mixes, np.float64), len(latents)
    first, second = [], []
    for one, other in pairs:
        weights = np.zeros((len(steps), styles), np.float32)
        weights[:, one], weights[:, other] = 1.0 - steps, steps
        made = decode(np.tile(latents, (len(steps), 1)), np.tile(notes, len(steps)), weights.repeat(count, axis=0))
        likely = np.reshape(judge(made)["style"], (len(steps), count, styles)).mean(axis=1)
        first.append(likely[:, one])
        second.append(likely[:, other])
    return Mixing(steps, np.asarray(first), np.asarray(second))


def pairs_of(styles: int, most: int, seed: int = 0) -> list[tuple[int, int]]:
    """Draw so many pairs of different styles at most, in either order, none twice."""
    every = [(one, other) for one in range(styles) for other in range(styles) if one != other]
    rows = np.random.default_rng(seed).permutation(len(every))[:most]
    return [every[row] for row in rows]
