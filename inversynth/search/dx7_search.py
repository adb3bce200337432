"""Stages for DX7 voices: nearest voices of an index, levels, islands of one algorithm each, crossings, single steps.

A voice has 145 parameters with hundreds of equally good settings beside each other, so the search is genetic, with
moves that make sense for voices: whole operators are exchanged, levels and rates move by a few steps, ratios jump to
others that are in use. Each of the most promising algorithms first gets a population of its own, since between
algorithms operators do not mean the same. Then the best of all are crossed, and the best one is improved by steps whose
sizes adapt to what they win. What a single note cannot tell (keyboard scaling, velocity) is never moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from generators.dx7.single_note import UNTOLD_OF_OPERATOR, UNTOLD_SHARED
from inversynth.search.dx7_levels import fit_carriers
from inversynth.search.state import Classes, Floats, SearchState

if TYPE_CHECKING:
    from generators.dx7.voice_index import VoiceIndex

STARTS = 160
"""Voices of the index that are rendered."""

FITTED = 24
"""Voices of the first stage whose carriers are fitted: two to three renders each."""

ISLANDS = 8
"""Algorithms that get a population of their own."""

POPULATION, CHILDREN = 40, 32
"""Voices kept by each population, and those made of them at a time: two cores render 16 each in lockstep."""

CROSSED = 0.3
"""Probability that a child takes operators from another parent."""

SHARES = {"islands": 0.45, "cross": 0.45, "steps": 1.0}
"""Share of the renders left that each stage takes."""

SIZES = (0.02, 0.06, 0.15)
"""Standard deviations of a move, in the range of a parameter."""

REDRAWN = 0.1
"""Probability that a moved parameter is drawn anew."""

RARE = 0.15
"""Weight of parameters that few voices use (fixed frequencies, pitch envelope, LFO) among those that are moved."""

COMMON_RATIOS = (0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14)
"""Coarse frequencies that are drawn, as often as they stand here."""

VIBRATO_COST, TREMOLO_COST = 3.0, 1.5
"""Decibels added to the distance of a voice for the deepest modulation by the LFO: it flattens spectra, and so comes
nearer to many sounds that do not tremble. Modulation is free up to `FREE_DEPTH`."""

FREE_DEPTH = 0.05
"""Part of the greatest depth, enough for the vibrato of a player."""

FIRST_STEP = 0.08
"""Size of the first single steps, in the range of a parameter."""

GROWN, SHRUNK = 1.5, 0.6
"""Factors of a step that came nearer, and of one that did not."""


@dataclass
class Voices:
    """The best voices so far: classes (n, 145), and what each costs (n,), cheapest first."""

    classes: Classes
    costs: Floats

    @classmethod
    def none(cls) -> "Voices":
        """Return no voices, to which others can be merged."""
        return cls(np.empty((0, len(genes().names)), np.int64), np.empty(0))

    def merge(self, classes: Classes, costs: Floats, most: int = POPULATION) -> "Voices":
        """Return the best of these and others, without doubles."""
        both, all_costs = np.concatenate([self.classes, classes]), np.concatenate([self.costs, costs])
        _, first = np.unique(both, axis=0, return_index=True)
        kept = first[np.argsort(all_costs[first], kind="stable")][:most]
        return Voices(both[kept], all_costs[kept])


@dataclass(frozen=True)
class Genes:
    """What a search knows of the parameters of a voice.

    Shapes: names (145,), highest (145,) their largest values, weights (145,) how often each is moved. operators:
    columns of operators 6 to 1. coarse, amplitude: columns of coarse frequencies, and of amplitude sensitivities.
    """

    names: tuple[str, ...]
    highest: Classes
    weights: Floats
    operators: tuple[Classes, ...]
    coarse: Classes
    amplitude: Classes

    def column(self, name: str) -> int:
        """Return the column of a parameter."""
        return self.names.index(name)


FIXED = (*UNTOLD_OF_OPERATOR, *UNTOLD_SHARED, "transpose", "lfo_delay")
"""Parameters that are never moved: what one note cannot tell, what the first stage settles, and what hardly matters."""

SELDOM = ("mode", "am_sensitivity", "pitch_rate", "pitch_level", "lfo", "pitch_sensitivity")


@cache
def genes() -> Genes:
    """Return the table of parameters, made once."""
    from generators.dx7.voice import OPERATORS, PARAMETERS

    names = tuple(one.name for one in PARAMETERS)
    weights = np.ones(len(names))
    for column, name in enumerate(names):
        plain = name[4:] if name[:2] == "op" and name[2].isdigit() else name
        if plain in FIXED:
            weights[column] = 0.0
        elif plain.startswith(SELDOM):
            weights[column] = RARE
        elif plain in ("output_level", "coarse"):
            weights[column] = 2.0
    operators = [[c for c, name in enumerate(names) if name.startswith(f"op{k}_")] for k in range(OPERATORS, 0, -1)]
    return Genes(
        names,
        np.array([one.highest for one in PARAMETERS], np.int64),
        weights / weights.sum(),
        tuple(np.array(columns, np.int64) for columns in operators),
        np.array([c for c, name in enumerate(names) if name.endswith("_coarse")], np.int64),
        np.array([c for c, name in enumerate(names) if name.endswith("_am_sensitivity")], np.int64),
    )


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
        population = _try(state, start[first : first + CHILDREN], population, STARTS)
        yield
    transpose, best = genes().column("transpose"), population.classes[: CHILDREN // 2]
    for semitones in (-12, 12):
        moved = best.copy()
        moved[:, transpose] = np.clip(moved[:, transpose] + semitones, 0, 48)
        population = _try(state, moved, population, STARTS)
        yield
    state.voices = population


def levels(state: SearchState) -> Iterator[None]:
    """Fit the levels of the carriers of the nearest voices, which were made for other sounds."""
    found = _population(state)
    fitted = fit_carriers(state, found.classes[:FITTED])
    if len(fitted):
        state.voices = _try(state, fitted, found, STARTS)
    yield


def islands(state: SearchState) -> Iterator[None]:
    """Search within each of the algorithms whose voices are nearest, each with a population of its own."""
    begun, rng = _population(state), np.random.default_rng(state.seed)
    algorithm = genes().column("algorithm")
    chosen = list(dict.fromkeys(begun.classes[:, algorithm].tolist()))[:ISLANDS]
    first, total = state.renders, _share(state, "islands")
    gathered = begun
    for number, one in enumerate(chosen, start=1):
        own = begun.classes[:, algorithm] == one
        island = Voices(begun.classes[own][:POPULATION], begun.costs[own][:POPULATION])
        while state.renders < first + total * number / len(chosen):
            island = _try(state, _children(island, rng, frozen=algorithm), island)
            yield
        gathered = gathered.merge(island.classes, island.costs, POPULATION * ISLANDS)
    state.voices = gathered


def cross(state: SearchState) -> Iterator[None]:
    """Cross the best voices of all algorithms."""
    rng = np.random.default_rng(state.seed + 1)
    found = _population(state)
    population = Voices.none().merge(found.classes, found.costs)
    end = state.renders + _share(state, "cross")
    while state.renders < end:
        population = _try(state, _children(population, rng), population)
        yield
    state.voices = population


def steps(state: SearchState) -> Iterator[None]:
    """Move single parameters of the best voice by steps that grow where they win, and take together what helped."""
    table, rng = genes(), np.random.default_rng(state.seed + 2)
    population = _population(state)
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
        costs = _measure(state, tried)
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
            population = _try(state, together, population)
        _offer(state, population)
        yield
    state.voices = population


def _share(state: SearchState, stage: str) -> int:
    return round(SHARES[stage] * max(state.limit - state.renders, 0))


def _population(state: SearchState) -> Voices:
    """Return the voices found so far, at least the one that a search began with."""
    if state.voices is None:
        state.voices = _try(state, state.classes[None], Voices.none())
    return state.voices


def _try(state: SearchState, classes: Classes, population: Voices, most: int = POPULATION) -> Voices:
    """Render voices, offer the best, and return the population with the best of them."""
    found = population.merge(classes, _measure(state, classes), most)
    _offer(state, found)
    return found


def _measure(state: SearchState, classes: Classes) -> Floats:
    """Return the distances of voices (n, 145) with what their modulation costs, (n,) dB."""
    return state.measure(state.render(classes)) + _modulation_cost(classes)


def _offer(state: SearchState, population: Voices) -> None:
    if population.costs[0] < state.distance - 1e-9:
        state.offer(population.classes[0])


def _modulation_cost(classes: Classes) -> Floats:
    """Return what the depths of the LFO cost, (n, 145) -> (n,) dB."""
    table = genes()

    def depth(name: str, sensitivity: Any, highest: int) -> Floats:
        found = classes[:, table.column(name)] / 99.0 * sensitivity / highest
        return np.maximum(found - FREE_DEPTH, 0.0)

    vibrato = depth("lfo_pitch_depth", classes[:, table.column("pitch_sensitivity")], 7)
    tremolo = depth("lfo_amplitude_depth", classes[:, table.amplitude].max(axis=1), 3)
    return VIBRATO_COST * vibrato + TREMOLO_COST * tremolo


def _children(population: Voices, rng: np.random.Generator, frozen: int | None = None) -> Classes:
    """Return voices made of a population, (CHILDREN, 145); the parameter in column `frozen` stays."""
    table, parents = genes(), population.classes
    weights = table.weights.copy()
    if frozen is not None:
        weights[frozen] = 0.0
    weights /= weights.sum()
    made = []
    for _ in range(CHILDREN):
        child = parents[int(len(parents) * rng.random() ** 2)].copy()
        if rng.random() < CROSSED:
            other = parents[int(len(parents) * rng.random() ** 1.5)]
            for operator in rng.choice(len(table.operators), rng.integers(1, 4), replace=False):
                child[table.operators[operator]] = other[table.operators[operator]]
        moved = rng.choice(len(child), rng.integers(1, 6), replace=False, p=weights)
        child[moved] = _moved(child[moved], moved, table, rng)
        made.append(child)
    return np.array(made)


def _moved(values: Classes, columns: Classes, table: Genes, rng: np.random.Generator) -> Classes:
    """Move some values of a voice by a few steps, or draw them anew."""
    highest = table.highest[columns]
    size = rng.choice(SIZES)
    move = np.rint(rng.normal(0.0, np.maximum(size * highest, 0.7))).astype(np.int64)
    move = np.where(move == 0, rng.choice([-1, 1], len(columns)), move)
    drawn = (rng.random(len(columns)) * (highest + 1)).astype(np.int64)
    ratios = np.isin(columns, table.coarse)
    drawn = np.where(ratios, rng.choice(COMMON_RATIOS, len(columns)), drawn)
    anew = rng.random(len(columns)) < np.where(ratios, 0.5, REDRAWN)
    return np.clip(np.where(anew, drawn, values + move), 0, highest)


@cache
def _index() -> "VoiceIndex":
    from generators.dx7.voice_index import bundled_index

    return bundled_index()
