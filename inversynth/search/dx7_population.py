"""Populations of DX7 voices: what a search knows of their parameters, how children are made, tried and kept.

Moves make sense for voices: whole operators are exchanged, levels and rates move by a few steps, ratios jump to others
that are in use. What a single note cannot tell (keyboard scaling, velocity) is never moved.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from generators.dx7.single_note import UNTOLD_OF_OPERATOR, UNTOLD_SHARED
from generators.dx7.tables import PITCH_LEVELS
from inversynth.search.dx7_ratios import Ratios
from inversynth.search.state import Classes, Floats, SearchState

POPULATION, CHILDREN = 40, 32
"""Voices kept by each population, and those made of them at a time: two cores render 16 each in lockstep."""

CROSSED = 0.3
"""Probability that a child takes operators from another parent."""

SIZES = (0.02, 0.06, 0.15)
"""Standard deviations of a move, in the range of a parameter."""

REDRAWN = 0.1
"""Probability that a moved parameter is drawn anew."""

RARE = 0.15
"""Weight of parameters that few voices use (fixed frequencies, pitch envelope, LFO) among those that are moved."""

COMMON_RATIOS = (0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14)
"""Coarse frequencies that are drawn, as often as they stand here."""

SHOWN = 0.3
"""Probability that a child takes a ratio that the sound shows."""

SECOND_RATIO = 0.4
"""Probability that it takes another one."""

STRUCTURED, LEADERS = 20, 12
"""Children whose structure changes more than their levels, and nearest voices of which they are made."""

STRUCTURE = {"algorithm": 6.0, "feedback": 6.0, "coarse": 3.0, "fine": 1.5, "detune": 1.5, "output_level": 1.0}
"""Weights of parameters among those that are moved in such; of all others `ELSE`."""

ELSE = 0.15

ELSEWHERE = 0.3
"""Probability that an operator of another parent takes another place."""

VIBRATO_COST, TREMOLO_COST = 3.0, 1.5
"""Decibels added to the distance of a voice for the deepest modulation by the LFO: it flattens spectra, and so comes
nearer to many sounds that do not tremble. Modulation is free up to `FREE_DEPTH`."""

FREE_DEPTH = 0.05
"""Part of the greatest depth, enough for the vibrato of a player."""

PITCH_STEP = 12.0 / 32.0
"""Semitones of a unit of `PITCH_LEVELS`."""

TUNING_COST, FARTHEST = 3.0, 1.0
"""Decibels added for each semitone by which the pitch envelope keeps a voice off the pitch of the sound, and semitones
beyond which it costs no more: a band of the log-mel distance is half a semitone wide or more."""


NOT_TRANSPOSED = 24
"""The value of a transposition by no semitone."""


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

    Shapes: names (145,), highest (145,) their largest values, weights and structure (145,) how often each is moved,
    and how often where structure is what changes. operators:
    columns of operators 6 to 1. levels, coarse, fine, mode, amplitude: columns of output levels, frequencies and
    amplitude sensitivities, operator 6 first.
    """

    names: tuple[str, ...]
    highest: Classes
    weights: Floats
    structure: Floats
    operators: tuple[Classes, ...]
    levels: Classes
    coarse: Classes
    fine: Classes
    mode: Classes
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
    weights, structure = np.ones(len(names)), np.full(len(names), ELSE)
    for column, name in enumerate(names):
        plain = name[4:] if name[:2] == "op" and name[2].isdigit() else name
        structure[column] = STRUCTURE.get(plain, ELSE)
        if plain in FIXED:
            weights[column] = structure[column] = 0.0
        elif plain.startswith(SELDOM):
            weights[column] = RARE
        elif plain in ("output_level", "coarse"):
            weights[column] = 2.0
    operators = [[c for c, name in enumerate(names) if name.startswith(f"op{k}_")] for k in range(OPERATORS, 0, -1)]
    return Genes(
        names,
        np.array([one.highest for one in PARAMETERS], np.int64),
        weights / weights.sum(),
        structure / structure.sum(),
        tuple(np.array(columns, np.int64) for columns in operators),
        *(operator_columns(names, of) for of in ("output_level", "coarse", "fine", "mode", "am_sensitivity")),
    )


def operator_columns(names: Sequence[str], parameter: str) -> Classes:
    """Return the columns of a parameter of the operators 6 to 1, (6,)."""
    return np.array([names.index(f"op{operator}_{parameter}") for operator in range(6, 0, -1)], np.int64)


def begun_voices(state: SearchState) -> Voices:
    """Return the voices found so far, at least the one that a search began with."""
    if state.voices is None:
        state.voices = try_voices(state, state.classes[None], Voices.none())
    return state.voices


def try_voices(state: SearchState, classes: Classes, population: Voices, most: int = POPULATION) -> Voices:
    """Render voices, offer the best, and return the population with the best of them."""
    found = population.merge(classes, measure_voices(state, classes), most)
    offer_best(state, found)
    return found


def measure_voices(state: SearchState, classes: Classes) -> Floats:
    """Return the distances of voices (n, 145) with what their modulation and tuning cost, (n,) dB."""
    return state.measure(state.render(classes)) + _modulation_cost(classes) + _tuning_cost(classes, state.tuning)


def offer_best(state: SearchState, population: Voices) -> None:
    """Offer the first of a population if it is nearer than the best so far."""
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


def _tuning_cost(classes: Classes, tuning: float) -> Floats:
    """Return what pitch envelopes cost that hold another pitch than the sound has, (n, 145) -> (n,) dB."""
    if np.isnan(tuning):
        return np.zeros(len(classes))
    table = genes()
    second, third = (PITCH_STEP * PITCH_LEVELS[classes[:, table.column(f"pitch_level_{number}")]] for number in (2, 3))
    off = np.maximum(np.abs(third - tuning), 0.5 * np.abs(second - tuning)) - abs(tuning)
    return TUNING_COST * np.clip(off, 0.0, FARTHEST)


def draw_children(
    population: Voices,
    rng: np.random.Generator,
    frozen: int | None = None,
    ratios: Ratios | None = None,
    count: int = CHILDREN,
) -> Classes:
    """Return voices made of a population, (count, 145).

    Args: frozen: column of a parameter that stays. ratios: that the sound shows, which some take.
    """
    table, parents = genes(), population.classes
    weights = table.weights.copy()
    if frozen is not None:
        weights[frozen] = 0.0
    weights /= weights.sum()
    made = []
    for _ in range(count):
        child = parents[int(len(parents) * rng.random() ** 2)].copy()
        if rng.random() < CROSSED:
            other = parents[int(len(parents) * rng.random() ** 1.5)]
            for operator in rng.choice(len(table.operators), rng.integers(1, 4), replace=False):
                child[table.operators[operator]] = other[table.operators[operator]]
        moved = rng.choice(len(child), rng.integers(1, 6), replace=False, p=weights)
        child[moved] = _moved(child[moved], moved, table, rng)
        _take_ratios(child, ratios, rng)
        made.append(child)
    return np.array(made)


def draw_structures(population: Voices, rng: np.random.Generator, ratios: Ratios | None) -> Classes:
    """Return voices near the best of a population with another algorithm or other operators, (STRUCTURED, 145)."""
    table, parents = genes(), population.classes
    leaders = min(len(parents), LEADERS)
    made = []
    for _ in range(STRUCTURED):
        child = parents[int(leaders * rng.random() ** 2)].copy()
        if rng.random() < CROSSED:
            other = parents[int(len(parents) * rng.random())]
            for operator in rng.choice(len(table.operators), rng.integers(1, 3), replace=False):
                place = int(rng.integers(len(table.operators))) if rng.random() < ELSEWHERE else operator
                child[table.operators[operator]] = other[table.operators[place]]
        moved = rng.choice(len(child), rng.integers(1, 3), replace=False, p=table.structure)
        child[moved] = _moved(child[moved], moved, table, rng)
        _take_ratios(child, ratios, rng)
        made.append(child)
    return np.array(made)


def structure_of(voice: Classes) -> tuple[int, ...]:
    """Return what tells one structure from another: algorithm, and coarse ratios of all operators."""
    table = genes()
    return (int(voice[table.column("algorithm")]), *(int(each) for each in voice[table.coarse]))


def spread(population: Voices, most: int, alike: int) -> Voices:
    """Return the best of a population, of each structure no more than `alike`, at most `most`."""
    seen, kept = Counter[tuple[int, ...]](), []
    for row, voice in enumerate(population.classes):
        structure = structure_of(voice)
        seen[structure] += 1
        if seen[structure] <= alike:
            kept.append(row)
    return Voices(population.classes[kept[:most]], population.costs[kept[:most]])


def _take_ratios(child: Classes, ratios: Ratios | None, rng: np.random.Generator) -> None:
    """Set one or two operators of a child, loud ones rather, to ratios that the sound shows, now and then."""
    if ratios is None or rng.random() >= SHOWN:
        return
    table = genes()
    loudness = np.square(child[table.levels] + 10.0)
    for _ in range(1 + (rng.random() < SECOND_RATIO)):
        place = rng.choice(len(table.levels), p=loudness / loudness.sum())
        drawn = ratios.draw(rng, int(child[table.column("transpose")]) - NOT_TRANSPOSED)
        if drawn is not None:
            child[table.coarse[place]], child[table.fine[place]] = drawn
            child[table.mode[place]] = 0


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
