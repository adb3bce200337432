"""The stages of a search, and the budgets that name them.

Synths with a structure to use are searched through it (`fm`: `inversynth.search.fm_search`); others by enumeration
where they are small and by CMA-ES (N. Hansen; the `cmaes` library) where they are not.
"""

import heapq
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from generators.synth import Synth
from inversynth.search.objective import residual
from inversynth.search.state import ENOUGH, Classes, Floats, SearchStage, SearchState

if TYPE_CHECKING:
    from generators.fm_generator import FmSynth

Budget = Literal["none", "fast", "full"]


# --- stages for any synth --------------------------------------------------------------------------------------


def _beam(course: SearchState) -> Iterator[None]:
    """Render the most probable patches of the posterior, taken as independent between parameters."""
    space = course.synth.space
    most = STRUCTURED if _has_oscillators(course.synth) else 1024
    count = min(most, course.limit - course.renders, space.combinations)
    patches = likeliest(space.normalise_probabilities(course.posterior), space.slices, max(count, 1))
    for first in range(0, len(patches), 64):
        part = patches[first : first + 64]
        distances = course.objective.distance(course.render(part))
        course.note(part, distances)
        course.offer(part[int(distances.argmin())])
        yield


def _evolve(course: SearchState) -> Iterator[None]:
    """Run CMA-ES on knob positions from the best patch, started wider each time it has converged."""
    from cmaes import CMA

    space = course.synth.space
    sizes = np.asarray(space.sizes)
    movable = np.flatnonzero(sizes > 1)
    seed, width = course.seed, 0.15
    while len(movable) > 1 and not course.exhausted() and course.left > ENOUGH:
        mean = space.classes_to_unit(course.classes)[movable]
        bounds = np.tile([[0.0, 1.0]], (len(movable), 1))
        optimiser = CMA(mean=np.clip(mean, 0.02, 0.98), sigma=width, bounds=bounds, seed=seed)
        while not optimiser.should_stop() and not course.exhausted():
            points = np.stack([optimiser.ask() for _ in range(optimiser.population_size)])
            patches = np.repeat(course.classes[None], len(points), axis=0)
            patches[:, movable] = np.rint(points * (sizes[movable] - 1)).astype(np.int64)
            distances = course.objective.distance(course.render(patches))
            optimiser.tell(list(zip(points, distances.tolist(), strict=True)))
            if distances.min() < course.distance:
                course.offer(patches[int(distances.argmin())])
            yield
            if np.ptp(distances) < 1e-12:  # all on one patch
                break
        seed, width = seed + 1, min(2.0 * width, 0.5)


def _turn_knobs(course: SearchState) -> Iterator[None]:
    """Turn one knob at a time through all its classes until none helps."""
    space = course.synth.space
    improved = True
    while improved and not course.exhausted():
        improved = False
        for column, size in enumerate(space.sizes):
            variants = np.repeat(course.classes[None], size, axis=0)
            variants[:, column] = np.arange(size)
            distances = course.objective.distance(course.render(variants, course.offset))
            course.note(variants, distances)
            best = int(distances.argmin())
            if distances[best] < course.distance - 1e-9:
                improved |= course.offer(variants[best], course.offset, course.phases)
            yield


def _between(course: SearchState) -> Iterator[None]:
    """Turn knobs to places between their levels by Adam, from the best classes."""
    from inversynth.search import gradient as continuous

    target = np.pad(course.target[course.offset :], (0, course.offset))
    values = course.synth.space.classes_to_values(course.classes) if course.between is None else course.between
    for turned in continuous.approach(course.synth, target, values, course.any_level, continuous.STEPS):
        audio = course.render_values(turned[None], course.offset)[0]
        distance = float(course.objective.distance(audio))
        if distance < course.distance:
            course.between, course.distance = turned, distance
            course.left = float(residual(course.target, audio))
        yield


# --- stages for synths of oscillators --------------------------------------------------------------------------


WAVEFORMS = ("sine", "saw", "triangle", "square")
"""Of the oscillators that the dictionary knows, in this order."""

COURSE = ("attack", "decay", "sustain", "release", "f_cut", "q", "f_gate")
"""Parameters of what those oscillators must pass through, in this order, for the dictionary to know it."""


def _has_oscillators(synth: Synth) -> bool:
    waveforms = tuple(oscillator.waveform for oscillator in synth.oscillators)
    return waveforms == WAVEFORMS and synth.space.names[-len(COURSE) :] == COURSE


def find_begin(audio: NDArray[np.floating[Any]]) -> int:
    """Return where digital silence ends: one sample before the first that is not zero, since sounds begin with 0."""
    sounding = np.flatnonzero(audio)
    return max(int(sounding[0]) - 1, 0) if len(sounding) else 0


def _search(course: SearchState, free_phase: bool = False, emphasis: float = 0.0) -> Any:
    """Return the oscillator search on the sound from its beginning on, kept from stage to stage."""
    from inversynth.search.fm_search import OscillatorSearch

    offset = course.shared.setdefault("offset", find_begin(course.target))
    name = f"search {free_phase} {emphasis} {offset}"
    if name not in course.shared:
        course.shared[name] = OscillatorSearch(
            cast("FmSynth", course.synth),
            course.target[offset:],
            course.posterior,
            course.pool,
            free_phase,
            emphasis,
            any_level=course.any_level,
        )
    search = course.shared[name]
    if not emphasis:
        course.shared[f"turned {offset}"] = search
    search.limit = search.atoms + 4 * max(course.limit - course.renders, 0)
    return search


def _follow(course: SearchState, search: Any, states: Iterator[Any], offset: int | None = None) -> Iterator[Any]:
    """Count what a search spends, offer what it finds, and note the `offset` of the best."""
    spent = search.atoms
    for state in states:
        course.renders += (search.atoms - spent) // 4
        spent = search.atoms
        if not search.emphasis:
            phases = state.phases if search.free_phase else None
            if search.free_phase:
                course.shared["sing"] = search.render
            course.offer(state.classes, course.shared["offset"], phases, state.residual)
        kept = course.shared.get("state")
        if not search.emphasis and (kept is None or state.residual < kept.residual):
            course.shared["state"] = state
            course.shared["finished"] = search.finished(state)
            if offset is not None:
                course.shared["found"] = offset
        yield state
    kept = course.shared.get("state")
    if course.any_level and kept is not None and not search.emphasis and bool(kept.phases.any()) == search.free_phase:
        state = search.scale(kept)
        course.offer(state.classes, course.shared["offset"], kept.phases if search.free_phase else None, state.residual)


def _built(search: Any, start: Classes, trust: bool = False) -> Iterator[Any]:
    state = search.build(start, trust=trust)
    yield state
    yield from search.descend(state)


def _heard(search: Any, state: Any) -> Iterator[Any]:
    state = search.hear(state)
    yield state
    yield from search.descend(state)


def _choose_begin(course: SearchState) -> Iterator[None]:
    """Decide whether a sound begins with its first sample that is not zero or with the file, where that is just before.

    A soft beginning is rounded to zero in 16 bits; which of the two it is shows in what a first patch leaves.
    """
    begin = course.shared.setdefault("offset", find_begin(course.target))
    if not 0 < begin <= round(SOFT * course.synth.sample_rate):
        return
    left = {}
    for offset in (begin, 0):
        course.shared["offset"] = offset
        search = _search(course)
        spent = search.atoms
        left[offset] = search.build(course.shared["start"]).residual
        course.renders += (search.atoms - spent) // 4
        yield
    course.shared["offset"] = min(left, key=lambda offset: left[offset])


def _pick(course: SearchState) -> Iterator[None]:
    """Build a patch oscillator by oscillator from the posterior's best globals, then move until nothing changes.

    Where the low-pass is taken to fall through the whole range of the carriers, differences are heard first: of the
    waveform itself little more than its slowest part would count.
    """
    yield from _choose_begin(course)
    search = _search(course)
    start = course.shared["start"]
    if search.tilt(start) > TILTED:
        emphasised = _search(course, emphasis=EMPHASIS)
        found = None
        for state in _follow(course, emphasised, _built(emphasised, start)):
            found = state
            yield
        yield from _follow(course, search, _heard(search, found))
        if course.shared["finished"] or course.exhausted():
            return
    yield from _follow(course, search, _built(search, start))


def _align(course: SearchState) -> Iterator[None]:
    """Look for the beginning in the silence before the first sample, where a soft one may hide below the noise floor.

    First by what one oscillator explains, every few samples; then building at the samples nearest to the best.
    """
    begin, kept = course.shared["offset"], course.shared["state"]
    if begin == 0 or kept.residual < PHASED or course.shared["finished"]:
        return
    search = _search(course)
    spent = search.atoms
    earlier = np.arange(0, min(begin, round(SOFT * course.synth.sample_rate)) + 1, STRIDE)
    sounds = [course.target[begin - back :][: search.samples] for back in earlier]
    explained = search.explain(sounds, course.shared["start"])
    course.renders += (search.atoms - spent) // 4
    best = int(earlier[int(explained.argmax())])
    yield
    for step in sorted(range(-STRIDE, STRIDE + 1), key=abs):
        if course.exhausted() or not 0 <= best + step <= begin:
            continue
        course.shared["offset"] = begin - best - step
        search = _search(course)
        yield from _follow(course, search, iter([search.build(course.shared["start"])]), course.shared["offset"])
        if course.shared["state"].residual < ALIGNED:
            break
    course.shared["offset"] = course.shared.get("found", begin)
    search = _search(course)
    yield from _follow(course, search, search.descend(course.shared["state"]))


def _restart(course: SearchState) -> Iterator[None]:
    """Build anew in other ways, until most of the sound is explained or the renders are used up.

    In the `WAYS`, phases being freed only where most of the waveform stays unexplained; then again from globals drawn
    from the posterior. Ends where two drawn ones lead to no better place.
    """
    rng = np.random.default_rng(course.seed)
    space, first = course.synth.space, course.shared["start"]
    in_vain = 0
    for attempt in itertools.count():
        kept = course.shared["state"]
        if course.exhausted() or course.shared["finished"] or in_vain == 2:
            return
        drawn = first.copy()
        for column, part in enumerate(space.slices):
            drawn[column] = rng.choice(space.sizes[column], p=course.posterior[part])
        way = WAYS[attempt % len(WAYS)]
        emphasised = way == "emphasis"
        free = not emphasised and (bool(kept.phases.any()) or (way == "phases" and kept.residual > PHASED))
        search = _search(course, free, EMPHASIS if emphasised else 0.0)
        if attempt < len(WAYS):  # the first time from what is known
            start = kept.classes if way == "trust" else first
        else:
            start = drawn
        trust = way == "trust" and attempt < len(WAYS)
        found = None
        for state in _follow(course, search, _built(search, start, trust)):
            found = state
            yield
        if emphasised and found is not None:
            plain = _search(course)
            for _ in _follow(course, plain, _heard(plain, found)):
                yield
        if attempt >= len(WAYS):
            in_vain = in_vain + 1 if course.shared["state"].residual > 0.9 * kept.residual else 0


STRUCTURED = 64
"""Most probable patches rendered where structure tells more: 0.1 s, and only where picking has not been enough."""

EMPHASIS = 0.98
"""Of the emphasised search: 6 dB an octave from 50 Hz on, against the 12 dB of the low-pass."""

SOFT = 0.02
"""Seconds that a sound may last before it is loud enough to be more than zero in 16 bits: at attack 1 s, behind a
low-pass that lets -40 dB pass, it rises by one step in 15 ms."""

STRIDE = 3
"""Samples between beginnings that are tried: the most that leaves the phase of a C6 within 70 degrees."""

ALIGNED = 1e-3
"""Energy left (-30 dB) that no beginning leaves which is wrong by a sample: at 1 kHz that alone would leave -8 dB."""

WAYS = ("phases", "emphasis", "trust")
"""Of building anew: with phases free, hearing differences, with the globals found so far trusted."""

TILTED = 30.0
"""Power at 50 Hz over that at the lowest carrier (15 dB) above which differences are heard first. Of the low-passes of
`fm` those with a q of 0.01 exceed it (19 dB), and no other."""

PHASED = 0.05
"""Energy left (-13 dB) above which a sound may have been made with other initial phases."""

STAGES: dict[str, SearchStage] = {
    stage.name: stage
    for stage in (
        SearchStage("beam", "the most probable patches (64 where there is structure)", 1024, 1.0, _beam),
        SearchStage(
            "evolve", "CMA-ES over knob positions", 8000, 2.0, _evolve, lambda synth: not _has_oscillators(synth)
        ),
        SearchStage("turn", "every knob by itself", 1000, 0.5, _turn_knobs, lambda synth: not _has_oscillators(synth)),
        SearchStage("between", "Adam, between the levels", 8, 20.0, _between),
        SearchStage("pick", "oscillators one by one, then joint moves", 2000, 0.25, _pick, _has_oscillators),
        SearchStage("align", "the beginning of a sound after silence", 8000, 1.0, _align, _has_oscillators),
        SearchStage("restart", "built anew from other globals or phases", 20000, 2.0, _restart, _has_oscillators),
    )
}
"""Every stage by name."""

BUDGETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "none": (0, ()),
    "fast": (2600, ("pick", "beam", "turn")),
    "full": (24000, ("pick", "align", "beam", "restart", "evolve", "turn")),
}
"""Renders allowed and stages, in order. A stage that has begun ends its move, and the posterior costs 100 more."""


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
