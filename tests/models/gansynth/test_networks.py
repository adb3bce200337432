"""Generator and critic: their counts, layers against plain forms, and how one resolution passes into the next."""

import keras
import numpy as np
import pytest
from keras import ops

from generators.errors import ModelError
from models.gansynth.networks import build_critic, build_generator
from models.gansynth.presets import PARAMETER_COUNTS, SIZES, find_size
from models.layers import (
    EqualisedConv2D,
    EqualisedDense,
    EqualisedSpread,
    FadeIn,
    FadeOver,
    MinibatchDeviation,
    PixelNormalization,
)
from models.layers.resolution import downscaled, loudness_of, upscaled

SMOKE = SIZES["smoke"]
RNG = np.random.default_rng(0)


def inputs(count=4, progress=2.0):
    latent = np.random.default_rng(1).normal(size=(count, SMOKE.latent)).astype(np.float32)
    pitch = np.eye(SMOKE.pitches, dtype=np.float32)[np.arange(count) % SMOKE.pitches]
    return [latent, pitch, np.full((count, 1), progress, np.float32)]


def grown(build, blocks, source):
    """Build a network of fewer or more blocks with the weights that it shares with another."""
    network = build(SMOKE, blocks, seed=9)
    known = {layer.name: layer for layer in source.layers}
    for layer in network.layers:
        if layer.weights and layer.name in known:
            layer.set_weights(known[layer.name].get_weights())
    return network


@pytest.fixture(scope="module")
def generator():
    return build_generator(SMOKE, seed=0)


@pytest.fixture(scope="module")
def critic():
    return build_critic(SMOKE, seed=0)


@pytest.mark.parametrize("name", PARAMETER_COUNTS)
def test_weights_are_as_many_as_published(name):
    networks = build_generator(SIZES[name], seed=0), build_critic(SIZES[name], seed=0)
    assert tuple(network.count_params() for network in networks) == PARAMETER_COUNTS[name]
    frames, bins = SIZES[name].resolution(SIZES[name].blocks)
    assert networks[0].output_shape == (None, frames, bins, 2)
    assert networks[1].input_shape[0] == (None, frames, bins, 2)


def test_the_heads_of_the_release_are_those_published():
    critic = build_critic(SIZES["release"], seed=0)
    assert critic.get_layer("score").count_params() == 257
    assert critic.get_layer("pitch").count_params() == 15_677


def test_widths_and_resolutions_of_the_release():
    size = find_size("release")
    assert [size.width(block) for block in range(8)] == [256, 256, 256, 256, 256, 128, 64, 32]
    assert [size.resolution(block) for block in (1, 2, 7)] == [(2, 16), (4, 32), (128, 1024)]
    with pytest.raises(ModelError, match="preset"):
        find_size("huge")


# --- layers ----------------------------------------------------------------------------------------------------------


def test_weights_have_unit_variance_and_outputs_too():
    dense, conv = EqualisedDense(400, gain=1.0, seed=0), EqualisedConv2D(64, gain=1.0, seed=1)
    out = np.asarray(dense(RNG.normal(size=(300, 200)).astype(np.float32)))
    spectrogram = np.asarray(conv(RNG.normal(size=(8, 12, 12, 32)).astype(np.float32)))[:, 1:-1, 1:-1]
    assert np.asarray(dense.kernel).std() == pytest.approx(1.0, abs=0.02)
    assert dense.scale == pytest.approx(200**-0.5)
    assert conv.scale == pytest.approx((9 * 32) ** -0.5)
    assert out.std() == pytest.approx(1.0, abs=0.05)
    assert spectrogram.std() == pytest.approx(1.0, abs=0.05)
    assert EqualisedDense(4).get_config()["gain"] == 2.0


def test_spreading_is_the_convolution_of_a_spectrogram_that_is_empty_but_for_its_middle():
    spread = EqualisedSpread(5, (2, 8), seed=0)
    point = RNG.normal(size=(3, 7)).astype(np.float32)
    found = np.asarray(spread(point))
    empty = np.zeros((3, 3, 15, 7), np.float32)
    empty[:, 1, 7] = point
    kernel = np.asarray(spread.kernel)[::-1, ::-1]  # a convolution meets its taps in the other order
    expected = ops.conv(empty, spread.scale * kernel, 1, "valid") + spread.bias
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-5)
    assert spread.scale == pytest.approx((2 / (2 * 8 * 7)) ** 0.5)


def test_points_are_brought_to_one_level():
    found = np.asarray(PixelNormalization()(RNG.normal(size=(2, 3, 4, 8)) * 7))
    np.testing.assert_allclose((found**2).mean(axis=-1), 1.0, atol=1e-5)


def test_deviation_over_the_batch_is_one_number():
    spectrograms = RNG.normal(size=(6, 4, 5, 3)).astype(np.float32)
    found = np.asarray(MinibatchDeviation()(spectrograms))
    np.testing.assert_array_equal(found[..., :3], spectrograms)
    np.testing.assert_allclose(found[..., 3], np.sqrt(spectrograms.var(axis=0) + 1e-6).mean(), rtol=1e-5)


def test_deviation_within_groups_is_a_number_for_each_and_only_in_training():
    spectrograms = RNG.normal(size=(6, 4, 5, 3)).astype(np.float32)
    spectrograms[3:] *= 0.1
    layer = MinibatchDeviation(group=3)
    found = np.asarray(layer(spectrograms, training=True))[..., 3]
    for first in (0, 3):
        expected = np.sqrt(spectrograms[first : first + 3].var(axis=0) + 1e-6).mean()
        np.testing.assert_allclose(found[first : first + 3], expected, rtol=1e-5)
    np.testing.assert_array_equal(np.asarray(layer(spectrograms)), np.asarray(MinibatchDeviation()(spectrograms)))
    assert MinibatchDeviation.from_config(layer.get_config()).group == 3


def test_spectrograms_grow_and_shrink_exactly():
    spectrograms = RNG.normal(size=(2, 4, 8, 3)).astype(np.float32)
    large = np.asarray(upscaled(spectrograms, 4))
    assert large.shape == (2, 16, 32, 3)
    np.testing.assert_array_equal(large[:, ::4, 3::4], spectrograms)
    np.testing.assert_allclose(np.asarray(downscaled(large, 4)), spectrograms, atol=1e-6)
    np.testing.assert_allclose(
        np.asarray(downscaled(spectrograms, 2))[0, 0, 0], spectrograms[0, :2, :2].mean(axis=(0, 1)), atol=1e-6
    )


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0, 1.5, 2.99, 6.0])
def test_shares_of_all_blocks_add_up_to_one(progress):
    shares = [float(loudness_of(block, progress)) for block in range(1, 8)]
    assert sum(shares) == pytest.approx(1.0, abs=1e-6)
    assert sum(share > 0 for share in shares) == (1 if progress == int(progress) else 2)


def test_fading_takes_from_both_sides():
    small, large = np.ones((1, 2, 2, 1), np.float32), np.full((1, 4, 4, 1), 5.0, np.float32)
    blended = np.asarray(FadeIn()([np.asarray([[0.25]], np.float32), small, large]))
    np.testing.assert_allclose(blended, 0.75 * 1 + 0.25 * 5)
    over = FadeOver(1)([np.asarray([[0.25]], np.float32), small, 3 * small])
    np.testing.assert_allclose(np.asarray(over), 0.75 * 1 + 0.25 * 3)


# --- growing ---------------------------------------------------------------------------------------------------------


def test_a_new_block_starts_without_effect(generator):
    """At the beginning of a transition the larger generator makes what the smaller one made, every point repeated."""
    smaller = grown(build_generator, 2, generator)
    before = np.asarray(smaller(inputs(progress=1.0)))
    after = np.asarray(generator(inputs(progress=1.0)))
    np.testing.assert_allclose(after, np.asarray(upscaled(before, 2)), atol=1e-6)


def test_at_the_end_of_a_transition_only_the_new_block_has_effect(generator):
    reference = np.asarray(generator(inputs(progress=2.0)))
    unused = build_generator(SMOKE, seed=0)
    for block in (1, 2):
        layer = unused.get_layer(f"block{block}_picture")
        layer.set_weights([RNG.normal(size=each.shape) for each in layer.get_weights()])
    np.testing.assert_array_equal(np.asarray(unused(inputs(progress=2.0))), reference)
    assert np.abs(np.asarray(unused(inputs(progress=1.9))) - reference).max() > 1e-3


def test_a_new_block_of_the_critic_starts_without_effect(critic):
    smaller = grown(build_critic, 2, critic)
    spectrograms = RNG.uniform(-1, 1, (4, 4, 16, 2)).astype(np.float32)
    progress = np.full((4, 1), 1.0, np.float32)
    before, after = smaller([spectrograms, progress]), critic([np.asarray(upscaled(spectrograms, 2)), progress])
    for name in ("score", "pitch"):
        np.testing.assert_allclose(np.asarray(after[name]), np.asarray(before[name]), atol=1e-5)


def test_the_critic_scores_each_item_independently_except_for_the_deviation(critic):
    spectrograms = RNG.uniform(-1, 1, (6, 8, 32, 2)).astype(np.float32)
    progress = np.full((6, 1), 2.0, np.float32)
    outputs, order = critic([spectrograms, progress]), [3, 1, 5, 0, 4, 2]
    again = critic([spectrograms[order], progress])
    np.testing.assert_allclose(np.asarray(again["score"]), np.asarray(outputs["score"])[order], atol=1e-5)
    equal = critic([np.repeat(spectrograms[:1], 6, axis=0), progress])
    assert abs(float(equal["score"][0]) - float(outputs["score"][0])) > 1e-4


def test_the_generator_depends_on_latent_and_pitch(generator):
    latent, pitch, progress = inputs()
    made = np.asarray(generator([latent, pitch, progress]))
    assert made.shape == (4, 8, 32, 2)
    assert np.abs(made).max() <= 1.0
    assert np.abs(np.asarray(generator([latent[::-1], pitch, progress])) - made).max() > 1e-3
    assert np.abs(np.asarray(generator([latent, pitch[::-1], progress])) - made).max() > 1e-3


def test_networks_come_back_from_a_file(generator, critic, tmp_path):
    spectrograms = RNG.uniform(-1, 1, (4, 8, 32, 2)).astype(np.float32)
    for network, given in ((generator, inputs()), (critic, [spectrograms, inputs()[2]])):
        path = tmp_path / f"{network.name}.keras"
        network.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        for one, other in zip(keras.tree.flatten(again(given)), keras.tree.flatten(network(given)), strict=True):
            np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-6)
