"""The `fm` and `sine` synthesizers: pitch, linearity, and one sound from kernel, NumPy and Keras."""

import numpy as np
import pytest

from generators.errors import ParameterError
from generators.fm_generator import FmSynth
from generators.registry import SYNTHS, build_synth
from generators.sampling import sample_classes


def patches(synth, count, seed=0):
    return synth.space.classes_to_values(sample_classes(synth.space, 0, count, seed))


@pytest.mark.parametrize(("sample_rate", "length"), [(16384, 1.0), (22050, 0.37), (44100, 0.1), (11025, 2.0)])
def test_the_kernel_renders_what_the_definition_says(sample_rate, length):
    synth = FmSynth(sample_rate, length)
    values = patches(synth, 48, seed=5)
    audio, reference = synth.render(values), synth.synthesize(values)
    assert audio.dtype == np.float32
    assert audio.shape == (48, synth.samples)
    assert np.abs(audio - reference).max() <= 1e-4


def test_extreme_patches_agree_and_are_finite():
    synth = FmSynth()
    corners = np.stack([np.zeros(23, int), np.full(23, 15), np.arange(23) % 2 * 15, (np.arange(23) + 1) % 2 * 15])
    values = synth.space.classes_to_values(corners)
    audio = synth.render(values)
    assert np.all(np.isfinite(audio))
    assert np.abs(audio - synth.synthesize(values)).max() <= 1e-4


@pytest.mark.parametrize("name", SYNTHS)
def test_numpy_equals_keras(name):
    from keras import ops

    synth = build_synth(name, length=0.25)
    values = patches(synth, 4)
    found = np.asarray(synth.synthesize(ops.convert_to_tensor(values, "float64"), ops))
    np.testing.assert_allclose(found, synth.synthesize(values), atol=1e-6)


def test_batch_size_does_not_matter():
    synth = FmSynth(length=0.2)
    values = patches(synth, 9)
    together = synth.render(values)
    np.testing.assert_array_equal(together, np.stack([synth.render(row) for row in values]))


def solo(wave, **settings):
    """A patch in which one oscillator sounds alone, steady and through an open filter."""
    space = FmSynth.space
    values = {p.name: p.levels[0] for p in space.parameters}
    values |= {"sustain": 1.0, "release": 1.0, "f_cut": 4000.0, "q": 0.7, f"A_{wave}": 1.0, **settings}
    return np.array([values[name] for name in space.names])


@pytest.mark.parametrize("wave", ["sin", "saw", "tri", "sqr"])
@pytest.mark.parametrize("frequency", [440.0, 880.0])
def test_a_patch_measures_its_pitch(wave, frequency):
    audio = FmSynth().render(solo(wave, **{f"f_{wave}": frequency}))
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert abs(int(spectrum.argmax()) - frequency) <= 1


def test_output_is_linear_in_the_amplitudes():
    synth = FmSynth(length=0.5)
    row = patches(synth, 1)[0]
    columns = [synth.space.index(f"A_{wave}") for wave in ("sin", "saw", "tri", "sqr")]
    parts = []
    for column in columns:
        part = row.copy()
        part[[c for c in columns if c != column]] = 0.0
        parts.append(synth.render(part))
    np.testing.assert_allclose(np.sum(parts, axis=0), synth.render(row), atol=1e-5)


def test_gradients_reach_every_parameter():
    tf = pytest.importorskip("tensorflow")
    from keras import ops

    synth = FmSynth(length=0.5)
    values = tf.Variable(solo("saw", A_sin=0.5, A_tri=0.5, A_sqr=0.5, attack=0.1, decay=0.2, sustain=0.5)[None])
    with tf.GradientTape() as tape:
        audio = synth.synthesize(values, ops)
        loss = tf.reduce_sum(audio[:, ::7] * tf.cast(tf.range(audio[:, ::7].shape[1]), audio.dtype) / 1000)
    gradient = tape.gradient(loss, values).numpy()[0]
    assert np.all(np.isfinite(gradient))
    silent = {name for name, slope in zip(synth.space.names, gradient, strict=True) if slope == 0.0}
    # at zero depth the modulation frequency changes nothing, truly
    assert silent == {"v_sin", "v_saw", "v_tri", "v_sqr"}


def test_sine_follows_its_formula():
    synth = build_synth("sine")
    audio = synth.render([200.0, 1200.0, 0.5, 1.0])
    amplitudes = np.abs(np.fft.rfft(audio)) * 2 / len(audio)
    np.testing.assert_allclose(amplitudes[[200, 1200]], [0.25, 0.5], atol=1e-5)
    assert amplitudes[100] < 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FmSynth(8000), "synth 'fm' needs a sample rate above 8000 Hz"),
        (lambda: FmSynth(16384, 0.0), "length must lie in 0..3600 seconds. Received: 0"),
        (lambda: FmSynth(100), "sample rate must lie in 1000..384000 Hz. Received: 100"),
        (lambda: FmSynth().render(np.zeros(4)), "values of synth 'fm' have 23 columns"),
        (lambda: build_synth("FM2"), "unknown synth 'FM2'. Did you mean 'fm'? Known: fm, sine"),
    ],
)
def test_misuse_is_refused(call, message):
    with pytest.raises(ParameterError) as fault:
        call()
    assert message in str(fault.value)


# --- roots -----------------------------------------------------------------------------------------------------


def transposed(values, factor):
    """The same patches with every carrier and depth multiplied, written out by name."""
    names = FmSynth.space.names
    columns = [
        place for place, name in enumerate(names) if name[:2] in ("f_", "B_") and name[2:] not in ("cut", "gate")
    ]
    moved = values.copy()
    moved[..., columns] *= factor
    return moved


def test_root_a4_changes_no_bit():
    values = patches(FmSynth(), 8)
    np.testing.assert_array_equal(FmSynth(root=69.0).render(values), FmSynth().render(values))
    assert FmSynth().at_root(57).at_root(69).options == FmSynth().options == {}


@pytest.mark.parametrize("root", [33.0, 57.0, 60.31, 81.0])
def test_root_multiplies_carriers_and_depths_in_every_way_to_render(root):
    synth, reference = FmSynth(length=0.25).at_root(root), FmSynth(length=0.25)
    values, factor = patches(synth, 8, seed=3), 2.0 ** ((root - 69.0) / 12.0)
    expected = reference.render(transposed(values, factor))
    np.testing.assert_allclose(synth.render(values), expected, atol=1e-6)
    np.testing.assert_allclose(synth.synthesize(values), expected, atol=1e-4)
    np.testing.assert_allclose(synth.rendered_values(values), transposed(values, factor))
    np.testing.assert_allclose(
        synth.render_note(values[0], 0.4), reference.render_note(transposed(values[0], factor), 0.4), atol=1e-6
    )
    assert np.abs(synth.render(values) - reference.render(values)).max() > 0.1


def test_transposed_levels_are_those_rendered():
    synth = FmSynth().at_root(57.0)
    assert synth.rendered_levels[synth.space.index("f_tri")][0] == 220.0
    assert synth.rendered_levels[synth.space.index("B_sqr")][-1] == 750.0
    assert synth.rendered_levels[synth.space.index("f_cut")][-1] == 4000.0
    assert synth.space.fingerprint == FmSynth.space.fingerprint


@pytest.mark.parametrize("wave", ["sin", "saw", "tri", "sqr"])
def test_patch_at_a_low_root_measures_its_pitch(wave):
    audio = FmSynth(root=33.0).render(solo(wave, **{f"f_{wave}": 880.0}))  # A5 at root A1: A2
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert abs(int(spectrum.argmax()) - 110) <= 1


def test_numpy_equals_keras_at_another_root():
    from keras import ops

    synth = FmSynth(length=0.25, root=50.5)
    values = patches(synth, 4).astype(np.float32)
    found = np.asarray(synth.synthesize(ops.convert_to_tensor(values), ops))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, synth.synthesize(values.astype(np.float64)), atol=1e-3)


def test_highest_root_keeps_the_deepest_modulation_below_half_the_rate():
    synth = FmSynth()
    highest = synth.roots[1]
    levels = synth.at_root(highest).rendered_levels
    reached = levels[synth.space.index("f_sin")][-1] + levels[synth.space.index("B_sin")][-1]
    assert 0.999 * synth.sample_rate / 2 < reached <= synth.sample_rate / 2


@pytest.mark.parametrize(
    ("name", "root", "message"),
    [
        ("fm", 8.9, "the root of synth 'fm' at 16384 Hz must lie in 9..89.22 (MIDI numbers). Received: 8.9"),
        ("fm", 90.0, "the root of synth 'fm' at 16384 Hz must lie in 9..89.22 (MIDI numbers). Received: 90"),
        ("fm", float("nan"), "the root of synth 'fm' at 16384 Hz must lie in 9..89.22 (MIDI numbers). Received: nan"),
        ("sine", 57.0, "synth 'sine' does not transpose: its root is A4, MIDI number 69. Received: root 57"),
    ],
)
def test_root_out_of_range_is_refused(name, root, message):
    with pytest.raises(ParameterError) as fault:
        build_synth(name, root=root)
    assert str(fault.value) == message
