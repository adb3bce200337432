"""Time, conditions beside samples, and features scaled and shifted by a condition."""

import json

import keras
import numpy as np
import pytest

from models.layers import AdaptiveInstanceNormalization, FeatureModulation, RepeatInTime, TimeCoordinate
from tests.harness import check_layer

AUDIO = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)


@pytest.mark.parametrize(("scaled", "first", "last"), [(True, -1.0, 1.0), (False, 0.0, 11.0)])
def test_time_runs_evenly_from_end_to_end(scaled, first, last, tmp_path):
    layer = TimeCoordinate(scaled=scaled)
    check_layer(layer, AUDIO, (12, 1), tmp_path)
    time = np.asarray(layer(AUDIO))[..., 0]
    np.testing.assert_allclose(time, np.tile(np.linspace(first, last, 12), (3, 1)), atol=1e-6)


def test_time_does_not_depend_on_the_sound():
    np.testing.assert_array_equal(TimeCoordinate()(AUDIO), TimeCoordinate()(np.zeros_like(AUDIO)))


def test_conditions_stand_beside_every_sample():
    condition = np.arange(6, dtype=np.float32).reshape(3, 2)
    planes = np.asarray(RepeatInTime()([condition, AUDIO]))
    assert planes.shape == RepeatInTime().compute_output_shape([(3, 2), (3, 12)]) == (3, 12, 2)
    assert np.all(planes == condition[:, None, :])


def modulated(layer):
    features, condition = keras.Input((None, 4)), keras.Input((None, 2))
    return keras.Model([features, condition], layer([features, condition]))


def test_modulation_scales_and_shifts_by_what_the_condition_says():
    layer = FeatureModulation(seed=1)
    model = modulated(layer)
    scale, shift = np.asarray([[1.0, 0, 0, 0], [0, 2.0, 0, 0]]), np.asarray([[0, 0, 3.0, 0], [0, 0, 0, 0]])
    layer.set_weights([np.concatenate([scale, shift], axis=1), np.zeros(8)])
    features = np.random.default_rng(1).normal(size=(2, 5, 4)).astype(np.float32)
    condition = np.ones((2, 5, 2), np.float32)
    out = np.asarray(model([features, condition]))
    np.testing.assert_allclose(out, features * [2.0, 3.0, 1.0, 1.0] + [0.0, 0.0, 3.0, 0.0], rtol=1e-5)
    np.testing.assert_array_equal(model([features, np.zeros_like(condition)]), features)


def test_modulation_comes_back_from_config_and_file(tmp_path):
    model = modulated(FeatureModulation(seed=1, name="amounts_of_it"))
    features, condition = np.ones((2, 5, 4), np.float32), np.ones((2, 5, 2), np.float32)
    config = json.loads(json.dumps(FeatureModulation(seed=1, name="m").get_config()))
    assert FeatureModulation.from_config(config).get_config() == config
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(again([features, condition]), model([features, condition]))


def test_plane_that_is_constant_in_time_survives_modulation_but_not_a_normalisation():
    """The defect of the published network, and its cure."""
    constant = np.ones((2, 5, 4), np.float32) * np.asarray([1.0, 7.0])[:, None, None]
    normalised = np.asarray(keras.layers.GroupNormalization(groups=-1)(constant))
    assert np.abs(normalised).max() < 1e-3
    condition = constant[..., :2]
    out = np.asarray(modulated(FeatureModulation(seed=1))([normalised, condition]))
    assert np.abs(out[0] - out[1]).max() > 0.5


def test_neutral_modulation_begins_without_effect_on_vectors_too():
    features, condition = np.ones((3, 4), np.float32), np.ones((3, 2), np.float32)
    layer = FeatureModulation(neutral=True)
    np.testing.assert_array_equal(layer([features, condition]), features)
    assert FeatureModulation.from_config(layer.get_config()).neutral


PICTURES = np.random.default_rng(2).normal(3.0, 5.0, (2, 6, 7, 4)).astype(np.float32)


def adapted(layer):
    pictures, condition = keras.Input((6, 7, 4)), keras.Input((2,))
    return keras.Model([pictures, condition], layer([pictures, condition]))


def test_adaptive_normalisation_begins_as_the_plain_one_whatever_the_condition():
    model = adapted(AdaptiveInstanceNormalization())
    for condition in (np.zeros((2, 2), np.float32), np.full((2, 2), 9.0, np.float32)):
        found = np.asarray(model([PICTURES, condition]))
        np.testing.assert_allclose(found.mean(axis=(1, 2)), 0.0, atol=1e-5)
        np.testing.assert_allclose(found.std(axis=(1, 2)), 1.0, atol=1e-4)


def test_adaptive_normalisation_gives_each_channel_the_statistics_asked_for(tmp_path):
    layer = AdaptiveInstanceNormalization()
    model = adapted(layer)
    layer.set_weights([np.asarray([[1.0, 0, 0, 0, 0, 0, 5.0, 0], [0, -3.0, 0, 0, 0, 0, 0, 0]]), np.zeros(8)])
    condition = np.asarray([[1.0, 0.0], [0.5, 1.0]], np.float32)
    found = np.asarray(model([PICTURES, condition]))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), [[0, 0, 5, 0], [0, 0, 2.5, 0]], atol=1e-4)
    np.testing.assert_allclose(found.std(axis=(1, 2)), [[2, 1, 1, 1], [1.5, 2, 1, 1]], atol=1e-3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again([PICTURES, condition]), found)


def test_adaptive_normalisation_keeps_to_the_precision_asked_for():
    layer = AdaptiveInstanceNormalization(dtype="mixed_float16")
    loud = np.float16(1000.0) * np.sign(PICTURES[..., :2]).astype(np.float16)
    found = layer([loud, np.ones((2, 2), np.float16)])
    assert keras.backend.standardize_dtype(found.dtype) == "float16"
    assert np.isfinite(np.asarray(found, np.float32)).all()
    constant = AdaptiveInstanceNormalization()([np.full((1, 3, 3, 2), 7.0, np.float32), np.ones((1, 2), np.float32)])
    np.testing.assert_allclose(constant, 0.0, atol=1e-3)
