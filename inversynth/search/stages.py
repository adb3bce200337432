"""The stages of a search, and the budgets that name them.

A synth names the stages that suit it (`Synth.search_stages`). Those that need no structure are here: enumeration, which
finds the best patch where there are few, CMA-ES (Hansen and Ostermeier 2001; the `cmaes` library) and coordinate search
where there are many. Those for synths of oscillators are in `inversynth.search.fm_stages`.
"""

import heapq
from collections.abc import Iterator
from typing import Literal

import numpy as np

from inversynth.search import dx7_keyboard, dx7_search, fm_stages, matching
from inversynth.search.objective import ENOUGH, EXPLAINED, MADE
from inversynth.search.state import Classes, Floats, SearchStage, SearchState

Budget = Literal["none", "fast", "full"]

ENUMERATED = 1024
"""Most probable patches rendered: more than `sine` has (81), and a second of work."""

ENUMERATED_BESIDE_STRUCTURE = 64
"""The same where a search through the structure went before and was not enough: 0.1 s."""

BATCH = 64
"""Patches rendered before the search may end."""

WIDTH, WIDEST = 0.15, 0.5
"""Standard deviation at which CMA-ES starts, in the range of a parameter, and the greatest of later starts: two of 16
classes keep the network's answer in reach, half the range covers all of it."""

SAME_PATCH = 1e-12
"""Range of the distances of a population below which all of it has been rounded to one patch."""

MATCH_RENDERS, MATCH_ON_RENDERS = 4000, 8000
"""Renders of the first match, which takes four seconds, and of each later one; both on top of the budget."""

MATCHED_AGAIN = 2
"""Later matches, in the budget "full"."""

ROUNDING = 1e-9
"""Distance by which a class must come nearer; less is float rounding, and could be won for ever."""


def _beam(state: SearchState) -> Iterator[None]:
    """Render the most probable patches of the posterior, taken as independent between parameters."""
    space = state.synth.space
    most = ENUMERATED if state.synth.structure is None else ENUMERATED_BESIDE_STRUCTURE
    count = min(most, state.limit - state.renders, space.combinations)
    patches = likeliest(space.normalise_probabilities(state.posterior), space.slices, max(count, 1))
    for first in range(0, len(patches), BATCH):
        part = patches[first : first + BATCH]
        distances = state.measure(state.render(part))
        state.remember(part, distances)
        state.offer(part[int(distances.argmin())])
        yield


def _evolve(state: SearchState) -> Iterator[None]:
    """Run CMA-ES on parameters in 0..1 from the best patch, started wider each time it has converged."""
    from cmaes import CMA

    space = state.synth.space
    sizes = np.asarray(space.sizes)
    movable = np.flatnonzero(sizes > 1)
    seed, width = state.seed, WIDTH
    while len(movable) > 1 and not state.exhausted() and state.residual > ENOUGH:
        mean = space.classes_to_unit(state.classes)[movable]
        bounds = np.tile([[0.0, 1.0]], (len(movable), 1))
        optimiser = CMA(mean=np.clip(mean, 0.02, 0.98), sigma=width, bounds=bounds, seed=seed)
        while not optimiser.should_stop() and not state.exhausted():
            points = np.stack([optimiser.ask() for _ in range(optimiser.population_size)])
            patches = np.repeat(state.classes[None], len(points), axis=0)
            patches[:, movable] = np.rint(points * (sizes[movable] - 1)).astype(np.int64)
            distances = state.measure(state.render(patches))
            optimiser.tell(list(zip(points, distances.tolist(), strict=True)))
            if distances.min() < state.distance:
                state.offer(patches[int(distances.argmin())])
            yield
            if np.ptp(distances) < SAME_PATCH:  # all on one patch
                break
        seed, width = seed + 1, min(2.0 * width, WIDEST)


def _vary(state: SearchState) -> Iterator[None]:
    """Try all classes of one parameter at a time until none comes nearer."""
    space = state.synth.space
    improved = True
    while improved and not state.exhausted():
        improved = False
        for column, size in enumerate(space.sizes):
            variants = np.repeat(state.classes[None], size, axis=0)
            variants[:, column] = np.arange(size)
            distances = state.measure(state.render(variants, state.offset))
            state.remember(variants, distances)
            best = int(distances.argmin())
            if distances[best] < state.distance - ROUNDING:
                improved |= state.offer(variants[best], state.offset, state.phases)
            yield


def _match(state: SearchState) -> Iterator[None]:
    """Come near to a sound that no patch on the levels makes, between them and at any root."""
    if _off_levels(state):
        yield from matching.match(state, MATCH_RENDERS)


def _match_on(state: SearchState) -> Iterator[None]:
    """Match again from other draws, as long as renders are left."""
    for _ in range(MATCHED_AGAIN):
        if _off_levels(state):
            state.seed += 1
            yield from matching.match(state, MATCH_ON_RENDERS)


def _off_levels(state: SearchState) -> bool:
    """Tell whether a sound seems to be made by no patch on the levels."""
    return state.residual >= EXPLAINED or (state.distance > MADE and state.phases is None)


def _between(state: SearchState) -> Iterator[None]:
    """Move parameters between their levels by Adam, from the best patch."""
    from inversynth.search import gradient

    target = np.pad(state.target[state.offset :], (0, state.offset))
    for moved in gradient.approach(state.best_synth, target, state.best_values, state.any_level, gradient.STEPS):
        state.take_between(state.best_synth, moved, state.offset)
        yield


STAGES: dict[str, SearchStage] = {
    stage.name: stage
    for stage in (
        SearchStage("beam", "the most probable patches (64 where there is structure)", 1024, 1.0, _beam),
        SearchStage("evolve", "CMA-ES over all parameters", 8000, 2.0, _evolve),
        SearchStage("turn", "every parameter by itself", 1000, 0.5, _vary),
        SearchStage("match", "nearest in log-mel distance, at any root", MATCH_RENDERS, 4.0, _match, True),
        SearchStage("match on", "the same again from other draws", 16000, 16.0, _match_on, True),
        SearchStage("between", "Adam, between the levels", 8, 20.0, _between, True),
        SearchStage("pick", "oscillators one by one, then joint moves", 2000, 0.25, fm_stages.pick),
        SearchStage("align", "where the sound begins, and its polarity", 1500, 0.3, fm_stages.align, True),
        SearchStage("realign", "where it begins, once more, from the match", 1000, 0.3, fm_stages.realign, True),
        SearchStage(
            "voices", "the nearest of an index, and of those that a network draws", 200, 0.5, dx7_search.voices
        ),
        SearchStage("levels", "levels of the carriers, stack by stack", 80, 0.3, dx7_search.levels),
        SearchStage("islands", "a population for each of eight algorithms", 500, 0.7, dx7_search.islands),
        SearchStage("hop", "other structures, and fits of levels and rates, in turns", 1900, 2.5, dx7_search.hop),
        SearchStage("keyboard", "scaling and velocity, at all notes together", 1000, 3.0, dx7_keyboard.keyboard),
        SearchStage("restart", "built anew from other globals or phases", 20000, 2.0, fm_stages.restart),
    )
}
"""Every stage by name."""

_FAST = (
    "pick",
    "align",
    "beam",
    "turn",
    "match",
    "realign",
    "voices",
    "levels",
    "islands",
    "hop",
    "keyboard",
)

BUDGETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "none": (0, ()),
    "fast": (2600, _FAST),
    "full": (24000, (*_FAST, "pick", "restart", "evolve", "turn", "match on", "hop")),
}
"""Renders allowed and stages, in order; a synth leaves out those that do not suit it.

"full" first does what "fast" does, with its renders, so that it never ends farther away, and then goes on. A stage that
has begun ends its move, stages with renders of their own come on top, and the posterior costs 100 more."""


def likeliest(probabilities: Floats, slices: tuple[slice, ...], count: int) -> Classes:
    """Return the `count` most probable patches of independent parameters, best first, (count, parameters)."""
    orders = [np.argsort(-probabilities[part]) for part in slices]
    costs = [-np.log(np.maximum(probabilities[part][order], 1e-12)) for part, order in zip(slices, orders, strict=True)]
    best = tuple([0] * len(slices))
    heap, seen = [(sum(float(cost[0]) for cost in costs), best)], {best}
    found: list[Classes] = []
    while heap and len(found) < count:
        total, ranks = heapq.heappop(heap)
        found.append(np.array([order[rank] for order, rank in zip(orders, ranks, strict=True)], np.int64))
        for column, rank in enumerate(ranks):
            if rank + 1 < len(costs[column]):
                step = (*ranks[:column], rank + 1, *ranks[column + 1 :])
                if step not in seen:
                    seen.add(step)
                    heapq.heappush(heap, (total + float(costs[column][rank + 1] - costs[column][rank]), step))
    return np.stack(found)
