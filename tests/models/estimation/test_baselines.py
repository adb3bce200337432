"""Baselines: features are fitted to training sounds, fixed, and saved inside the one model."""

import keras
import numpy as np
import pytest

from generators.errors import ModelError
from generators.registry import build_synth
from models.estimation.architectures import BASELINES
from models.estimation.baselines import adapt, build_baseline
from models.registry import RECIPES, find_recipe

SYNTH = build_synth("sine", 16384, 0.25)
CLASSES = np.random.default_rng(0).integers(0, 3, (12, 4)).astype(np.uint8)
AUDIO = SYNTH.render_classes(CLASSES)


def build(name):
    return RECIPES[name].build(SYNTH.space, SYNTH.sample_rate, SYNTH.samples, seed=0)


def features(model, audio):
    return np.asarray(keras.Model(model.input, model.get_layer("features").output)(audio))


@pytest.fixture(scope="module", params=["FC2", "HC3"])
def adapted(request):
    """A model, what its features said before `adapt`, and what they say after."""
    model = build(request.param)
    before = features(model, AUDIO)
    RECIPES[request.param].adapt(model, iter([AUDIO[:5], AUDIO[5:]]))
    return model, before, features(model, AUDIO)


def test_features_say_nothing_before_adapt_and_tell_sounds_apart_after(adapted):
    _, before, after = adapted
    assert before.shape == after.shape == (12, 1000)
    assert np.all(before == before[0])
    assert len(np.unique(after.round(4), axis=0)) == len(np.unique(CLASSES, axis=0))
    assert np.any(np.all(after == 0.0, axis=0))  # 12 sounds fill few of 1000 numbers


def test_whole_model_is_one_file(adapted, tmp_path):
    model = adapted[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(AUDIO)), np.asarray(model(AUDIO)), atol=1e-6)


def test_training_leaves_the_features_alone(adapted):
    model = keras.models.clone_model(adapted[0])
    model.set_weights(adapted[0].get_weights())
    find_recipe(model.name).compile(model, SYNTH.space)
    hidden = np.array(model.get_layer("hidden1").kernel)
    model.fit(AUDIO, CLASSES, epochs=1, verbose=0)
    np.testing.assert_array_equal(features(model, AUDIO), adapted[2])
    assert np.any(np.asarray(model.get_layer("hidden1").kernel) != hidden)


def test_adapt_is_repeatable():
    first, again = build("FC1"), build("FC1")
    adapt(first, [AUDIO], seed=4)
    adapt(again, [AUDIO], seed=4)
    np.testing.assert_array_equal(features(first, AUDIO), features(again, AUDIO))


@pytest.mark.parametrize("name", BASELINES)
def test_rows_stand_in_the_model_as_in_the_table(name):
    layers = build(name).layers
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)][:-1]
    drops = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    rows = BASELINES[name].rows
    assert [layer.units for layer in dense] == [row.units for row in rows]
    assert drops == [row.dropout for row in rows if row.dropout]
    assert {layer.activation.__name__ for layer in dense} == {BASELINES[name].activation}


def test_unknown_baseline_and_missing_sounds_are_refused():
    with pytest.raises(ModelError, match=r"unknown baseline 'FC4'\. Did you mean 'FC\d'\? Known: FC_Linear, FC1"):
        build_baseline("FC4", (3,), 16384, 4096)
    with pytest.raises(ModelError) as error:
        adapt(build("FC1"), [])
    assert str(error.value) == "a bag of frames is fitted to one or more sounds. Received: none"
