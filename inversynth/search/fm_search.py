"""Searching the patch of an `fm` sound through its structure, from a network's posterior.

The sound is a sum of oscillators behind one envelope, filter and gater. Oscillators are picked one by one, by what they
explain of the remainder (matching pursuit over the dictionary of all shapes). After each pick envelope, effects and all
amplitudes are fitted together, so that the next pick is scored through the right envelope. Rounds of joint moves
follow, each exhaustive over what it changes: envelope with amplitudes (65,536 settings), filter, gater, release, and
pairs of oscillators among the best candidates of each. A round that changes nothing ends the search.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from generators.fm.atoms import Audio
from generators.synth import Synth
from inversynth.search.fm_amplitude_fit import Classes, Floats
from inversynth.search.fm_fitting import SMALLEST_GAIN, SOLVED, PatchFitting
from inversynth.search.fm_rendering import AtomRenderer, Candidate
from inversynth.search.fm_screening import Screening
from inversynth.search.objective import ENOUGH, INAUDIBLE, TAIL

STALLED = 1e-3
"""Share of what is left that a round must win to be followed by another: in white noise, eight times the energy that
one superfluous amplitude explains of one second."""

SLOW = 0.8
"""Share of what was left (-1 dB) above which a round has won so little that a wider one follows."""

PICKED_FROM, EXCHANGED, EXCHANGED_WIDE = 24, 16, 32
"""Candidates by score that are rendered: of one pick, and of each oscillator in an exchange. With them the true shape
is among the candidates nearly always; an exchange costs the square of their number."""

EMPHASIS = 0.98
"""Of the emphasised search: 6 dB an octave from 50 Hz on, against the 12 dB of the low-pass."""

TILTED = 30.0
"""Power at 50 Hz over that at the lowest carrier (15 dB) above which differences are compared first. Of the low-passes
of `fm` those with a q of 0.01 exceed it (19 dB), and no other."""

ROUNDS = 8
"""Rounds of moves: most searches end after two or three."""

TRADED = 24
"""Patches that `refit_nearest` returns: as many as alternatives could need."""


class OscillatorSearch:
    """The search for one sound.

    Args:
        synth: one that declares its structure. target: (samples,), as long as the synth's sounds or shorter: what is
            missing at its end counts as unknown. posterior: (size,) probabilities. pool: threads to share work between.
        free_phase: let each oscillator start at a phase of its own. emphasis: compare differences y[t] - c y[t-1], so
            that what a low-pass leaves of the higher partials counts too. limit: atoms that may be rendered; no move
            begins beyond. any_level: the sound may be any gain times what the synth renders.
    """

    def __init__(
        self,
        synth: Synth,
        target: Audio,
        posterior: Floats,
        pool: Executor | None = None,
        free_phase: bool = False,
        emphasis: float = 0.0,
        limit: float = np.inf,
        any_level: bool = False,
    ) -> None:
        self.free_phase, self.emphasis, self.limit = free_phase, emphasis, limit
        self.renderer = AtomRenderer(synth, len(target), pool, emphasis)
        self.screening = Screening(synth, self.renderer, posterior, free_phase)
        self.fitting = PatchFitting(self.renderer, target, any_level)
        self.columns, self.numbers = self.renderer.columns, list(range(self.renderer.count))

    @property
    def atoms(self) -> int:
        """Atoms rendered so far."""
        return self.renderer.atoms

    @property
    def samples(self) -> int:
        return self.renderer.samples

    def listen(self, target: Audio) -> None:
        """Search for another sound from now on, (samples,): what depends on the length alone is kept."""
        self.fitting = PatchFitting(self.renderer, target, self.fitting.any_level)

    # --- building and improving a patch ----------------------------------------------------------------------------

    def build(self, start: Classes, trust: bool = False) -> Candidate:
        """Pick all oscillators one by one, fitting envelope and effects after each, which begin as in `start`.

        With `trust` the first pick is scored through the envelope of `start`, without it through any.
        """
        renderer, screening, fitting = self.renderer, self.screening, self.fitting
        classes = start.copy()
        phases: Floats = np.zeros(renderer.count)
        left = list(self.numbers)
        chosen: list[int] = []
        waves = np.zeros((0, renderer.samples), np.float32)
        rest, residual = fitting.target, 1.0
        while left:
            any_envelope = not chosen and not trust
            levels = (
                screening.likely_envelopes(classes)
                if any_envelope
                else screening.window_levels(renderer.envelope(classes))
            )
            score, starts = screening.score(rest[None], classes, levels)
            score, starts = score[0, left], starts[0, left]
            best = _highest(score.ravel(), PICKED_FROM) if chosen else np.array([score.argmax()])
            numbers, shapes = np.asarray(left)[best // score.shape[1]], best % score.shape[1]
            triples = screening.dictionary.numbers_to_classes(shapes)
            new_phases = starts.ravel()[best].astype(np.float64)
            new = renderer.carriers(numbers, triples, new_phases)
            pick = self._best_addition(np.concatenate([waves, new]), len(chosen), classes) if chosen else 0
            number = int(numbers[pick])
            classes[self.columns.shapes[number]], phases[number] = triples[pick], new_phases[pick]
            waves = np.concatenate([waves, new[pick : pick + 1]])
            chosen.append(number)
            left.remove(number)
            if len(chosen) == 1:
                classes, residual = fitting.fit_filter(classes, waves, chosen, residual)
            classes, residual = fitting.fit_envelope(classes, waves, chosen)
            if self.free_phase:
                patch = fitting.fit_phases(Candidate(classes, residual, phases), chosen)
                classes, residual, phases = patch.classes, patch.residual, patch.phases
                waves = renderer.carriers(np.asarray(chosen), classes[self.columns.shapes[chosen]], phases[chosen])
            if left:
                classes, residual = fitting.fit_effects(classes, waves, chosen, residual)
                rest = fitting.remainder(classes, waves, chosen)
        return Candidate(classes, residual, phases)

    def descend(self, patch: Candidate) -> Iterator[Candidate]:
        """Yield ever better patches, round by round, until nothing changes; rounds that win little are widened."""
        for _ in range(ROUNDS):
            if self.exhausted():
                return
            before = patch.residual
            patch = _better(patch, self.round(patch))
            if patch.residual > SLOW * before and not self.finished(patch) and not self.exhausted():
                yield patch
                patch = _better(patch, self.round(patch, wide=True))
            yield patch
            if before - patch.residual < max(SMALLEST_GAIN, STALLED * before) or patch.residual < SOLVED:
                return

    def round(self, patch: Candidate, wide: bool = False) -> Candidate:
        """Make every move once; `wide` with all releases, cutoff with quality, and more candidates."""
        fitting, release = self.fitting, self.columns.release
        if self.free_phase:
            patch = fitting.fit_phases(patch)
        waves = self.renderer.waves(patch)
        classes, residual = patch.classes, patch.residual
        if wide:
            classes, residual = fitting.fit_filter(classes, waves, self.numbers, residual)
        releases = len(self.renderer.levels[release])
        near = range(max(classes[release] - 1, 0), min(classes[release] + 2, releases))
        found, left = fitting.fit_envelope(classes, waves, self.numbers, range(releases) if wide else near)
        if left < residual - SMALLEST_GAIN:
            classes, residual = found, left
        classes, residual = fitting.fit_effects(classes, waves, self.numbers, residual)
        patch = Candidate(classes, residual, patch.phases)
        if residual < SOLVED:
            return patch
        return self.exchange_oscillators(patch, EXCHANGED_WIDE if wide else EXCHANGED)

    def exchange_oscillators(self, patch: Candidate, candidates: int) -> Candidate:
        """Replace oscillators, in pairs, by the candidates that fit what the others leave."""
        renderer, screening, fitting, columns = self.renderer, self.screening, self.fitting, self.columns
        classes = patch.classes
        atoms = renderer.pass_through(renderer.waves(patch), classes)
        gains = fitting.gains(atoms, classes, self.numbers).astype(np.float32)
        rest = fitting.target - gains @ atoms
        windows = screening.window_levels(renderer.envelope(classes))
        score, starts = screening.score(rest + gains[:, None] * atoms, classes, windows)  # (without, for which, shape)
        current = np.asarray(np.ravel_multi_index(tuple(classes[columns.shapes].T), screening.dictionary.sizes))
        options: list[tuple[Any, Any, Any]] = []
        for number in self.numbers:
            best = _highest(score[number, number], candidates)
            # one waveform may have the shape of another: shapes are exchanged between oscillators too
            shapes = np.concatenate([current[[number]], best, np.delete(current, number)])
            phases = np.concatenate([patch.phases[[number]], starts[number, number, shapes[1:]]])
            options.append((np.full(len(shapes), number), shapes, phases))
        numbers, shapes, phases = (np.concatenate(part) for part in zip(*options, strict=True))
        triples = screening.dictionary.numbers_to_classes(shapes)
        gram, inner = fitting.inner(renderer.pass_through(renderer.carriers(numbers, triples, phases), classes))
        first = np.cumsum([0, *(len(part) for part, _, _ in options)])
        chosen, amplitudes, residual = first[:-1].copy(), classes[columns.amplitudes], patch.residual
        improved = True
        while improved:
            improved = False
            for i, j in itertools.combinations(self.numbers, 2):
                rows, others = np.meshgrid(np.arange(*first[i : i + 2]), np.arange(*first[j : j + 2]), indexing="ij")
                index = np.repeat(chosen[None], rows.size, axis=0)
                index[:, i], index[:, j] = rows.ravel(), others.ravel()
                sets, left = fitting.fit_sets(gram, inner, index)
                least = int(left.argmin())
                if left[least] < residual - SMALLEST_GAIN:
                    chosen, residual, amplitudes, improved = index[least], float(left[least]), sets[least], True
        found = classes.copy()
        found[columns.shapes] = triples[chosen]
        found[columns.amplitudes] = amplitudes
        return Candidate(found, residual, phases[chosen])

    def _best_addition(self, waves: Audio, known: int, classes: Classes) -> int:
        """Return which of the waves after the first `known` leaves least beside them."""
        gram, inner = self.fitting.inner(self.renderer.pass_through(waves, classes))
        index = np.asarray([[*range(known), known + new] for new in range(len(waves) - known)])
        _, residual = self.fitting.fit_sets(gram, inner, index)
        return int(residual.argmin())

    # --- when to stop ----------------------------------------------------------------------------------------------

    def exhausted(self) -> bool:
        """Tell whether the atoms allowed are used up."""
        return self.atoms >= self.limit

    def finished(self, patch: Candidate) -> bool:
        """Tell whether nothing but noise is left, or less than -40 dB."""
        return patch.residual < ENOUGH or self.fitting.is_noise(patch)

    # --- what stages that know nothing of the structure use ----------------------------------------------------------

    def render(self, classes: Classes, phases: Floats) -> Audio:
        """Render patches (n, parameters) whose oscillators start at phases in cycles, (n, samples)."""
        return self.renderer.render(classes, phases)

    def vary_each_parameter(self, classes: Classes, phases: Floats | None) -> Iterator[tuple[int, Audio]]:
        """Yield every column with the sounds (levels, samples) of a patch in which that parameter alone is varied."""
        return self.renderer.vary_each_parameter(classes, phases)

    def weigh_scales(self, classes: Classes, phases: Floats | None) -> tuple[Classes, Classes, Floats] | None:
        """Return the amplitudes of a patch at every scale, and how probable each is where the level is free.

        Shapes: columns (m,), classes (n, m), probabilities (n,). None where the level is known.
        """
        if not self.fitting.any_level:
            return None
        patch = self.fitting.refit(self._candidate(classes, phases))
        sets, left = self.fitting.scales(replace(patch, classes=classes))
        worse = left - left.min()
        weights = (1.0 + worse / max(self.fitting.doubt(patch), INAUDIBLE)) ** -TAIL
        return self.columns.amplitudes, sets, weights / weights.sum()

    def leaves_noise(self, classes: Classes, phases: Floats | None) -> bool:
        """Tell whether what a patch leaves of the sound is white noise."""
        return self.fitting.is_noise(self._candidate(classes, phases))

    def refit_nearest(self, variants: Classes, classes: Classes, phases: Floats | None) -> Classes:
        """Refit the amplitudes of patches that share the oscillators of one; return those that leave least."""
        patch = self._candidate(classes, phases)
        found, left = self.fitting.fit_variants(variants, self.renderer.waves(patch), self.numbers)
        return found[np.argsort(left, kind="stable")[:TRADED]]

    def swap_oscillators(self, classes: Classes, phases: Floats | None) -> Iterator[Classes]:
        """Yield a patch with the shapes of every two oscillators exchanged, amplitudes refitted."""
        patch = self._candidate(classes, phases)
        for i, j in itertools.combinations(self.numbers, 2):
            swapped, order = classes.copy(), np.arange(len(self.numbers))
            order[[i, j]] = j, i
            swapped[self.columns.shapes] = classes[self.columns.shapes[order]]
            yield self.fitting.refit(Candidate(swapped, 0.0, patch.phases[order])).classes

    def _candidate(self, classes: Classes, phases: Floats | None) -> Candidate:
        return Candidate(classes, 0.0, np.zeros(len(self.numbers)) if phases is None else phases)


def _highest(scores: Floats, count: int) -> Classes:
    """Return the places of the `count` highest scores, in no order."""
    return np.argpartition(-scores, count)[:count]


def _better(one: Candidate, other: Candidate) -> Candidate:
    return other if other.residual < one.residual else one
