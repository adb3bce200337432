"""Stages for synths of oscillators: build a patch, find its beginning, and build it anew in other ways."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inversynth.search.state import ATOMS_A_RENDER, Classes, SearchState

if TYPE_CHECKING:
    from inversynth.search.fm_progress import OscillatorProgress
    from inversynth.search.fm_rendering import Candidate
    from inversynth.search.fm_search import OscillatorSearch

EMPHASIS = 0.98
"""Of the emphasised search: 6 dB an octave from 50 Hz on, against the 12 dB of the low-pass."""

SOFT_START = 0.02
"""Seconds that a sound may last before it is loud enough to be more than zero in 16 bits: at attack 1 s, behind a
low-pass that lets -40 dB pass, it rises by one step in 15 ms."""

STRIDE = 3
"""Samples between beginnings that are tried: the most that leaves the phase of a C6 within 70 degrees."""

ALIGNED = 1e-3
"""Energy left (-30 dB) that no beginning leaves which is wrong by a sample: at 1 kHz that alone would leave -8 dB."""

WAYS = ("phases", "emphasis", "trust")
"""Of building anew: with phases free, on differences of samples, and from the globals found so far."""

TILTED = 30.0
"""Power at 50 Hz over that at the lowest carrier (15 dB) above which differences are compared first. Of the low-passes
of `fm` those with a q of 0.01 exceed it (19 dB), and no other."""

UNEXPLAINED = 0.05
"""Energy left (-13 dB) above which a sound may have been made with other initial phases."""

HARDLY_LESS = 0.9
"""Share of what was left (-0.5 dB) that a new start must fall below to count as a gain."""

VAIN_STARTS = 2
"""Drawn starts without a gain after which the stage ends."""


def find_begin(audio: NDArray[np.floating[Any]]) -> int:
    """Return where digital silence ends: one sample before the first that is not zero, since sounds begin with 0."""
    sounding = np.flatnonzero(audio)
    return max(int(sounding[0]) - 1, 0) if len(sounding) else 0


def pick(state: SearchState) -> Iterator[None]:
    """Build a patch oscillator by oscillator from the posterior's best globals, then move until nothing changes.

    Where the low-pass seems to fall through the whole range of the carriers, differences of samples are searched first:
    in the waveform itself little more than its lowest frequencies would count.
    """
    progress = _progress(state)
    yield from _choose_begin(state)
    search = _search(state)
    if search.screening.tilt(state.start) > TILTED:
        emphasised = _search(state, emphasis=EMPHASIS)
        found = None
        for candidate in _follow(state, emphasised, _built(emphasised, state.start)):
            found = candidate
            yield
        if found is not None:
            yield from _ticks(_follow(state, search, _refitted(search, found)))
        if progress.finished or state.exhausted():
            return
    yield from _ticks(_follow(state, search, _built(search, state.start)))


def align(state: SearchState) -> Iterator[None]:
    """Look for the beginning in the silence before the first sample, where a soft one may lie below the last bit.

    First by what one oscillator explains, every few samples; then by building at the samples nearest to the best.
    """
    progress = _progress(state)
    begin, best = progress.begin, progress.best
    if begin == 0 or best is None or best.residual < UNEXPLAINED or progress.finished:
        return
    search = _search(state)
    spent = search.atoms
    earlier = np.arange(0, min(begin, round(SOFT_START * state.synth.sample_rate)) + 1, STRIDE)
    sounds = [state.target[begin - back :][: search.samples] for back in earlier]
    explained = search.screening.explained_by_one(sounds, state.start)
    state.count_atoms(search.atoms - spent)
    middle = int(earlier[int(explained.argmax())])
    yield
    for step in sorted(range(-STRIDE, STRIDE + 1), key=abs):
        if state.exhausted() or not 0 <= middle + step <= begin:
            continue
        progress.begin = begin - middle - step
        search = _search(state)
        yield from _ticks(_follow(state, search, iter([search.build(state.start)]), aligning=True))
        if progress.residual < ALIGNED:
            break
    progress.begin = begin if progress.aligned_begin is None else progress.aligned_begin
    search = _search(state)
    yield from _ticks(_follow(state, search, search.descend(progress.best or best)))


def restart(state: SearchState) -> Iterator[None]:
    """Build anew in other ways, until most of the sound is explained or the renders are used up.

    In the `WAYS`, phases being freed only where most of the waveform stays unexplained; then again from globals drawn
    from the posterior. Ends where two drawn ones lead to no better place.
    """
    progress, rng, in_vain = _progress(state), np.random.default_rng(state.seed), 0
    for attempt in itertools.count():
        best = progress.best
        if best is None or state.exhausted() or progress.finished or in_vain == VAIN_STARTS:
            return
        drawn = _draw(state, rng)
        way, known = WAYS[attempt % len(WAYS)], attempt < len(WAYS)  # the first time from what is known
        emphasised, trust = way == "emphasis", way == "trust" and known
        free = not emphasised and (bool(best.phases.any()) or (way == "phases" and best.residual > UNEXPLAINED))
        search = _search(state, free, EMPHASIS if emphasised else 0.0)
        start = (best.classes if trust else state.start) if known else drawn
        found = None
        for candidate in _follow(state, search, _built(search, start, trust)):
            found = candidate
            yield
        if emphasised and found is not None:
            plain = _search(state)
            yield from _ticks(_follow(state, plain, _refitted(plain, found)))
        if not known:
            in_vain = in_vain + 1 if progress.residual > HARDLY_LESS * best.residual else 0


def _progress(state: SearchState) -> "OscillatorProgress":
    from inversynth.search.fm_progress import OscillatorProgress

    if state.oscillators is None:
        state.oscillators = OscillatorProgress(find_begin(state.target))
    return state.oscillators


def _search(state: SearchState, free_phase: bool = False, emphasis: float = 0.0) -> "OscillatorSearch":
    """Return the search on the sound from its beginning on, kept from stage to stage."""
    from inversynth.search.fm_search import OscillatorSearch

    progress = _progress(state)
    key = (free_phase, emphasis, progress.begin)
    if key not in progress.searches:
        sound = state.target[progress.begin :]
        progress.searches[key] = OscillatorSearch(
            state.synth, sound, state.posterior, state.pool, free_phase, emphasis, any_level=state.any_level
        )
    search = progress.searches[key]
    if not emphasis:
        state.structured[progress.begin] = search
    search.limit = search.atoms + ATOMS_A_RENDER * max(state.limit - state.renders, 0)
    return search


def _follow(
    state: SearchState, search: "OscillatorSearch", candidates: "Iterator[Candidate]", aligning: bool = False
) -> "Iterator[Candidate]":
    """Count what a search spends, offer what it finds, keep the best, and where `aligning` also where it begins."""
    progress, spent = _progress(state), search.atoms
    for candidate in candidates:
        state.count_atoms(search.atoms - spent)
        spent = search.atoms
        if not search.emphasis:  # what it leaves is not comparable otherwise
            phases = candidate.phases if search.free_phase else None
            state.offer(candidate.classes, progress.begin, phases, candidate.residual)
            if progress.best is None or candidate.residual < progress.best.residual:
                progress.best, progress.finished = candidate, search.finished(candidate)
                if aligning:
                    progress.aligned_begin = progress.begin
        yield candidate
    best = progress.best
    if state.any_level and best is not None and not search.emphasis and bool(best.phases.any()) == search.free_phase:
        scaled = search.fitting.choose_scale(best)
        phases = best.phases if search.free_phase else None
        state.offer(scaled.classes, progress.begin, phases, scaled.residual)


def _ticks(candidates: "Iterator[Candidate]") -> Iterator[None]:
    for _ in candidates:
        yield


def _built(search: "OscillatorSearch", start: Classes, trust: bool = False) -> "Iterator[Candidate]":
    candidate = search.build(start, trust=trust)
    yield candidate
    yield from search.descend(candidate)


def _refitted(search: "OscillatorSearch", candidate: "Candidate") -> "Iterator[Candidate]":
    candidate = search.fitting.refit(candidate)
    yield candidate
    yield from search.descend(candidate)


def _choose_begin(state: SearchState) -> Iterator[None]:
    """Decide whether a sound begins with its first sample that is not zero, or with a file that starts just before.

    A soft beginning is rounded to zero in 16 bits; the beginning that leaves less after one build is taken.
    """
    progress = _progress(state)
    begin = progress.begin
    if not 0 < begin <= round(SOFT_START * state.synth.sample_rate):
        return
    left = {}
    for place in (begin, 0):
        progress.begin = place
        search = _search(state)
        spent = search.atoms
        left[place] = search.build(state.start).residual
        state.count_atoms(search.atoms - spent)
        yield
    progress.begin = min(left, key=lambda place: left[place])


def _draw(state: SearchState, rng: np.random.Generator) -> Classes:
    """Draw a class of every parameter from the posterior, (parameters,)."""
    space = state.synth.space
    drawn = state.start.copy()
    for column, part in enumerate(space.slices):
        drawn[column] = rng.choice(space.sizes[column], p=state.posterior[part])
    return drawn
