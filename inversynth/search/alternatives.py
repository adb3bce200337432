"""Clearly different patches that sound alike: what a user may choose from where a sound leaves a choice.

Candidates are the patches that the search has heard on its way and, around the best one, trades that sounds forgive:
cutoff against q, attack against decay or sustain, and oscillators that change places. Two patches are clearly different
where at least two parameters that the sound determines are two or more classes apart; they sound alike where the
`inversynth.search.objective` distance of the one is hardly greater than that of the other.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inversynth.patches.patch import Alternative
from inversynth.search.objective import decibels, residual
from inversynth.search.state import Classes, SearchState

MOST = 3
"""Alternatives that are told; more would be a list, not a choice."""

APART = 2
"""Classes by which a parameter must differ to count, and parameters that must differ so."""

NEARLY = 1.25
"""Times the distance of the best patch that an alternative may have."""

HARDLY = 0.02
"""Distance that an alternative may have anyway: a fiftieth of that of silence. Where a patch is exact, nothing lies
within a factor of it."""

HEARD = 32
"""Patches heard on the way that are looked at again."""

REACH = (-4, -3, -2, 2, 3, 4)
"""Classes by which traded parameters are turned."""

TRADES = (("f_cut", "q"), ("attack", "decay"), ("attack", "sustain"), ("decay", "sustain"))
"""Pairs of parameters that partly undo each other."""


def find_alternatives(course: SearchState, determined: NDArray[np.bool_]) -> tuple[Alternative, ...]:
    """Return up to three patches clearly different from the best and from each other that sound alike, nearest first.

    Where one of them turns out to be nearer than the best, it becomes the best, and none are returned: look again.
    Shapes: determined (parameters,), which parameters count.
    """
    candidates = [classes for _, classes in sorted(course.heard, key=lambda pair: pair[0])[:HEARD]]
    candidates += list(_traded(course))
    patches = np.unique(np.array([c for c in candidates if _differ(c, course.classes, determined)]), axis=0)
    if not len(patches):
        return ()
    audio = course.render(patches, course.offset)
    distances = course.objective.distance(audio)
    if distances.min() < course.distance and course.offer(patches[int(distances.argmin())], course.offset):
        return ()
    limit = max(NEARLY * course.distance, course.distance + HARDLY)
    found: list[Classes] = []
    alternatives = []
    for row in np.argsort(distances, kind="stable"):
        if distances[row] > limit or len(found) == MOST:
            break
        if all(_differ(patches[row], other, determined) for other in found):
            found.append(patches[row])
            values = course.synth.space.classes_to_values(patches[row])
            left = decibels(float(residual(course.target, audio[row])))
            alternatives.append(Alternative(values, float(distances[row]), left))
    return tuple(alternatives)


def _differ(one: Classes, other: Classes, determined: NDArray[np.bool_]) -> bool:
    return int((np.abs(one - other)[determined] >= APART).sum()) >= APART


def _traded(course: SearchState) -> Iterator[Classes]:
    """Yield patches around the best: pairs turned against each other, the rest fitted anew where the synth allows."""
    space = course.synth.space
    variants = []
    for first, second in TRADES:
        if first not in space.names or second not in space.names:
            continue
        columns = space.index(first), space.index(second)
        for steps in itertools.product(REACH, REACH):
            turned = course.classes.copy()
            turned[list(columns)] += steps
            if np.all((turned >= 0) & (turned < space.sizes)):
                variants.append(turned)
    search = course.shared.get(f"turned {course.offset}")
    if search is None:
        yield from variants
        return
    spent = search.atoms
    if variants:
        yield from search.nearest(np.array(variants), course.classes, course.phases)
    yield from search.changed_places(course.classes, course.phases)
    course.renders += (search.atoms - spent) // 4
