"""Searching the patch of an `fm` sound through its structure, from a network's posterior.

The sound is a sum of four atoms behind one envelope, filter and gater. Oscillators are picked one by one by what they
explain of the residual (matching pursuit over `inversynth.search.fm_dictionary`), and after each pick the envelope and all
amplitudes are fitted together, so that the pick after it is heard through the right envelope. Then rounds of joint
moves follow, each exhaustive over what it touches: envelope with amplitudes (65,536 settings), filter, gater, release,
and pairs of oscillators among the best candidates of each waveform. A round that changes nothing ends the search.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from generators.dsp import envelopes, modulation
from generators.fm.atoms import Audio, EffectChain, adjoint, carriers, emphasise, filter_table, shape
from generators.fm_generator import GAIN, FmSynth
from generators.oscillator_spec import oscillator_columns
from inversynth.search.fm_dictionary import (
    WINDOWS,
    Classes,
    Dictionary,
    Floats,
    Ramps,
    find_dictionary,
    fit_amplitudes,
    fit_envelope,
    power_response,
    ramp_atoms,
    series,
)

_COLUMNS = np.array(oscillator_columns(FmSynth.space, FmSynth.oscillators))
SHAPES, AMPLITUDES = _COLUMNS[:, [0, 1, 3]], _COLUMNS[:, 2]
ATTACK, DECAY, SUSTAIN, RELEASE, CUTOFF, Q, GATE = range(16, 23)
GAINED = 1e-7
"""Share of the sound's energy (-70 dB) that a move must win to be made: below it lies float32 rounding."""
STALLED = 1e-3
"""Share of what is left that a round must win to be followed by another: in white noise, eight times the energy that
one superfluous amplitude explains of one second."""
ENOUGH = 1e-4
"""Energy left, relative to the sound (-40 dB), below which nothing is started anew."""
PHASES = 16
"""Initial phases tried on every atom: within 1/32 of a cycle the fundamental loses 2 % of its product."""
SCREENED = 40
"""Atoms that are screened in the time in which one is rendered."""
WHITE = 0.75
"""Power of the top quarter of the spectrum, relative to the whole, above which a remainder counts as white noise: there
1 +- 0.02 for one second; what a wrong patch leaves has passed the low-pass."""
RESCALED = 0.5
"""Share of what is left (-3 dB) to which another scale of the amplitudes must bring it to be preferred."""
SOLVED = 1e-8
"""Energy left (-80 dB) at which the patch is found and only rounding remains."""


@dataclass(frozen=True)
class State:
    """A patch, the energy of what it leaves of the sound (relative to the sound) and initial phases in cycles."""

    classes: Classes
    residual: float
    phases: Floats = field(default_factory=lambda: np.zeros(4))


class OscillatorSearch:
    """The moves of the search for one sound; counts the atoms it renders in `atoms`.

    Args:
        target: (samples,), as long as the synth's sounds or shorter: what is missing at its end counts as unknown.
        posterior: (size,) probabilities. free_phase: let each oscillator begin at a phase of its own. emphasis: hear
            differences y[t] - c y[t-1], so that what a low-pass leaves of the higher partials counts too.
        limit: atoms that may be rendered; no move begins beyond. any_level: the sound may be louder or quieter than
            the synth's by any factor; then no residual depends on it.
    """

    def __init__(
        self,
        synth: FmSynth,
        target: Audio,
        posterior: Floats,
        pool: Executor | None = None,
        free_phase: bool = False,
        emphasis: float = 0.0,
        limit: float = np.inf,
        any_level: bool = False,
    ) -> None:
        self.synth, self.pool, self.free_phase, self.limit = synth, pool, free_phase, limit
        self.emphasis, self.any_level = emphasis, any_level
        self.target = emphasise(target, emphasis)
        self.samples = len(self.target)
        self.exact = self.target.astype(np.float64)
        self.power = float(self.exact @ self.exact)
        self.levels = [np.asarray(p.levels) for p in synth.space.parameters]
        self.log_posterior = [np.log(np.maximum(posterior[part], 1e-6)) for part in synth.space.slices]
        self.dictionary: Dictionary = find_dictionary(
            *(synth.space.parameters[column].levels for column in SHAPES[0]), synth.samples, synth.sample_rate
        )
        self.time = modulation.sample_times(self.samples, synth.sample_rate)
        self.ramps = Ramps.of(self.levels[ATTACK], self.levels[DECAY], self.levels[SUSTAIN], synth.note_length)
        self.filters = filter_table(
            np.repeat(self.levels[CUTOFF], len(self.levels[Q])),
            np.tile(self.levels[Q], len(self.levels[CUTOFF])),
            synth.sample_rate,
        )
        self.gates = modulation.gater(self.time, self.levels[GATE][:, None]).astype(np.float32)
        self.atoms = 0

    # --- the parts of a patch --------------------------------------------------------------------------------------

    def envelope(self, classes: Classes) -> Audio:
        """Return the envelopes of patches (n, 23), (n, samples)."""
        rows = np.atleast_2d(classes)
        a, d, s, r = (self.levels[column][rows[:, column]][:, None] for column in (ATTACK, DECAY, SUSTAIN, RELEASE))
        return envelopes.adsr(self.time, a, d, s, r, self.synth.note_length).astype(np.float32)

    def filter_row(self, classes: Classes) -> Any:
        """Return where a patch's filter stands in the table."""
        return classes[..., CUTOFF] * len(self.levels[Q]) + classes[..., Q]

    def carriers(self, kinds: Any, triples: Classes, phases: Floats) -> Audio:
        """Render bare oscillators. Shapes: kinds (n,), triples (n, 3) classes, phases (n,) cycles -> (n, samples)."""
        shapes = np.concatenate([self.dictionary.shapes(triples), phases[:, None]], axis=1)
        self.atoms += len(shapes)
        return carriers(kinds, shapes, self.samples, self.synth.sample_rate, self.pool)

    def waves(self, state: State) -> Audio:
        """Render the four bare oscillators of a patch."""
        return self.carriers(np.arange(4), state.classes[SHAPES], state.phases)

    def pass_through(self, waves: Audio, classes: Classes) -> Audio:
        """Send waves through envelope, filter and gater of one patch, with the synth's gain."""
        effects = EffectChain(
            self.envelope(classes), self.filters[[self.filter_row(classes)]], self.gates[[classes[GATE]]], self.emphasis
        )
        self.atoms += len(waves)
        return shape(waves, effects, np.arange(len(waves)), pool=self.pool) * np.float32(GAIN)

    def render(self, classes: Classes, phases: Floats) -> Audio:
        """Render patches whose oscillators begin at given phases. Shapes: (n, 23), (4,) -> (n, samples)."""
        count, kinds = len(classes), np.tile(np.arange(4), len(classes))
        waves = self.carriers(kinds, classes[:, SHAPES].reshape(-1, 3), np.tile(phases, count))
        amplitudes = self.levels[AMPLITUDES[0]][classes[:, AMPLITUDES]].astype(np.float32) * np.float32(GAIN)
        mixed = np.einsum("nk,nks->ns", amplitudes, waves.reshape(count, 4, -1))
        effects = EffectChain(self.envelope(classes), self.filters, self.gates, self.emphasis)
        each = np.arange(count)
        return shape(mixed, effects, each, each, self.filter_row(classes), classes[:, GATE], self.pool)

    def turned(self, classes: Classes, phases: Floats | None) -> Iterator[tuple[int, Audio]]:
        """Yield every parameter's column with the sounds (levels, samples) of a patch whose knob alone is turned.

        Everything but the part that a knob turns is rendered once: 500 atoms instead of 1,476 for `fm`.
        """
        state = State(classes, 0.0, np.zeros(4) if phases is None else phases)
        waves, amplitudes = self.waves(state), self.levels[AMPLITUDES[0]][classes[AMPLITUDES]].astype(np.float32)
        atoms = self.pass_through(waves, classes)
        match = amplitudes @ atoms
        for kind in range(4):
            rest = match - amplitudes[kind] * atoms[kind]
            levels = self.levels[AMPLITUDES[kind]].astype(np.float32)
            yield int(AMPLITUDES[kind]), rest + levels[:, None] * atoms[kind]
            for place, column in enumerate(SHAPES[kind]):
                triples = np.repeat(classes[SHAPES[kind]][None], len(self.levels[column]), axis=0)
                triples[:, place] = np.arange(len(triples))
                starts = np.full(len(triples), state.phases[kind])
                new = self.carriers(np.full(len(triples), kind), triples, starts)
                yield int(column), rest + amplitudes[kind] * self.pass_through(new, classes)
        mixed = (amplitudes @ waves)[None] * np.float32(GAIN)
        for column in (ATTACK, DECAY, SUSTAIN, RELEASE, CUTOFF, Q, GATE):
            patches = np.repeat(classes[None], len(self.levels[column]), axis=0)
            each = patches[:, column] = np.arange(len(patches))
            enveloped = column <= RELEASE
            effects = EffectChain(
                self.envelope(patches if enveloped else classes), self.filters, self.gates, self.emphasis
            )
            self.atoms += len(patches)
            rows = each if enveloped else np.zeros_like(each)
            yield column, shape(mixed, effects, 0 * each, rows, self.filter_row(patches), patches[:, GATE], self.pool)

    # --- screening -------------------------------------------------------------------------------------------------

    def screen(self, sounds: Audio, classes: Classes, windows: Floats, share: float = 0.9) -> tuple[Audio, Audio]:
        """Score every atom, through a patch's filter and gater, by the energy it explains of some sounds.

        Shapes: sounds (r, samples); windows (e, 16) envelope levels, of which the best counts. Returns scores
        (r, 4, shapes), and where phases are free the best (r, 4, shapes) in cycles, else zeros.
        """
        filters, gate = self.filters[[self.filter_row(classes)]], self.gates[classes[GATE]]
        response = power_response(filters, self.synth.sample_rate, self.emphasis)
        harmonics = self.dictionary.harmonics(response, share)
        back = adjoint(sounds, filters, gate, self.emphasis, self.pool)
        raw = self.dictionary.correlate(back, harmonics, self.free_phase, self.pool)
        energy = self.dictionary.energies(response, gate, harmonics)
        weights = series()[:, harmonics - 1].astype(np.float32)
        levels = windows.astype(np.float32)
        energies = np.einsum("kn,ens->eks", weights**2, np.tensordot(levels**2, energy, (1, 1)), optimize=True)
        energies = np.maximum(energies, np.float32(1e-12))
        enveloped = np.moveaxis(np.tensordot(levels, raw, (1, 3)), 0, 1)  # r e parts n s
        best = np.full((len(raw), 4, len(self.dictionary)), -1.0, np.float32)
        phases = np.zeros(best.shape, np.float32)
        for phase in np.arange(PHASES) / PHASES if self.free_phase else [0.0]:
            products = np.einsum(
                "kpn,repns->reks", self._turned(weights, harmonics, phase), enveloped, optimize=True
            ).astype(np.float32)
            score = (np.square(np.maximum(products, 0.0)) / energies).max(axis=1)
            phases[score > best] = phase
            best = np.maximum(best, score)
        self.atoms += len(sounds) * (2 if self.free_phase else 1) * 4 * len(self.dictionary) // SCREENED
        return best, phases

    def tilt(self, classes: Classes) -> float:
        """Return how much more power a patch's low-pass lets through at 50 Hz than at the lowest carrier."""
        response = power_response(self.filters[[self.filter_row(classes)]], self.synth.sample_rate)
        return float(response(50.0) / response(self.dictionary.frequencies[0]))

    def explain(self, sounds: Audio, classes: Classes) -> Floats:
        """Return what the best single oscillator explains of each sound, whatever its phase, kind and envelope.

        Only its fundamental is looked at. Shapes: (r, samples or fewer) -> (r,) energies.
        """
        filters, gate = self.filters[[self.filter_row(classes)]], self.gates[classes[GATE]]
        fundamental = np.array([1])
        energy = self.dictionary.energies(power_response(filters, self.synth.sample_rate), gate, fundamental)[0]
        levels = self._likely_envelopes(classes).astype(np.float32)
        energies = np.maximum(levels**2 @ energy, np.float32(1e-12))
        found = np.empty(len(sounds))
        for row, sound in enumerate(sounds):
            back = adjoint(sound, filters, gate[: len(sound)], pool=self.pool)
            raw = self.dictionary.correlate(back, fundamental, True, self.pool)[0, :, 0]
            found[row] = (np.square(levels @ raw).sum(axis=0) / energies).max()
        self.atoms += len(sounds) * 4 * len(self.dictionary) // SCREENED
        return found

    def _turned(self, weights: Audio, harmonics: Classes, phase: float) -> Audio:
        """Weigh sine and cosine correlations of each harmonic for a phase, (4, parts, harmonics)."""
        if not self.free_phase:
            return weights[:, None]
        angle = 2.0 * np.pi * harmonics * phase
        return np.stack([weights * np.cos(angle), weights * np.sin(angle)], axis=1).astype(np.float32)

    def window_levels(self, envelope: Audio) -> Floats:
        """Return the mean level of envelopes in each window, (n, 16)."""
        rows = np.atleast_2d(envelope)
        padded = np.zeros((len(rows), WINDOWS * self.dictionary.window))
        padded[:, : rows.shape[1]] = rows
        return padded.reshape(len(rows), WINDOWS, -1).mean(axis=2)

    # --- building a patch ------------------------------------------------------------------------------------------

    def build(self, start: Classes, candidates: int = 24, trust: bool = False) -> State:
        """Pick the four oscillators one by one, fitting the envelope after each; globals begin as in `start`.

        With `trust` the first pick is heard through the envelope of `start`, without it through any.
        """
        classes = start.copy()
        phases: Floats = np.zeros(4)
        left = [0, 1, 2, 3]
        chosen: list[int] = []
        waves = np.zeros((0, self.samples), np.float32)
        rest, residual = self.target, 1.0
        while left:
            any_envelope = not chosen and not trust
            levels = self._likely_envelopes(classes) if any_envelope else self.window_levels(self.envelope(classes))
            score, turns = self.screen(rest[None], classes, levels)
            score, turns = score[0, left], turns[0, left]
            best = np.argpartition(-score.ravel(), candidates)[:candidates] if chosen else np.array([score.argmax()])
            kinds, numbers = np.asarray(left)[best // score.shape[1]], best % score.shape[1]
            triples = self.dictionary.numbers_to_classes(numbers)
            starts = turns.ravel()[best].astype(np.float64)
            new = self.carriers(kinds, triples, starts)
            pick = self._best_addition(np.concatenate([waves, new]), len(chosen), classes) if chosen else 0
            kind = int(kinds[pick])
            classes[SHAPES[kind]], phases[kind] = triples[pick], starts[pick]
            waves = np.concatenate([waves, new[pick : pick + 1]])
            chosen.append(kind)
            left.remove(kind)
            if len(chosen) == 1:
                classes, residual = self.fit_filter(classes, waves, chosen, residual)
            classes, residual = self.fit_envelope(classes, waves, chosen)
            if self.free_phase:
                turned = self.fit_phases(State(classes, residual, phases), chosen)
                classes, residual, phases = turned.classes, turned.residual, turned.phases
                waves = self.carriers(np.asarray(chosen), classes[SHAPES[chosen]], phases[chosen])
            if left:
                classes, residual = self.fit_course(classes, waves, chosen, residual)
                rest = self._rest(classes, waves, chosen)
        return State(classes, residual, phases)

    def _likely_envelopes(self, classes: Classes, count: int = 48) -> Floats:
        """Return windows of envelopes that cover all attacks, decays and sustains."""
        sizes = [len(self.levels[column]) for column in (ATTACK, DECAY, SUSTAIN)]
        rows = np.repeat(classes[None], int(np.prod(sizes)), axis=0)
        rows[:, [ATTACK, DECAY, SUSTAIN]] = np.stack(np.unravel_index(np.arange(len(rows)), sizes), axis=1)
        middles = (np.arange(WINDOWS) + 0.5) * self.dictionary.window / self.synth.sample_rate
        values = (self.levels[column][rows[:, column]][:, None] for column in (ATTACK, DECAY, SUSTAIN, RELEASE))
        attacks, decays, sustains, releases = values
        levels = envelopes.adsr(middles, attacks, decays, sustains, releases, self.synth.note_length)
        unit = levels / np.maximum(np.linalg.norm(levels, axis=1, keepdims=True), 1e-9)
        likely = sum(self.log_posterior[c][rows[:, c]] for c in (ATTACK, DECAY, SUSTAIN))
        picked = [int(np.argmax(likely))]
        nearest = unit @ unit[picked[0]]
        while len(picked) < count:  # farthest first
            picked.append(int(nearest.argmin()))
            nearest = np.maximum(nearest, unit @ unit[picked[-1]])
        return levels[picked]

    def _best_addition(self, waves: Audio, known: int, classes: Classes) -> int:
        """Return which of the waves after the first `known` helps them most."""
        gram, products = self._inner(self.pass_through(waves, classes))
        index = np.asarray([[*range(known), known + new] for new in range(len(waves) - known)])
        _, residual = self._fit(gram, products, index)
        return int(residual.argmin())

    def _fit(self, gram: Floats, inner: Floats, index: Any) -> tuple[Classes, Floats]:
        """Fit the amplitudes of sets of atoms. Shapes: index (n, m) -> classes (n, m), relative residuals (n,)."""
        grams = gram[index[:, :, None], index[:, None, :]]
        classes, left = fit_amplitudes(grams, inner[index], self.power, self.levels[AMPLITUDES[0]], self.any_level)
        return classes, left / self.power

    def _inner(self, atoms: Audio) -> tuple[Floats, Floats]:
        exact = atoms.astype(np.float64)
        return exact @ exact.T, exact @ self.exact

    def _rest(self, classes: Classes, waves: Audio, kinds: list[int]) -> Audio:
        atoms = self.pass_through(waves, classes)
        return self.target - self._amplitudes(atoms, classes, kinds) @ atoms

    def _amplitudes(self, atoms: Audio, classes: Classes, kinds: Any = slice(None)) -> Audio:
        """Return what the atoms of a patch are multiplied by in its sound; at any level, with the gain that fits."""
        amplitudes = self.levels[AMPLITUDES[0]][classes[AMPLITUDES[kinds]]].astype(np.float32)
        if not self.any_level:
            return amplitudes
        match = amplitudes @ atoms
        return amplitudes * (max(float(match @ self.target), 0.0) / max(float(match @ match), 1e-30))

    # --- moves -----------------------------------------------------------------------------------------------------

    def fit_envelope(
        self, classes: Classes, waves: Audio, kinds: list[int], releases: Any = None
    ) -> tuple[Classes, float]:
        """Set attack, decay, sustain, the amplitudes, and of `releases` the best, together to what leaves least."""
        found, residual = classes, np.inf
        note = min(int(self.synth.note_length * self.synth.sample_rate), waves.shape[1])
        head = None
        for release in [int(classes[RELEASE])] if releases is None else releases:
            effects = EffectChain(
                self.ramps.envelopes(self.time, self.synth.note_length, float(self.levels[RELEASE][release])),
                self.filters[[self.filter_row(classes)]],
                self.gates[[classes[GATE]]],
                self.emphasis,
            )
            atoms = ramp_atoms(self.ramps, waves, effects, GAIN, self.pool)
            self.atoms += len(atoms)
            if head is None:  # before note-off all releases sound the same
                before = atoms[:, :note]
                head = before @ before.T, before @ self.exact[:note]
            after = atoms[:, note:]
            fit = fit_envelope(
                self.ramps,
                head[0] + after @ after.T,
                head[1] + after @ self.exact[note:],
                self.power,
                self.levels[AMPLITUDES[0]],
                any_level=self.any_level,
            )
            if fit.residual < residual:
                residual = fit.residual
                found = classes.copy()
                found[[ATTACK, DECAY, SUSTAIN]] = fit.envelope
                found[RELEASE] = release
                found[AMPLITUDES[kinds]] = fit.amplitudes
        return found, residual / self.power

    def fit_course(self, classes: Classes, waves: Audio, kinds: list[int], residual: float) -> tuple[Classes, float]:
        """Turn release, gater, cutoff and q one at a time through all levels, the amplitudes refitted."""
        for column in (GATE, Q, CUTOFF, RELEASE):
            variants = np.repeat(classes[None], len(self.levels[column]), axis=0)
            variants[:, column] = np.arange(len(variants))
            found, left = self.fit_variants(variants, waves, kinds)
            best = int(left.argmin())
            if left[best] < residual - GAINED:
                classes, residual = found[best], float(left[best])
        return classes, residual

    def fit_filter(self, classes: Classes, waves: Audio, kinds: list[int], residual: float) -> tuple[Classes, float]:
        """Try every pair of cutoff and q, the amplitudes refitted."""
        pairs = list(itertools.product(range(len(self.levels[CUTOFF])), range(len(self.levels[Q]))))
        variants = np.repeat(classes[None], len(pairs), axis=0)
        variants[:, [CUTOFF, Q]] = pairs
        found, left = self.fit_variants(variants, waves, kinds)
        best = int(left.argmin())
        if left[best] < residual - GAINED:
            return found[best], float(left[best])
        return classes, residual

    def fit_variants(self, variants: Classes, waves: Audio, kinds: list[int]) -> tuple[Classes, Floats]:
        """Refit the amplitudes of patches that share their oscillators and differ in the rest."""
        rows, m = len(variants), len(waves)
        unique, where = np.unique(variants[:, ATTACK : RELEASE + 1], axis=0, return_inverse=True)
        patches = np.zeros((len(unique), variants.shape[1]), np.int64)
        patches[:, ATTACK : RELEASE + 1] = unique
        effects = EffectChain(self.envelope(patches), self.filters, self.gates, self.emphasis)
        grams, products = np.empty((rows, m, m)), np.empty((rows, m))
        for first in range(0, rows, 16):  # as many as the cache likes
            part = variants[first : first + 16]
            each = np.repeat(np.arange(len(part)), m)
            atoms = shape(
                waves,
                effects,
                np.tile(np.arange(m), len(part)),
                np.ravel(where)[first : first + 16][each],
                self.filter_row(part)[each],
                part[each, GATE],
                self.pool,
            ).reshape(len(part), m, -1)
            grams[first : first + 16] = np.matmul(atoms, atoms.transpose(0, 2, 1)) * GAIN**2
            products[first : first + 16] = atoms @ self.target * GAIN
        self.atoms += rows * m
        amplitudes, left = fit_amplitudes(grams, products, self.power, self.levels[AMPLITUDES[0]], self.any_level)
        found = variants.copy()
        found[:, AMPLITUDES[kinds]] = amplitudes
        return found, left / self.power

    def fit_oscillators(self, state: State, candidates: int = 16) -> State:
        """Exchange oscillators, alone and in pairs, for the candidates that fit what the others leave."""
        classes = state.classes
        atoms = self.pass_through(self.waves(state), classes)
        amplitudes = self._amplitudes(atoms, classes).astype(np.float32)
        rest = self.target - amplitudes @ atoms
        score, turns = self.screen(
            rest + amplitudes[:, None] * atoms, classes, self.window_levels(self.envelope(classes))
        )  # (without which, for which, shape)
        current = np.ravel_multi_index(classes[SHAPES].T, self.dictionary.sizes)
        kinds: list[Any] = []
        numbers: list[Any] = []
        starts: list[Any] = []
        for kind in range(4):
            best = np.argpartition(-score[kind, kind], candidates)[:candidates]
            # what one waveform sings may be another's: their shapes change places
            pool = np.concatenate([current[[kind]], best, np.delete(current, kind)])
            kinds.append(np.full(len(pool), kind))
            numbers.append(pool)
            starts.append(np.concatenate([state.phases[[kind]], turns[kind, kind, pool[1:]]]))
        triples, phases = self.dictionary.numbers_to_classes(np.concatenate(numbers)), np.concatenate(starts)
        new = self.carriers(np.concatenate(kinds), triples, phases)
        gram, inner = self._inner(self.pass_through(new, classes))
        first = np.cumsum([0, *(len(part) for part in numbers)])
        chosen = first[:4].copy()
        residual = state.residual
        found = classes[AMPLITUDES]
        improved = True
        while improved:
            improved = False
            for i, j in itertools.combinations(range(4), 2):
                rows, columns = np.meshgrid(np.arange(*first[i : i + 2]), np.arange(*first[j : j + 2]), indexing="ij")
                index = np.repeat(chosen[None], rows.size, axis=0)
                index[:, i], index[:, j] = rows.ravel(), columns.ravel()
                sets, left = self._fit(gram, inner, index)
                least = int(left.argmin())
                if left[least] < residual - GAINED:
                    chosen, residual, found, improved = index[least], float(left[least]), sets[least], True
        patch = classes.copy()
        patch[SHAPES] = triples[chosen]
        patch[AMPLITUDES] = found
        return State(patch, residual, phases[chosen])

    def fit_phases(self, state: State, kinds: list[int] | None = None) -> State:
        """Turn the initial phases of some oscillators (by default all) to what leaves least.

        In steps of 1/32 down to 1/2048 of a cycle, the amplitudes refitted; oscillators not named stay silent.
        """
        kinds = [0, 1, 2, 3] if kinds is None else kinds
        classes, phases, residual = state.classes.copy(), state.phases.copy(), state.residual
        turns = np.arange(-3, 4)
        middle, count = len(turns) // 2, len(turns)
        for step in (1 / 32, 1 / 128, 1 / 512, 1 / 2048):
            starts = phases[kinds][:, None] + turns * step
            each = np.repeat(kinds, count)
            waves = self.carriers(each, classes[SHAPES[each]], starts.ravel())
            gram, inner = self._inner(self.pass_through(waves, classes))
            chosen = np.arange(len(kinds)) * count + middle
            for place in [*range(len(kinds))] * 2:
                index = np.repeat(chosen[None], count, axis=0)
                index[:, place] = place * count + np.arange(count)
                sets, left = self._fit(gram, inner, index)
                best = int(left.argmin())
                if left[best] < residual - GAINED:
                    residual, chosen = float(left[best]), index[best]
                    classes[AMPLITUDES[kinds]] = sets[best]
            phases[kinds] = starts.ravel()[chosen]
        return State(classes, residual, phases % 1.0)

    def round(self, state: State, wide: bool = False) -> State:
        """Make every move once; `wide` looks further with each: all releases, cutoff with q, more candidates."""
        if self.free_phase:
            state = self.fit_phases(state)
        waves, kinds = self.waves(state), [0, 1, 2, 3]
        classes, residual = state.classes, state.residual
        if wide:
            classes, residual = self.fit_filter(classes, waves, kinds, residual)
        near = range(max(classes[RELEASE] - 1, 0), min(classes[RELEASE] + 2, len(self.levels[RELEASE])))
        found, left = self.fit_envelope(classes, waves, kinds, range(len(self.levels[RELEASE])) if wide else near)
        if left < residual - GAINED:
            classes, residual = found, left
        classes, residual = self.fit_course(classes, waves, kinds, residual)
        if residual < SOLVED:
            return State(classes, residual, state.phases)
        return self.fit_oscillators(State(classes, residual, state.phases), 32 if wide else 16)

    def is_noise(self, state: State) -> bool:
        """Tell whether what a patch leaves is strong at the top of the spectrum, where little sings too."""
        if self.emphasis:
            return False
        rest = self._rest(state.classes, self.waves(state), [0, 1, 2, 3])
        power = np.square(np.abs(np.fft.rfft(rest)))
        return bool(power[3 * len(power) // 4 :].mean() > WHITE * power.mean())

    def hear(self, state: State) -> State:
        """Measure a patch found by another search, its amplitudes fitted anew."""
        classes, residual = self.fit_variants(state.classes[None], self.waves(state), [0, 1, 2, 3])
        return State(classes[0], float(residual[0]), state.phases)

    def nearest(self, variants: Classes, classes: Classes, phases: Floats | None, most: int = 24) -> Classes:
        """Refit the amplitudes of patches that share the oscillators of one; return those that leave least, (n, 23)."""
        state = State(classes, 0.0, np.zeros(4) if phases is None else phases)
        found, left = self.fit_variants(variants, self.waves(state), [0, 1, 2, 3])
        return found[np.argsort(left, kind="stable")[:most]]

    def changed_places(self, classes: Classes, phases: Floats | None) -> Iterator[Classes]:
        """Yield a patch with the shapes of every two oscillators exchanged, amplitudes refitted."""
        for i, j in itertools.combinations(range(4), 2):
            swapped, order = classes.copy(), np.arange(4)
            order[[i, j]] = j, i
            swapped[SHAPES] = classes[SHAPES[order]]
            yield self.hear(State(swapped, 0.0, np.zeros(4) if phases is None else phases[order])).classes

    def scale(self, state: State) -> State:
        """Multiply all amplitudes of a patch found at any level to where they lie best on their levels.

        The upper half of the levels is preferred, as it holds finer proportions: another scale must leave much less.
        """
        levels = self.levels[AMPLITUDES[0]]
        last, current = len(levels) - 1, levels[state.classes[AMPLITUDES]]
        gram, inner = self._inner(self.pass_through(self.waves(state), state.classes))
        scaled = np.array([current / current.max() * levels[top] for top in range(1, len(levels))])
        step = (levels[last] - levels[0]) / last
        sets = np.clip(np.rint((scaled - levels[0]) / step), 0, last).astype(np.int64)
        along, norm = levels[sets] @ inner, np.einsum("si,ij,sj->s", levels[sets], gram, levels[sets])
        left = 1.0 - np.square(np.maximum(along, 0.0)) / (norm * self.power)
        best = int(left.argmin())
        upper = sets.max(axis=1) > last // 2
        preferred = int(np.where(upper, left, np.inf).argmin())
        chosen = best if left[best] < RESCALED * left[preferred] - SOLVED / 100 else preferred
        classes = state.classes.copy()
        classes[AMPLITUDES] = sets[chosen]
        return State(classes, float(left[chosen]), state.phases)

    def exhausted(self) -> bool:
        """Tell whether the renders allowed are used up."""
        return self.atoms >= self.limit

    def descend(self, state: State, most: int = 8) -> Iterator[State]:
        """Yield ever better patches, round by round, until nothing changes; widens before giving up."""
        for _ in range(most):
            if self.exhausted():
                return
            before = state.residual
            state = self._better(state, self.round(state))
            if state.residual > 0.8 * before and not self.finished(state) and not self.exhausted():
                yield state
                state = self._better(state, self.round(state, wide=True))
            yield state
            if before - state.residual < max(GAINED, STALLED * before) or state.residual < SOLVED:
                return

    def finished(self, state: State) -> bool:
        """Tell whether nothing but noise is left, or less than -40 dB."""
        return state.residual < ENOUGH or self.is_noise(state)

    @staticmethod
    def _better(one: State, other: State) -> State:
        return other if other.residual < one.residual else one
