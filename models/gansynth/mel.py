"""The mel matrix of GANSynth: as many mel bands as there are linear bins, and an approximate way back.

Bands are triangles over frequency in hertz, not normalised by area; bands narrower than one and a half bins are widened
to that width, so that none falls between two bins. mel = 1127 ln(1 + f / 700).
Source: Engel et al. 2019, arXiv 1902.08710; the published code, of which `aliased` repeats two oddities.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Q = 1127.0
BREAK_HERTZ = 700.0

NARROWEST = 1.5
"""Minimum width of a band in bins."""

Matrix = NDArray[np.float64]


def hertz_to_mel(hertz: NDArray[np.floating] | float) -> Matrix:
    """Return mels of frequencies."""
    return np.asarray(Q * np.log1p(np.asarray(hertz, np.float64) / BREAK_HERTZ))


def mel_to_hertz(mel: NDArray[np.floating] | float) -> Matrix:
    """Return frequencies of mels."""
    return np.asarray(BREAK_HERTZ * np.expm1(np.asarray(mel, np.float64) / Q))


def band_edges(bins: int, sample_rate: int, aliased: bool = False) -> tuple[Matrix, Matrix, Matrix, int]:
    """Return lower edge, centre and upper edge of each band in mels, (bins,) each, and how many were widened.

    Args:
        aliased: let each widening move the edges of the neighbouring bands as well, as in the published code, where
            edges and centres are views of one array.
    """
    edges = np.linspace(0.0, float(hertz_to_mel(sample_rate / 2.0)), bins + 2)
    lower, centre, upper = (edges[first : first + bins] for first in range(3))
    if not aliased:
        lower, centre, upper = lower.copy(), centre.copy(), upper.copy()
    narrowest, widened = NARROWEST * sample_rate / 2.0 / bins, 0
    for band in range(bins):
        if mel_to_hertz(upper[band]) - mel_to_hertz(lower[band]) < narrowest:
            reach = Q * np.arcsinh(0.5 * narrowest / (mel_to_hertz(centre[band]) + BREAK_HERTZ))
            lower[band], upper[band] = centre[band] - reach, centre[band] + reach
            widened += 1
    return lower, centre, upper, widened


def triangles(hertz: Matrix, lower: Matrix, centre: Matrix, upper: Matrix) -> Matrix:
    """Return the weights of triangular bands with a peak of 1 at their centres.

    Shapes: (bins,) and three of (bands,), all in hertz -> (bins, bands).
    """
    rising = (hertz[:, None] - lower) / (centre - lower)
    falling = (upper - hertz[:, None]) / (upper - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


@lru_cache(maxsize=8)
def mel_matrix(bins: int, sample_rate: int, aliased: bool = False) -> Matrix:
    """Return the weight of each bin in each band. The bins are those of a transform without its first, 0 Hz.

    Args:
        aliased: as `band_edges`, and treat the first bin as 0 Hz although that was dropped: bin j is then at
            j / (bins - 1) of half the sample rate, and the first has no weight. Published weights need both.
    Shapes: (bins, bands), as many bands as bins.
    """
    lower, centre, upper = (mel_to_hertz(edge) for edge in band_edges(bins, sample_rate, aliased)[:3])
    half = sample_rate / 2.0
    hertz = np.linspace(0.0, half, bins) if aliased else half * np.arange(1, bins + 1) / bins
    matrix = triangles(hertz, lower, centre, upper)
    if aliased:
        matrix[0] = 0.0
    matrix.flags.writeable = False
    return matrix


@lru_cache(maxsize=8)
def inverse_mel_matrix(bins: int, sample_rate: int, aliased: bool = False) -> Matrix:
    """Return an approximate inverse: the transpose, each column divided by its response to a flat spectrum.

    Shapes: (bands, bins).
    """
    matrix = mel_matrix(bins, sample_rate, aliased)
    sums = (matrix @ matrix.T).sum(axis=0)
    inverse: Matrix = matrix.T * np.where(np.abs(sums) > 1e-8, 1.0 / np.where(sums == 0.0, 1.0, sums), sums)
    inverse.flags.writeable = False
    return inverse
