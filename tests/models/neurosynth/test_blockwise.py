"""A generator run block by block gives what it gives for the whole, because its normalisations do."""

import numpy as np
import pytest
from keras.layers import GroupNormalization

from generators.envelope_generator import EnvelopeSynth
from models.neurosynth import inference
from models.neurosynth.blockwise import BlockwiseGenerator
from models.neurosynth.networks import generator

SIZES = (3, 3, 3)
ONE_HOT = np.asarray([0, 0, 1, 0, 1, 0, 1, 0, 0], np.float32)
RNG = np.random.default_rng(0)
SOUND = (np.sin(np.arange(1000) ** 1.3 / 9) * np.linspace(0.1, 1.0, 1000)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _uncompiled():
    """Compile no networks, which takes longer here than to run them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module", params=["none", "gate"])
def network(request):
    """A network whose normalisations have learned scales and shifts too."""
    made = generator(SIZES, 4, request.param, seed=0)
    for layer in made.layers:
        if isinstance(layer, GroupNormalization):
            layer.set_weights([RNG.uniform(0.5, 2.0, weight.shape) for weight in layer.get_weights()])
    return made


def whole(network, sound):
    return np.asarray(network.predict_on_batch([sound[np.newaxis], ONE_HOT[np.newaxis]]))[0]


@pytest.mark.parametrize("block", [300, 999, 1000, 5000])
def test_blocks_come_to_the_output_for_the_whole(network, block):
    found = BlockwiseGenerator(network, block).shape(SOUND, ONE_HOT)
    np.testing.assert_allclose(found, whole(network, SOUND), atol=2e-5)


def test_one_generator_takes_sounds_of_several_lengths_and_levels(network):
    blockwise = BlockwiseGenerator(network, 200)
    for sound in (SOUND, SOUND[:777] / 3, SOUND[:12], SOUND):
        np.testing.assert_allclose(blockwise.shape(sound, ONE_HOT), whole(network, sound), atol=2e-5)


def test_a_block_needs_the_samples_around_it_and_the_moments_of_the_whole(network):
    expected = whole(network, SOUND)
    blockwise = BlockwiseGenerator(network, 200)
    blockwise.margin = 0
    assert np.abs(blockwise.shape(SOUND, ONE_HOT) - expected).max() > 1e-3
    parts = [whole(network, SOUND[start : start + 200]) for start in range(0, 1000, 200)]
    assert np.abs(np.concatenate(parts) - expected).max() > 1e-2


def test_long_sounds_are_shaped_block_by_block(monkeypatch, tmp_path):
    from models.model_files import ModelCard, save_model

    space = EnvelopeSynth().space
    card = ModelCard("neurosynth", "envelope", space.to_json(), 16384, 128 / 16384, {"input": "envelope"})
    save_model(generator(SIZES, 4, seed=0), tmp_path / "a.keras", card)
    shaper = inference.load_envelope_shaper(tmp_path / "a.keras")
    sounds, classes = np.stack([SOUND, SOUND[::-1]]), [[0, 1, 2], [2, 2, 2]]
    expected = shaper.shape(sounds, classes)
    assert "_blockwise" not in vars(shaper)
    monkeypatch.setattr(inference, "LONG", 999)
    np.testing.assert_allclose(shaper.shape(sounds, classes), expected, atol=2e-5)
    assert "_blockwise" in vars(shaper)
