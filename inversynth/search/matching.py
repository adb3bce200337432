"""Matching sounds that a synth cannot make exactly: patches between the levels, at the root that suits the pitch.

Recordings explain themselves by no waveform of the synth, so what counts is the log-mel distance alone. Plain patches
are tried first: those of the network, those drawn at random, and sounds of few oscillators on the partials of the
sound's own note, under its own envelope. A genetic search with discrete moves continues from the best of them: whole
oscillators exchanged, parameters moved, set to an end or drawn anew. With as many renders CMA-ES comes less near.
Roots other than A4 are tried where the synth can be transposed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.pitch import find_note
from generators.parameters import Floats
from generators.synth import A4, Synth
from inversynth.search.state import SearchState

PLAIN = 150
"""Patches of each kind that are tried first."""

POPULATION, CHILDREN = 24, 24
"""Patches kept by the genetic search, and those made of them at a time."""

CROSSED = 0.5
"""Probability that a child takes one oscillator, or the envelope, from another parent."""

REDRAWN = 0.15
"""Probability that one parameter of a child is set to an end of its range or drawn anew."""

STEPS = (0.005, 0.4)
"""Smallest and largest standard deviation of a move, in the range of a parameter."""

PARTIALS = (0.0, 0.0, 12.0, 7.0, 4.0)
"""Semitones above the note at which oscillators of plain patches stand: mostly on it, else on octave, fifth, third."""

BELOW_NOTE = (0.0, 12.0)
"""Semitones below the note at which roots are tried: carriers span little more than one octave above the root."""

UNPITCHED_ROOTS = (57.0, 81.0)
"""Roots tried beside A4 for sounds without a pitch, an octave away: depths reach 750 Hz and 3 kHz there."""


@dataclass
class _Matching:
    """The patches of one match: `best` holds (distance, unit (parameters,), root), nearest first."""

    state: SearchState
    offset: int
    synths: dict[float, Synth] = field(default_factory=dict)
    best: list[tuple[float, Floats, float]] = field(default_factory=list)

    def synth(self, root: float) -> Synth:
        """Return the synth at a root, kept."""
        if root not in self.synths:
            self.synths[root] = self.state.synth.at_root(root)
        return self.synths[root]

    def measure(self, unit: Floats, root: float) -> Floats:
        """Render patches (n, parameters) in 0..1 at a root, keep the nearest, and return all distances (n,) in dB."""
        state, synth = self.state, self.synth(root)
        audio = state.render_by(synth, synth.space.unit_to_values(unit), self.offset)
        distances = state.measure(audio)
        self.best += [(float(distance), one, root) for distance, one in zip(distances, unit, strict=True)]
        self.best = sorted(self.best, key=lambda patch: patch[0])[:POPULATION]
        return distances

    def take(self) -> None:
        """Offer the nearest patch to the search."""
        _, unit, root = self.best[0]
        synth = self.synth(root)
        self.state.take_between(synth, synth.space.unit_to_values(unit), self.offset)


def match(state: SearchState, renders: int) -> Iterator[None]:
    """Come as near as `renders` allow, from the best patch so far and from plain ones; yields after each batch."""
    rng = np.random.default_rng(state.seed)
    end = state.allow(renders)
    matching = _Matching(state, state.offset)
    matching.measure(state.synth.space.values_to_unit(state.best_values)[None], state.best_synth.root)
    for root, unit in _plain_patches(state, rng):
        for first in range(0, len(unit), CHILDREN):
            if state.renders < end:
                matching.measure(unit[first : first + CHILDREN], root)
                yield
    matching.take()
    while state.renders < end:
        for root, unit in _children(state.synth, matching.best, rng):
            matching.measure(unit, root)
        matching.take()
        yield


def _plain_patches(state: SearchState, rng: np.random.Generator) -> Iterator[tuple[float, Floats]]:
    """Yield roots, patches (n, parameters) in 0..1 to try first: random ones, and simple ones on the sound's note."""
    synth = state.synth
    envelope = _Envelope.of(state.target[state.offset :], synth.sample_rate)
    note = find_note(state.target[state.offset :], synth.sample_rate) if synth.transposes else None
    roots = [A4, *(UNPITCHED_ROOTS if note is None else ())] if synth.transposes else [synth.root]
    for root in roots:
        unit = rng.random((PLAIN, len(synth.space)))
        envelope.shape(synth, unit[: PLAIN // 2], rng)
        yield root, unit
    if note is not None:
        for below in BELOW_NOTE:
            root = float(np.clip(round(note.midi) - below, *synth.roots))
            yield root, _simple_patches(synth, note.midi - root, envelope, rng)


def _simple_patches(synth: Synth, above: float, envelope: "_Envelope", rng: np.random.Generator) -> Floats:
    """Return patches (PLAIN, parameters) of few oscillators on the partials of a note `above` semitones from the root.

    Half of the oscillators are silent, most have no modulation, and most patches have the envelope of the sound.
    """
    space = synth.space
    unit = rng.random((PLAIN, len(space)))
    envelope.shape(synth, unit, rng)
    loud = rng.random((PLAIN, len(synth.oscillators))) < 0.5
    loud[np.arange(PLAIN), rng.integers(0, len(synth.oscillators), PLAIN)] = True
    for number, oscillator in enumerate(synth.oscillators):
        frequency, _, amplitude, depth = (space.index(name) for name in oscillator.parameters)
        levels = 12.0 * np.log2(np.asarray(space.levels(oscillator.frequency)) / space.levels(oscillator.frequency)[0])
        partial = np.clip(above + rng.choice(PARTIALS, PLAIN), 0.0, levels[-1])
        unit[:, frequency] = np.interp(partial, levels, np.linspace(0.0, 1.0, len(levels)))
        unit[:, amplitude] *= loud[:, number]
        unit[:, depth] = np.where(rng.random(PLAIN) < 0.6, 0.0, unit[:, depth] ** 3)
    return unit


def _children(
    synth: Synth, parents: list[tuple[float, Floats, float]], rng: np.random.Generator
) -> list[tuple[float, Floats]]:
    """Return roots and children (n, parameters) of the nearest patches, together `CHILDREN`."""
    groups = _groups(synth)
    count = len(synth.space)
    children: dict[float, list[Floats]] = {}
    for _ in range(CHILDREN):
        _, unit, root = parents[int(len(parents) * rng.random() ** 2)]
        child = unit.copy()
        if rng.random() < CROSSED:
            _, other, _ = parents[int(len(parents) * rng.random() ** 1.5)]
            group = groups[rng.integers(len(groups))]
            child[group] = other[group]
        moved = rng.choice(count, min(1 + int(rng.integers(4)) if rng.random() < 0.85 else 8, count), replace=False)
        low, high = np.log10(STEPS)
        child[moved] += rng.normal(0.0, 10.0 ** rng.uniform(low, high), len(moved))
        child = np.abs(child)
        child = np.clip(np.where(child > 1.0, 2.0 - child, child), 0.0, 1.0)
        if rng.random() < REDRAWN:
            child[rng.integers(count)] = rng.choice([0.0, 1.0, rng.random()])
        children.setdefault(root, []).append(child)
    return [(root, np.array(units)) for root, units in children.items()]


def _groups(synth: Synth) -> list[NDArray[np.int64]]:
    """Return the columns of each oscillator, and those of all other parameters."""
    groups = [np.array([synth.space.index(name) for name in one.parameters]) for one in synth.oscillators]
    rest = np.setdiff1d(np.arange(len(synth.space)), np.concatenate([*groups, np.empty(0, np.int64)]))
    return [*groups, rest] if len(rest) else groups


@dataclass(frozen=True)
class _Envelope:
    """Attack and decay in seconds and the sustain level (0..1) that a sound's own loudness suggests."""

    attack: float
    decay: float
    sustain: float

    @classmethod
    def of(cls, audio: NDArray[Any], sample_rate: int) -> "_Envelope":
        """Read the envelope off the amplitude of a sound (samples,), smoothed over 16 ms."""
        window = np.hanning(max(round(0.016 * sample_rate), 3))
        power = np.convolve(np.square(audio.astype(np.float64)), window / window.sum(), mode="same")
        level = np.sqrt(np.maximum(power, 0.0))
        peak = int(level.argmax())
        level = level / max(float(level[peak]), 1e-12)
        held = level[round(0.6 * len(level)) : max(round(0.75 * len(level)), 1)]
        sustain = float(np.median(held)) if len(held) else 0.0
        below = np.flatnonzero(level[peak:] < (1.0 + sustain) / 2.0)
        half = int(below[0]) if len(below) else len(level) - peak
        return cls(peak / sample_rate, 2.0 * half / sample_rate, sustain)

    def shape(self, synth: Synth, unit: Floats, rng: np.random.Generator) -> None:
        """Give patches (n, parameters) in 0..1 this envelope, a slow gater and an open low-pass, most of them."""
        if synth.structure is None:
            return
        effects, space, count = synth.structure.effects, synth.space, len(unit)
        for name, value in (
            (effects.attack, self.attack),
            (effects.decay, self.decay),
            (effects.sustain, self.sustain),
        ):
            levels = np.asarray(space.levels(name), np.float64)
            place = float(np.interp(value, levels, np.linspace(0.0, 1.0, len(levels))))
            near = np.clip(place + rng.normal(0.0, 0.04, count), 0.0, 1.0)
            unit[:, space.index(name)] = np.where(rng.random(count) < 0.75, near, unit[:, space.index(name)])
        gate, cutoff = space.index(effects.gate), space.index(effects.cutoff)
        unit[:, gate] *= rng.random(count) > 0.75
        unit[rng.random(count) < 0.4, cutoff] = 1.0
