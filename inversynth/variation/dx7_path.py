"""The way from one DX7 voice to another: `Dx7Path` gives the values at any point of it, those of the ends exactly.

Levels, rates and depths move evenly in the steps of the panel, which are decibels and ratios of times; ratios of
frequency move by pitch, or from one common ratio to the next where both ends are common. What has no values between
(the algorithm, frequency modes, curves, waves, switches) changes once, where the change is heard least. Operators are
first matched by role: carriers to carriers, modulators to modulators of like place, ratio and level.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dx7.algorithms import Algorithm
from generators.dx7.archetypes import ratio_bytes
from generators.dx7.voice import OPERATORS
from inversynth.variation.dx7_edits import (
    COMMON_RATIOS,
    Values,
    algorithm_of,
    clipped,
    column,
    operator_part,
    ratio_of,
    shared,
)

SWITCHES = ("algorithm", "oscillator_sync", "lfo_sync", "lfo_wave")
OPERATOR_SWITCHES = ("mode", "left_curve", "right_curve")
"""Parameters without values between, of all operators and of each; the algorithm is placed first."""

BY_NUMBER = tuple(range(1, OPERATORS + 1))
"""Each operator becomes the one of its number."""

TRIED = 15
"""Places along the way at which a switch is tried."""

ROLE_COST, DEPTH_COST, RATIO_COST, LEVEL_COST = 10.0, 2.0, 1.0, 1.0 / 30.0
"""What an operator costs that is matched to one of another role, per step of place in its stack, per octave of ratio,
and per step of level."""

Distances = Callable[[Values, Values], NDArray[np.float64]]
"""Measures how far voices are from others, row by row: (n, 145), (n, 145) -> (n,) dB."""


class Dx7Path:
    """The voices between two.

    Args:
        first, second: values of patches, (145,). partners: the operator of the second voice that becomes of each of the
            first, 1 to 6. distances: what the places of switches are chosen by.
    """

    def __init__(
        self, first: NDArray[Any], second: NDArray[Any], partners: tuple[int, ...], distances: Distances
    ) -> None:
        self.first, self.second = (np.asarray(np.rint(each), np.int64) for each in (first, second))
        self.partners = partners
        self.switches = dict.fromkeys(self._differing(), 0.5)
        """Where along the way each switch changes, 0..1."""
        for name in self.switches:
            self.switches[name] = self._best_place(name, distances)

    def at(self, place: float) -> Values:
        """Return the values at a place from 0, the first voice, to 1, the second."""
        if place <= 0.0:
            return self.first.copy()
        if place >= 1.0:
            return self.second.copy()
        return self._between(place, {name: bool(place >= switch) for name, switch in self.switches.items()})

    def _differing(self) -> list[str]:
        names = [name for name in SWITCHES if self.first[shared(name)] != self.second[shared(name)]]
        for operator, partner in enumerate(self.partners, start=1):
            for name in OPERATOR_SWITCHES:
                if self.first[column(operator, name)] != self.second[column(partner, name)]:
                    names.append(f"op{operator}_{name}")
        return names

    def _best_place(self, name: str, distances: Distances) -> float:
        """Return the place at which the voices before and after a switch are nearest to each other."""
        places = (np.arange(TRIED) + 1.0) / (TRIED + 1.0)
        pairs = [
            [
                self._between(place, {each: bool(place >= at) for each, at in self.switches.items()} | {name: after})
                for place in places
            ]
            for after in (False, True)
        ]
        return float(places[int(np.argmin(distances(np.stack(pairs[0]), np.stack(pairs[1]))))])

    def _between(self, place: float, switched: dict[str, bool]) -> Values:
        """Return the values at a place inside, with switches before (False) or after their change."""
        values = np.rint((1.0 - place) * self.first + place * self.second)
        for name in SWITCHES:
            values[shared(name)] = (self.second if switched.get(name, place >= 0.5) else self.first)[shared(name)]
        is_second = bool(switched.get("algorithm", False))
        for operator, partner in enumerate(self.partners, start=1):
            mixed = self._operator(operator, partner, place, switched)
            values[operator_part(partner if is_second else operator)] = mixed
        return clipped(values)

    def _operator(self, operator: int, partner: int, place: float, switched: dict[str, bool]) -> NDArray[np.float64]:
        """Return the 21 values of an operator on its way to its partner."""
        first, second = self.first[operator_part(operator)], self.second[operator_part(partner)]
        mixed = np.rint((1.0 - place) * first + place * second)
        at = {name: column(OPERATORS, name) for name in ("output_level", "mode", "coarse", "fine", *OPERATOR_SWITCHES)}
        heard = first[at["output_level"]] > 0, second[at["output_level"]] > 0
        if heard[0] != heard[1]:  # one end is silent: only the level moves
            mixed = (second if heard[1] else first).astype(np.float64)
            mixed[at["output_level"]] = round(
                (1.0 - place) * first[at["output_level"]] + place * second[at["output_level"]]
            )
            return mixed
        for name in OPERATOR_SWITCHES:
            after = switched.get(f"op{operator}_{name}", False)
            mixed[at[name]] = (second if after else first)[at[name]]
        ends = (first[at["coarse"]], first[at["fine"]]), (second[at["coarse"]], second[at["fine"]])
        if first[at["mode"]] != second[at["mode"]]:
            mixed[at["coarse"]], mixed[at["fine"]] = ends[switched.get(f"op{operator}_mode", False)]
        elif first[at["mode"]]:
            hundredths = [100 * (int(coarse) & 3) + int(fine) for coarse, fine in ends]
            mixed[at["coarse"]], mixed[at["fine"]] = divmod(
                round((1.0 - place) * hundredths[0] + place * hundredths[1]), 100
            )
        elif ends[0] != ends[1]:
            ratios = [ratio_of(int(coarse), int(fine)) for coarse, fine in ends]
            mixed[at["coarse"]], mixed[at["fine"]] = ratio_bytes(ratio_between(ratios[0], ratios[1], place))
        return mixed


def ratio_between(first: float, second: float, place: float) -> float:
    """Return the ratio at a place between two, by pitch; the nearest common one where both are common."""
    ratio = math.exp((1.0 - place) * math.log(first) + place * math.log(second))
    if first in COMMON_RATIOS and second in COMMON_RATIOS:
        return min(COMMON_RATIOS, key=lambda common: abs(math.log(common / ratio)))
    return ratio


def match_operators(first: NDArray[Any], second: NDArray[Any]) -> tuple[int, ...]:
    """Return, for operators 1 to 6 of a voice, the operators of another whose roles are most like theirs.

    In one algorithm an operator's role is its own.
    """
    if first[shared("algorithm")] == second[shared("algorithm")]:
        return BY_NUMBER

    from scipy.optimize import linear_sum_assignment

    roles = [
        [_role(values, algorithm_of(values), operator) for operator in range(1, OPERATORS + 1)]
        for values in (first, second)
    ]
    costs = np.array([[_cost(one, other) for other in roles[1]] for one in roles[0]])
    return tuple(int(place) + 1 for place in linear_sum_assignment(costs)[1])


def _role(values: NDArray[Any], algorithm: Algorithm, operator: int) -> tuple[bool, int, float, int]:
    """Return whether an operator is a carrier, its place in its stack, its ratio in octaves, and its level."""
    depth = min(stack.index(operator) for stack in algorithm.stacks if operator in stack)
    ratio = ratio_of(int(values[column(operator, "coarse")]), int(values[column(operator, "fine")]))
    return operator in algorithm.carriers, depth, math.log2(ratio), int(values[column(operator, "output_level")])


def _cost(one: tuple[bool, int, float, int], other: tuple[bool, int, float, int]) -> float:
    silent = not one[3] or not other[3]  # what is not heard fits everywhere
    return (
        (0.0 if silent else ROLE_COST * (one[0] != other[0]) + RATIO_COST * abs(one[2] - other[2]))
        + DEPTH_COST * abs(one[1] - other[1]) * (not silent)
        + LEVEL_COST * abs(one[3] - other[3])
    )
