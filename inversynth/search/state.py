"""A search under way: what is known of a sound, the best patch so far, and what a stage of a search is.

A stage is a generator over a `SearchState`: it renders patches, offers what it finds and yields after every move, so
that a search can end at any moment with the best so far. What it spends is counted in renders.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from generators.synth import Synth
from inversynth.search.objective import Objective, residual

if TYPE_CHECKING:
    from inversynth.search.fm_progress import OscillatorProgress

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]

REMEMBERED = 16
"""Patches remembered of a batch; four times as many of a whole search, of which the alternatives look at half."""

EXPLAINED = 0.5
"""Share of the energy left (-3 dB) to which free phases must bring it down to be accepted."""

ATOMS_A_RENDER = 4
"""Atoms counted as one render: a sound of `fm` has four oscillators."""


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

    def refit_nearest(self, variants: Classes, classes: Classes, phases: Floats | None) -> Classes:
        """Refit the amplitudes of patches that share the oscillators of one; return those that leave least."""

    def swap_oscillators(self, classes: Classes, phases: Floats | None) -> Iterator[Classes]:
        """Yield a patch with the shapes of every two oscillators exchanged, amplitudes refitted."""


@dataclass
class SearchState:
    """A search under way: what is known of the sound, and the best patch so far.

    Attributes:
        limit: renders allowed. pool: threads to share the work between. start: the classes begun with.
        any_level: compare every render at the level of the target, whatever its own.
        classes, offset, phases, distance, residual: the best patch, the sample at which it begins, the phases in cycles
            at which its oscillators start (None: the synth's own), its distance and the energy it leaves.
        between_levels: values that are nearer than the best classes, where such have been looked for.
        tried: distances of patches with the patches, nearest first or as they came.
        structured: searches through the synth's structure, by the sample at which the sound is taken to begin.
        oscillators: what the stages for a synth of oscillators pass on to each other.
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
    any_level: bool = False
    distance: float = np.inf
    residual: float = 1.0
    start_distance: float = np.inf
    offset: int = 0
    phases: Floats | None = None
    between_levels: Floats | None = None
    renders: int = 0
    tried: list[tuple[float, Classes]] = field(default_factory=list)
    structured: dict[int, StructuredSearch] = field(default_factory=dict)
    oscillators: "OscillatorProgress | None" = None

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
        if self.pool is None or len(values) < 8:  # fewer are not worth a second thread
            audio = self.synth.render(values)
        else:
            audio = np.concatenate(list(self.pool.map(self.synth.render, np.array_split(values, 2))))
        self.renders += len(values)
        if offset:
            audio = np.pad(audio[:, :-offset], ((0, 0), (offset, 0)))
        return self.to_level(audio)

    def to_level(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring sounds (n, samples) to the level of the target where that is free."""
        return audio * self.objective.gains(audio)[:, None] if self.any_level else audio

    def offer(self, classes: Classes, offset: int = 0, phases: Floats | None = None, left: float = 1.0) -> bool:
        """Take a patch if it is nearer to the target than the best so far.

        One with free `phases`, which explains all but `left` of the waveform, is also taken where that is far less
        than now, as long as it is nearer than the start was: what is nearer by chance explains no waveform.
        """
        audio = self.render(classes, offset)[0]
        distance = float(self.objective.distance(audio))
        self.remember(np.atleast_2d(classes), np.array([distance]))
        explains = phases is not None and left < EXPLAINED * self.residual and distance <= self.start_distance
        if distance >= self.distance and not explains:
            return False
        if self.phases is not None and phases is None and left > self.residual:
            return False
        self.classes, self.offset, self.phases, self.distance = np.asarray(classes, np.int64), offset, phases, distance
        self.between_levels = None
        self.residual = float(residual(self.target, audio)) if phases is None else left
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


@dataclass(frozen=True)
class SearchStage:
    """A stage of a search: `renders` and `seconds` are what it typically costs for a second of sound on two cores."""

    name: str
    summary: str
    renders: int
    seconds: float
    run: Callable[[SearchState], Iterator[None]]
