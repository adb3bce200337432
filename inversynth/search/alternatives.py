"""Alternatives: clearly different patches that sound nearly the same, where a sound leaves such a choice.

Candidates are the patches that the search has rendered on its way and, around the best one, trades between parameters
that partly undo each other: cutoff against q, attack against decay or sustain, and oscillators that exchange their
shapes. Two patches are clearly different where at least two parameters that the sound determines differ by two or more
classes; they sound nearly the same where their distances to the sound (`inversynth.search.objective`) do so too.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inversynth.patches.patch import Alternative
from inversynth.search.objective import decibels, residual
from inversynth.search.state import Classes, SearchState

MAX_ALTERNATIVES = 3
"""Alternatives returned; more would be a list, not a choice."""

MIN_DIFFERENCE = 2
"""Classes by which a parameter must differ to count, and parameters that must differ so: one class can be rounding."""

DISTANCE_FACTOR = 1.25
"""Times the distance of the best patch that an alternative may have."""

DISTANCE_SLACK = 0.5
"""Decibels beyond the distance of the best patch that an alternative may always have: where a patch is exact, nothing
lies within a factor of it."""

RENDERED_BEFORE = 32
"""Patches rendered on the way that are tried again, the nearest ones."""

STEPS = (-4, -3, -2, 2, 3, 4)
"""Classes by which traded parameters are moved: at least MIN_DIFFERENCE, and up to a quarter of the range."""

TRADES = (("f_cut", "q"), ("attack", "decay"), ("attack", "sustain"), ("decay", "sustain"))
"""Pairs of parameters that partly undo each other."""


def find_alternatives(state: SearchState, determined: NDArray[np.bool_]) -> tuple[Alternative, ...]:
    """Return up to three patches clearly different from the best and from each other, nearest first.

    If one of them turns out to be nearer than the best, it becomes the best and none are returned: call again then.
    Shapes: determined (parameters,), which parameters count.
    """
    candidates = [classes for _, classes in sorted(state.tried, key=lambda pair: pair[0])[:RENDERED_BEFORE]]
    candidates += list(_traded(state))
    patches = np.unique(np.array([c for c in candidates if _differ(c, state.classes, determined)]), axis=0)
    if not len(patches):
        return ()
    audio = state.render(patches, state.offset)
    distances = state.objective.distance(audio)
    if distances.min() < state.distance and state.offer(patches[int(distances.argmin())], state.offset):
        return ()
    limit = max(DISTANCE_FACTOR * state.distance, state.distance + DISTANCE_SLACK)
    found: list[Classes] = []
    alternatives = []
    for row in np.argsort(distances, kind="stable"):
        if distances[row] > limit or len(found) == MAX_ALTERNATIVES:
            break
        if all(_differ(patches[row], other, determined) for other in found):
            found.append(patches[row])
            values = state.synth.space.classes_to_values(patches[row])
            left = decibels(float(residual(state.target, audio[row])))
            alternatives.append(Alternative(values, float(distances[row]), left))
    return tuple(alternatives)


def _differ(one: Classes, other: Classes, determined: NDArray[np.bool_]) -> bool:
    return int((np.abs(one - other)[determined] >= MIN_DIFFERENCE).sum()) >= MIN_DIFFERENCE


def _traded(state: SearchState) -> Iterator[Classes]:
    """Yield patches around the best: pairs of parameters moved, the amplitudes fitted anew where the synth allows."""
    space = state.synth.space
    variants = []
    for first, second in TRADES:
        if first not in space.names or second not in space.names:
            continue
        columns = space.index(first), space.index(second)
        for steps in itertools.product(STEPS, STEPS):
            moved = state.classes.copy()
            moved[list(columns)] += steps
            if np.all((moved >= 0) & (moved < space.sizes)):
                variants.append(moved)
    search = state.structured.get(state.offset)
    if search is None:
        yield from variants
        return
    spent = search.atoms
    if variants:
        yield from search.refit_nearest(np.array(variants), state.classes, state.phases)
    yield from search.swap_oscillators(state.classes, state.phases)
    state.count_atoms(search.atoms - spent)
