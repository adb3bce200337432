"""What an editor of DX7 voices does: columns of a patch by operator, ratios that are common, and edits by stack.

Values are those of a patch: (145,), operator 6 first. Operators are numbered as on the panel, 1 to 6.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dx7.algorithms import ALGORITHMS, Algorithm
from generators.dx7.archetypes import ratio_bytes
from generators.dx7.voice import HIGHEST, OPERATOR_BYTES, OPERATORS, PARAMETER_BY_NAME, PARAMETER_BYTES

Values = NDArray[np.int64]

COMMON_RATIOS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0)
"""Ratios at which partials stay harmonic or nearly so; the prior's archetypes have these most often."""

NO_TRANSPOSITION = 24
"""Value of the transposition that is none."""

LEVEL_SHIFT, BALANCE_SHIFT, RATE_SHIFT, DETUNE_SHIFT, FEEDBACK_SHIFT, SPEED_SHIFT, FIXED_SHIFT = 20, 7, 18, 4, 3, 12, 15
"""Standard deviations at amount 1, in steps of the panel: levels of modulators (0.75 dB each: brightness by 15 dB) and
of carriers (the balance of stacks), rates (18 halve or double a time 4 times), detune, feedback, the LFO's speed, and
fixed frequencies (hundredths of a power of ten)."""

RATIO_CHANCE = 0.6
"""Chance at amount 1 that an operator moves to a neighbouring common ratio."""


def column(operator: int, name: str) -> int:
    """Return the column of an operator's parameter: `column(1, "output_level")`."""
    return PARAMETER_BY_NAME[f"op{operator}_{name}"].byte


def shared(name: str) -> int:
    """Return the column of a parameter that all operators share."""
    return PARAMETER_BY_NAME[name].byte


def operator_part(operator: int) -> slice:
    """Return the columns of an operator."""
    first = (OPERATORS - operator) * OPERATOR_BYTES
    return slice(first, first + OPERATOR_BYTES)


def algorithm_of(values: NDArray[Any]) -> Algorithm:
    """Return the algorithm of a voice."""
    return ALGORITHMS[int(values[shared("algorithm")])]


def ratio_of(coarse: int, fine: int) -> float:
    """Return the ratio of two bytes: 0.5 to 61.69."""
    return max(coarse, 0.5) * (1.0 + fine / 100.0)


def clipped(values: NDArray[Any]) -> Values:
    """Return values within their ranges."""
    return np.clip(np.asarray(values, np.int64), 0, HIGHEST[:PARAMETER_BYTES].astype(np.int64))


def vary_voice(values: NDArray[Any], amount: float, rng: np.random.Generator) -> Values:
    """Return a variation of a voice: by stack brighter or darker, faster or slower, then single operators.

    The random numbers do not depend on the amount, so that variations of one generator lie on one way from the
    original, farther with a larger amount. What does not sound stays, and so do pitch envelope, transposition and what
    notes and velocities change. A stack whose carrier is at the lowest ratio keeps it: the pitch stays.

    Args:
        amount: 0 (the values as they are) to 1.
    Shapes: (145,) -> (145,).
    """
    varied = np.array(values, np.int64)
    algorithm = algorithm_of(varied)
    directions = rng.normal(size=(OPERATORS + 1, 8))
    chances = rng.random((OPERATORS + 1, 2))
    shifts = np.zeros(len(varied))
    carriers = [carrier for carrier in algorithm.carriers if varied[column(carrier, "output_level")]]
    lowest = min((_ratio_in(varied, carrier) for carrier in carriers), default=1.0)
    for stack in algorithm.stacks:
        bright, attack, decay, release = directions[stack[0], :4]
        for operator in stack:
            if not varied[column(operator, "output_level")]:
                continue
            is_carrier = operator in algorithm.carriers
            own = directions[operator]
            level = BALANCE_SHIFT * own[4] if is_carrier else LEVEL_SHIFT * (0.8 * bright + 0.4 * own[4])
            shifts[column(operator, "output_level")] = level
            for number, direction in enumerate((attack, decay, decay, release), start=1):
                shifts[column(operator, f"rate_{number}")] = RATE_SHIFT * (0.8 * direction + 0.3 * own[5])
            shifts[column(operator, "detune")] = DETUNE_SHIFT * own[6]
            keeps = is_carrier and _ratio_in(varied, operator) <= lowest
            if varied[column(operator, "mode")]:
                shifts[column(operator, "fine")] = FIXED_SHIFT * own[7]
            elif not keeps and chances[operator, 0] < RATIO_CHANCE * amount:
                step = 1 if chances[operator, 1] < 0.5 else -1
                ratio = neighbouring_ratio(_ratio_in(varied, operator), step, lowest if is_carrier else 0.0)
                varied[column(operator, "coarse")], varied[column(operator, "fine")] = ratio_bytes(ratio)
    shifts[shared("feedback")] = FEEDBACK_SHIFT * directions[0, 0]
    shifts[shared("lfo_speed")] = SPEED_SHIFT * directions[0, 1]
    levels = [column(operator, "output_level") for operator in range(1, OPERATORS + 1)]
    sounding = varied[levels] > 0
    varied = clipped(varied + np.rint(amount * shifts).astype(np.int64))
    varied[levels] = np.where(sounding, np.maximum(varied[levels], 1), varied[levels])
    return varied


def neighbouring_ratio(ratio: float, step: int, lowest: float = 0.0) -> float:
    """Return the common ratio next to one, above it (step 1) or below (-1); at an end, and below `lowest`, the other.

    Raises nothing: a ratio beyond all common ones comes back to the nearest of them.
    """
    above = [each for each in COMMON_RATIOS if each > ratio * 1.005]
    below = [each for each in COMMON_RATIOS if lowest <= each < ratio / 1.005]
    if step > 0 and above:
        return above[0]
    return below[-1] if below else (above[0] if above else ratio)


def _ratio_in(values: NDArray[Any], operator: int) -> float:
    """Return the ratio of an operator; infinity where its frequency is fixed."""
    if values[column(operator, "mode")]:
        return math.inf
    return ratio_of(int(values[column(operator, "coarse")]), int(values[column(operator, "fine")]))
