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
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from generators.errors import AudioError, ParameterError, unknown
from generators.executors import available_cores
from generators.fm_generator import FmSynth
from generators.synth import Synth
from inversynth.objective import Objective, decibels, residual

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
    a parameter with more than one such class is not determined. `offset` is the sample at which the sound begins.
    `residual_db` compares waveforms, so it says little where phases differ; `distance` is `Objective.distance`.
    """

    classes: Classes
    values: Floats
    probabilities: Floats
    alike: NDArray[np.bool_]
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
    offset: int = 0
    phases: Floats | None = None
    renders: int = 0
    shared: dict[str, Any] = field(default_factory=dict)

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

    def offer(self, classes: Classes, offset: int = 0, phases: Floats | None = None) -> bool:
        """Take a patch if it is nearer to the target than the best so far."""
        audio = self.render(classes, offset)[0]
        distance = float(self.objective.distance(audio))
        if distance >= self.distance:
            return False
        self.classes, self.offset, self.phases = np.asarray(classes, np.int64), offset, phases
        self.distance, self.left = distance, float(residual(self.target, audio))
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


def _is_fm(synth: Synth) -> bool:
    return isinstance(synth, FmSynth)


def find_begin(audio: NDArray[np.floating[Any]]) -> int:
    """Return where digital silence ends: one sample before the first that is not zero, since sounds begin with 0."""
    sounding = np.flatnonzero(audio)
    return max(int(sounding[0]) - 1, 0) if len(sounding) else 0


def _search(course: Course, free_phase: bool = False, emphasis: float = 0.0) -> Any:
    """Return the oscillator search on the sound from its beginning on, kept from stage to stage."""
    from inversynth.oscillator_search import OscillatorSearch

    name = f"search {free_phase} {emphasis}"
    if name not in course.shared:
        offset = find_begin(course.target)
        assert isinstance(course.synth, FmSynth)
        course.shared[name] = OscillatorSearch(
            course.synth, course.target[offset:], course.posterior, course.pool, free_phase, emphasis
        )
        course.shared["offset"] = offset
    search = course.shared[name]
    search.limit = search.atoms + 4 * max(course.limit - course.renders, 0)
    return search


def _follow(course: Course, search: Any, states: Iterator[Any]) -> Iterator[Any]:
    """Count what a search spends and offer what it finds."""
    spent = search.atoms
    for state in states:
        course.renders += (search.atoms - spent) // 4
        spent = search.atoms
        course.offer(state.classes, course.shared["offset"], state.phases if search.free_phase else None)
        kept = course.shared.get("state")
        if not search.emphasis and (kept is None or state.residual < kept.residual):
            course.shared["state"] = state
            course.shared["finished"] = search.finished(state)
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
    """Build a patch oscillator by oscillator from the posterior's best globals, then move until nothing changes."""
    search = _search(course)
    yield from _follow(course, search, _built(search, course.shared["start"]))


def _restart(course: Course) -> Iterator[None]:
    """Build anew in other ways, until most of the sound is explained or the renders are used up.

    From the globals found; with emphasis on high partials; with free phases, where the waveform stays unexplained;
    and from globals drawn from the posterior. Ends where two drawn ones lead to no better place.
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
        # in turn: as it is, emphasised and, for a waveform that stays mostly unexplained, with other phases
        way = attempt % 3
        if way == 2 and kept.residual > PHASED:
            search = _search(course, free_phase=True)
            start, trust = (kept.classes, False) if attempt < 3 else (drawn, False)
        else:
            search = _search(course, emphasis=EMPHASIS if way == 1 else 0.0)
            start, trust = (kept.classes, way == 0) if attempt < 2 else (drawn, False)
        found = None
        for state in _follow(course, search, _built(search, start, trust)):
            found = state
            yield
        if search.emphasis and found is not None:
            plain = _search(course)
            for _ in _follow(course, plain, _heard(plain, found)):
                yield
        if attempt > 1:
            in_vain = in_vain + 1 if course.shared["state"].residual > 0.9 * kept.residual else 0


EMPHASIS = 0.98
"""Of the emphasised search: 6 dB an octave from 50 Hz on, against the 12 dB of the low-pass."""

PHASED = 0.05
"""Energy left (-13 dB) above which a sound may have been made with other initial phases."""

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("beam", "the most probable patches", 1024, 1.0, _beam, lambda synth: not _is_fm(synth)),
        Stage("evolve", "CMA-ES over knob positions", 8000, 2.0, _evolve, lambda synth: not _is_fm(synth)),
        Stage("turn", "every knob by itself", 1000, 0.5, _turn_knobs, lambda synth: not _is_fm(synth)),
        Stage("pick", "oscillators one by one, then joint moves", 2000, 0.25, _pick, _is_fm),
        Stage("restart", "built anew from other globals or phases", 20000, 2.0, _restart, _is_fm),
    )
}
"""Every stage by name."""

BUDGETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "none": (0, ()),
    "fast": (2600, ("pick", "beam", "turn")),
    "full": (24000, ("pick", "restart", "beam", "evolve", "turn")),
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
        synth, sound, posterior, limit, seed, pool, start, objective, distance, float(residual(sound, audio)), renders=1
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
    return Refinement(
        classes=course.classes,
        values=synth.space.classes_to_values(course.classes),
        probabilities=probabilities,
        alike=alike,
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
    match = course.render(course.classes, course.offset)[0]
    change, left = np.zeros(space.size), np.zeros(space.size)
    for column, part in enumerate(space.slices):
        variants = np.repeat(course.classes[None], space.sizes[column], axis=0)
        variants[:, column] = np.arange(len(variants))
        audio = course.render(variants, course.offset)
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
            if float(residual(match, course.render(other, course.offset)[0])) < TIED:
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
