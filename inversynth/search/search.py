"""Search at inference time: from a network's posterior to the patch that really makes the sound.

A budget names stages, each a row of `STAGES` that declares what it costs; a stage yields ever better patches, so that
a search can stop at any moment with the best so far. Budgets are counted in renders, not in seconds, so that the same
sound gives the same patch on any machine. A synth declares which stages suit it: those that use a structure of
oscillators (`inversynth.search.fm_search`), or enumeration and CMA-ES. What comes back is never farther from the target
than the network's own answer, and parameters that the sound does not determine keep the network's posterior.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from generators.errors import AudioError, ParameterError, unknown
from generators.parallel import available_cores
from generators.synth import A4, Synth
from inversynth.patches.patch import Alternative
from inversynth.search.alternatives import find_alternatives
from inversynth.search.objective import ENOUGH, Objective, decibels, residual
from inversynth.search.posterior import class_posterior
from inversynth.search.stages import BUDGETS, STAGES, Budget
from inversynth.search.state import Classes, Floats, Recording, SearchStage, SearchState, StageReport

Level = Literal["known", "fit"]

VARIED = 4096
"""Classes of all parameters together up to which each is rendered after a search, to tell what the sound determines:
those of a DX7 voice, 10,700, would take longer than the search, and one parameter alone says little there."""

LOUDNESS = 0.05
"""Root mean square to which sounds of unknown level are brought, about that of a random `fm` sound."""


@dataclass(frozen=True)
class Refinement:
    """A patch found for a sound, and that patch's sound.

    Shapes, with p parameters:
        classes and values (p,), probabilities (size,); the best class of each parameter is its class, but in
            a space of more than `VARIED` classes, where the probabilities are those that the search began with.
        audio (samples,) is the sound found, at the level of the target. It begins at sample `offset`, and its
            oscillators at `phases` in cycles (None: at zero, where the synth's own begin).
        indistinguishable (size,) marks classes that change the sound by less than -60 dB when taken alone, and
            determined (p,) the parameters with no other such class; both are None where nothing was searched.
        target (samples,) is the sound as it was compared in the end: from where it was found to begin, `begin` samples
            into the one given, shifted by the fraction of a sample, and turned over where `polarity` is -1. Both are
            the sound given, 0 and 1 where nothing else was found.
    `level_db` is how much louder than the synth's own the sound is, 0 where the level was known. `residual_db` compares
    its waveform with the target's. `distance` and `start_distance` are `Objective.distance`, in dB, of the patch found
    and of the start, both rendered by the synth at `root`, a MIDI number. `population` (n, p) are classes of the
    nearest patches that a genetic search ended with, nearest first; empty where there was none. `untold` names the
    parameters that such a sound cannot tell, whose values are chosen for their own sake, and `details` is what else to
    keep of the search, ready for JSON.
    """

    classes: Classes
    values: Floats
    probabilities: Floats
    indistinguishable: NDArray[np.bool_] | None
    determined: NDArray[np.bool_] | None
    audio: NDArray[np.float32]
    residual_db: float
    distance: float
    start_distance: float
    level_db: float = 0.0
    offset: int = 0
    phases: Floats | None = None
    renders: int = 0
    seconds: float = 0.0
    stages: tuple[StageReport, ...] = ()
    interrupted: bool = False
    alternatives: tuple[Alternative, ...] = ()
    budget: str = "full"
    sample_rate: int = 1
    root: float = A4
    target: NDArray[np.float32] | None = None
    begin: float = 0.0
    polarity: int = 1
    population: Classes = field(default_factory=lambda: np.empty((0, 0), np.int64))
    untold: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return what was done, in plain numbers: what `patch.json` keeps. Seconds are not among them: they vary."""
        stages = [
            {
                "name": stage.name,
                "renders": stage.renders,
                "residual_db": round(stage.residual_db, 2),
                "distance": round(stage.distance, 6),
            }
            for stage in self.stages
        ]
        return {
            "budget": self.budget,
            "renders": self.renders,
            "residual_db": round(self.residual_db, 2),
            "distance": round(self.distance, 6),
            "start_distance": round(self.start_distance, 6),
            "offset": round(self.offset / self.sample_rate, 6),
            "begin": round(self.begin / self.sample_rate, 8),
            "polarity": self.polarity,
            "phases": None if self.phases is None else [round(float(phase), 4) for phase in self.phases],
            "interrupted": self.interrupted,
            "stages": stages,
            **({"untold": list(self.untold)} if self.untold else {}),
            **self.details,
        }


class SearchInterrupted(KeyboardInterrupt):
    """Ctrl-C during a search. It ends a program like any other, unless a command takes the `best` patch so far."""

    def __init__(self, best: Refinement) -> None:
        super().__init__("the search was interrupted")
        self.best = best


def refine(
    synth: Synth,
    target: ArrayLike,
    probabilities: ArrayLike,
    budget: str = "full",
    *,
    limit: int | None = None,
    start: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    parts: int = 1,
    level: Level = "known",
    seed: int = 0,
    workers: int | None = None,
    alternatives: bool = False,
    continuous: bool = False,
    progress: Callable[[StageReport], None] | None = None,
    recording: Recording | None = None,
) -> Refinement:
    """Search for the patch that makes a sound.

    Args:
        target: (samples,) as long as the synth's sounds. probabilities: (size,) from a network; any scores, which are
            scaled to sum to one per parameter. budget: "none", "fast" or "full". limit: renders allowed, in place of
            the budget's own number. start: (parameters,) values to begin with and never to fall behind, by default the
            most probable classes. starts: (n, parameters) values of further patches that may be near, for the stages
            that look at such. parts: equally long sounds of which target and renders consist. level: "known" takes the
            amplitude of the sound as the synth's; "fit" finds patch and gain, for sounds of any level. seed: of what is
            drawn. workers: threads, by default one a core. alternatives: also look for clearly different patches that
            sound nearly the same. continuous: finally move the parameters between their levels, where that comes
            nearer. progress: called after every stage. recording: what the target was cut from, where it may be found
            to begin elsewhere in it.
    Raises: AudioError for a target of another length, not finite or silent; ParameterError for unknown budgets and
        scores that do not fit the space; SearchInterrupted, with the best patch so far, on Ctrl-C.
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
    scaled = (sound.astype(np.float64) * scale).astype(np.float32)
    values = synth.space.classes_to_values(synth.space.probabilities_to_classes(posterior))
    values = values if start is None else synth.space.check_values(start)
    classes = synth.space.values_to_classes(values).astype(np.int64)
    further = np.empty((0, len(synth.space))) if starts is None else synth.space.check_values(starts)
    state = SearchState(
        synth=synth,
        target=scaled,
        posterior=posterior,
        limit=BUDGETS[budget][0] if limit is None else limit,
        seed=seed,
        pool=pool,
        start=classes,
        classes=classes,
        objective=Objective(scaled, synth.sample_rate, level == "fit", parts),
        recording=Recording(scaled)
        if recording is None
        else replace(recording, audio=recording.audio * np.float32(scale)),
        any_level=level == "fit",
        strict=limit is not None,
        starts=synth.space.values_to_classes(further).astype(np.int64),
    )
    try:
        with threadpool_limits(1, user_api="blas"):  # the search splits its own work; waiting BLAS threads only burn
            reports, interrupted = _run_stages(state, values, plan_stages(synth, budget, continuous), progress)
            found = _conclude(state, scale, budget, reports, interrupted, began, alternatives)
    finally:
        if pool is not None:
            pool.shutdown()
    if found.interrupted:
        raise SearchInterrupted(found)
    return found


def plan_stages(synth: Synth, budget: str, continuous: bool = False) -> list[SearchStage]:
    """Return the stages of a budget that suit a synth, in order."""
    names = [name for name in BUDGETS[budget][1] if name in synth.search_stages]
    return [STAGES[name] for name in [*names, *(["between"] if continuous else [])]]


def _run_stages(
    state: SearchState, values: Floats, stages: list[SearchStage], progress: Callable[[StageReport], None] | None
) -> tuple[list[StageReport], bool]:
    """Run stages from a patch until enough is explained; returns what they did, and whether they were interrupted."""
    audio = state.render_values(values[None])[0]
    state.distance = state.start_distance = float(state.objective.distance(audio))
    state.residual = float(residual(state.target, audio))
    if not np.allclose(values, state.synth.space.classes_to_values(state.classes)):
        state.between_levels = values
    reports: list[StageReport] = []
    limit, fast = state.limit, plan_stages(state.synth, "fast")
    shared = len(fast) if stages[: len(fast)] == fast else 0
    for place, stage in enumerate(stages):
        if not state.strict:  # a longer search first does what the fast one does
            state.limit = min(limit, BUDGETS["fast"][0]) if place < shared else limit
        spare = (stage.own_renders and not state.strict) or not state.exhausted()
        if not spare or (reports and state.residual < ENOUGH):
            continue
        spent, clock, interrupted = state.renders, time.perf_counter(), False
        try:
            for _ in stage.run(state):
                pass
        except KeyboardInterrupt:  # raised again as SearchInterrupted, once the best so far is known
            interrupted = True
        seconds = time.perf_counter() - clock
        report = StageReport(stage.name, state.renders - spent, seconds, decibels(state.residual), state.distance)
        reports.append(report)
        if progress is not None:
            progress(report)
        if interrupted:
            return reports, True
    return reports, False


def _conclude(
    state: SearchState,
    scale: float,
    budget: str,
    reports: list[StageReport],
    interrupted: bool,
    began: float,
    choose: bool,
) -> Refinement:
    """Gather what is known of the best patch; the sound searched is the target times `scale`."""
    space = state.synth.space
    varied = space.size <= VARIED
    indistinguishable, probabilities = None, state.posterior
    others: tuple[Alternative, ...] = ()
    if state.between_levels is not None:
        state.classes = space.values_to_classes(state.between_levels).astype(np.int64)
        if state.best_synth.root != state.synth.root:  # what was prepared belongs to another root
            state.synth, state.structured, state.tried = state.best_synth, {}, []
    if reports and varied:
        try:
            indistinguishable, probabilities = class_posterior(state)
            best = state.classes
            if choose and not interrupted:
                others = find_alternatives(state, _determined(indistinguishable, state.synth))
            if state.classes is not best:  # an alternative was nearer
                indistinguishable, probabilities = class_posterior(state)
                others = find_alternatives(state, _determined(indistinguishable, state.synth))
        except KeyboardInterrupt:  # raised again as SearchInterrupted
            interrupted = True
    values = state.best_values
    if state.between_levels is None:
        audio = state.render_best(state.classes)[0]
    else:
        audio = state.render_values(values[None], state.offset)[0]
    levels = _levels(state, np.array([values, *(other.values for other in others)]), scale)
    others = tuple(replace(other, level_db=level) for other, level in zip(others, levels[1:], strict=True))
    return Refinement(
        classes=state.classes,
        values=values,
        probabilities=probabilities,
        indistinguishable=indistinguishable,
        determined=None if indistinguishable is None else _determined(indistinguishable, state.synth),
        audio=audio / np.float32(scale),
        residual_db=decibels(state.residual),
        distance=state.distance,
        start_distance=state.start_distance,
        level_db=levels[0],
        offset=state.offset,
        phases=state.phases,
        renders=state.renders,
        seconds=time.perf_counter() - began,
        stages=tuple(reports),
        interrupted=interrupted,
        alternatives=others,
        budget=budget,
        sample_rate=state.synth.sample_rate,
        root=state.synth.root,
        target=state.target / np.float32(scale),
        begin=float(state.offset) if state.begin is None else state.begin - state.recording.start,
        polarity=state.polarity,
        population=np.empty((0, 0), np.int64) if state.voices is None else state.voices.classes,
    )


def _levels(state: SearchState, values: Floats, scale: float) -> list[float]:
    """Return by how many decibels renders (n, parameters) must be turned up to be as loud as the sound."""
    if not state.any_level:
        return [0.0] * len(values)
    gains = state.objective.gains(state.synth.render(values)) / scale
    return [float(level) for level in 20.0 * np.log10(np.maximum(gains, 1e-9))]


def _determined(indistinguishable: NDArray[np.bool_], synth: Synth) -> NDArray[np.bool_]:
    """Tell which parameters have one class alone that sounds like the patch, (parameters,)."""
    return np.array([indistinguishable[part].sum() <= 1 for part in synth.space.slices])


__all__ = ["BUDGETS", "STAGES", "Budget", "Level", "Refinement", "SearchInterrupted", "StageReport", "refine"]
