"""Mu-law in its two shapes, and the layers of causal networks."""

import keras
import numpy as np
import pytest

from models.layers import AddHeld, CompandedLevel, FirstOf, GatedTanh, ShiftRight
from models.layers.companding import (
    mu_law_audio,
    mu_law_audio_op,
    mu_law_classes,
    mu_law_classes_op,
)
from tests.harness import check_layer

EVERY_CLASS = np.arange(256)


def test_decoding_then_encoding_gives_every_class_back():
    np.testing.assert_array_equal(mu_law_classes(mu_law_audio(EVERY_CLASS)), EVERY_CLASS)
    np.testing.assert_array_equal(mu_law_classes_op(mu_law_audio_op(EVERY_CLASS)), EVERY_CLASS)


def test_every_sixteen_bit_sample_has_the_same_class_in_numpy_and_keras():
    audio = np.arange(-32768, 32768).astype(np.float32) / 32768
    classes = mu_law_classes(audio)
    np.testing.assert_array_equal(mu_law_classes_op(audio), classes)
    assert np.all(np.diff(classes.astype(int)) >= 0)
    np.testing.assert_allclose(mu_law_audio_op(EVERY_CLASS), mu_law_audio(EVERY_CLASS), atol=1e-6)


def test_known_values_of_mu_law():
    """Computed by hand from sign(x) ln(1 + 255 |x|) / ln 256, in 128 steps to either side."""
    audio = np.asarray([0.0, 1e-4, 1.8e-4, -1e-4, 0.5, -0.5, 0.99997, 1.0, -1.0, 7.0])
    np.testing.assert_array_equal(mu_law_classes(audio), [128, 128, 129, 127, 240, 15, 255, 255, 0, 255])
    decoded = mu_law_audio(EVERY_CLASS)
    assert decoded[128] == 0.0
    assert decoded.max() == pytest.approx(0.97849, abs=1e-5)
    assert decoded.min() == pytest.approx(-0.97849, abs=1e-5)


def test_quiet_sounds_come_through_with_less_noise_than_eight_even_bits_would_leave():
    audio = 0.01 * np.sin(np.arange(4000) * 0.1).astype(np.float32)
    error = mu_law_audio(mu_law_classes(audio)) - audio
    assert np.sqrt(np.mean(error**2)) < 0.1 * (2 / 256) / np.sqrt(12)


def test_network_sees_a_class_as_its_level():
    level = np.asarray(CompandedLevel()(np.asarray([[0, 128, 129, 255]])))
    np.testing.assert_array_equal(level[..., 0], [[-1.0, 0.0, 1 / 128, 127 / 128]])
    assert np.asarray(CompandedLevel(dtype="float16")(np.asarray([[255]]))).dtype == np.float16


@pytest.mark.parametrize(("layer", "shape"), [(ShiftRight(), (6, 4)), (GatedTanh(), (6, 2))])
def test_layers_keep_what_all_layers_promise(layer, shape, tmp_path):
    check_layer(layer, np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32), shape, tmp_path)


def test_shift_delays_by_one_sample_and_begins_with_zero():
    features = np.arange(1, 7, dtype=np.float32).reshape(1, 6, 1)
    np.testing.assert_array_equal(np.asarray(ShiftRight()(features))[0, :, 0], [0, 1, 2, 3, 4, 5])


def test_first_half_is_the_gate_and_second_half_the_value():
    out = np.asarray(GatedTanh()(np.asarray([[[-50.0, 50.0, 1.0, 1.0]]], np.float32)))
    np.testing.assert_allclose(out[0, 0], [0.0, np.tanh(1.0)], atol=1e-6)


def test_what_is_held_is_added_to_its_stretch_alone(tmp_path):
    features, held = np.zeros((2, 6, 4), np.float32), np.random.default_rng(0).normal(size=(2, 2, 4))
    layer = AddHeld(3)
    np.testing.assert_allclose(layer([features, held]), np.repeat(held, 3, axis=1), rtol=1e-6)
    inputs = [keras.Input((None, 4)), keras.Input((None, 4))]
    model = keras.Model(inputs, FirstOf()([layer(inputs), inputs[0]]))
    assert model.output.shape == (None, None, 4)
    model.save(tmp_path / "held.keras")
    again = keras.saving.load_model(tmp_path / "held.keras", safe_mode=True)
    np.testing.assert_array_equal(again([features, held]), model([features, held]))
