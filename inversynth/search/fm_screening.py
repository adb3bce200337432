"""Screening: how much of a sound each shape of each oscillator would explain, without rendering any of them.

The adjoint of filter and gater is applied to the sound once; its correlations with all shapes then come from the
dictionary (`inversynth.search.fm_dictionary`), weighted by the series of each waveform and by likely envelopes.
"""

import itertools
from typing import Any

import numpy as np

from generators.dsp import envelopes
from generators.fm.atoms import Audio, adjoint
from generators.synth import Synth
from inversynth.search.fm_amplitude_fit import Classes, Floats
from inversynth.search.fm_dictionary import WINDOWS, Dictionary, find_dictionary, power_response, series
from inversynth.search.fm_rendering import AtomRenderer

PHASES = 16
"""Initial phases tried of every shape: at most 1/32 of a cycle off, the fundamental loses 2 % of its product."""

SCREENED_PER_ATOM = 40
"""Shapes screened in the time in which one atom is rendered (measured), so that both are counted in one unit."""

LIKELY_ENVELOPES = 48
"""Envelopes that stand for all 4,096 of `fm`: no envelope is far from one of them, and more cost memory and time."""

SMALLEST_ENERGY = np.float32(1e-12)
"""Energy below which a shape is silent, and its score is not to be the quotient of two roundings."""


class Screening:
    """Scores shapes by the energy they explain; counts its work in the atoms of `renderer`.

    Args:
        posterior: (size,) probabilities. free_phase: let each oscillator start at a phase of its own.
    """

    def __init__(self, synth: Synth, renderer: AtomRenderer, posterior: Floats, free_phase: bool) -> None:
        self.renderer, self.free_phase = renderer, free_phase
        self.log_posterior = [np.log(np.maximum(posterior[part], 1e-6)) for part in synth.space.slices]
        frequencies, rates, depths = (tuple(renderer.levels[column].tolist()) for column in renderer.columns.shapes[0])
        self.dictionary: Dictionary = find_dictionary(frequencies, rates, depths, synth.samples, synth.sample_rate)

    def score(self, sounds: Audio, classes: Classes, windows: Floats, share: float = 0.9) -> tuple[Audio, Audio]:
        """Score every shape, behind a patch's filter and gater, by the energy it explains of some sounds.

        Args: windows: levels of envelopes, of which the best counts. share: of the energy whose harmonics are used.
        Shapes: sounds (r, samples), windows (e, 16). Returns scores (r, oscillators, shapes) and, where phases are
            free, the best of them in cycles, else zeros, likewise.
        """
        renderer, dictionary = self.renderer, self.dictionary
        filters, gate = renderer.filters[[renderer.filter_row(classes)]], self._gate(classes)
        response = power_response(filters, renderer.sample_rate, renderer.emphasis)
        harmonics = dictionary.harmonics(response, share)
        back = adjoint(sounds, filters, gate, renderer.emphasis, renderer.pool)
        raw = dictionary.correlate(back, harmonics, self.free_phase, renderer.pool)
        energy = dictionary.energies(response, gate, harmonics)
        weights = series()[renderer.kinds][:, harmonics - 1].astype(np.float32)
        levels = windows.astype(np.float32)
        energies = np.einsum("kn,ens->eks", weights**2, np.tensordot(levels**2, energy, (1, 1)), optimize=True)
        energies = np.maximum(energies, SMALLEST_ENERGY)
        enveloped = np.moveaxis(np.tensordot(levels, raw, (1, 3)), 0, 1)  # r e parts n s
        best = np.full((len(raw), renderer.count, len(dictionary)), -1.0, np.float32)
        phases = np.zeros(best.shape, np.float32)
        for phase in np.arange(PHASES) / PHASES if self.free_phase else [0.0]:
            products = np.einsum(
                "kpn,repns->reks", self._at_phase(weights, harmonics, phase), enveloped, optimize=True
            ).astype(np.float32)
            score = (np.square(np.maximum(products, 0.0)) / energies).max(axis=1)
            phases[score > best] = phase
            best = np.maximum(best, score)
        parts = 2 if self.free_phase else 1
        renderer.atoms += len(sounds) * parts * renderer.count * len(dictionary) // SCREENED_PER_ATOM
        return best, phases

    def tilt(self, classes: Classes) -> float:
        """Return how much more power a patch's low-pass lets through at 50 Hz than at the lowest carrier."""
        renderer = self.renderer
        response = power_response(renderer.filters[[renderer.filter_row(classes)]], renderer.sample_rate)
        return float(response(50.0) / response(self.dictionary.frequencies[0]))

    def window_levels(self, envelope: Audio) -> Floats:
        """Return the mean level of envelopes in each window, (n, samples) -> (n, 16)."""
        rows = np.atleast_2d(envelope)
        padded = np.zeros((len(rows), WINDOWS * self.dictionary.window))
        padded[:, : rows.shape[1]] = rows
        return padded.reshape(len(rows), WINDOWS, -1).mean(axis=2)

    def likely_envelopes(self, classes: Classes, count: int = LIKELY_ENVELOPES) -> Floats:
        """Return envelopes that cover all attacks, decays and sustains, with a patch's release, (count, 16).

        The most probable one first, then each the one farthest from all before it.
        """
        renderer = self.renderer
        attack, decay, sustain, release = renderer.columns.envelope
        sizes = [len(renderer.levels[column]) for column in (attack, decay, sustain)]
        rows = np.array(list(itertools.product(*(range(size) for size in sizes))))
        middles = (np.arange(WINDOWS) + 0.5) * self.dictionary.window / renderer.sample_rate
        attacks, decays, sustains = (
            renderer.levels[column][rows[:, place]][:, None] for place, column in enumerate((attack, decay, sustain))
        )
        releases = np.full_like(attacks, renderer.levels[release][classes[release]])
        levels = envelopes.adsr(middles, attacks, decays, sustains, releases, renderer.note_length)
        unit = levels / np.maximum(np.linalg.norm(levels, axis=1, keepdims=True), 1e-9)
        likely = sum(self.log_posterior[c][rows[:, place]] for place, c in enumerate((attack, decay, sustain)))
        picked = [int(np.argmax(likely))]
        nearest = unit @ unit[picked[0]]
        while len(picked) < count:
            picked.append(int(nearest.argmin()))
            nearest = np.maximum(nearest, unit @ unit[picked[-1]])
        return levels[picked]

    def _gate(self, classes: Classes) -> Audio:
        return self.renderer.gates[classes[self.renderer.columns.gate]]

    def _at_phase(self, weights: Audio, harmonics: Classes, phase: float) -> Any:
        """Weight sine and cosine of each harmonic for an initial phase, (oscillators, parts, harmonics)."""
        if not self.free_phase:
            return weights[:, None]
        angle = 2.0 * np.pi * harmonics * phase
        return np.stack([weights * np.cos(angle), weights * np.sin(angle)], axis=1).astype(np.float32)
