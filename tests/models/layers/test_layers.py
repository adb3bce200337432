"""Every layer through the harness, and each against what it is meant to hear."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from generators.errors import ModelError
from models.layers import (
    BagOfFrames,
    ChannelsLast,
    CropBins,
    ExpandChannels,
    HandCraftedFeatures,
    LevelNormalization,
    LogSpectrogram,
    ParameterSoftmax,
    PrincipalComponents,
    WaveEnvelope,
)
from models.layers.hand_crafted import FRAME_FEATURES, WIDTH, mel_weights
from tests.harness import check_layer

RNG = np.random.default_rng(0)
RATE = 16384


def noise(*shape):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def tone(frequency):
    return np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE).astype(np.float32)[None]


# --- the harness ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "inputs", "shape"),
    [
        (LogSpectrogram(name="spectrogram"), noise(3, 4000), (16, 257, 1)),
        (LogSpectrogram(256, 100, "channels_first", name="first"), noise(2, 1000), (1, 10, 129)),
        (ExpandChannels(name="wave"), noise(2, 30), (30, 1)),
        (ExpandChannels("channels_first", name="picture"), noise(2, 5, 3), (1, 5, 3)),
        (ChannelsLast(name="kept"), noise(2, 4, 5, 3), (4, 5, 3)),
        (ChannelsLast("channels_first", name="moved"), noise(2, 4, 5, 3), (5, 3, 4)),
        (CropBins(3, name="cropped"), noise(2, 4, 5, 1), (4, 3, 1)),
        (CropBins(3, "channels_first", name="first_cropped"), noise(2, 1, 4, 5), (1, 4, 3)),
        (LevelNormalization(name="levelled"), noise(2, 200), (200,)),
        (WaveEnvelope(16, name="envelope"), noise(2, 100), (7, 2)),
        (ParameterSoftmax((4, 4, 4), name="equal"), noise(3, 12), (12,)),
        (ParameterSoftmax((3, 16, 1), name="mixed"), noise(3, 20), (20,)),
        (HandCraftedFeatures(RATE, name="measures"), noise(2, 4000), (WIDTH,)),
        (HandCraftedFeatures(RATE, 64, 64, name="short"), noise(2, 100), (WIDTH,)),
    ],
    ids=lambda part: getattr(part, "name", None),
)
def test_layer_keeps_what_all_layers_promise(layer, inputs, shape, tmp_path):
    check_layer(layer, inputs, shape, tmp_path)


def test_adapted_layers_keep_what_all_layers_promise(tmp_path):
    pictures = noise(4, 6, 33, 1)
    bag = BagOfFrames(10, 5)
    bag.build(pictures.shape)
    bag.adapt([pictures])
    check_layer(bag, pictures, (10,), tmp_path)
    rows = noise(20, 7)
    components = PrincipalComponents(5)
    components.build(rows.shape)
    components.adapt([rows])
    check_layer(components, rows, (5,), tmp_path)


# --- spectrogram ------------------------------------------------------------------------------------------------------


def test_spectrogram_is_scaled_to_about_one():
    silence, loud = np.zeros((1, RATE), np.float32), tone(512)
    layer = LogSpectrogram()
    np.testing.assert_allclose(np.asarray(layer(silence)), -1.0, atol=1e-5)
    assert np.asarray(layer(loud)).max() == pytest.approx(1.043, abs=1e-3)


def test_spectrogram_refuses_a_window_shorter_than_its_hop():
    with pytest.raises(
        ModelError, match=r"hop_length lie in 1\.\.fft_length\. Received: fft_length 256, hop_length 512"
    ):
        LogSpectrogram(256, 512)


# --- softmax ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(4, 4), (3, 16, 1)])
def test_each_parameter_has_its_own_softmax(sizes):
    logits = noise(5, sum(sizes)) * 10
    outputs = np.asarray(ParameterSoftmax(sizes)(logits))
    start = 0
    for size in sizes:
        expected = np.exp(logits[:, start : start + size])
        expected /= expected.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(outputs[:, start : start + size], expected, rtol=1e-4, atol=1e-6)
        start += size


# --- principal components ---------------------------------------------------------------------------------------------


def adapted_components(rows, count, batch=17):
    layer = PrincipalComponents(count)
    layer.build(rows.shape)
    layer.adapt(rows[start : start + batch] for start in range(0, len(rows), batch))
    return np.asarray(layer(rows))


def test_components_are_those_of_scikit_learn():
    rows = (noise(200, 6) @ noise(6, 6) + 5.0).astype(np.float32)
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = PCA(3).fit_transform(standard)
    ours = adapted_components(rows, 3)
    correlation = np.abs(np.corrcoef(ours.T, expected.T)[:3, 3:])
    np.testing.assert_allclose(np.diag(correlation), 1.0, atol=1e-4)
    assert ours.var(axis=0).mean() == pytest.approx(1.0, rel=1e-3)


def test_few_rows_give_few_components_and_zeros():
    outputs = adapted_components(noise(4, 50), 10)
    assert np.all(outputs[:, 3:] == 0.0)  # four points span three dimensions
    assert np.all(outputs[:, :3].var(axis=0) > 0.1)


def test_constant_inputs_are_dropped():
    rows = noise(30, 3)
    rows[:, 1] = 7.0
    assert np.all(np.isfinite(adapted_components(rows, 3)))
    np.testing.assert_allclose(adapted_components(rows, 3)[:, 2], 0.0, atol=1e-6)


# --- bag of frames ----------------------------------------------------------------------------------------------------


def bag_of(pictures, **options):
    layer = BagOfFrames(**options)
    layer.build(pictures.shape)
    layer.adapt([pictures])
    return layer


def test_histogram_counts_each_kind_of_frame():
    loud, soft, rising = np.ones(9), -np.ones(9), np.linspace(-1, 1, 9)
    picture = np.stack([loud, loud, loud, soft, rising, rising])[None, :, :, None].astype(np.float32)
    histogram = np.asarray(bag_of(picture, centroids=20, components=4)(picture))[0]
    assert sorted(histogram[histogram > 0].round(6)) == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=1e-6)
    assert histogram.sum() == pytest.approx(1.0)


def test_order_of_frames_does_not_count():
    pictures = noise(4, 30, 17, 1)
    layer = bag_of(pictures, centroids=12, components=6)
    np.testing.assert_allclose(np.asarray(layer(pictures)), np.asarray(layer(pictures[:, ::-1])), atol=1e-6)


def test_each_frame_goes_to_its_nearest_centroid():
    pictures = noise(3, 40, 17, 1)
    layer = bag_of(pictures, centroids=8, components=5)
    points = (pictures[..., 0] - np.asarray(layer.mean)) @ np.asarray(layer.axes)
    distances = np.square(points[:, :, None] - np.asarray(layer.centroids)).sum(axis=-1)
    expected = np.eye(8)[distances.argmin(axis=-1)].mean(axis=1)
    np.testing.assert_allclose(np.asarray(layer(pictures)), expected, atol=1e-6)


def test_seed_decides_the_centroids():
    pictures = noise(3, 40, 17, 1)
    layers = [BagOfFrames(8, 5) for _ in range(3)]
    for layer, seed in zip(layers, (1, 1, 2), strict=True):
        layer.build(pictures.shape)
        layer.adapt([pictures[:2], pictures[2:]], seed=seed)
    first, again, other = (np.asarray(layer.centroids) for layer in layers)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize(
    ("layer", "width", "message"),
    [
        (BagOfFrames(4, 2), (5, 9, 1), "a bag of frames is fitted to one or more sounds. Received: none"),
        (PrincipalComponents(2), (9,), "principal components are fitted to one or more sounds. Received: none"),
    ],
)
def test_nothing_to_adapt_to_is_refused(layer, width, message):
    layer.build((None, *width))
    with pytest.raises(ModelError) as error:
        layer.adapt([])
    assert str(error.value) == message


# --- hand-crafted features --------------------------------------------------------------------------------------------


def measure(audio):
    features = np.asarray(HandCraftedFeatures(RATE).frame_features(audio))
    assert features.shape[1:] == (64, 32)
    return dict(zip(FRAME_FEATURES, np.median(features[0], axis=0), strict=True))


def test_tone_measures_as_a_tone():
    heard = measure(tone(1024))
    assert heard["centroid"] == pytest.approx(1024 / 8192, abs=0.02)
    assert heard["rolloff"] == pytest.approx(1024 / 8192, abs=0.01)
    assert heard["zero_crossing_rate"] == pytest.approx(2 * 1024 / RATE, abs=0.005)
    assert heard["level"] == pytest.approx(-3.01, abs=0.05)
    assert heard["harmonicity"] > 0.99
    bands = [heard[f"band_{band}"] for band in range(8)]
    assert int(np.argmax(bands)) == 5  # 1024 to 2048 Hz of 8 octaves below 8192 Hz


def test_noise_measures_as_noise():
    heard, clean = measure(noise(1, RATE)), measure(tone(1024))
    assert heard["centroid"] == pytest.approx(0.5, abs=0.03)
    assert heard["harmonicity"] < 0.5
    assert heard["width"] > 5 * clean["width"]
    assert heard["flatness"] > clean["flatness"] + 20.0
    assert heard["contrast"] < clean["contrast"]


def test_louder_sound_only_shifts_its_levels():
    loud, soft = measure(noise(1, RATE)), measure(0.5 * noise(1, RATE))
    assert loud["level"] - soft["level"] == pytest.approx(6.02, abs=0.01)
    assert loud["centroid"] == pytest.approx(soft["centroid"], abs=1e-4)
    assert loud["mfcc_3"] == pytest.approx(soft["mfcc_3"], abs=1e-3)


@pytest.mark.parametrize(("sample_rate", "fft"), [(16384, 512), (44100, 512), (8000, 64)])
def test_every_mel_band_hears_something(sample_rate, fft):
    np.testing.assert_allclose(mel_weights(sample_rate, fft).sum(axis=0), 1.0, rtol=1e-5)
