"""Stages for DX7 voices: nearest voices of an index, levels, islands of one algorithm each, crossings, single steps.

A voice has 145 parameters with hundreds of equally good settings beside each other, so the search is genetic
(`dx7_population`). Each of the most promising algorithms first gets a population of its own, since between algorithms
operators do not mean the same. Then the best of all are crossed, and the best one is improved by steps whose sizes
adapt to what they win.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from inversynth.search.dx7_levels import fit_carriers
from inversynth.search.dx7_population import (
    CHILDREN,
    POPULATION,
    Voices,
    begun_voices,
    draw_children,
    genes,
    measure_voices,
    offer_best,
    try_voices,
)
from inversynth.search.state import SearchState

if TYPE_CHECKING:
    from generators.dx7.voice_index import VoiceIndex

STARTS = 160
"""Voices of the index that are rendered."""

FITTED = 24
"""Voices of the first stage whose carriers are fitted: two to three renders each."""

ISLANDS = 8
"""Algorithms that get a population of their own."""

SHARES = {"islands": 0.45, "cross": 0.45, "steps": 1.0}
"""Share of the renders left that each stage takes."""

FIRST_STEP = 0.08
"""Size of the first single steps, in the range of a parameter."""

GROWN, SHRUNK = 1.5, 0.6
"""Factors of a step that came nearer, and of one that did not."""


def voices(state: SearchState) -> Iterator[None]:
    """Render the voices of an index whose features are nearest to the sound, at its note and an octave beside."""
    from generators.dx7.single_note import fold_scaling
    from generators.dx7.synth import VELOCITY, values_to_bytes, voice_values

    index, note = _index(), round(state.synth.root)
    found = [
        index.nearest(state.target, state.synth.sample_rate, note, STARTS // 2, released)[0]
        for released in (True, False)  # nobody knows whether the note was let go of within the sound
    ]
    found.append(values_to_bytes(np.concatenate([state.start[None], state.starts])).astype(np.uint8))
    known = voice_values(fold_scaling(np.concatenate(found), note, VELOCITY))
    start = np.unique(known, axis=0)
    population = Voices.none()
    for first in range(0, len(start), CHILDREN):
        population = try_voices(state, start[first : first + CHILDREN], population, STARTS)
        yield
    transpose, best = genes().column("transpose"), population.classes[: CHILDREN // 2]
    for semitones in (-12, 12):
        moved = best.copy()
        moved[:, transpose] = np.clip(moved[:, transpose] + semitones, 0, 48)
        population = try_voices(state, moved, population, STARTS)
        yield
    state.voices = population


def levels(state: SearchState) -> Iterator[None]:
    """Fit the levels of the carriers of the nearest voices, which were made for other sounds."""
    found = begun_voices(state)
    fitted = fit_carriers(state, found.classes[:FITTED])
    if len(fitted):
        state.voices = try_voices(state, fitted, found, STARTS)
    yield


def islands(state: SearchState) -> Iterator[None]:
    """Search within each of the algorithms whose voices are nearest, each with a population of its own."""
    begun, rng = begun_voices(state), np.random.default_rng(state.seed)
    algorithm = genes().column("algorithm")
    chosen = list(dict.fromkeys(begun.classes[:, algorithm].tolist()))[:ISLANDS]
    first, total = state.renders, _share(state, "islands")
    gathered = begun
    for number, one in enumerate(chosen, start=1):
        own = begun.classes[:, algorithm] == one
        island = Voices(begun.classes[own][:POPULATION], begun.costs[own][:POPULATION])
        while state.renders < first + total * number / len(chosen):
            island = try_voices(state, draw_children(island, rng, frozen=algorithm), island)
            yield
        gathered = gathered.merge(island.classes, island.costs, POPULATION * ISLANDS)
    state.voices = gathered


def cross(state: SearchState) -> Iterator[None]:
    """Cross the best voices of all algorithms."""
    rng = np.random.default_rng(state.seed + 1)
    found = begun_voices(state)
    population = Voices.none().merge(found.classes, found.costs)
    end = state.renders + _share(state, "cross")
    while state.renders < end:
        population = try_voices(state, draw_children(population, rng), population)
        yield
    state.voices = population


def steps(state: SearchState) -> Iterator[None]:
    """Move single parameters of the best voice by steps that grow where they win, and take together what helped."""
    table, rng = genes(), np.random.default_rng(state.seed + 2)
    population = begun_voices(state)
    sizes = np.maximum(FIRST_STEP * table.highest, 1.0)
    end = state.renders + _share(state, "steps")
    movable = np.flatnonzero(table.weights)
    while state.renders < end:
        best, cost = population.classes[0], float(population.costs[0])
        columns = rng.choice(movable, CHILDREN, p=table.weights[movable] / table.weights[movable].sum())
        moves = np.rint(np.maximum(np.abs(rng.normal(0.0, sizes[columns])), 1.0) * rng.choice([-1.0, 1.0], CHILDREN))
        tried = np.repeat(best[None], CHILDREN, axis=0)
        rows = np.arange(CHILDREN)
        tried[rows, columns] = np.clip(tried[rows, columns] + moves.astype(np.int64), 0, table.highest[columns])
        costs = measure_voices(state, tried)
        won = costs < cost
        for column, gained in zip(columns, won, strict=True):
            sizes[column] = np.clip(
                sizes[column] * (GROWN if gained else SHRUNK), 0.8, 0.3 * table.highest[column] + 1.0
            )
        population = population.merge(tried, costs)
        helped = [row for row in np.argsort(costs) if won[row]]
        if len(helped) > 1:
            together = np.repeat(best[None], len(helped) - 1, axis=0)
            for count in range(2, len(helped) + 1):
                for row in reversed(helped[:count]):  # of two moves of one parameter the better one counts
                    together[count - 2, columns[row]] = tried[row, columns[row]]
            population = try_voices(state, together, population)
        offer_best(state, population)
        yield
    state.voices = population


def _share(state: SearchState, stage: str) -> int:
    return round(SHARES[stage] * max(state.limit - state.renders, 0))


@cache
def _index() -> "VoiceIndex":
    from generators.dx7.voice_index import bundled_index

    return bundled_index()
