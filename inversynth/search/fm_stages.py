"""Stages for synths of oscillators: build a patch, find its beginning, and build it anew in other ways."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.alignment import cut, find_onset
from inversynth.search.objective import EXPLAINED, Objective
from inversynth.search.state import ATOMS_A_RENDER, Classes, SearchState

if TYPE_CHECKING:
    from inversynth.search.fm_alignment import Alignment, Placed
    from inversynth.search.fm_progress import OscillatorProgress
    from inversynth.search.fm_rendering import Candidate
    from inversynth.search.fm_search import OscillatorSearch

SOFT_START = 0.02
"""Seconds that a sound may last before it is loud enough to be more than zero in 16 bits: at attack 1 s, behind a
low-pass that lets -40 dB pass, it rises by one step in 15 ms."""

WAYS = ("phases", "emphasis", "trust")
"""Of building anew: with phases free, on differences of samples, and from the globals found so far."""

HOPELESS = 0.5
"""Energy left (-3 dB) after a build above which no move follows: sounds of `fm` leave 0.12 at most (60 of them)."""

MISPLACED = 0.25
"""The same (-6 dB) of the first build, where the sound may begin elsewhere."""

ALIGN_RENDERS = 8000
"""Renders to look for the beginning, on top of the budget: six builds with their moves, four more than most need."""

REALIGN_RENDERS = 4000
"""The same once a patch was matched, which needs three."""

RECOGNISED = 1.5
"""Log-mel distance in dB of a match up to which its low-pass is about that of the sound: 0.1 to 1.4 where a sound of
`fm` was not found in its place (seed 4242), 1.8 and more for recordings."""

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
    from inversynth.search.fm_search import EMPHASIS, TILTED

    progress = _progress(state)
    if _is_guess(state):
        return
    yield from _choose_begin(state)
    search = _search(state)
    if search.screening.tilt(state.start) > TILTED:
        emphasised = _search(state, emphasis=EMPHASIS)
        found = None
        for candidate in _follow(state, emphasised, _built(emphasised, state.start, most=MISPLACED)):
            found = candidate
            yield
        if found is not None:
            yield from _ticks(_follow(state, search, _refitted(search, found)))
        if progress.finished or state.exhausted():
            return
    yield from _ticks(_follow(state, search, _built(search, state.start, most=MISPLACED)))


def align(state: SearchState) -> Iterator[None]:
    """Look for the beginning of a sound, to a fraction of a sample, and for its polarity.

    Ends at once where what has been found fits best where it is. Otherwise a patch is built at the likeliest beginnings
    one after another; it is laid over the sound, which tells better where it begins, and improved there. What is found
    is taken where it leaves less than anything before.
    """
    from inversynth.search.fm_alignment import Alignment

    progress, last = _progress(state), state.allow(ALIGN_RENDERS)
    if progress.finished:
        return
    recording = state.recording
    most = ATOMS_A_RENDER * (last - state.renders)
    alignment = Alignment(state.synth, recording.audio, state.posterior, state.pool, state.any_level, most)
    if progress.best is not None and alignment.in_place(progress.best, recording.start + progress.begin):
        return
    upright = None if _is_guess(state) else float(recording.start + progress.begin)
    onset = recording.onset or find_onset(recording.audio, state.synth.sample_rate)
    yield from _take_places(state, alignment, alignment.search(onset, state.start, upright), last)


def realign(state: SearchState) -> Iterator[None]:
    """Look for the beginning once more, from a patch that was matched between the levels and at no certain place.

    Its low-pass is nearer to the sound's than the network's, and what is near in log-mel distance lacks little more
    than the place. What is found is taken where it is nearer than the match.
    """
    from inversynth.search.fm_alignment import Alignment, Begin

    progress, last = _progress(state), state.allow(REALIGN_RENDERS)
    matched = state.between_levels is not None and state.best_synth.root == state.synth.root
    if progress.finished or not matched or state.distance > RECOGNISED:
        return
    recording = state.recording
    most = ATOMS_A_RENDER * (last - state.renders)
    alignment = Alignment(state.synth, recording.audio, state.posterior, state.pool, state.any_level, most)
    onset = recording.onset or find_onset(recording.audio, state.synth.sample_rate)
    begin = Begin(recording.start + state.offset if state.begin is None else state.begin, state.polarity, 1.0)
    yield from _take_places(state, alignment, alignment.search(onset, state.classes, matched=begin), last)


def _take_places(state: SearchState, alignment: "Alignment", places: "Iterator[Placed]", last: int) -> Iterator[None]:
    """Take of the patches at their places those that leave less than anything before, and are nearer than a match.

    Args: last: renders up to which the last of them may be improved.
    """
    from inversynth.search.fm_alignment import IN_PLACE

    progress, spent = _progress(state), 0
    before = progress.best
    for placed in places:
        state.count_atoms(alignment.atoms - spent)
        spent = alignment.atoms
        if placed.candidate.residual < min(progress.residual, IN_PLACE) and _is_nearer(state, placed):
            state.place(placed.position, placed.polarity, placed.head)
            progress.begin, progress.searches = state.offset, {}
            progress.best, progress.finished = placed.candidate, placed.finished
            state.offer(placed.candidate.classes, state.offset, None, placed.candidate.residual)
        yield
        if progress.finished:
            break
    state.count_atoms(alignment.atoms - spent)
    if progress.best is not None and progress.best is not before:
        search = _search(state)
        search.limit = search.atoms + ATOMS_A_RENDER * max(last - state.renders, ALIGN_RENDERS // 4)
        yield from _ticks(_follow(state, search, _refitted(search, progress.best)))


def _is_nearer(state: SearchState, placed: "Placed") -> bool:
    """Tell whether a patch at its place is nearer to the sound than one that was matched between the levels, if any."""
    if state.between_levels is None:
        return True
    target = cut(state.recording.audio, placed.position, state.synth.samples, placed.polarity)
    objective = Objective(target, state.synth.sample_rate, state.any_level)
    return float(objective.distance(state.render(placed.candidate.classes)[0])) < state.distance


def restart(state: SearchState) -> Iterator[None]:
    """Build anew in other ways, until most of the sound is explained or the renders are used up.

    In the `WAYS`, phases being freed only where most of the waveform stays unexplained; then again from globals drawn
    from the posterior. Ends where two drawn ones lead to no better place.
    """
    from inversynth.search.fm_search import EMPHASIS

    progress, rng, in_vain = _progress(state), np.random.default_rng(state.seed), 0
    for attempt in itertools.count():
        best = progress.best
        if best is None or state.exhausted() or progress.finished or in_vain == VAIN_STARTS:
            return
        drawn = _draw(state, rng)
        way, known = WAYS[attempt % len(WAYS)], attempt < len(WAYS)  # the first time from what is known
        emphasised, trust = way == "emphasis", way == "trust" and known
        free = not emphasised and (bool(best.phases.any()) or (way == "phases" and best.residual > EXPLAINED))
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


def _follow(state: SearchState, search: "OscillatorSearch", candidates: "Iterator[Candidate]") -> "Iterator[Candidate]":
    """Count what a search spends, offer what it finds, and keep the best."""
    progress, spent = _progress(state), search.atoms
    for candidate in candidates:
        state.count_atoms(search.atoms - spent)
        spent = search.atoms
        if not search.emphasis:  # what it leaves is not comparable otherwise
            phases = candidate.phases if search.free_phase else None
            state.offer(candidate.classes, progress.begin, phases, candidate.residual)
            if progress.best is None or candidate.residual < progress.best.residual:
                progress.best, progress.finished = candidate, search.finished(candidate)
        yield candidate
    best = progress.best
    if state.any_level and best is not None and not search.emphasis and bool(best.phases.any()) == search.free_phase:
        scaled = search.fitting.choose_scale(best)
        phases = best.phases if search.free_phase else None
        state.offer(scaled.classes, progress.begin, phases, scaled.residual)


def _ticks(candidates: "Iterator[Candidate]") -> Iterator[None]:
    for _ in candidates:
        yield


def _built(
    search: "OscillatorSearch", start: Classes, trust: bool = False, most: float = HOPELESS
) -> "Iterator[Candidate]":
    """Build a patch, and improve one that leaves less than `most`."""
    candidate = search.build(start, trust=trust)
    yield candidate
    if candidate.residual < most:
        yield from search.descend(candidate)


def _refitted(search: "OscillatorSearch", candidate: "Candidate") -> "Iterator[Candidate]":
    candidate = search.fitting.refit(candidate)
    yield candidate
    yield from search.descend(candidate)


def _is_guess(state: SearchState) -> bool:
    """Tell whether a target was cut out of a sounding recording, where it is no more than a guess that it begins."""
    return bool(state.recording.audio[: state.recording.start].any())


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
