"""Levels and rates of a DX7 voice, fitted: Gauss-Newton steps on its log-mel levels, all of its operators together.

With the right algorithm and ratios a genetic search stays 1.3 dB away (mean of 8 of hexter's voices whose levels and
rates were moved by 8 steps, 5,000 renders); these steps come to 0.5 dB with 1,400 renders. The distance is a mean of
absolute differences, so each step is a least-squares fit weighted by the inverse of what is left (Holland and Welsch
1977).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.dx7.single_note import heard_operators
from generators.dx7.synth import values_to_bytes
from inversynth.search.dx7_population import genes, operator_columns
from inversynth.search.state import Classes, Floats, SearchState

FITTED = ("output_level", *(f"{kind}_{number}" for kind in ("rate", "level") for number in range(1, 5)))
"""Parameters of an operator that move together; the last level is that of silence in nearly all voices."""

PROBED = 3
"""Steps by which each is moved to see what it does; another number up to `WIDEST` once a fit does not help."""

WIDEST = 7

DAMPINGS = (1e-3, 1e-2, 3e-2, 1e-1, 0.3, 1.0)
"""Of the steps that are tried (Levenberg 1944, Marquardt 1963), relative to the curvature of each parameter."""

LENGTHS = (1.0, 0.5)
"""Parts of those steps that are tried."""

LONGEST = 20
"""Steps of a parameter at most."""

SOFTENED = 1.0
"""Decibels below which a difference weighs no more."""

VAIN = 2
"""Fits without a gain after which a voice is settled."""


@dataclass(frozen=True)
class Fitted:
    """A voice, (145,), after its fit, its distance in dB, and whether no further fit will help."""

    voice: Classes
    distance: float
    settled: bool


def fit_voice(state: SearchState, voice: Classes, times: int, rng: np.random.Generator) -> Fitted:
    """Fit the levels and rates of the operators of a voice that are heard, some times. Shapes: voice (145,)."""
    weights, highest = state.objective.weights, genes().highest
    best = voice.copy()
    over = state.differences(state.render(best))[0]
    distance = float(weights @ np.abs(over))
    probed, vain = PROBED, 0
    for _ in range(times):
        columns = _columns(best)
        if not len(columns) or vain >= VAIN or state.exhausted():
            break
        up = best[columns] + probed <= highest[columns]
        if rng.random() < 0.5:
            up = best[columns] < probed
        moved = np.repeat(best[None], len(columns), axis=0)
        rows = np.arange(len(columns))
        moved[rows, columns] = np.clip(best[columns] + np.where(up, probed, -probed), 0, highest[columns])
        differences = state.differences(state.render(moved))
        lengths = (moved[rows, columns] - best[columns]).astype(np.float32)
        slopes = (differences - over) / np.where(lengths == 0, 1, lengths)[:, None]
        nearest = int((np.abs(differences) @ weights).argmin())
        tried = np.unique(np.append(moved[nearest][None], _steps(best, columns, slopes, over, weights), axis=0), axis=0)
        differences = state.differences(state.render(tried))
        distances = np.abs(differences) @ weights
        chosen = int(distances.argmin())
        if distances[chosen] < distance - 1e-6:
            best, over, distance = tried[chosen], differences[chosen], float(distances[chosen])
        else:
            probed, vain = int(rng.integers(1, WIDEST + 1)), vain + 1
    return Fitted(best, distance, vain >= VAIN)


def _steps(
    voice: Classes, columns: Classes, slopes: NDArray[np.float32], over: NDArray[np.float32], weights: Floats
) -> Classes:
    """Return voices that steps of several dampings and lengths lead to, (n, 145)."""
    weighted = slopes * (weights / np.maximum(np.abs(over), SOFTENED))
    curvature = (weighted @ slopes.T).astype(np.float64)
    towards = -(weighted @ over).astype(np.float64)
    own = np.diag(curvature) + 1e-6 * np.trace(curvature) / len(columns) + 1e-12
    made = []
    for damping in DAMPINGS:
        step = np.linalg.solve(curvature + np.diag(damping * own), towards)
        for length in LENGTHS:
            one = voice.copy()
            moves = np.rint(np.clip(length * step, -LONGEST, LONGEST)).astype(np.int64)
            one[columns] = np.clip(voice[columns] + moves, 0, genes().highest[columns])
            made.append(one)
    return np.array(made)


def _columns(voice: Classes) -> Classes:
    """Return the columns of the levels and rates of the operators that are heard."""
    heard = heard_operators(values_to_bytes(voice[None].astype(np.float64)).astype(np.int64))[0]
    names = genes().names
    return np.sort(np.concatenate([operator_columns(names, each)[heard] for each in FITTED]))
