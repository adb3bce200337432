"""The layout of a head: probabilities of all classes of all parameters side by side, or one row for each parameter.

Over `xp`, which is NumPy or `keras.ops`; metrics, losses and layers share it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def split_head(scores: Any, sizes: Sequence[int], fill: float, xp: Any = np) -> Any:
    """Arrange a head by parameter; parameters with fewer levels are filled up with `fill`.

    Shapes: (batch, size) -> (batch, parameters, most levels).
    """
    levels = max(sizes)
    if len(set(sizes)) == 1:
        return xp.reshape(scores, (-1, len(sizes), levels))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    within = np.arange(levels) < np.asarray(sizes)[:, None]
    places = np.where(within, starts[:, None] + np.arange(levels), 0)
    return xp.where(within, xp.take(scores, places, axis=-1), fill)


def join_head(scores: Any, sizes: Sequence[int], xp: Any = np) -> Any:
    """Undo `split_head`. Shapes: (batch, parameters, most levels) -> (batch, size)."""
    levels = max(sizes)
    flat = xp.reshape(scores, (-1, len(sizes) * levels))
    if len(set(sizes)) == 1:
        return flat
    kept = [column * levels + level for column, size in enumerate(sizes) for level in range(size)]
    return xp.take(flat, kept, axis=-1)
