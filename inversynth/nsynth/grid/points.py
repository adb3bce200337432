"""The points of a grid: coordinates, weights of the corners, and file names of their notes.

Corners have one order everywhere: top-left, top-right, bottom-left, bottom-right. x runs to the right, y downwards.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
PLACES = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
"""(x, y) of each corner."""

DECIMALS = 3
"""Of a weight in a file name (published)."""


def grid_points(resolution: int) -> NDArray[np.float64]:
    """Return (x, y) of every point of a grid, 0..1, row by row from the top. Shapes: -> (resolution^2, 2)."""
    steps = np.linspace(0, 1, resolution)
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def corner_weights(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the weight of each corner at each point: 1 minus its distance, at least 0, normalised to a sum of 1.

    Not bilinear: along the two sides that a corner does not touch its weight is 0.

    Shapes: (n, 2) -> (n, 4).
    """
    weights = np.maximum(1 - np.linalg.norm(points[:, None] - PLACES, axis=-1), 0)
    return weights / weights.sum(axis=1, keepdims=True)


def mixture_stem(sounds: Sequence[str], weights: Sequence[float], pitch: int) -> str:
    """Return the stem of a file name, such as `gen_brass_0.596_flute_0.047_pitch_60_violin_0.357`.

    Sounds and the word `pitch` are in alphabetical order; sounds of weight 0 are left out.
    """
    rounded = (round(float(weight), DECIMALS) for weight in weights)
    parts: dict[str, float] = {sound: weight for sound, weight in zip(sounds, rounded, strict=True) if weight}
    return "_".join(["gen", *(f"{key}_{value}" for key, value in sorted({**parts, "pitch": pitch}.items()))])
