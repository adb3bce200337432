"""Search at inference time: from a network's posterior to the patch that really makes the sound.

A budget names stages, each a row of `STAGES` that declares what it costs; a stage yields ever better patches, so that
refinement can stop at any moment with the best so far, and a budget of renders, not of seconds, ends it, so that the
same sound gives the same patch on any machine. Synths with a structure to use are searched through it (`fm`:
`inversynth.oscillator_search`); others by enumeration where they are small and by CMA-ES (N. Hansen; the `cmaes`
library) where they are not. What comes back is never farther from the target than the network's own answer, and
parameters that the sound does not determine keep the network's posterior.
"""

import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from generators.errors import AudioError, ParameterError, unknown
from generators.executors import available_cores
from generators.synth import Synth
from inversynth.objective import Objective, decibels, residual

if TYPE_CHECKING:
    from generators.fm_generator import FmSynth

Budget = Literal["none", "fast", "full"]
Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]

ENOUGH = 1e-4
"""Energy left, relative to the sound (-40 dB), at which nothing new is begun."""

INAUDIBLE = 1e-6
"""Change of a sound, relative to it (-60 dB), that counts as none: the bound of `inversynth.identifiability`."""

DOUBT = 3e-3
"""Share of the energy left unexplained that two classes may differ by and still both be likely. White noise alone would
allow 1e-4 on a second of sound; what a wrong patch leaves is no white noise."""

TIED = 1e-9
"""Change of a sound, relative to it (-90 dB), that is rounding: classes this near are the same to any search."""

TAIL = 4.0
"""Exponent of the likelihood's tail, (1 + difference/scale)^-4: a class 10 dB above the scale keeps 1e-4, not e^-10, as
it may be another parameter that is wrong."""


@dataclass(frozen=True)
class Report:
    """What a stage did: renders spent, seconds, energy left (dB) and distance after it."""

    name: str
    renders: int
    seconds: float
    residual_db: float
    distance: float


@dataclass(frozen=True)
class Refinement:
    """A patch found for a sound.

    Shapes: classes and values (parameters,), probabilities (size,); their best class of each parameter is `classes`.
    `alike` (size,) marks classes whose sound differs from the patch's by less than -60 dB when they are taken alone:
    a parameter with more than one such class is not determined. `match` (samples,) is the sound made: it begins at
    sample `offset`, and its oscillators at `phases` (cycles), None where they begin at zero as the synth's always do.
    `residual_db` compares its waveform with the target's. `distance` and `start_distance` are `Objective.distance` of
    the patch found and of the network's answer, both rendered by the synth as it is.
    """

    classes: Classes
    values: Floats
    probabilities: Floats
    alike: NDArray[np.bool_]
    match: NDArray[np.float32]
    residual_db: float
    distance: float
    start_distance: float
    offset: int = 0
    phases: Floats | None = None
    renders: int = 0
    seconds: float = 0.0
    stages: tuple[Report, ...] = ()
    interrupted: bool = False


@dataclass
class Course:
    """A search under way: what is known of the sound, and the best patch so far."""

    synth: Synth
    target: NDArray[np.float32]
    posterior: Floats
    limit: int
    seed: int
    pool: ThreadPoolExecutor | None
    classes: Classes
    objective: Objective
    distance: float
    left: float
    start_distance: float
    offset: int = 0
    phases: Floats | None = None
    renders: int = 0
    shared: dict[str, Any] = field(default_factory=dict)

    def match(self, classes: Classes) -> NDArray[np.float32]:
        """Render patches with the offset and the phases of the best."""
        if self.phases is None:
            return self.render(classes, self.offset)
        audio = _search(self, free_phase=True).render(np.atleast_2d(classes), self.phases)
        self.renders += len(audio)
        return np.pad(audio, ((0, 0), (self.offset, 0)))

    def render(self, classes: Classes, offset: int = 0) -> NDArray[np.float32]:
        """Render patches (n, parameters), begun `offset` samples late; counts them."""
        rows = np.atleast_2d(classes)
        if self.pool is None or len(rows) < 8:
            audio = self.synth.render_classes(rows)
        else:
            halves = np.array_split(rows, 2)
            audio = np.concatenate(list(self.pool.map(self.synth.render_classes, halves)))
        self.renders += len(rows)
        if offset:
            audio = np.pad(audio[:, :-offset], ((0, 0), (offset, 0)))
        return audio

    def offer(self, classes: Classes, offset: int = 0, phases: Floats | None = None, left: float = 1.0) -> bool:
        """Take a patch if it is nearer to the target than the best so far.

        One with free `phases`, which explains all but `left` of the waveform, is also taken where that is far less
        than now, as long as it is nearer than the start was: what is nearer by chance explains no waveform.
        """
        audio = self.render(classes, offset)[0]
        distance = float(self.objective.distance(audio))
        explains = phases is not None and left < EXPLAINED * self.left and distance <= self.start_distance
        if distance >= self.distance and not explains:
            return False
        if self.phases is not None and phases is None and left > self.left:
            return False
        self.classes, self.offset, self.phases, self.distance = np.asarray(classes, np.int64), offset, phases, distance
        self.left = float(residual(self.target, audio)) if phases is None else left
        return True

    def exhausted(self) -> bool:
        return self.renders >= self.limit


@dataclass(frozen=True)
class Stage:
    """A kind of search: `renders` and `seconds` are what it typically costs for a second of sound on two cores."""

    name: str
    summary: str
    renders: int
    seconds: float
    run: Callable[[Course], Iterator[None]]
    suits: Callable[[Synth], bool] = lambda synth: True


# --- stages for any synth --------------------------------------------------------------------------------------


def _beam(course: Course) -> Iterator[None]:
    """Render the most probable patches of the posterior, taken as independent between parameters."""
    space = course.synth.space
    count = min(1024, course.limit - course.renders, space.combinations)
    patches = likeliest(space.normalise_probabilities(course.posterior), space.slices, max(count, 1))
    for first in range(0, len(patches), 64):
        part = patches[first : first + 64]
        distances = course.objective.distance(course.render(part))
        course.offer(part[int(distances.argmin())])
        yield


def _evolve(course: Course) -> Iterator[None]:
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


def _turn_knobs(course: Course) -> Iterator[None]:
    """Turn one knob at a time through all its classes until none helps."""
    space = course.synth.space
    improved = True
    while improved and not course.exhausted():
        improved = False
        for column, size in enumerate(space.sizes):
            variants = np.repeat(course.classes[None], size, axis=0)
            variants[:, column] = np.arange(size)
            distances = course.objective.distance(course.render(variants, course.offset))
            best = int(distances.argmin())
            if distances[best] < course.distance - 1e-9:
                improved |= course.offer(variants[best], course.offset, course.phases)
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


def _search(course: Course, free_phase: bool = False, emphasis: float = 0.0) -> Any:
    """Return the oscillator search on the sound from its beginning on, kept from stage to stage."""
    from inversynth.oscillator_search import OscillatorSearch

    offset = course.shared.setdefault("offset", find_begin(course.target))
    name = f"search {free_phase} {emphasis} {offset}"
    if name not in course.shared:
        course.shared[name] = OscillatorSearch(
            cast("FmSynth", course.synth), course.target[offset:], course.posterior, course.pool, free_phase, emphasis
        )
    search = course.shared[name]
    search.limit = search.atoms + 4 * max(course.limit - course.renders, 0)
    return search


def _follow(course: Course, search: Any, states: Iterator[Any], offset: int | None = None) -> Iterator[Any]:
    """Count what a search spends, offer what it finds, and note the `offset` of the best."""
    spent = search.atoms
    for state in states:
        course.renders += (search.atoms - spent) // 4
        spent = search.atoms
        if not search.emphasis:
            phases = state.phases if search.free_phase else None
            course.offer(state.classes, course.shared["offset"], phases, state.residual)
        kept = course.shared.get("state")
        if not search.emphasis and (kept is None or state.residual < kept.residual):
            course.shared["state"] = state
            course.shared["finished"] = search.finished(state)
            if offset is not None:
                course.shared["found"] = offset
        yield state


def _built(search: Any, start: Classes, trust: bool = False) -> Iterator[Any]:
    state = search.build(start, trust=trust)
    yield state
    yield from search.descend(state)


def _heard(search: Any, state: Any) -> Iterator[Any]:
    state = search.hear(state)
    yield state
    yield from search.descend(state)


def _pick(course: Course) -> Iterator[None]:
    """Build a patch oscillator by oscillator from the posterior's best globals, then move until nothing changes.

    Where the low-pass is taken to fall through the whole range of the carriers, differences are heard first: of the
    waveform itself little more than its slowest part would count.
    """
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


def _align(course: Course) -> Iterator[None]:
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


def _restart(course: Course) -> Iterator[None]:
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

EXPLAINED = 0.5
"""Share of the energy left (-3 dB) to which free phases must bring it down to be believed."""

PHASED = 0.05
"""Energy left (-13 dB) above which a sound may have been made with other initial phases."""

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("beam", "the most probable patches", 1024, 1.0, _beam, lambda synth: not _has_oscillators(synth)),
        Stage("evolve", "CMA-ES over knob positions", 8000, 2.0, _evolve, lambda synth: not _has_oscillators(synth)),
        Stage("turn", "every knob by itself", 1000, 0.5, _turn_knobs, lambda synth: not _has_oscillators(synth)),
        Stage("pick", "oscillators one by one, then joint moves", 2000, 0.25, _pick, _has_oscillators),
        Stage("align", "the beginning of a sound after silence", 8000, 1.0, _align, _has_oscillators),
        Stage("restart", "built anew from other globals or phases", 20000, 2.0, _restart, _has_oscillators),
    )
}
"""Every stage by name."""

BUDGETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "none": (0, ()),
    "fast": (2600, ("pick", "beam", "turn")),
    "full": (24000, ("pick", "align", "restart", "beam", "evolve", "turn")),
}
"""Renders allowed and stages, in order. A stage that has begun ends its move, and the posterior costs 100 more."""


def refine(
    synth: Synth,
    target: ArrayLike,
    probabilities: ArrayLike,
    budget: str = "full",
    *,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[Report], None] | None = None,
) -> Refinement:
    """Search for the patch that makes a sound.

    Args:
        target: (samples,) as long as the synth's sounds, at its level. probabilities: (size,) from a network; any
            scores, which are scaled to sum to one per parameter. budget: "none", "fast" or "full". seed: of what is
            drawn. workers: threads, by default one a core. progress: called after every stage.
    Raises: AudioError for a target of another length, not finite or silent; ParameterError for unknown budgets and
        scores that do not fit the space. KeyboardInterrupt ends the search and returns the best so far.
    """
    if budget not in BUDGETS:
        raise ParameterError(unknown("budget", budget, BUDGETS))
    sound = np.asarray(target, np.float32)
    if sound.shape != (synth.samples,) or not np.isfinite(sound).all() or not sound.any():
        raise AudioError(
            f"a target must be audible, finite and have shape ({synth.samples},). Received: shape {sound.shape}"
            + ("" if sound.shape != (synth.samples,) else ", silent or not finite")
        )
    began = time.perf_counter()
    posterior = synth.space.normalise_probabilities(np.asarray(probabilities))
    limit, names = BUDGETS[budget]
    threads = workers or available_cores()
    pool = ThreadPoolExecutor(threads) if threads > 1 else None
    try:
        with threadpool_limits(1, user_api="blas"):  # the search splits its own work; waiting BLAS threads only burn
            return _refine(
                synth, sound, posterior, limit, [STAGES[name] for name in names], seed, pool, progress, began
            )
    finally:
        if pool is not None:
            pool.shutdown()


def _refine(
    synth: Synth,
    sound: NDArray[np.float32],
    posterior: Floats,
    limit: int,
    stages: list[Stage],
    seed: int,
    pool: ThreadPoolExecutor | None,
    progress: Callable[[Report], None] | None,
    began: float,
) -> Refinement:
    start = synth.space.probabilities_to_classes(posterior).astype(np.int64)
    audio = synth.render_classes(start)
    objective = Objective(sound)
    distance = float(objective.distance(audio))
    course = Course(
        synth=synth,
        target=sound,
        posterior=posterior,
        limit=limit,
        seed=seed,
        pool=pool,
        classes=start,
        objective=objective,
        distance=distance,
        left=float(residual(sound, audio)),
        start_distance=distance,
        renders=1,
    )
    course.shared["start"] = start
    reports: list[Report] = []
    interrupted = False
    for stage in stages:
        if not stage.suits(synth) or course.exhausted() or (reports and course.left < ENOUGH):
            continue
        spent, clock = course.renders, time.perf_counter()
        try:
            for _ in stage.run(course):
                pass
        except KeyboardInterrupt:
            interrupted = True
        report = Report(
            stage.name, course.renders - spent, time.perf_counter() - clock, decibels(course.left), course.distance
        )
        reports.append(report)
        if progress is not None:
            progress(report)
        if interrupted:
            break
    alike, probabilities = np.zeros(synth.space.size, bool), posterior
    if stages:
        alike, probabilities = weigh_classes(course)
    match = course.match(course.classes)[0]
    return Refinement(
        classes=course.classes,
        values=synth.space.classes_to_values(course.classes),
        probabilities=probabilities,
        alike=alike,
        match=match,
        residual_db=decibels(course.left),
        distance=course.distance,
        start_distance=distance,
        offset=course.offset,
        phases=course.phases,
        renders=course.renders,
        seconds=time.perf_counter() - began,
        stages=tuple(reports),
        interrupted=interrupted,
    )


# --- what is known afterwards ----------------------------------------------------------------------------------


def weigh_classes(course: Course) -> tuple[NDArray[np.bool_], Floats]:
    """Turn every knob of the best patch through its classes: which sound alike, and how probable each is.

    A class is weighed by the network's posterior times a likelihood of what it leaves of the sound more than the best
    one does. Where several classes leave the same, the posterior chooses among them, and the patch follows it.
    Returns alike (size,) and probabilities (size,).
    """
    space = course.synth.space
    match = course.match(course.classes)[0]
    change, left = np.zeros(space.size), np.zeros(space.size)
    for column, part in enumerate(space.slices):
        variants = np.repeat(course.classes[None], space.sizes[column], axis=0)
        variants[:, column] = np.arange(len(variants))
        audio = course.match(variants)
        change[part], left[part] = residual(match, audio), residual(course.target, audio)
    _settle(course, match, change)
    worse = np.maximum(left - course.left, 0.0)
    log = np.log(np.maximum(course.posterior, 1e-12)) - TAIL * np.log1p(worse / max(INAUDIBLE, DOUBT * course.left))
    probabilities = np.exp(log)
    for column, part in enumerate(space.slices):
        scores = probabilities[part]
        scores[course.classes[column]] = max(scores[course.classes[column]], scores.max() * 1.0001)
        probabilities[part] = scores / scores.sum()
    return change < INAUDIBLE, probabilities


def _settle(course: Course, match: NDArray[np.float32], change: Floats) -> None:
    """Among classes that render the same, take those the network likes best, as long as all together do so too."""
    classes = course.classes
    for column, part in enumerate(course.synth.space.slices):
        tied = np.flatnonzero(change[part] < TIED)
        best = tied[int(course.posterior[part][tied].argmax())] if len(tied) else classes[column]
        if best != classes[column]:
            other = classes.copy()
            other[column] = best
            if float(residual(match, course.match(other)[0])) < TIED:
                classes = other
    course.classes = classes


__all__ = ["BUDGETS", "STAGES", "Budget", "Refinement", "Report", "Stage", "find_begin", "likeliest", "refine"]


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
