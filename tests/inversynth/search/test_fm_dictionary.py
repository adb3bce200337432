"""The oscillator dictionary: its sums against atoms rendered one by one, and fits against brute force."""

import itertools

import numpy as np
import pytest

from generators.dsp import envelopes, modulation
from generators.fm.atoms import EffectChain, adjoint, carriers, filter_table, shape
from generators.fm_generator import GAIN, FmSynth
from inversynth.search.fm_amplitude_fit import fit_amplitudes
from inversynth.search.fm_dictionary import HARMONICS, WINDOWS, Dictionary, power_response, series
from inversynth.search.fm_envelope_fit import Ramps, fit_envelope, ramp_atoms

RATE, SAMPLES = 16384, 8192
THINNED = 0.04 * np.sqrt(SAMPLES / 2)
"""What thinning may cost: a twenty-fifth of the norm of a shape, even in white noise."""

LEVELS = np.linspace(0.001, 1.0, 16)


@pytest.fixture(scope="module")
def dictionary():
    return Dictionary([440.0, 550.0, 700.0], [2.0, 17.0], [0.0, 300.0, 900.0], SAMPLES, RATE)


def shapes_of(dictionary):
    """Frequency, rate and depth in hertz of every shape, by number."""
    levels = dictionary.frequencies, dictionary.rates, dictionary.depths
    classes = dictionary.numbers_to_classes(np.arange(len(dictionary)))
    return np.stack([part[classes[:, place]] for place, part in enumerate(levels)], axis=1)


def test_numbers_name_shapes(dictionary):
    assert len(dictionary) == 18
    classes = dictionary.numbers_to_classes([0, 5, 17])
    np.testing.assert_array_equal(classes, [[0, 0, 0], [0, 1, 2], [2, 1, 2]])
    np.testing.assert_array_equal(shapes_of(dictionary)[5], [440.0, 17.0, 900.0])


def test_the_series_are_the_waveforms():
    phase = (np.arange(64) + 0.5) / 64
    sums = series() @ np.sin(2.0 * np.pi * np.outer(HARMONICS, phase))
    exact = carriers([0, 1, 2, 3], [[RATE / 64, 1.0, 0.0, 0.5 / 64]] * 4, 64, RATE)
    for mine, wave in zip(sums, exact, strict=True):  # eight partials of a saw hold 93 % of its energy
        assert np.square(mine - wave).sum() <= 0.1 * np.square(wave).sum()


@pytest.mark.parametrize("quadrature", [False, True])
def test_correlations_are_the_products_with_every_shape(dictionary, quadrature):
    rng = np.random.default_rng(1)
    sounds = rng.standard_normal((2, SAMPLES)).astype(np.float32)
    harmonics = np.array([1, 3])
    found = dictionary.correlate(sounds, harmonics, quadrature)
    assert found.shape == (2, 2 if quadrature else 1, 2, WINDOWS, 18)
    time = np.arange(SAMPLES) / RATE
    for number, (f, v, b) in enumerate(shapes_of(dictionary)):
        phase = modulation.fm_phase(time[None], *(np.array([[x]]) for x in (f, v, b)))[0][0]
        for place, n in enumerate(harmonics):
            for part, wave in enumerate((np.sin, np.cos)[: found.shape[1]]):
                expected = sounds @ wave(2.0 * np.pi * n * phase)
                np.testing.assert_allclose(found[:, part, place, :, number].sum(axis=1), expected, atol=THINNED)


def test_seldom_tables_are_the_powers_that_they_stand_for(dictionary):
    for n in range(4, 9):
        once = dictionary._rotations[1][3, 0] + 1j * dictionary._rotations[1][3, 1]
        found = dictionary._table(n, 3)
        np.testing.assert_allclose((found[0] + 1j * found[1]) ** 2, once**n, atol=1e-4)


def test_screened_energies_and_products_are_near_those_of_atoms(dictionary):
    time = np.arange(SAMPLES) / RATE
    gate = modulation.gater(time[None], np.array([[7.0]])).astype(np.float32)
    filters = filter_table(1500.0, 2.0, RATE)
    response = power_response(filters, RATE)
    harmonics = np.arange(1, 5)
    effects = EffectChain(np.ones((1, SAMPLES), np.float32), filters, gate)
    rng = np.random.default_rng(3)
    sound = rng.standard_normal(SAMPLES).astype(np.float32)
    raw = dictionary.correlate(adjoint(sound, filters, gate[0]), harmonics)[0, 0].sum(axis=1)
    energy = dictionary.energies(response, gate[0], harmonics).sum(axis=1)
    shapes = shapes_of(dictionary)
    for kind in range(4):
        atoms = shape(carriers(kind, shapes, SAMPLES, RATE), effects, np.arange(18)).astype(np.float64)
        weights = series()[kind, :4]
        norms = np.square(atoms).sum(axis=1)
        np.testing.assert_allclose(weights**2 @ energy, norms, rtol=0.2)
        # what the partials left out and the aliases add is small beside the atom
        assert np.abs(weights @ raw - atoms @ sound).max() < 0.5 * np.sqrt(norms).max()


def test_a_late_harmonic_is_looked_at_only_where_the_filter_lets_it_through(dictionary):
    low = dictionary.harmonics(power_response(filter_table(200.0, 1.0, RATE), RATE))
    high = dictionary.harmonics(power_response(filter_table(4000.0, 1.0, RATE), RATE))
    assert low[0] == high[0] == 1
    assert len(low) < len(high)


@pytest.mark.parametrize("note_length", [0.8, 0.3])
def test_two_ramps_are_every_envelope(note_length):
    attack, decay, sustain = LEVELS[[0, 3, 9, 15]], LEVELS[[0, 2, 14]], LEVELS[[0, 7, 15]]
    ramps = Ramps.of(attack, decay, sustain, note_length)
    time = np.arange(2000) / 2000
    rows = ramps.envelopes(time, note_length, 0.1)
    for a, d, s in itertools.product(range(4), range(3), range(3)):
        expected = envelopes.adsr(
            time, *(np.array([[x]]) for x in (attack[a], decay[d], sustain[s], 0.1)), note_length
        )[0]
        found = ramps.first[a, d, s] * rows[ramps.rise[a]] + ramps.second[a, d, s] * rows[ramps.turn[a, d]]
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_amplitudes_of_a_mixture_are_found_exactly():
    rng = np.random.default_rng(5)
    atoms = rng.standard_normal((4, 200))
    atoms[3] = atoms[2] + 0.05 * rng.standard_normal(200)  # two that are almost one
    true = np.array([[0, 15, 4, 9], [3, 3, 0, 0], [15, 15, 15, 15]])
    sounds = LEVELS[true] @ atoms
    for classes, sound in zip(true, sounds, strict=True):
        found, left = fit_amplitudes((atoms @ atoms.T)[None], (atoms @ sound)[None], float(sound @ sound), LEVELS)
        np.testing.assert_array_equal(found[0], classes)
        assert left[0] == pytest.approx(0.0, abs=1e-8)


def test_fitted_amplitudes_are_as_good_as_the_best_of_all():
    rng = np.random.default_rng(6)
    for _ in range(20):
        atoms = rng.standard_normal((2, 30))
        sound = rng.standard_normal(30)
        gram, inner, power = atoms @ atoms.T, atoms @ sound, float(sound @ sound)
        _, left = fit_amplitudes(gram[None], inner[None], power, LEVELS)
        best = min(np.square(sound - np.array(pair) @ atoms).sum() for pair in itertools.product(LEVELS, LEVELS))
        assert left[0] == pytest.approx(best)


def test_the_envelope_and_the_amplitudes_are_found_together():
    synth = FmSynth(length=0.5)
    levels = [np.asarray(p.levels) for p in synth.space.parameters]
    classes = np.array([3, 4, 9, 5, 8, 1, 12, 2, 0, 9, 2, 12, 15, 6, 5, 0, 2, 3, 6, 4, 12, 3, 6])
    values = synth.space.classes_to_values(classes)
    sound = synth.render(values).astype(np.float64)
    ramps = Ramps.of(levels[16], levels[17], levels[18], synth.note_length)
    time = modulation.sample_times(synth.samples, synth.sample_rate)
    waves = carriers(range(4), values[:16].reshape(4, 4)[:, [0, 1, 3]], synth.samples, synth.sample_rate)
    effects = EffectChain(
        ramps.envelopes(time, synth.note_length, values[19]),
        filter_table(values[20], values[21], synth.sample_rate),
        modulation.gater(time, np.array([[values[22]]])).astype(np.float32),
    )
    atoms = ramp_atoms(ramps, waves, effects, GAIN)
    fit = fit_envelope(ramps, atoms @ atoms.T, atoms @ sound, float(sound @ sound), levels[2])
    assert fit.residual < 1e-8 * float(sound @ sound)
    assert fit.envelope == (2, 3, 6)
    np.testing.assert_array_equal(fit.amplitudes, classes[[2, 6, 10, 14]])


def test_amplitudes_at_any_level_are_the_proportions():
    rng = np.random.default_rng(8)
    atoms = rng.standard_normal((4, 200))
    gram = (atoms @ atoms.T)[None]
    for true in ([0, 15, 4, 9], [11, 3, 0, 7], [8, 13, 14, 1]):
        for gain in (0.03, 1.0, 40.0):
            sound = gain * LEVELS[true] @ atoms
            found, left = fit_amplitudes(gram, (atoms @ sound)[None], float(sound @ sound), LEVELS, any_level=True)
            np.testing.assert_array_equal(found[0], true)
            assert left[0] == pytest.approx(0.0, abs=1e-9 * float(sound @ sound))
    _, left = fit_amplitudes(gram, -(atoms @ sound)[None], 1.0, LEVELS, any_level=True)
    assert left[0] == 1.0  # what is out of phase explains nothing
