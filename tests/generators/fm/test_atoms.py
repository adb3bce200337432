"""Atoms of the `fm` synth: four of them weighted are its sound, phases turn them, and the adjoint is the transpose."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from generators.dsp import envelopes, modulation
from generators.fm.atoms import LANES, EffectChain, adjoint, carriers, emphasise, filter_table, shape
from generators.fm_generator import GAIN, FmSynth
from generators.sampling import sample_classes


def course_of(synth, values, emphasis=0.0):
    time = modulation.sample_times(synth.samples, synth.sample_rate)
    levels = [np.array([[value]]) for value in values[16:20]]
    return EffectChain(
        envelopes.adsr(time, *levels, synth.note_length).astype(np.float32),
        filter_table(values[20], values[21], synth.sample_rate),
        modulation.gater(time, np.array([[values[22]]])).astype(np.float32),
        emphasis,
    )


def atoms_of(synth, values, emphasis=0.0):
    waves = carriers(range(4), values[:16].reshape(4, 4)[:, [0, 1, 3]], synth.samples, synth.sample_rate)
    return waves, shape(waves, course_of(synth, values, emphasis), np.arange(4))


@pytest.mark.parametrize(("sample_rate", "length"), [(16384, 0.5), (22050, 0.2)])
def test_four_atoms_weighted_are_the_sound(sample_rate, length):
    synth = FmSynth(sample_rate, length)
    for values in synth.space.classes_to_values(sample_classes(synth.space, 0, 12, seed=3)):
        sound = GAIN * values[2:16:4] @ atoms_of(synth, values)[1]
        # the filter recursion runs in float32, which a low cutoff rounds hardest: still below -80 dB
        assert np.square(sound - synth.render(values)).sum() <= 1e-8 * np.square(synth.render(values)).sum()


def test_a_phase_turns_the_sine():
    shapes = [[1000.0, 5.0, 0.0, 0.0], [1000.0, 5.0, 0.0, 0.25], [1000.0, 5.0, 0.0, -1.75]]
    sine, cosine, again = carriers(0, shapes, 4096, 16384)
    np.testing.assert_allclose(np.square(sine) + np.square(cosine), 1.0, atol=1e-5)
    np.testing.assert_allclose(cosine, again, atol=1e-5)
    assert cosine[0] == pytest.approx(1.0)


def test_half_a_cycle_turns_any_wave_over():
    for kind in (0, 1, 2, 3):
        wave, turned = carriers(kind, [[500.0, 3.0, 200.0, 0.0], [500.0, 3.0, 200.0, 0.5]], 4096, 16384)
        if kind == 1:  # a saw has even partials
            assert np.abs(wave + turned).max() > 0.5
        else:
            np.testing.assert_allclose(wave, -turned, atol=1e-4)


@pytest.mark.parametrize("emphasis", [0.0, 0.9])
def test_the_adjoint_moves_filter_and_gater_to_the_other_side(emphasis):
    synth = FmSynth(length=0.3)
    rng = np.random.default_rng(2)
    values = synth.space.classes_to_values(sample_classes(synth.space, 5, 6, seed=1))[0]
    waves, atoms = atoms_of(synth, values, emphasis)
    effects = course_of(synth, values)
    sound = rng.standard_normal(synth.samples)
    back = adjoint(sound, effects.filters, effects.gates[0], emphasis)[0].astype(np.float64)
    np.testing.assert_allclose(
        (waves * effects.envelopes) @ back, atoms.astype(np.float64) @ sound, rtol=1e-3, atol=1e-3
    )


def test_emphasis_is_a_difference_across_blocks():
    synth = FmSynth(length=0.1)
    values = synth.space.classes_to_values(np.full((1, 23), 9))[0]
    plain, emphasised = atoms_of(synth, values)[1], atoms_of(synth, values, 0.95)[1]
    np.testing.assert_allclose(emphasised, emphasise(plain, 0.95), atol=1e-6)


def test_lanes_and_threads_do_not_matter():
    rng = np.random.default_rng(0)
    synth = FmSynth(length=0.05)
    count = 2 * LANES + 5
    shapes = np.stack([rng.uniform(440, 1000, count), rng.uniform(1, 30, count), rng.uniform(0, 1500, count)], axis=1)
    effects = course_of(synth, synth.space.classes_to_values(np.full((1, 23), 7))[0])
    kinds = np.arange(count) % 4
    with ThreadPoolExecutor(2) as pool:
        together = shape(carriers(kinds, shapes, synth.samples, 16384, pool), effects, np.arange(count), pool=pool)
    alone = [
        shape(carriers(kind, row, synth.samples, 16384), effects, [0])[0]
        for kind, row in zip(kinds, shapes, strict=True)
    ]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_no_atoms_are_no_trouble():
    effects = course_of(FmSynth(length=0.05), FmSynth.space.classes_to_values(np.full((1, 23), 7))[0])
    assert shape(np.zeros((0, 819), np.float32), effects, np.zeros(0, int)).shape == (0, 819)
