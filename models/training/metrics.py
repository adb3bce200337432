"""How well predicted probabilities name the true classes: percentile rank, top-k accuracy, error in class steps.

The evaluation measures of InverSynth (Barkan et al. 2019), written once for NumPy and `keras.ops` (`xp`); the Keras
metrics based on them are in `models.training.keras_metrics`. A prediction is a score for every class of every
parameter, side by side along the head (`models.head_layout`). Where scores tie, each measure takes the mean over all
orders of the tied classes, so that a constant prediction is exactly chance.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ParameterError
from models.head_layout import split_head

Floats = NDArray[np.floating[Any]]

TOP_K = (1, 2, 3, 4, 5)
"""The depths that the paper reports."""


def percentile_rank(classes: ArrayLike, probabilities: ArrayLike, slices: Sequence[slice]) -> Floats:
    """Rank the true class among the predicted ones, for each sound and parameter.

    Shapes:
        classes: (batch, parameters) integers. probabilities: (batch, size) in 0..1.
        Returns (batch, parameters) in 0..100; 100 means the true class came first, 50 is chance, ties averaged.
    Raises: ParameterError where the shapes do not fit the space.
    Source: Barkan et al. 2019, evaluation measures.
    """
    return np.asarray(rank_scores(*_check(classes, probabilities, slices), _sizes(slices)))


def mean_percentile_rank(classes: ArrayLike, probabilities: ArrayLike, slices: Sequence[slice]) -> Floats:
    """Rank the true class among the predicted ones, averaged over sounds.

    Shapes:
        classes: (batch, parameters) integers. probabilities: (batch, size) in 0..1.
        Returns (parameters,) in 0..100; 100 means the true class always came first, 50 is chance.
    Raises: ParameterError where the shapes do not fit the space.
    Source: Barkan et al. 2019, evaluation measures.
    """
    return percentile_rank(classes, probabilities, slices).mean(axis=0)


def top_k_accuracy(classes: ArrayLike, probabilities: ArrayLike, slices: Sequence[slice], k: int = 1) -> Floats:
    """Count how often the true class is among the k best.

    Shapes: as `mean_percentile_rank`. Returns (parameters,) in 0..1; k / levels is chance.
    Raises: ParameterError where the shapes do not fit the space.
    Source: Barkan et al. 2019, evaluation measures.
    """
    return np.asarray(top_k_scores(*_check(classes, probabilities, slices), _sizes(slices), k)).mean(axis=0)


def mean_absolute_error(classes: ArrayLike, probabilities: ArrayLike, slices: Sequence[slice]) -> Floats:
    """Measure how many class steps the best class lies from the true one.

    Shapes: as `mean_percentile_rank`. Returns (parameters,) in steps; 0 is perfect, (levels^2 - 1) / (3 levels) is
    chance (5.3 of 16 levels). The first of tied classes counts as the best.
    Raises: ParameterError where the shapes do not fit the space.
    """
    return np.asarray(step_errors(*_check(classes, probabilities, slices), _sizes(slices))).mean(axis=0)


def group_means(per_parameter: ArrayLike, groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Average a measure over the parameters of each group, and over `All`.

    Shapes: (parameters,) -> one number a group, in the order of `groups`.
    """
    values = np.asarray(per_parameter)
    means = {name: float(values[list(columns)].mean()) for name, columns in groups.items()}
    return {**means, "All": float(values.mean())}


# --- for each sound and parameter, on either array namespace ----------------------------------------------------------


def rank_scores(classes: Any, probabilities: Any, sizes: Sequence[int], xp: Any = np) -> Any:
    """Return the percentile rank, (batch, parameters)."""
    better, tied = _better_and_tied(classes, probabilities, sizes, xp)
    rank = better + (tied - 1.0) / 2.0
    return 100.0 * (1.0 - rank / np.maximum(np.asarray(sizes, np.float32) - 1.0, 1.0))


def top_k_scores(classes: Any, probabilities: Any, sizes: Sequence[int], k: int, xp: Any = np) -> Any:
    """Return the chance, over all orders of ties, that the true class is among the k best, (batch, parameters)."""
    better, tied = _better_and_tied(classes, probabilities, sizes, xp)
    return xp.clip((k - better) / tied, 0.0, 1.0)


def step_errors(classes: Any, probabilities: Any, sizes: Sequence[int], xp: Any = np) -> Any:
    """Return the distance of the best class from the true one, (batch, parameters)."""
    best = xp.argmax(split_head(probabilities, sizes, -1.0, xp), axis=-1)
    return xp.where(best > classes, best - classes, classes - best)


def _better_and_tied(classes: Any, probabilities: Any, sizes: Sequence[int], xp: Any) -> tuple[Any, Any]:
    """Count the classes that score higher than the true one, and those that score the same (itself included)."""
    scores = split_head(probabilities, sizes, -1.0, xp)  # below any probability: never better, never tied
    mine = np.arange(max(sizes)) == xp.expand_dims(classes, -1)
    true = xp.sum(xp.where(mine, scores, 0.0), axis=-1, keepdims=True)
    better = xp.sum(xp.where(scores > true, 1.0, 0.0), axis=-1)
    tied = xp.sum(xp.where(scores == true, 1.0, 0.0), axis=-1)
    return better, tied


def _sizes(slices: Sequence[slice]) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in slices)


def _check(classes: ArrayLike, probabilities: ArrayLike, slices: Sequence[slice]) -> tuple[NDArray[Any], Floats]:
    """Return both as arrays. Raises ParameterError for shapes, classes or scores that do not fit the slices."""
    classes, probabilities = np.asarray(classes), np.asarray(probabilities)
    width, size = len(slices), slices[-1].stop
    if classes.ndim != 2 or classes.shape[1] != width:
        raise ParameterError(f"classes must have shape (batch, {width}). Received: {classes.shape}")
    if probabilities.shape != (len(classes), size):
        raise ParameterError(f"probabilities must have shape ({len(classes)}, {size}). Received: {probabilities.shape}")
    if not len(classes):
        raise ParameterError("a measure needs one or more sounds. Received: none")
    if classes.dtype.kind not in "iu" or np.any((classes < 0) | (classes >= np.asarray(_sizes(slices)))):
        raise ParameterError("classes must be integers within the levels of their parameters. Received: others")
    if not np.all((probabilities >= 0.0) & (probabilities <= 1.0)):
        raise ParameterError("probabilities must lie in 0..1. Received: numbers outside, or NaN")
    return classes.astype(np.int64), probabilities
