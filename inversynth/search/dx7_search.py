"""Stages for DX7 voices: nearest voices of an index, levels, islands of one algorithm each, structures and fits.

A voice has 145 parameters with hundreds of equally good settings beside each other, so the search is genetic
(`dx7_population`). Each of the most promising algorithms first gets a population of its own, since between algorithms
operators do not mean the same. Then voices of other structure, some at ratios that the sound shows (`dx7_ratios`), and
fits of levels and rates (`dx7_fit`) take turns.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.pitch import find_note
from inversynth.search.dx7_fit import fit_voice
from inversynth.search.dx7_levels import fit_carriers
from inversynth.search.dx7_population import (
    CHILDREN,
    NOT_TRANSPOSED,
    POPULATION,
    STRUCTURED,
    Voices,
    begun_voices,
    draw_children,
    draw_structures,
    genes,
    spread,
    structure_of,
    try_voices,
)
from inversynth.search.dx7_ratios import observed_ratios
from inversynth.search.state import Classes, SearchState

if TYPE_CHECKING:
    from generators.dx7.voice_index import VoiceIndex

STARTS = 160
"""Voices of the index that are rendered."""

FITTED = 24
"""Voices of the first stage whose carriers are fitted: two to three renders each."""

ISLANDS = 8
"""Algorithms that get a population of their own."""

SHARES = {"islands": 0.2, "hop": 1.0}
"""Share of the renders left that each stage takes."""

FIRST_FITS, FIT_TIMES, MOST_FITS = 2, 2, 3
"""Voices of different structure that are fitted first, fits of each at a time, and times that one structure is."""

HOPPED = 60
"""Nearest voices among which one to fit is looked for."""

ALIKE = 2
"""Voices of one structure among those of which others are made."""

GENERATIONS = 6
"""Generations between two voices that are fitted."""


def voices(state: SearchState) -> Iterator[None]:
    """Render the voices of an index whose features are nearest to the sound, at its note and an octave beside.

    Where another pitch is heard than that of the note, as of a transposed voice, those nearest at that pitch as well.
    """
    from generators.dx7.single_note import fold_scaling
    from generators.dx7.synth import VELOCITY, values_to_bytes, voice_values

    index, note = _index(), round(state.synth.root)
    heard = find_note(state.target, state.synth.sample_rate)
    state.tuning = np.nan if heard is None else (heard.midi - note + 6.0) % 12.0 - 6.0
    found = [values_to_bytes(np.concatenate([state.start[None], state.starts]))]
    shift = 0 if heard is None else round(heard.midi) - note
    for semitones in dict.fromkeys((0, shift if abs(shift) <= NOT_TRANSPOSED else 0)):
        for released in (True, False):  # nobody knows whether the note was let go of within the sound
            near = index.nearest(state.target, state.synth.sample_rate, note + semitones, STARTS // 2, released)[0]
            found.append(_transposed(fold_scaling(near, note + semitones, VELOCITY), semitones))
    start = np.unique(voice_values(fold_scaling(np.concatenate(found), note, VELOCITY)), axis=0)
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
    ratios = observed_ratios(state.target, state.synth.sample_rate, state.synth.root)
    chosen = list(dict.fromkeys(begun.classes[:, algorithm].tolist()))[:ISLANDS]
    first, total = state.renders, _share(state, "islands")
    gathered = begun
    for number, one in enumerate(chosen, start=1):
        own = begun.classes[:, algorithm] == one
        island = Voices(begun.classes[own][:POPULATION], begun.costs[own][:POPULATION])
        while state.renders < first + total * number / len(chosen):
            island = try_voices(state, draw_children(island, rng, algorithm, ratios), island)
            yield
        gathered = gathered.merge(island.classes, island.costs, POPULATION * ISLANDS)
    state.voices = gathered


def hop(state: SearchState) -> Iterator[None]:
    """Fit levels and rates of the best voices, and try others of another structure, in turns.

    A voice of another structure is seldom nearer before its levels and rates are fitted to it, so each turn fits the
    nearest one that has not been (basin hopping: Wales and Doye 1997).
    """
    rng, fits = np.random.default_rng(state.seed + 2), Counter[tuple[int, ...]]()
    ratios = observed_ratios(state.target, state.synth.sample_rate, state.synth.root)
    population = begun_voices(state)
    end = state.renders + _share(state, "hop")
    wanted = FIRST_FITS
    while state.renders < end:
        chosen: dict[tuple[int, ...], Classes] = {}
        for voice in population.classes[:HOPPED]:
            chosen.setdefault(structure_of(voice), voice)
        unfitted = [(one, voice) for one, voice in chosen.items() if fits[one] < MOST_FITS]
        for structure, voice in unfitted[:wanted]:
            fitted = fit_voice(state, voice, FIT_TIMES, rng)
            fits[structure] += MOST_FITS if fitted.settled else 1
            population = try_voices(state, fitted.voice[None], population, STARTS)
            yield
            if state.renders >= end:
                break
        wanted = 1
        for _ in range(GENERATIONS):
            if state.renders >= end:
                break
            best = spread(population, POPULATION, ALIKE)
            others = draw_children(best, rng, ratios=ratios, count=CHILDREN - STRUCTURED)
            children = np.concatenate([draw_structures(best, rng, ratios), others])
            population = try_voices(state, children, population, STARTS)
            yield
    state.voices = population


def _transposed(voices: NDArray[np.integer[Any]], semitones: int) -> NDArray[np.int64]:
    """Return voices (n, 155) that sound by semitones higher, as far as the transposition of a voice goes."""
    moved = np.array(voices, np.int64)
    column = genes().column("transpose")
    moved[:, column] = np.clip(moved[:, column] + semitones, 0, 2 * NOT_TRANSPOSED)
    return moved


def _share(state: SearchState, stage: str) -> int:
    return round(SHARES[stage] * max(state.limit - state.renders, 0))


@cache
def _index() -> "VoiceIndex":
    from generators.dx7.voice_index import bundled_index

    return bundled_index()
