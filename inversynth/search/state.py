"""A search under way: what is known of a sound, the best patch so far, and what a stage of a search is.

A stage is a generator over a `SearchState`: it renders patches, offers what it finds and yields after every move, so
that a search can end at any moment with the best so far. What it spends is counted in renders.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from generators.analysis.alignment import Onset, cut
from generators.synth import Synth
from inversynth.search.objective import EXPLAINED, Objective, residual

if TYPE_CHECKING:
    from inversynth.search.dx7_population import Voices
    from inversynth.search.fm_progress import OscillatorProgress

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]

REMEMBERED = 16
"""Patches remembered of a batch; four times as many of a whole search, of which the alternatives look at half."""

SLACK = 0.5
"""Decibels by which a patch that explains the waveform may be farther than one between the levels: with other phases of
its oscillators than the synth's own, the right patch does not lie at 0."""

ATOMS_A_RENDER = 4
"""Atoms counted as one render: a sound of `fm` has four oscillators."""


@dataclass(frozen=True)
class Recording:
    """What a target was cut from, so that it may be found to begin elsewhere.

    Attributes:
        audio: (any,), at the target's rate and level. start: the sample of it at which the target begins.
        onset: the first guess of where the sound begins in it, None where nothing was measured.
    """

    audio: NDArray[np.float32]
    start: int = 0
    onset: Onset | None = None

    def scaled(self, gain: float) -> "Recording":
        """Return the recording at another level."""
        return replace(self, audio=(self.audio.astype(np.float64) * gain).astype(np.float32))


@dataclass(frozen=True)
class StageReport:
    """What a stage did: renders spent, seconds, energy left (dB) and distance after it."""

    name: str
    renders: int
    seconds: float
    residual_db: float
    distance: float


class StructuredSearch(Protocol):
    """What a search through the structure of a synth offers to those who know nothing of the structure."""

    @property
    def atoms(self) -> int:
        """Atoms rendered so far."""

    def render(self, classes: Classes, phases: Floats) -> NDArray[np.float32]:
        """Render patches (n, parameters) whose oscillators start at phases in cycles, (n, samples)."""

    def vary_each_parameter(self, classes: Classes, phases: Floats | None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield every column with the sounds (levels, samples) of a patch in which that parameter alone is varied."""

    def weigh_scales(self, classes: Classes, phases: Floats | None) -> tuple[Classes, Classes, Floats] | None:
        """Return columns (m,) that scale together, their classes (n, m) at each scale, and how probable it is, (n,).

        None where the level is known.
        """

    def leaves_noise(self, classes: Classes, phases: Floats | None) -> bool:
        """Tell whether what a patch leaves of the sound is white noise."""

    def refit_nearest(self, variants: Classes, classes: Classes, phases: Floats | None) -> Classes:
        """Refit the amplitudes of patches that share the oscillators of one; return those that leave least."""

    def swap_oscillators(self, classes: Classes, phases: Floats | None) -> Iterator[Classes]:
        """Yield a patch with the shapes of every two oscillators exchanged, amplitudes refitted."""


@dataclass
class SearchState:
    """A search under way: what is known of the sound, and the best patch so far.

    Attributes:
        limit: renders allowed; strict: in all, and not only to stages that have none of their own.
        pool: threads to share the work between. start: the classes begun with.
        any_level: compare every render at the level of the target, whatever its own.
        classes, offset, phases, distance, residual: the best patch, the sample at which it begins, the phases in cycles
            at which its oscillators start (None: the synth's own), its distance and the energy it leaves.
        between_levels, between_synth: values nearer than the best classes, where such have been looked for, and the
            synth that renders them, which may be at another root.
        tried: distances of patches with the patches, nearest first or as they came.
        starts: further patches to begin with, (n, parameters), which stages may look at.
        recording: what the target was cut from. begin: sample of it, with a fraction, at which the sound was found to
            begin, None as long as nothing else than the target's own begin was. polarity: -1 where it was turned over.
        structured: searches through the synth's structure, by the sample at which the sound is taken to begin.
        oscillators, voices: what the stages for synths of oscillators, and for DX7 voices, pass on to each other.
        tuning: semitones by which a sound is above its note, or an octave of it; NaN where it has no pitch.
    """

    synth: Synth
    target: NDArray[np.float32]
    posterior: Floats
    limit: int
    seed: int
    pool: ThreadPoolExecutor | None
    start: Classes
    classes: Classes
    objective: Objective
    recording: Recording
    any_level: bool = False
    strict: bool = False
    begin: float | None = None
    polarity: int = 1
    distance: float = np.inf
    residual: float = 1.0
    start_distance: float = np.inf
    offset: int = 0
    phases: Floats | None = None
    between_levels: Floats | None = None
    between_synth: Synth | None = None
    renders: int = 0
    tried: list[tuple[float, Classes]] = field(default_factory=list)
    starts: Classes = field(default_factory=lambda: np.empty((0, 0), np.int64))
    structured: dict[int, StructuredSearch] = field(default_factory=dict)
    oscillators: "OscillatorProgress | None" = None
    voices: "Voices | None" = None
    tuning: float = 0.0

    def place(self, begin: float, polarity: int, head: NDArray[np.float32] | None = None) -> None:
        """Take the sound to begin at a place of the recording: it is cut anew, and what was found is measured anew.

        Where the recording ends too early, the target begins before the sound. head: (n,) first samples of a sound that
        began before the recording, which are unknown.
        """
        samples = self.synth.samples
        self.begin, self.polarity = begin, polarity
        self.offset = min(max(math.ceil(begin + samples - len(self.recording.audio)), 0), samples - 1)
        target = cut(self.recording.audio, begin - self.offset, samples, polarity)
        if head is not None:
            target[self.offset : self.offset + len(head)] = head
        self.target, self.objective = (
            target,
            Objective(target, self.synth.sample_rate, self.any_level, self.objective.parts),
        )
        self.structured, self.tried, self.phases, self.between_levels = {}, [], None, None
        start, best = self.render(np.stack([self.start, self.classes]), self.offset)
        self.start_distance = float(self.objective.distance(start))
        self.distance, self.residual = float(self.objective.distance(best)), float(residual(target, best))

    def render_best(self, classes: Classes) -> NDArray[np.float32]:
        """Render patches (n, parameters) with the offset and the phases of the best."""
        if self.phases is None:
            return self.render(classes, self.offset)
        audio = self.structured[self.offset].render(np.atleast_2d(classes), self.phases)
        self.renders += len(audio)
        return self.to_level(np.pad(audio, ((0, 0), (self.offset, 0))))

    def render(self, classes: Classes, offset: int = 0) -> NDArray[np.float32]:
        """Render patches (n, parameters), begun `offset` samples late; counts them."""
        return self.render_values(self.synth.space.classes_to_values(np.atleast_2d(classes)), offset)

    def render_values(self, values: Floats, offset: int = 0) -> NDArray[np.float32]:
        """Render patches given as values, likewise."""
        return self.render_by(self.synth, values, offset)

    def render_by(self, synth: Synth, values: Floats, offset: int = 0) -> NDArray[np.float32]:
        """Render patches given as values (n, parameters) by this synth at any root, likewise."""
        audio = self._shared(synth.render, values)
        self.renders += len(values)
        if offset:
            audio = np.pad(audio[:, :-offset], ((0, 0), (offset, 0)))
        return self.to_level(audio)

    def to_level(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring sounds (n, samples) to the level of the target where that is free."""
        return audio * self.objective.gains(audio)[:, None] if self.any_level else audio

    def measure(self, audio: NDArray[np.float32]) -> Floats:
        """Return the distances of sounds (n, samples) from the target, (n,) dB, sharing the work between threads."""
        return self._shared(self.objective.distance, audio)

    def differences(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `Objective.differences` of sounds (n, samples), (n, numbers), likewise."""
        return self._shared(self.objective.differences, audio)

    def _shared(self, work: Callable[[Any], NDArray[Any]], rows: NDArray[Any]) -> NDArray[Any]:
        """Do work on rows in two threads; fewer than 8 are not worth a second one."""
        if self.pool is None or len(rows) < 8:
            return work(rows)
        return np.concatenate(list(self.pool.map(work, np.array_split(rows, 2))))

    def offer(self, classes: Classes, offset: int = 0, phases: Floats | None = None, left: float | None = None) -> bool:
        """Take a patch if it is nearer to the target than the best so far.

        `left` is the energy that it leaves of the waveform, where that is known. Patches that leave less than
        `EXPLAINED` make the sound itself: of them the one that leaves least is the best, as long as it is no farther
        than the start, and than a patch between the levels by `SLACK`. All others are ranked by distance: what is
        nearer by chance explains no waveform.
        """
        audio = self.render(classes, offset)[0]
        distance = float(self.objective.distance(audio))
        self.remember(np.atleast_2d(classes), np.array([distance]))
        if left is None:
            left = float(residual(self.target, audio))
        farthest = self.start_distance
        if self.between_levels is not None:
            farthest = min(farthest, self.distance + SLACK)
        if left < EXPLAINED and distance <= farthest:
            better = left < self.residual
        else:
            better = distance < self.distance and (self.residual >= EXPLAINED or self.between_levels is not None)
        if better:
            self.classes, self.offset, self.phases = np.asarray(classes, np.int64), offset, phases
            self.distance, self.residual, self.between_levels = distance, left, None
        return better

    def take_between(self, synth: Synth, values: Floats, offset: int = 0) -> bool:
        """Take values (parameters,) between the levels, of a synth at any root, if they are nearer to the target."""
        audio = self.render_by(synth, values[None], offset)
        distance = float(self.objective.distance(audio[0]))
        if distance >= self.distance:
            return False
        self.between_synth, self.between_levels, self.distance = synth, values, distance
        self.classes = synth.space.values_to_classes(values).astype(np.int64)
        self.offset, self.phases, self.residual = offset, None, float(residual(self.target, audio[0]))
        return True

    def remember(self, classes: Classes, distances: Floats) -> None:
        """Remember the nearest of some patches (n, parameters) that were rendered, with their distances (n,)."""
        self.tried += [(float(distances[row]), np.array(classes[row])) for row in np.argsort(distances)[:REMEMBERED]]
        if len(self.tried) > 8 * REMEMBERED:
            self.tried = sorted(self.tried, key=lambda pair: pair[0])[: 4 * REMEMBERED]

    def count_atoms(self, atoms: int) -> None:
        """Count what a structured search has rendered."""
        self.renders += atoms // ATOMS_A_RENDER

    def exhausted(self) -> bool:
        """Tell whether the renders allowed are used up."""
        return self.renders >= self.limit

    @property
    def best_values(self) -> Floats:
        """The values of the best patch, (parameters,)."""
        return self.synth.space.classes_to_values(self.classes) if self.between_levels is None else self.between_levels

    @property
    def best_synth(self) -> Synth:
        """The synth that renders the best patch: that of the search, at another root where values between are best."""
        return self.synth if self.between_levels is None or self.between_synth is None else self.between_synth

    def allow(self, renders: int) -> int:
        """Return the count of renders up to which a stage may go that has so many on top of the budget."""
        return min(self.renders + renders, self.limit) if self.strict else self.renders + renders


@dataclass(frozen=True)
class SearchStage:
    """A stage of a search: `renders` and `seconds` are what it typically costs for a second of sound on two cores.

    One with `own_renders` has them on top of the budget.
    """

    name: str
    summary: str
    renders: int
    seconds: float
    run: Callable[[SearchState], Iterator[None]]
    own_renders: bool = False
