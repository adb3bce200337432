"""Search at inference time: from a network's posterior to the patch that really makes the sound.

A budget names stages, each a row of `STAGES` that declares what it costs; a stage yields ever better patches, so that
refinement can stop at any moment with the best so far, and a budget of renders, not of seconds, ends it, so that the
same sound gives the same patch on any machine. Synths with a structure to use are searched through it (`fm`:
`inversynth.search.fm_search`); others by enumeration where they are small and by CMA-ES (N. Hansen; the `cmaes`
library) where they are not. What comes back is never farther from the target than the network's own answer, and
parameters that the sound does not determine keep the network's posterior.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from generators.errors import AudioError, ParameterError, unknown
from generators.parallel import available_cores
from generators.synth import Synth
from inversynth.patches.patch import Alternative
from inversynth.search.alternatives import find_alternatives
from inversynth.search.objective import Objective, decibels, residual
from inversynth.search.posterior import class_posterior
from inversynth.search.stages import BUDGETS, STAGES, Budget
from inversynth.search.state import ENOUGH, Classes, Floats, Report, SearchStage, SearchState

Level = Literal["known", "fit"]

LOUDNESS = 0.05
"""Root mean square to which sounds of unknown level are brought, about that of a random `fm` sound."""


@dataclass(frozen=True)
class Refinement:
    """A patch found for a sound.

    Shapes: classes and values (parameters,), probabilities (size,); their best class of each parameter is `classes`.
    `alike` (size,) marks classes whose sound differs from the patch's by less than -60 dB when they are taken alone:
    a parameter with more than one such class is not determined. `match` (samples,) is the sound made: it begins at
    sample `offset`, and its oscillators at `phases` (cycles), None where they begin at zero as the synth's always do.
    `alike` is None where nothing was searched. `level_db` is how much louder than the synth's own the match is, 0 where
    the level was known. `residual_db` compares its waveform with the target's. `distance` and `start_distance` are
    `Objective.distance` of the patch found and of the network's answer, both rendered by the synth as it is.
    """

    classes: Classes
    values: Floats
    probabilities: Floats
    alike: NDArray[np.bool_] | None
    match: NDArray[np.float32]
    residual_db: float
    distance: float
    start_distance: float
    level_db: float = 0.0
    offset: int = 0
    phases: Floats | None = None
    renders: int = 0
    seconds: float = 0.0
    stages: tuple[Report, ...] = ()
    interrupted: bool = False
    alternatives: tuple[Alternative, ...] = ()
    budget: str = "full"
    sample_rate: int = 1

    def record(self) -> dict[str, Any]:
        """Tell what was done and spent, in plain numbers: what `patch.json` keeps."""
        stages = [
            {
                "name": stage.name,
                "renders": stage.renders,
                "seconds": round(stage.seconds, 3),
                "residual_db": round(stage.residual_db, 2),
                "distance": round(stage.distance, 6),
            }
            for stage in self.stages
        ]
        return {
            "budget": self.budget,
            "renders": self.renders,
            "seconds": round(self.seconds, 3),
            "residual_db": round(self.residual_db, 2),
            "distance": round(self.distance, 6),
            "start_distance": round(self.start_distance, 6),
            "offset": round(self.offset / self.sample_rate, 6),
            "phases": None if self.phases is None else [round(float(phase), 4) for phase in self.phases],
            "interrupted": self.interrupted,
            "stages": stages,
        }


def refine(
    synth: Synth,
    target: ArrayLike,
    probabilities: ArrayLike,
    budget: str = "full",
    *,
    limit: int | None = None,
    start: ArrayLike | None = None,
    level: Level = "known",
    seed: int = 0,
    workers: int | None = None,
    alternatives: bool = False,
    continuous: bool = False,
    progress: Callable[[Report], None] | None = None,
) -> Refinement:
    """Search for the patch that makes a sound.

    Args:
        target: (samples,) as long as the synth's sounds. probabilities: (size,) from a network; any scores, which are
            scaled to sum to one per parameter. budget: "none", "fast" or "full". limit: renders
            allowed, in place of the budget's own number. start: (parameters,) values to begin with and never to fall
            behind, by default the most probable classes. level: "known" takes the amplitude of
            the sound as the synth's; "fit" for sounds of any level finds patch and gain. seed: of what is drawn.
            workers: threads, by default one a core. alternatives: also look for other patches that sound alike.
            continuous: at last move the knobs between their levels, where that comes nearer. progress: called after
            every stage.
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
    scale = 1.0 if level == "known" else LOUDNESS / float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    threads = workers or available_cores()
    pool = ThreadPoolExecutor(threads) if threads > 1 else None
    heard = (sound.astype(np.float64) * scale).astype(np.float32)
    values = synth.space.classes_to_values(synth.space.probabilities_to_classes(posterior))
    values = values if start is None else synth.space.check_values(start)
    course = SearchState(
        synth=synth,
        target=heard,
        posterior=posterior,
        limit=BUDGETS[budget][0] if limit is None else limit,
        seed=seed,
        pool=pool,
        classes=synth.space.values_to_classes(values).astype(np.int64),
        objective=Objective(heard),
        any_level=level == "fit",
    )
    stages = [STAGES[name] for name in [*BUDGETS[budget][1], *(["between"] if continuous else [])]]
    try:
        with threadpool_limits(1, user_api="blas"):  # the search splits its own work; waiting BLAS threads only burn
            reports, interrupted = _search(course, values, stages, progress)
            return _conclude(course, scale, budget, reports, interrupted, began, alternatives)
    finally:
        if pool is not None:
            pool.shutdown()


def _search(
    course: SearchState, values: Floats, stages: list[SearchStage], progress: Callable[[Report], None] | None
) -> tuple[list[Report], bool]:
    """Run stages from a patch until enough is explained; returns what they did, and whether they were interrupted."""
    audio = course.render_values(values[None])[0]
    course.shared["start"] = course.classes
    course.distance = course.start_distance = float(course.objective.distance(audio))
    course.left = float(residual(course.target, audio))
    if not np.allclose(values, course.synth.space.classes_to_values(course.classes)):
        course.between = values
    reports: list[Report] = []
    for stage in stages:
        spare = stage.name == "between" or not course.exhausted()  # what the budget counts are renders
        if not (stage.suits(course.synth) and spare) or (reports and course.left < ENOUGH):
            continue
        spent, clock, interrupted = course.renders, time.perf_counter(), False
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
            return reports, True
    return reports, False


def _conclude(
    course: SearchState,
    scale: float,
    budget: str,
    reports: list[Report],
    interrupted: bool,
    began: float,
    choose: bool,
) -> Refinement:
    """Gather what is known of the best patch; the sound searched is the target times `scale`."""
    space = course.synth.space
    alike, probabilities = None, course.posterior
    others: tuple[Alternative, ...] = ()
    if course.between is not None:
        course.classes = space.values_to_classes(course.between).astype(np.int64)
    if reports:
        try:
            alike, probabilities = class_posterior(course)
            best = course.classes
            if choose and not interrupted:
                others = find_alternatives(course, _determined(alike, course.synth))
            if course.classes is not best:  # an alternative was nearer
                alike, probabilities = class_posterior(course)
                others = find_alternatives(course, _determined(alike, course.synth))
        except KeyboardInterrupt:
            interrupted = True
    if course.between is None:
        values, match = space.classes_to_values(course.classes), course.match(course.classes)[0]
    else:
        values, match = course.between, course.render_values(course.between[None], course.offset)[0]
    levels = _levels(course, np.array([values, *(other.values for other in others)]), scale)
    others = tuple(replace(other, level_db=level) for other, level in zip(others, levels[1:], strict=True))
    return Refinement(
        classes=course.classes,
        values=values,
        probabilities=probabilities,
        alike=alike,
        match=(match / np.float32(scale)),
        residual_db=decibels(course.left),
        distance=course.distance,
        start_distance=course.start_distance,
        level_db=levels[0],
        offset=course.offset,
        phases=course.phases,
        renders=course.renders,
        seconds=time.perf_counter() - began,
        stages=tuple(reports),
        interrupted=interrupted,
        alternatives=others,
        budget=budget,
        sample_rate=course.synth.sample_rate,
    )


def _levels(course: SearchState, values: Floats, scale: float) -> list[float]:
    """Return by how many decibels renders (n, parameters) must be turned up to be as loud as the sound."""
    if not course.any_level:
        return [0.0] * len(values)
    gains = course.gains(course.synth.render(values)) / scale
    return [float(level) for level in 20.0 * np.log10(np.maximum(gains, 1e-9))]


def determined(found: Refinement, synth: Synth) -> NDArray[np.bool_] | None:
    """Tell which parameters the sound fixes: one class alone sounds like the patch, (parameters,); None if unknown."""
    return None if found.alike is None else _determined(found.alike, synth)


def _determined(alike: NDArray[np.bool_], synth: Synth) -> NDArray[np.bool_]:
    return np.array([alike[part].sum() <= 1 for part in synth.space.slices])


__all__ = ["BUDGETS", "STAGES", "Budget", "Level", "Refinement", "Report", "SearchStage", "determined", "refine"]
