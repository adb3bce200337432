"""Amplitudes of known oscillators: non-negative least squares on the levels of a synthesizer.

Everything is computed from inner products: the Gram matrix of the atoms and their products with the sound. The
unrounded solution, bounded to the range of the levels, is found by coordinate descent, rounded to levels, and improved
level by level and pair by pair. Where the level of the sound is free, only the proportions of the amplitudes count.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.compiler import compile_kernel

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]


def fit_amplitudes(
    gram: ArrayLike, products: ArrayLike, power: float, levels: Floats, any_level: bool = False
) -> tuple[Classes, Floats]:
    """Find amplitude classes that leave least of a sound, for n sets of m atoms.

    Args:
        power: energy of the sound. levels: of the amplitudes, rising and evenly spaced. any_level: the sound may be any
            gain times the sum of the atoms.
    Shapes: gram (n, m, m) of the atoms, products (n, m) of atoms and sound. Returns classes (n, m) and the energies
        left (n,).
    """
    grams, right = np.ascontiguousarray(gram, np.float64), np.ascontiguousarray(products, np.float64)
    classes, residual = np.empty(right.shape, np.int64), np.empty(len(right))
    _fit_rows(grams, right, power, levels, any_level, classes, residual)
    return classes, residual


@compile_kernel
def minimise_within(gram: Any, right: Any, power: float, low: float, high: float, amount: Any) -> float:
    """Minimise the energy left over low <= amount <= high in place, from the start in `amount`; returns that energy."""
    m = len(right)
    for _ in range(40):
        moved = 0.0
        for i in range(m):
            slope = right[i]
            for j in range(m):
                slope -= gram[i, j] * amount[j]
            if gram[i, i] > 0.0:
                new = min(max(amount[i] + slope / gram[i, i], low), high)
                moved = max(moved, abs(new - amount[i]))
                amount[i] = new
        if moved < 1e-4:
            break
    total = power
    for i in range(m):
        inner = 0.0
        for j in range(m):
            inner += gram[i, j] * amount[j]
        total += amount[i] * (inner - 2.0 * right[i])
    return total


@compile_kernel
def fit_levels(gram: Any, right: Any, power: float, levels: Any, amount: Any, classes: Any) -> float:
    """Fit one set of atoms; `amount` is the start and becomes the unrounded solution. Returns the energy left."""
    m = len(right)
    last = len(levels) - 1
    low, high = levels[0], levels[last]
    step = (high - low) / last
    minimise_within(gram, right, power, low, high, amount)
    for i in range(m):
        classes[i] = round((amount[i] - low) / step)
    best = _residual(gram, right, power, levels, classes)
    improved = True
    while improved:
        improved = False
        for i in range(m):
            for j in range(i, m):
                # best class of j for every neighbour of i
                kept_i, kept_j = classes[i], classes[j]
                best_i, best_j = kept_i, kept_j
                for option in range(max(kept_i - 3, 0), min(kept_i + 3, last) + 1):
                    classes[i] = option
                    if j != i and gram[j, j] > 0.0:
                        slope = right[j]
                        for k in range(m):
                            if k != j:
                                slope -= gram[j, k] * levels[classes[k]]
                        wanted = (min(max(slope / gram[j, j], low), high) - low) / step
                        classes[j] = round(wanted)
                    found = _residual(gram, right, power, levels, classes)
                    if found < best - 1e-9 * power:
                        best, best_i, best_j, improved = found, option, classes[j], True
                classes[i], classes[j] = best_i, best_j
    return best


@compile_kernel
def fit_proportions(gram: Any, right: Any, power: float, levels: Any, amount: Any, classes: Any) -> float:
    """Fit one set of atoms at any level: round its proportions at each scale of the upper half, then improve."""
    m = len(right)
    last = len(levels) - 1
    minimise_within(gram, right, power, 0.0, np.inf, amount)
    most = 0.0
    for i in range(m):
        most = max(most, amount[i])
    classes[:] = last
    if most <= 0.0:
        return _residual_any_level(gram, right, power, levels, classes)
    trial = np.empty(m, np.int64)
    step = (levels[last] - levels[0]) / last
    best = np.inf
    for top in range(last // 2 + 1, last + 1):
        for i in range(m):
            trial[i] = max(round((amount[i] / most * levels[top] - levels[0]) / step), 0)
        found = _residual_any_level(gram, right, power, levels, trial)
        if found < best:
            best = found
            classes[:] = trial
    improved = True
    while improved:
        improved = False
        for i in range(m):
            for j in range(i, m):
                kept_i, kept_j = classes[i], classes[j]
                best_i, best_j = kept_i, kept_j
                for p in range(max(kept_i - 1, 0), min(kept_i + 1, last) + 1):
                    for q in range(max(kept_j - 1, 0), min(kept_j + 1, last) + 1):
                        classes[i] = p
                        if j != i:
                            classes[j] = q
                        elif q != kept_j:
                            continue
                        found = _residual_any_level(gram, right, power, levels, classes)
                        if found < best - 1e-9 * power:
                            best, best_i, best_j, improved = found, p, q, True
                classes[j] = best_j
                classes[i] = best_i
    return best


@compile_kernel
def _residual_any_level(gram: Any, right: Any, power: float, levels: Any, classes: Any) -> float:
    """Return the energy left when the sum of the atoms has the gain that leaves least."""
    m = len(right)
    along, norm = 0.0, 0.0
    for i in range(m):
        a = levels[classes[i]]
        along += a * right[i]
        for j in range(m):
            norm += a * gram[i, j] * levels[classes[j]]
    if along <= 0.0 or norm <= 0.0:
        return power
    return power - along * along / norm


@compile_kernel
def _residual(gram: Any, right: Any, power: float, levels: Any, classes: Any) -> float:
    """Return the energy left: |sound|^2 + a G a - 2 a p for amplitudes a, Gram matrix G and products p."""
    total = power
    m = len(right)
    for i in range(m):
        a = levels[classes[i]]
        inner = 0.0
        for j in range(m):
            inner += gram[i, j] * levels[classes[j]]
        total += a * (inner - 2.0 * right[i])
    return total


@compile_kernel
def _fit_rows(gram: Any, right: Any, power: float, levels: Any, any_level: bool, classes: Any, residual: Any) -> None:
    n, m = right.shape
    amount = np.empty(m)
    for row in range(n):
        amount[:] = 0.5
        if any_level:
            residual[row] = fit_proportions(gram[row], right[row], power, levels, amount, classes[row])
        else:
            residual[row] = fit_levels(gram[row], right[row], power, levels, amount, classes[row])
