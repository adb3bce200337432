"""Bootstrap intervals over sounds: how far a mean or a median would move with other sounds of the same kind.

The sounds are drawn anew with replacement, the statistic is taken each time, and the interval spans the middle 95 %
(percentile bootstrap, Efron 1979). All columns share the draws. Done by counting how often each sound was drawn, which
turns means into one matrix product and medians into one running sum.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

RESAMPLES = 1000
"""Draws; the ends of a 95 % interval then rest on the 25 lowest and highest."""

LEVEL = 0.95
CHUNK = 50
"""Draws counted at a time, which bounds memory at 50 numbers a sound."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


def mean_estimates(values: Scores, seed: int, resamples: int = RESAMPLES) -> list[Estimate]:
    """Estimate the mean of each column. Shapes: values (n, columns), n >= 1."""
    values = np.asarray(values, np.float64)
    draws = [counts @ values / len(values) for counts in _counts(len(values), seed, resamples)]
    return _estimates(values.mean(axis=0), np.concatenate(draws))


def median_estimates(values: Scores, seed: int, resamples: int = RESAMPLES) -> list[Estimate]:
    """Estimate the median of each column. Shapes: values (n, columns), n >= 1."""
    values = np.asarray(values, np.float64)
    n, columns = values.shape
    order, ranked = np.argsort(values, axis=0, kind="stable"), np.sort(values, axis=0)
    draws = []
    for counts in _counts(n, seed, resamples):
        drawn = np.empty((len(counts), columns))
        for column in range(columns):
            reached = np.cumsum(counts[:, order[:, column]], axis=1)
            middle = [(reached >= place).argmax(axis=1) for place in ((n + 1) // 2, n // 2 + 1)]
            drawn[:, column] = ranked[middle, column].mean(axis=0)
        draws.append(drawn)
    return _estimates(np.median(values, axis=0), np.concatenate(draws))


def set_estimate(
    statistic: Callable[[Scores | None], float], n: int, seed: int, resamples: int = RESAMPLES, least: float = -np.inf
) -> Estimate:
    """Estimate a statistic of a set of n sounds as a whole.

    A set that is drawn with replacement lies further from others than the set that it is drawn of. So the interval is
    moved, by the mean of the draws less the value; it is that of the value at n sounds.

    Args:
        statistic: of how often each sound is in the set (n,), None for once each. least: that it can be.
    """
    value = float(statistic(None))
    draws = np.asarray([statistic(row) for counts in _counts(n, seed, resamples) for row in counts])
    (moved,) = _estimates(np.asarray([value]), (draws - draws.mean() + value)[:, None])
    return Estimate(value, max(min(moved.low, value), least), max(moved.high, value))


def _counts(n: int, seed: int, resamples: int) -> Iterator[Scores]:
    """Yield how often each of n sounds was drawn, (draws, n) at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _estimates(values: Scores, draws: Scores) -> list[Estimate]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [Estimate(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)]
