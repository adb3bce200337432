"""Time, conditions beside samples, and features scaled and shifted by a condition."""

import json

import keras
import numpy as np
import pytest

from models.layers import FeatureModulation, RepeatInTime, TimeCoordinate
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
