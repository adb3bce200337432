"""Patches of a synth of oscillators, rendered in parts: what a search through the structure is made of.

A synth that declares an `OscillatorStructure` is a sum of oscillators behind one envelope, low-pass and gater. A search
changes one part at a time, and renders only what has changed (`generators.fm.atoms`). Work is counted in *atoms*:
oscillators rendered alone, or sent through the effects.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from generators.dsp import envelopes, modulation
from generators.errors import ParameterError
from generators.fm.atoms import WAVEFORMS, Audio, EffectChain, carriers, filter_table, shape
from generators.oscillator_spec import OscillatorStructure, oscillator_columns
from generators.parameters import ParameterSpace
from generators.synth import Synth
from inversynth.search.fm_amplitude_fit import Classes, Floats


@dataclass(frozen=True)
class Candidate:
    """A patch of a search under way.

    Shapes: classes (parameters,), phases (oscillators,) initial phases in cycles. `residual` is the energy that the
    patch leaves of the sound, relative to the sound.
    """

    classes: Classes
    residual: float
    phases: Floats


@dataclass(frozen=True)
class PatchColumns:
    """Columns of a patch by their part in the structure.

    Shapes: shapes (oscillators, 3) of frequency, rate and depth; amplitudes (oscillators,).
    """

    shapes: Classes
    amplitudes: Classes
    attack: int
    decay: int
    sustain: int
    release: int
    cutoff: int
    quality: int
    gate: int

    @classmethod
    def of(cls, space: ParameterSpace, structure: OscillatorStructure) -> "PatchColumns":
        """Find the columns that a structure names."""
        oscillators = np.array(oscillator_columns(space, structure.oscillators))
        effects = (space.index(name) for name in astuple(structure.effects))
        return cls(oscillators[:, [0, 1, 3]], oscillators[:, 2], *effects)

    @property
    def envelope(self) -> list[int]:
        return [self.attack, self.decay, self.sustain, self.release]

    @property
    def effects(self) -> list[int]:
        """All columns that no oscillator has for itself."""
        return [*self.envelope, self.cutoff, self.quality, self.gate]


class AtomRenderer:
    """Renders parts of patches, and counts them in `atoms`.

    Args:
        synth: one that declares its structure. samples: of what is rendered, by default the synth's. pool: threads to
            share the work between. emphasis: weight c of the difference y[t] - c y[t-1] that is taken of every sound.
    Raises: ParameterError where the synth declares no structure.
    """

    def __init__(
        self, synth: Synth, samples: int | None = None, pool: Executor | None = None, emphasis: float = 0.0
    ) -> None:
        if synth.structure is None:
            raise ParameterError(f"a synth of oscillators must declare its structure. Received: {synth.name}")
        self.sample_rate, self.samples = synth.sample_rate, synth.samples if samples is None else samples
        self.note_length = synth.note_fraction * synth.length
        self.pool, self.emphasis, self.gain = pool, emphasis, synth.structure.gain
        self.kinds = np.array([WAVEFORMS.index(oscillator.waveform) for oscillator in synth.structure.oscillators])
        self.columns = PatchColumns.of(synth.space, synth.structure)
        self.levels = list(synth.rendered_levels)
        self.amplitude_levels = self.levels[self.columns.amplitudes[0]]
        self.time = modulation.sample_times(self.samples, self.sample_rate)
        cutoffs, qualities = self.levels[self.columns.cutoff], self.levels[self.columns.quality]
        self.filters = filter_table(
            np.repeat(cutoffs, len(qualities)), np.tile(qualities, len(cutoffs)), self.sample_rate
        )
        self.gates = modulation.gater(self.time, self.levels[self.columns.gate][:, None]).astype(np.float32)
        self.atoms = 0

    @property
    def count(self) -> int:
        """Number of oscillators."""
        return len(self.kinds)

    def amplitudes(self, classes: Classes) -> Audio:
        """Return the amplitudes of patches. Shapes: (…, parameters) -> (…, oscillators) float32."""
        return self.amplitude_levels[classes[..., self.columns.amplitudes]].astype(np.float32)

    def envelope(self, classes: Classes) -> Audio:
        """Return the envelopes of patches, (n, parameters) -> (n, samples)."""
        rows = np.atleast_2d(classes)
        attack, decay, sustain, release = (
            self.levels[column][rows[:, column]][:, None] for column in self.columns.envelope
        )
        return envelopes.adsr(self.time, attack, decay, sustain, release, self.note_length).astype(np.float32)

    def filter_row(self, classes: Classes) -> Any:
        """Return the row of `filters` that patches take, (…, parameters) -> (…)."""
        columns = self.columns
        return classes[..., columns.cutoff] * len(self.levels[columns.quality]) + classes[..., columns.quality]

    def effects(self, envelopes: Audio, classes: Classes | None = None) -> EffectChain:
        """Return some envelopes with the filter and the gater of one patch, or with all of the synth."""
        if classes is None:
            return EffectChain(envelopes, self.filters, self.gates, self.emphasis)
        filters, gates = self.filters[[self.filter_row(classes)]], self.gates[[classes[self.columns.gate]]]
        return EffectChain(envelopes, filters, gates, self.emphasis)

    def carriers(self, oscillators: Any, triples: Classes, phases: Floats) -> Audio:
        """Render bare oscillators.

        Shapes: oscillators (n,) numbers, triples (n, 3) classes of frequency, rate and depth, phases (n,) in cycles ->
        (n, samples).
        """
        hertz = [self.levels[column][triples[:, place]] for place, column in enumerate(self.columns.shapes[0])]
        self.atoms += len(triples)
        settings = np.stack([*hertz, phases], axis=1)
        return carriers(self.kinds[oscillators], settings, self.samples, self.sample_rate, self.pool)

    def waves(self, patch: Candidate) -> Audio:
        """Render the bare oscillators of a patch, (oscillators, samples)."""
        return self.carriers(np.arange(self.count), patch.classes[self.columns.shapes], patch.phases)

    def pass_through(self, waves: Audio, classes: Classes) -> Audio:
        """Send waves (n, samples) through envelope, filter and gater of one patch, with the synth's gain."""
        effects = self.effects(self.envelope(classes), classes)
        self.atoms += len(waves)
        return shape(waves, effects, np.arange(len(waves)), pool=self.pool) * np.float32(self.gain)

    def render(self, classes: Classes, phases: Floats) -> Audio:
        """Render patches whose oscillators start at given phases.

        Shapes: classes (n, parameters), phases (oscillators,) in cycles -> (n, samples).
        """
        count = len(classes)
        oscillators = np.tile(np.arange(self.count), count)
        waves = self.carriers(oscillators, classes[:, self.columns.shapes].reshape(-1, 3), np.tile(phases, count))
        amplitudes = self.amplitudes(classes) * np.float32(self.gain)
        mixed = np.einsum("nk,nks->ns", amplitudes, waves.reshape(count, self.count, -1))
        effects, each = self.effects(self.envelope(classes)), np.arange(count)
        gates = classes[:, self.columns.gate]
        return shape(mixed, effects, each, each, self.filter_row(classes), gates, self.pool)

    def vary_each_parameter(self, classes: Classes, phases: Floats | None) -> Iterator[tuple[int, Audio]]:
        """Yield every column with the sounds (levels, samples) of a patch in which that parameter alone is varied.

        Everything but the part that a parameter changes is rendered once: 500 atoms instead of 1,476 for `fm`.
        """
        columns = self.columns
        patch = Candidate(classes, 0.0, np.zeros(self.count) if phases is None else phases)
        waves, amplitudes = self.waves(patch), self.amplitudes(classes)
        atoms = self.pass_through(waves, classes)
        sound = amplitudes @ atoms
        for number in range(self.count):
            rest = sound - amplitudes[number] * atoms[number]
            levels = self.levels[columns.amplitudes[number]].astype(np.float32)
            yield int(columns.amplitudes[number]), rest + levels[:, None] * atoms[number]
            for place, column in enumerate(columns.shapes[number]):
                triples = np.repeat(classes[columns.shapes[number]][None], len(self.levels[column]), axis=0)
                triples[:, place] = np.arange(len(triples))
                starts = np.full(len(triples), patch.phases[number])
                new = self.carriers(np.full(len(triples), number), triples, starts)
                yield int(column), rest + amplitudes[number] * self.pass_through(new, classes)
        mixed = (amplitudes @ waves)[None] * np.float32(self.gain)
        for column in columns.effects:
            patches = np.repeat(classes[None], len(self.levels[column]), axis=0)
            each = patches[:, column] = np.arange(len(patches))
            in_envelope = column in columns.envelope
            effects = self.effects(self.envelope(patches if in_envelope else classes))
            self.atoms += len(patches)
            rows, gates = each if in_envelope else np.zeros_like(each), patches[:, columns.gate]
            yield column, shape(mixed, effects, 0 * each, rows, self.filter_row(patches), gates, self.pool)
