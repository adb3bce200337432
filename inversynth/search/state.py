"""A search under way: what is known of a sound, the best patch so far, and the kinds of stages that look for better.

A stage is a generator over a `SearchState`: it renders patches, offers what it finds and yields after every move, so that a
search can end at any moment with the best so far. What it spends is counted in renders.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.synth import Synth
from inversynth.search.objective import Objective, residual

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]

ENOUGH = 1e-4
"""Energy left, relative to the sound (-40 dB), at which nothing new is begun."""

NOTED = 16
"""Patches remembered of a batch; four times as many of a whole search."""

SILENT = 1e-12
"""Energy below which a sound is not turned up."""

EXPLAINED = 0.5
"""Share of the energy left (-3 dB) to which free phases must bring it down to be believed."""


@dataclass(frozen=True)
class Report:
    """What a stage did: renders spent, seconds, energy left (dB) and distance after it."""

    name: str
    renders: int
    seconds: float
    residual_db: float
    distance: float


@dataclass
class SearchState:
    """A search under way: what is known of the sound, and the best patch so far.

    With `any_level` a patch is heard at the level of the target, whatever its own: every render is brought to it.
    `between` are values between the levels that are nearer than the best classes, where such have been looked for.
    """

    synth: Synth
    target: NDArray[np.float32]
    posterior: Floats
    limit: int
    seed: int
    pool: ThreadPoolExecutor | None
    classes: Classes
    objective: Objective
    any_level: bool = False
    distance: float = np.inf
    left: float = 1.0
    start_distance: float = np.inf
    offset: int = 0
    phases: Floats | None = None
    between: Floats | None = None
    renders: int = 0
    heard: list[tuple[float, Classes]] = field(default_factory=list)
    shared: dict[str, Any] = field(default_factory=dict)

    def match(self, classes: Classes) -> NDArray[np.float32]:
        """Render patches with the offset and the phases of the best."""
        if self.phases is None:
            return self.render(classes, self.offset)
        audio = self.shared["sing"](np.atleast_2d(classes), self.phases)
        self.renders += len(audio)
        return self.level(np.pad(audio, ((0, 0), (self.offset, 0))))

    def render(self, classes: Classes, offset: int = 0) -> NDArray[np.float32]:
        """Render patches (n, parameters), begun `offset` samples late; counts them."""
        return self.render_values(self.synth.space.classes_to_values(np.atleast_2d(classes)), offset)

    def render_values(self, values: Floats, offset: int = 0) -> NDArray[np.float32]:
        """Render patches given as values, likewise."""
        if self.pool is None or len(values) < 8:
            audio = self.synth.render(values)
        else:
            audio = np.concatenate(list(self.pool.map(self.synth.render, np.array_split(values, 2))))
        self.renders += len(values)
        if offset:
            audio = np.pad(audio[:, :-offset], ((0, 0), (offset, 0)))
        return self.level(audio)

    def level(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring sounds (n, samples) to the level of the target where that is free."""
        return audio * self.gains(audio)[:, None] if self.any_level else audio

    def gains(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what sounds (n, samples) must be multiplied by to be as loud as the target, (n,)."""
        power = np.einsum("ns,ns->n", audio, audio)
        return np.sqrt(np.float32(self.target @ self.target) / np.maximum(power, np.float32(SILENT))).astype(np.float32)

    def offer(self, classes: Classes, offset: int = 0, phases: Floats | None = None, left: float = 1.0) -> bool:
        """Take a patch if it is nearer to the target than the best so far.

        One with free `phases`, which explains all but `left` of the waveform, is also taken where that is far less
        than now, as long as it is nearer than the start was: what is nearer by chance explains no waveform.
        """
        audio = self.render(classes, offset)[0]
        distance = float(self.objective.distance(audio))
        self.note(np.atleast_2d(classes), np.array([distance]))
        explains = phases is not None and left < EXPLAINED * self.left and distance <= self.start_distance
        if distance >= self.distance and not explains:
            return False
        if self.phases is not None and phases is None and left > self.left:
            return False
        self.classes, self.offset, self.phases, self.distance = np.asarray(classes, np.int64), offset, phases, distance
        self.between = None
        self.left = float(residual(self.target, audio)) if phases is None else left
        return True

    def note(self, classes: Classes, distances: Floats) -> None:
        """Remember patches (n, parameters) that were heard, the nearest of them."""
        self.heard += [(float(distances[row]), np.array(classes[row])) for row in np.argsort(distances)[:NOTED]]
        if len(self.heard) > 8 * NOTED:
            self.heard = sorted(self.heard, key=lambda pair: pair[0])[: 4 * NOTED]

    def exhausted(self) -> bool:
        return self.renders >= self.limit


@dataclass(frozen=True)
class SearchStage:
    """A kind of search: `renders` and `seconds` are what it typically costs for a second of sound on two cores."""

    name: str
    summary: str
    renders: int
    seconds: float
    run: Callable[[SearchState], Iterator[None]]
    suits: Callable[[Synth], bool] = lambda synth: True
