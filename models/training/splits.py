"""Which rows of a dataset are for training, validation and test: a pure function of their count and a seed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError


def split_rows(
    count: int,
    seed: int,
    validation_split: float = 0.1,
    test_split: float = 0.1,
    folds: int = 1,
    fold: int = 0,
    label: str = "dataset",
) -> dict[str, NDArray[np.intp]]:
    """Split rows at random into training, validation and test; the same rows for the same (count, seed).

    With folds > 1 the test splits of all folds are disjoint and make up the whole.
    Raises: DatasetError where a split would be empty.
    """
    order = np.random.default_rng([seed, count]).permutation(count)
    if folds > 1:
        start, stop = count * fold // folds, count * (fold + 1) // folds
    else:
        start, stop = 0, max(1, round(count * test_split))
    rest = np.concatenate([order[:start], order[stop:]])
    for_validation = max(1, round(len(rest) * validation_split if folds > 1 else count * validation_split))
    if stop == start or len(rest) <= for_validation:
        raise DatasetError(
            f"{label} must be large enough for training, validation and test. Received: {count} examples"
            f"{f' for {folds} folds' if folds > 1 else ''}. Generate more, with --num_examples"
        )
    splits = {"training": rest[for_validation:], "validation": rest[:for_validation], "test": order[start:stop]}
    return {name: np.sort(rows) for name, rows in splits.items()}


def evenly_spaced(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """Return `count` rows spread evenly from the first to the last, in their order; all of them where there are fewer.

    Shapes: (n, …) -> (min(count, n), …).
    """
    return rows if count >= len(rows) else rows[np.linspace(0, len(rows) - 1, count).astype(np.intp)]
