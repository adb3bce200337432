"""Fitting the parts of a patch to a sound: envelope, effects, phases and level, each with all amplitudes.

Every move is exhaustive over what it changes, and fits the amplitudes of all oscillators along with it, since these
follow from inner products alone.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from generators.fm.atoms import Audio, emphasise, shape
from inversynth.search.fm_amplitude_fit import Classes, Floats, fit_amplitudes, minimise_within
from inversynth.search.fm_envelope_fit import Ramps, fit_envelope, ramp_atoms
from inversynth.search.fm_rendering import AtomRenderer, Candidate

SMALLEST_GAIN = 1e-7
"""Share of the sound's energy (-70 dB) that a move must win to be made: below it lies float32 rounding."""

SOLVED = 1e-8
"""Energy left (-80 dB) at which the patch is found and only rounding remains."""

DOUBT_NOISE, DOUBT_MISMATCH = 3e-3, 0.2
"""Share of what is left by which two patches may differ and both be likely: where it is white noise (which alone would
allow 1e-4 for a second of sound), and where it is not, as when the sound was made or coded by other means. Of 40 sounds
each (seed 4242) in noise of 40 dB SNR, as MP3, rendered independently and at 44.1 kHz the common scale of the
amplitudes is right for 98, 98, 73 and 65 %."""

NOISE_POWER = 0.75
"""Power of the top quarter of the spectrum, relative to the whole, above which a remainder counts as white noise. White
noise of one second has 1 +- 0.02; what a wrong patch leaves has passed the low-pass."""

PHASE_STEPS = (1 / 32, 1 / 128, 1 / 512, 1 / 2048)
"""Cycles: half the distance between screened phases, then each a quarter of the one before. A phase that is off by half
the last step leaves -56 dB of its oscillator."""

ROWS = 16
"""Variants rendered at a time: their atoms take 4 MB for one second of `fm`, which the last-level cache holds."""


class PatchFitting:
    """Moves of the search for one sound.

    Args:
        target: (samples,), as long as what `renderer` renders. any_level: the sound may be any gain times what the
            synth renders; then no residual depends on its level.
    """

    def __init__(self, renderer: AtomRenderer, target: Audio, any_level: bool) -> None:
        self.renderer, self.any_level = renderer, any_level
        self.target = emphasise(target, renderer.emphasis)
        self.exact = self.target.astype(np.float64)
        self.power = float(self.exact @ self.exact)
        columns, levels = renderer.columns, renderer.levels
        times = levels[columns.attack], levels[columns.decay], levels[columns.sustain]
        self.ramps = Ramps.of(*times, renderer.note_length)
        self.everything: Sequence[int] = range(renderer.count)

    # --- inner products --------------------------------------------------------------------------------------------

    def inner(self, atoms: Audio) -> tuple[Floats, Floats]:
        """Return the Gram matrix of atoms and their products with the sound."""
        exact = atoms.astype(np.float64)
        return exact @ exact.T, exact @ self.exact

    def fit_sets(self, gram: Floats, inner: Floats, index: Any) -> tuple[Classes, Floats]:
        """Fit the amplitudes of sets of atoms. Shapes: index (n, m) -> classes (n, m), relative residuals (n,)."""
        return self._fit_amplitudes(gram[index[:, :, None], index[:, None, :]], inner[index])

    def gains(self, atoms: Audio, classes: Classes, oscillators: Sequence[int]) -> Audio:
        """Return the factors of a patch's atoms in its sound: its amplitudes and, at any level, the gain that fits."""
        amplitudes = self.renderer.amplitudes(classes)[list(oscillators)]
        if not self.any_level:
            return amplitudes
        sound = amplitudes @ atoms
        return amplitudes * (max(float(sound @ self.target), 0.0) / max(float(sound @ sound), 1e-30))

    def remainder(self, classes: Classes, waves: Audio, oscillators: Sequence[int]) -> Audio:
        """Return what a patch of some oscillators leaves of the sound."""
        atoms = self.renderer.pass_through(waves, classes)
        return self.target - self.gains(atoms, classes, oscillators) @ atoms

    def match(self, patch: Candidate) -> Audio:
        """Return the sound of a patch as it is compared, (samples,): at the level that fits, where that is free."""
        return self.target - self.remainder(patch.classes, self.renderer.waves(patch), self.everything)

    def is_noise(self, patch: Candidate) -> bool:
        """Tell whether what a patch leaves is strong at the top of the spectrum, where the synth has little energy."""
        if self.renderer.emphasis:
            return False
        rest = self.remainder(patch.classes, self.renderer.waves(patch), self.everything)
        power = np.square(np.abs(np.fft.rfft(rest)))
        return bool(power[3 * len(power) // 4 :].mean() > NOISE_POWER * power.mean())

    def _fit_amplitudes(self, grams: Floats, products: Floats) -> tuple[Classes, Floats]:
        levels = self.renderer.amplitude_levels
        classes, left = fit_amplitudes(grams, products, self.power, levels, self.any_level)
        return classes, left / self.power

    # --- moves -----------------------------------------------------------------------------------------------------

    def fit_envelope(
        self, classes: Classes, waves: Audio, oscillators: Sequence[int], releases: Iterable[int] | None = None
    ) -> tuple[Classes, float]:
        """Set attack, decay, sustain, the amplitudes, and of `releases` the best, together to what leaves least."""
        renderer, columns = self.renderer, self.renderer.columns
        found, residual = classes, np.inf
        note = min(int(renderer.note_length * renderer.sample_rate), waves.shape[1])
        head = None
        for release in [int(classes[columns.release])] if releases is None else releases:
            seconds = float(renderer.levels[columns.release][release])
            ramps = self.ramps.envelopes(renderer.time, renderer.note_length, seconds)
            atoms = ramp_atoms(self.ramps, waves, renderer.effects(ramps, classes), renderer.gain, renderer.pool)
            renderer.atoms += len(atoms)
            if head is None:  # before note-off all releases sound the same
                before = atoms[:, :note]
                head = before @ before.T, before @ self.exact[:note]
            after = atoms[:, note:]
            fit = fit_envelope(
                self.ramps,
                head[0] + after @ after.T,
                head[1] + after @ self.exact[note:],
                self.power,
                renderer.amplitude_levels,
                any_level=self.any_level,
            )
            if fit.residual < residual:
                residual = fit.residual
                found = classes.copy()
                found[columns.envelope] = *fit.envelope, release
                found[columns.amplitudes[list(oscillators)]] = fit.amplitudes
        return found, residual / self.power

    def fit_effects(
        self, classes: Classes, waves: Audio, oscillators: Sequence[int], residual: float
    ) -> tuple[Classes, float]:
        """Try all levels of gater, quality, cutoff and release, one parameter at a time, the amplitudes refitted."""
        columns = self.renderer.columns
        for column in (columns.gate, columns.quality, columns.cutoff, columns.release):
            variants = np.repeat(classes[None], len(self.renderer.levels[column]), axis=0)
            variants[:, column] = np.arange(len(variants))
            classes, residual = self._best_variant(classes, residual, variants, waves, oscillators)
        return classes, residual

    def fit_filter(
        self, classes: Classes, waves: Audio, oscillators: Sequence[int], residual: float
    ) -> tuple[Classes, float]:
        """Try every pair of cutoff and quality, the amplitudes refitted."""
        columns = [self.renderer.columns.cutoff, self.renderer.columns.quality]
        pairs = list(itertools.product(*(range(len(self.renderer.levels[column])) for column in columns)))
        variants = np.repeat(classes[None], len(pairs), axis=0)
        variants[:, columns] = pairs
        return self._best_variant(classes, residual, variants, waves, oscillators)

    def _best_variant(
        self, classes: Classes, residual: float, variants: Classes, waves: Audio, oscillators: Sequence[int]
    ) -> tuple[Classes, float]:
        found, left = self.fit_variants(variants, waves, oscillators)
        best = int(left.argmin())
        if left[best] < residual - SMALLEST_GAIN:
            return found[best], float(left[best])
        return classes, residual

    def fit_variants(self, variants: Classes, waves: Audio, oscillators: Sequence[int]) -> tuple[Classes, Floats]:
        """Refit the amplitudes of patches that share their oscillators and differ in the effects.

        Shapes: variants (n, parameters), waves (oscillators, samples) -> classes (n, parameters), residuals (n,).
        """
        renderer, columns = self.renderer, self.renderer.columns
        rows, m = len(variants), len(waves)
        unique, where = np.unique(variants[:, columns.envelope], axis=0, return_inverse=True)
        patches = np.zeros((len(unique), variants.shape[1]), np.int64)
        patches[:, columns.envelope] = unique
        effects = renderer.effects(renderer.envelope(patches))
        grams, products = np.empty((rows, m, m)), np.empty((rows, m))
        for first in range(0, rows, ROWS):
            part = variants[first : first + ROWS]
            each = np.repeat(np.arange(len(part)), m)
            atoms = shape(
                waves,
                effects,
                np.tile(np.arange(m), len(part)),
                np.ravel(where)[first : first + ROWS][each],
                renderer.filter_row(part)[each],
                part[each, columns.gate],
                renderer.pool,
            ).reshape(len(part), m, -1)
            grams[first : first + ROWS] = np.matmul(atoms, atoms.transpose(0, 2, 1)) * renderer.gain**2
            products[first : first + ROWS] = atoms @ self.target * renderer.gain
        renderer.atoms += rows * m
        amplitudes, left = self._fit_amplitudes(grams, products)
        found = variants.copy()
        found[:, columns.amplitudes[list(oscillators)]] = amplitudes
        return found, left

    def refit(self, patch: Candidate) -> Candidate:
        """Fit the amplitudes of a patch anew, such as one that another search has found."""
        classes, residual = self.fit_variants(patch.classes[None], self.renderer.waves(patch), self.everything)
        return Candidate(classes[0], float(residual[0]), patch.phases)

    def fit_phases(self, patch: Candidate, oscillators: Sequence[int] | None = None) -> Candidate:
        """Fit the initial phases of some oscillators, by default of all, in `PHASE_STEPS`, the amplitudes refitted.

        Oscillators that are not named stay silent.
        """
        renderer, columns = self.renderer, self.renderer.columns
        numbers = list(self.everything if oscillators is None else oscillators)
        classes, phases, residual = patch.classes.copy(), patch.phases.copy(), patch.residual
        steps = np.arange(-3, 4)
        middle, count = len(steps) // 2, len(steps)
        for step in PHASE_STEPS:
            starts = phases[numbers][:, None] + steps * step
            each = np.repeat(numbers, count)
            waves = renderer.carriers(each, classes[columns.shapes[each]], starts.ravel())
            gram, inner = self.inner(renderer.pass_through(waves, classes))
            chosen = np.arange(len(numbers)) * count + middle
            for place in [*range(len(numbers))] * 2:
                index = np.repeat(chosen[None], count, axis=0)
                index[:, place] = place * count + np.arange(count)
                sets, left = self.fit_sets(gram, inner, index)
                best = int(left.argmin())
                if left[best] < residual - SMALLEST_GAIN:
                    residual, chosen = float(left[best]), index[best]
                    classes[columns.amplitudes[numbers]] = sets[best]
            phases[numbers] = starts.ravel()[chosen]
        return Candidate(classes, residual, phases % 1.0)

    def choose_scale(self, patch: Candidate) -> Candidate:
        """Scale all amplitudes of a patch found at any level to where they lie best on their levels.

        Of those that leave about as little the upper half of the levels is preferred, as it holds finer proportions.
        """
        columns = self.renderer.columns
        sets, left = self.scales(patch)
        best, upper = int(left.argmin()), sets.max(axis=1) > (len(self.renderer.amplitude_levels) - 1) // 2
        preferred = int(np.where(upper, left, np.inf).argmin())
        chosen = best if left[preferred] > left[best] + self.doubt(patch) + SOLVED / 100 else preferred
        classes = patch.classes.copy()
        classes[columns.amplitudes] = sets[chosen]
        return Candidate(classes, float(left[chosen]), patch.phases)

    def scales(self, patch: Candidate) -> tuple[Classes, Floats]:
        """Return the amplitudes of a patch, and those that fit best unrounded, at every scale of their levels.

        Shapes: classes (n, oscillators), all different, and the residuals that they leave, (n,).
        """
        renderer, columns = self.renderer, self.renderer.columns
        levels = renderer.amplitude_levels
        last = len(levels) - 1
        gram, inner = self.inner(renderer.pass_through(renderer.waves(patch), patch.classes))
        current = levels[patch.classes[columns.amplitudes]]
        unrounded = current.astype(np.float64)
        minimise_within(gram, inner, self.power, 0.0, np.inf, unrounded)
        proportions = [each / each.max() for each in (current, unrounded) if each.max() > 0.0]
        scaled = np.array([each * levels[top] for each in proportions for top in range(1, len(levels))])
        step = (levels[last] - levels[0]) / last
        sets = np.unique(np.clip(np.rint((scaled - levels[0]) / step), 0, last).astype(np.int64), axis=0)
        along, norm = levels[sets] @ inner, np.einsum("si,ij,sj->s", levels[sets], gram, levels[sets])
        return sets, 1.0 - np.square(np.maximum(along, 0.0)) / (norm * self.power)

    def doubt(self, patch: Candidate) -> float:
        """Return the energy, relative to the sound, by which patches like this one may differ and both be likely."""
        return (DOUBT_NOISE if self.is_noise(patch) else DOUBT_MISMATCH) * patch.residual
