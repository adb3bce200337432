"""The classifier of notes: what it hears in training, what counts as missed, its labels, and a run that learns."""

import json

import keras
import numpy as np
import pytest

from generators.dataset import Card, Dataset
from generators.errors import ModelError, SettingsError
from generators.notes.labels import FAMILIES, QUALITIES, SOURCES, SPACE, UNKNOWN
from models.layers import AddedHiss
from models.model_files import ModelCard, load_model, save_model
from models.notes import spectral_encoder
from models.notes.classifier import (
    OUTPUTS,
    SOFTMAXES,
    ClassifierSettings,
    build_classifier,
    labels_of,
    load_classifier,
)
from models.notes.data import note_labels
from models.notes.spectral_encoder import SpectralPreset
from models.nsynth.baseline_networks import build_spectral_autoencoder
from models.registry import RECIPES
from models.train import train_from_settings
from models.training.losses import LabelCrossentropy
from tests.harness import check_layer

RATE, SAMPLES = 4000, 512
SMALL = SpectralPreset(128, 64, 16, 16, 8, 0.9, 8, 3e-3)
NOTES = [45, 57, 69, 81]
"""Two octaves and a half in steps that a small spectrogram tells apart."""


def write_labelled_notes(path, *, qualities=True, copies=10, samples=SAMPLES):
    """Each note so often, with another phase each time: flutes below, an unknown family above; then three splits."""
    count = copies * len(NOTES)
    pitch = np.tile(NOTES, copies)
    names = {
        **{"instrument": ["sine"], "family": [*FAMILIES, UNKNOWN], "source": [*SOURCES, UNKNOWN]},
        **{"split": ["train", "valid", "test"], "qualities": list(QUALITIES)},
    }
    kinds = {"instrument": "int32", "family": "uint8", "source": "uint8", "split": "uint8", "qualities": "uint16"}
    options = json.dumps({"names": names, "masks": ["qualities"]})
    card = Card(
        "notes", SPACE.to_json(), RATE, samples / RATE, 0, "listed", False, count, options, (), tuple(kinds.items())
    )
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, count)
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    audio = 0.5 * np.sin(2 * np.pi * hertz[:, None] * np.arange(samples) / RATE + phase[:, None])
    classes = np.stack([pitch, np.full(count, 100)], axis=-1).astype(np.uint8)
    columns = {
        "instrument": np.zeros(count, np.int32),
        "family": np.where(pitch < 60, FAMILIES.index("flute"), len(FAMILIES)),
        "source": np.ones(count, np.uint8),
        "split": np.repeat([0, 1, 2], [count - 16, 8, 8]),
        "qualities": np.full(count, 0b101 if qualities else 0),
    }
    with Dataset.create(path, card) as dataset:
        dataset.write(slice(None), audio.astype(np.float32), classes, classes.astype(np.float32), **columns)
    return path


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(spectral_encoder.PRESETS, "tiny", SMALL)


def test_hiss_lies_under_sounds_in_training_alone(tmp_path):
    sounds = np.stack([np.sin(np.arange(4000)), 0.1 * np.sin(np.arange(4000)), np.zeros(4000)]).astype(np.float32)
    layer = AddedHiss((20.0, 20.0), seed=1)
    check_layer(AddedHiss((20.0, 20.0), seed=1), sounds, (4000,), tmp_path)
    np.testing.assert_array_equal(layer(sounds), sounds)
    hiss = np.asarray(layer(sounds, training=True)) - sounds
    below = 10 * np.log10(np.mean(sounds[:2] ** 2, axis=1) / np.mean(hiss[:2] ** 2, axis=1))
    np.testing.assert_allclose(below, 20.0, atol=0.3)
    assert not hiss[2].any()
    assert np.any(np.asarray(layer(sounds, training=True)) - sounds != hiss)


def test_levels_of_hiss_are_drawn_for_each_sound_within_their_range():
    sounds = np.ones((200, 500), np.float32)
    hiss = np.asarray(AddedHiss((10.0, 50.0), seed=1)(sounds, training=True)) - sounds
    below = -10 * np.log10(np.mean(hiss**2, axis=1))
    assert 9 < below.min() < 14
    assert 46 < below.max() < 51


def test_losses_of_labels_add_up_and_unlabelled_notes_cost_nothing():
    logits = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    labels = np.asarray([[1, 2, 0b01], [0, -1, -1], [-1, -1, 0b10]])

    def softmax(row, part, label):
        return -np.log(np.exp(logits[row, part])[label] / np.exp(logits[row, part]).sum())

    def sigmoids(row, bits):
        return -np.log(1 / (1 + np.exp(np.where(bits, -1, 1) * logits[row, 7:]))).sum()

    first, second = slice(0, 3), slice(3, 7)
    expected = [
        softmax(0, first, 1) + softmax(0, second, 2) + sigmoids(0, [True, False]),
        softmax(1, first, 0),
        sigmoids(2, [False, True]),
    ]
    loss = LabelCrossentropy((3, 4), 2)
    assert float(loss(labels, logits)) == pytest.approx(np.mean(expected), rel=1e-5)
    assert LabelCrossentropy.from_config(loss.get_config()).get_config() == loss.get_config()


def test_logits_are_read_part_by_part():
    logits = np.zeros((1, OUTPUTS), np.float32)
    logits[0, [60, 128 + 3, 128 + 11 + 2, OUTPUTS - 1]] = 1.0
    found = labels_of(logits)
    assert (found.pitch[0], found.family[0], found.source[0]) == (60, 3, 2)
    assert found.qualities.tolist() == [[False] * 9 + [True]]
    assert sum(SOFTMAXES) + 10 == OUTPUTS == 152


def test_tiny_size_has_the_weights_that_are_listed():
    model = build_classifier(SPACE, 16_000, 64_000, seed=0)
    assert (
        sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == RECIPES["note-classifier"].parameters
    )
    encoder = keras.Model(model.input, model.get_layer("code").output)
    baseline = build_spectral_autoencoder(spectral_encoder.PRESETS["tiny"], 64_000, 16_000, seed=0)
    names = {layer.name for layer in encoder.layers} - {"hiss"}
    assert names - {"audio"} <= {layer.name for layer in baseline.layers}


def test_labels_are_those_of_nsynth_and_unknown_ones_are_left_out(tmp_path):
    with Dataset(write_labelled_notes(tmp_path / "notes.hdf5")) as dataset:
        assert note_labels(dataset)[:4].tolist() == [[45, 2, 1, 5], [57, 2, 1, 5], [69, -1, 1, 5], [81, -1, 1, 5]]
    with Dataset(write_labelled_notes(tmp_path / "other.hdf5", qualities=False)) as dataset:
        assert set(note_labels(dataset)[:, 3]) == {-1}


def test_a_run_learns_to_classify_notes(tmp_path, small):
    path = write_labelled_notes(tmp_path / "notes.hdf5", copies=30)
    argv = ["--dataset_file", str(path), "--epochs", "8", "--print_interval", "4", "--batch_size", "8"]
    argv += ["--learning_rate", "0.01"]
    run = train_from_settings(ClassifierSettings.parse(argv))
    assert run.path.name == "note-classifier_notes"
    assert run.history()[-1]["loss"] < 0.6 * run.history()[0]["loss"]
    test = run.metrics()["test"]
    assert test["n"] == 8
    assert {name for name in test if name != "n"} == {"pitch", "near", "family", "source", "qualities"}
    assert test["pitch"]["All"] == test["near"]["All"] >= 0.75
    assert test["family"]["All"] == test["source"]["All"] == test["qualities"]["All"] == 1.0
    classifier = load_classifier(run.path)
    with Dataset(path) as dataset:
        audio = dataset.audio[-8:]
    whole = classifier.predict_labels(audio, batch_size=4)
    assert np.mean(whole.pitch == np.tile(NOTES, 2)) == test["pitch"]["All"]
    np.testing.assert_array_equal(classifier.predict_labels(audio[:3], batch_size=4).pitch, whole.pitch[:3])
    found = classifier.classify(audio, batch_size=3)
    np.testing.assert_array_equal(found.pitch.argmax(axis=1), whole.pitch)
    np.testing.assert_allclose(found.pitch.sum(axis=1), 1.0)
    assert found.pitch.max(axis=1).min() > 2 / 128
    assert found.features.shape == (8, 256 // SMALL.divisor)
    assert found.features.min() < 0 < found.features.max()  # before the activation
    assert classifier.classify(audio[:0]).features.shape == (0, 256 // SMALL.divisor)
    with pytest.raises(ModelError, match=r"classifies notes of up to 512 samples\. Received: 513"):
        classifier.predict_labels(np.zeros((1, 513)))


def test_other_models_and_settings_without_meaning_are_refused(tmp_path):
    path = tmp_path / "other.keras"
    model = keras.Sequential([keras.Input((SAMPLES,)), keras.layers.Dense(256, activation="sigmoid")])
    save_model(model, path, ModelCard("C1", "notes", SPACE.to_json(), RATE, SAMPLES / RATE))
    assert load_model(path).name == "C1"
    with pytest.raises(ModelError, match=r"by a model 'note-classifier'\. Received: C1"):
        load_classifier(path)
    with pytest.raises(SettingsError, match="unknown argument --loss"):
        train_from_settings(ClassifierSettings.parse(["--loss", "bce"]))
    with pytest.raises(ModelError, match="note-classifier is channels_last"):
        build_classifier(SPACE, RATE, SAMPLES, data_format="channels_first")
