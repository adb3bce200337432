"""The 32 algorithms of the DX7: which operators modulate which, which are heard, and where the feedback runs.

An algorithm is written as its chains, each from the top of the instrument's chart to the operator that is heard:
`"6543"` says that operator 6 modulates 5, 5 modulates 4, and 4 modulates 3. An operator that modulates several, or is
modulated by several, stands in several chains. A modulator always has a higher number than what it modulates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Algorithm:
    """One algorithm.

    Attributes:
        chains: digits of operators, modulators first. feedback: the operators whose output is fed back, and into which:
            the same one but in algorithms 4 and 6.
    """

    chains: tuple[str, ...]
    feedback: tuple[int, int]

    @property
    def carriers(self) -> tuple[int, ...]:
        """The operators that are heard."""
        return tuple(sorted({int(chain[-1]) for chain in self.chains}))

    def modulators(self, operator: int) -> tuple[int, ...]:
        """The operators that modulate an operator, without feedback."""
        found = set()
        for chain in self.chains:
            place = chain.find(str(operator))
            if place > 0:
                found.add(int(chain[place - 1]))
        return tuple(sorted(found))

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """Each carrier with all that modulates it, from the bottom of the chart to its top."""
        found = []
        for carrier in self.carriers:
            stack = [carrier]
            for operator in stack:  # grows on the way
                stack += [each for each in self.modulators(operator) if each not in stack]
            found.append(tuple(stack))
        return tuple(found)

    @property
    def loop(self) -> tuple[int, ...]:
        """The operators within the feedback, from where it enters to where it leaves."""
        source, target = self.feedback
        return tuple(range(target, source - 1, -1))


ALGORITHMS = (
    Algorithm(("21", "6543"), (6, 6)),  # 1
    Algorithm(("21", "6543"), (2, 2)),
    Algorithm(("321", "654"), (6, 6)),
    Algorithm(("321", "654"), (4, 6)),
    Algorithm(("21", "43", "65"), (6, 6)),  # 5
    Algorithm(("21", "43", "65"), (5, 6)),
    Algorithm(("21", "43", "653"), (6, 6)),
    Algorithm(("21", "43", "653"), (4, 4)),
    Algorithm(("21", "43", "653"), (2, 2)),
    Algorithm(("321", "54", "64"), (3, 3)),  # 10
    Algorithm(("321", "54", "64"), (6, 6)),
    Algorithm(("21", "43", "53", "63"), (2, 2)),
    Algorithm(("21", "43", "53", "63"), (6, 6)),
    Algorithm(("21", "543", "643"), (6, 6)),
    Algorithm(("21", "543", "643"), (2, 2)),  # 15
    Algorithm(("21", "431", "651"), (6, 6)),
    Algorithm(("21", "431", "651"), (2, 2)),
    Algorithm(("21", "31", "6541"), (3, 3)),
    Algorithm(("321", "64", "65"), (6, 6)),
    Algorithm(("31", "32", "54", "64"), (3, 3)),  # 20
    Algorithm(("31", "32", "64", "65"), (3, 3)),
    Algorithm(("21", "63", "64", "65"), (6, 6)),
    Algorithm(("1", "32", "64", "65"), (6, 6)),
    Algorithm(("1", "2", "63", "64", "65"), (6, 6)),
    Algorithm(("1", "2", "3", "64", "65"), (6, 6)),  # 25
    Algorithm(("1", "32", "54", "64"), (6, 6)),
    Algorithm(("1", "32", "54", "64"), (3, 3)),
    Algorithm(("21", "543", "6"), (5, 5)),
    Algorithm(("1", "2", "43", "65"), (6, 6)),
    Algorithm(("1", "2", "543", "6"), (5, 5)),  # 30
    Algorithm(("1", "2", "3", "4", "65"), (6, 6)),
    Algorithm(("1", "2", "3", "4", "5", "6"), (6, 6)),
)
"""Source: the charts printed on the instrument; a test checks the carriers and modulators of each by rendering."""

MOST_MODULATORS = 3
"""Modulators of one operator at most (algorithms 12, 13 and 16 to 18)."""


def routing() -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return the table as arrays for the engine; operators count from 0, in the order of a voice's bytes (6 first).

    Returns: modulators (32, 6, 3), -1 for none; carriers (32, 6); (first, last) of the feedback (32, 2).
    """
    modulators = np.full((len(ALGORITHMS), 6, MOST_MODULATORS), -1, np.int64)
    carriers = np.zeros((len(ALGORITHMS), 6), np.bool_)
    loops = np.zeros((len(ALGORITHMS), 2), np.int64)
    for row, algorithm in enumerate(ALGORITHMS):
        for operator in range(1, 7):
            place = 6 - operator
            for k, modulator in enumerate(algorithm.modulators(operator)):
                modulators[row, place, k] = 6 - modulator
            carriers[row, place] = operator in algorithm.carriers
        loops[row] = 6 - algorithm.loop[0], 6 - algorithm.loop[-1]
    return modulators, carriers, loops
