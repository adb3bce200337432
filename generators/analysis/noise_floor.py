"""The stationary background noise of a recording, estimated from the quiet cells of its spectrograms.

Noise that is always there shows wherever the sound is not: between its partials, above its highest one, in its pauses.
The power of a cell of noise is exponentially distributed, so a low quantile of the cells of a frequency region gives
the mean. The quietest tenth of the frames must agree with the next two tenths: what fades is the sound itself. Related
to minimum statistics (Martin 2001), with neighbours in frequency as well, since a search looks at one second only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

QUANTILES = (0.02, 0.05, 0.1, 0.2)
"""Of the cells of a region. The lowest is limited by their number, the highest by how much of a region is free."""

FEWEST = 6
"""Cells that must lie below a quantile for it to be used."""

QUIET, NEXT = 0.1, 0.3
"""Parts of the frames, by rising power, up to which the quietest and those compared with them reach."""

REGIONS = 24
"""Frequency regions, evenly spaced in mel: about a third of an octave each above 1 kHz."""

WIDTH = 1.5
"""Half the width of a region in units of their spacing."""

SMALLEST_WIDTH = 200.0
"""Half the width of a region in Hz at least: five bins of the 25 ms window."""

STEADY = 10.0**0.3
"""Ratio of the two estimates up to which a region counts as steady (3 dB; of noise it strays by 1 dB)."""

SPREAD = 10.0**0.25
"""Ratio up to which cells count as exponentially distributed (2.5 dB)."""

STEADY_REGIONS = 0.12
"""Part of the regions that must be steady for there to be a background at all."""

DIGITAL_SILENCE = 1e-10
"""Power of a frame relative to the mean (-100 dB) below which it is padding, where no recorded noise can show."""

SHARE = 10.0 ** (-1.5)
"""Part of the sound's power (-15 dB) up to which the estimate is background; from there on it is the sound itself."""

FADE_DB = 6.0
"""Decibels above `SHARE` within which the estimate fades out, so that the result does not jump."""

BIAS_DB = 3.0
"""Added to the estimate: the lowest of many estimates lies so far below the mean (white noise of one second)."""


def noise_density(spectrograms: Sequence[Floats], frequencies: Sequence[Floats], energies: Sequence[float]) -> Floats:
    """Estimate the density of stationary background noise.

    Args:
        spectrograms: powers |X|^2 of one sound by windows of different length, each (frames, bins); the first and the
            last frame, which overlap padding, are not used.
        frequencies: Hz of the bins of each. energies: sum of the squared window of each, so that white noise of
            variance s has a mean power of s x energy.
    Returns (2, REGIONS): Hz, rising, and the density at it, in units of the variance of white noise of that density;
    zeros where there is no background: a sound that is itself noise is not its own background.
    """
    nyquist = float(frequencies[0][-1])
    spacing = 2595.0 * np.log10(1.0 + nyquist / 700.0) / REGIONS
    mels = (np.arange(REGIONS) + 0.5) * spacing
    centres = _hertz(mels)
    half = np.maximum((_hertz(mels + spacing) - _hertz(mels - spacing)) / 2.0 * WIDTH, SMALLEST_WIDTH)
    edges = np.maximum(centres - half, 0.0), np.minimum(centres + half, nyquist)
    nothing = np.stack([centres, np.zeros(REGIONS)])
    found, ratios, spreads, total = [], [], [], 0.0
    for power, hertz, energy in zip(spectrograms, frequencies, energies, strict=True):
        inner = power[1:-1].astype(np.float64) / energy
        levels = inner.mean(axis=1)
        inner = inner[levels > DIGITAL_SILENCE * max(float(levels.sum()) / max(len(levels), 1), 1e-30)]
        if len(inner) < 8:  # too short to tell a background from the sound
            return nothing
        total = max(total, float(inner.mean()))
        inner = inner[np.argsort(inner.mean(axis=1))]
        quiet = max(round(QUIET * len(inner)), 3)
        following = max(round(NEXT * len(inner)), 2 * quiet)
        ends = [np.searchsorted(hertz, pair) for pair in zip(*edges, strict=True)]
        bins = [slice(max(first, 1), max(last, first + 2)) for first, last in ends]  # never the bin at 0 Hz
        parts = np.array(
            [[_mean(part[:, each]) for each in bins] for part in (inner[:quiet], inner[quiet:following], inner)]
        )
        found.append(np.minimum(parts[0], parts[2]))
        ratios.append(parts[1] / np.maximum(parts[0], 1e-30))
        spreads.append([_spread(inner[:, each]) for each in bins])
    steady = (np.median(ratios, axis=0) < STEADY) & (np.median(spreads, axis=0) < SPREAD)
    if steady.mean() < STEADY_REGIONS:
        return nothing
    density = np.min(found, axis=0) * 10.0 ** (BIAS_DB / 10.0)
    between = np.exp(np.interp(mels, mels[steady], np.log(np.maximum(density[steady], 1e-30))))
    density = np.minimum(density, between)
    share = float(np.interp(frequencies[0], centres, density).mean()) / max(total, 1e-30)
    excess = 10.0 * np.log10(max(share / SHARE, 1e-30))
    if excess > 0.0:
        density *= 10.0 ** (-6.0 * excess / FADE_DB) if excess < FADE_DB else 0.0
    return np.stack([centres, density])


def _mean(cells: Floats) -> float:
    """Estimate the mean of exponentially distributed noise, of which there are more cells than of anything fainter."""
    ordered = np.sort(cells, axis=None)
    means = [ordered[int(q * len(ordered))] / -np.log1p(-q) for q in QUANTILES if q * len(ordered) >= FEWEST]
    return float(min(means, default=ordered[0]))


def _spread(cells: Floats) -> float:
    """Return the ratio of means estimated from the highest and the lowest quantile: 1 for exponential cells."""
    low, high = np.quantile(cells, (QUANTILES[0], QUANTILES[-1]))
    return float(high / max(low, 1e-30) * np.log1p(-QUANTILES[0]) / np.log1p(-QUANTILES[-1]))


def _hertz(mels: Floats) -> Floats:
    """Convert HTK mels to Hz."""
    return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))
