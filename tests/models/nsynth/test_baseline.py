"""The spectral baseline: spectrograms of notes and back, the published counts, and that it learns."""

import keras
import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import ModelError, SettingsError
from models.layers import PictureError, RelativeSpectrogram
from models.model_files import read_card
from models.notes.data import WholeNotes
from models.notes.spectral_encoder import PRESETS, SpectralPreset, find_preset
from models.nsynth.baseline import BaselineSettings
from models.nsynth.baseline_inference import magnitudes, spectrogram_to_audio
from models.nsynth.baseline_networks import bin_weights, build_spectral_autoencoder
from models.train import train_from_settings
from tests.harness import check_layer
from tests.models.nsynth.test_recipe import write_notes

RATE = 16_000
SMALL = SpectralPreset(128, 64, 16, 32, 6, 0.9, 4, 1e-3)
TIME = np.arange(64_000) / RATE


def note(hertz, samples=64_000):
    time = np.arange(samples) / RATE
    return (np.sin(2 * np.pi * hertz * time) * np.exp(-2 * time)).astype(np.float32)


def trained_weights(model, *starts):
    return sum(
        int(np.prod(weight.shape))
        for layer in model.layers
        if layer.name.startswith(starts)
        for weight in layer.trainable_weights
    )


def test_published_size_has_the_published_weights():
    model = build_spectral_autoencoder(PRESETS["full"], 64_000, RATE)
    assert model.output.shape == (None, 256, 512)
    assert trained_weights(model, "down", "narrow", "code_line") == 16_196_288
    assert trained_weights(model, "up", "widen", "magnitude") == 20_548_993
    assert trained_weights(model, "pitch") == 16_384
    assert trained_weights(model, "") == 36_761_665
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert (shapes["down7"], shapes["down8"], shapes["code"]) == ((1, 2, 512), (1, 1, 512), (1984,))
    assert (shapes["code_and_pitch"], shapes["up7"], shapes["up8"]) == ((2112,), (256, 256, 128), (256, 512, 128))


def test_tiny_size_narrows_to_one_point_as_well():
    model = build_spectral_autoencoder(PRESETS["tiny"], 64_000, RATE)
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert (shapes["picture"], shapes["down8"], shapes["code"]) == ((128, 512, 1), (1, 1, 64), (124,))
    assert trained_weights(model, "") == 574_349


def test_unknown_size_offers_the_nearest():
    with pytest.raises(ModelError, match=r"unknown size 'tini'\. Did you mean 'tiny'"):
        find_preset("tini")


def test_spectrograms_are_blind_to_gain_and_black_for_silence(tmp_path):
    layer = RelativeSpectrogram(128, 64, 16)
    sounds = np.stack([note(1000, 1000), 0.01 * note(1000, 1000), np.zeros(1000, np.float32)])
    check_layer(RelativeSpectrogram(128, 64, 16), sounds, (16, 64, 1), tmp_path)
    spectrograms = np.asarray(layer(sounds))[..., 0]
    np.testing.assert_allclose(spectrograms[0], spectrograms[1], atol=2e-3)  # a quarter of a decibel, at the floor
    assert spectrograms[0].max() == pytest.approx(1.0, abs=1e-6)
    assert not spectrograms[2].any()
    assert np.all((spectrograms >= 0) & (spectrograms <= 1))


def test_spectrogram_has_a_tone_in_its_bin_at_its_level():
    spectrogram = np.asarray(RelativeSpectrogram(1024, 256, 256)(note(1000)[None]))[0, :, :, 0]
    assert spectrogram[10].argmax() == 64  # 1000 Hz of 15.625 a bin
    fall = (spectrogram[10, 64] - spectrogram[100, 64]) * 120
    assert fall == pytest.approx(20 * np.log10(np.e) * 2 * 90 * 256 / RATE, abs=0.1)
    assert not spectrogram[250:].any()  # frames that the note does not have


def test_error_is_weighted_by_bin_and_the_first_spectrogram_passes(tmp_path):
    layer = PictureError([10.0, 1.0])
    found, wanted = np.zeros((2, 3, 2, 1), np.float32), np.zeros((2, 3, 2, 1), np.float32)
    wanted[..., 0, 0] = 0.5
    assert np.asarray(layer([found, wanted])).shape == (2, 3, 2)
    assert float(layer.losses[0]) == pytest.approx(10.0 * 0.25 / 2)
    assert PictureError.from_config(layer.get_config()).get_config() == layer.get_config()


def test_low_bins_count_ten_times():
    weights = bin_weights(512, RATE)
    assert (weights[0], weights[256], weights[511]) == (10.0, 1.0, 1.0)
    assert weights[128] == pytest.approx(5.5)


@pytest.mark.parametrize("name", PRESETS)
def test_sound_of_a_spectrogram_has_its_pitch_and_its_picture(name):
    size = PRESETS[name]
    samples = min(64_000, size.frames * size.hop_length)
    layer = RelativeSpectrogram(size.fft_length, size.hop_length, size.frames)
    spectrogram = np.asarray(layer(note(440, samples)[None]))[0, :, :, 0]
    sound = spectrogram_to_audio(spectrogram, size, samples, rounds=20)
    assert np.abs(sound).max() == pytest.approx(1.0)
    assert np.fft.rfftfreq(samples, 1 / RATE)[np.abs(np.fft.rfft(sound)).argmax()] == pytest.approx(440, abs=2)
    again = np.asarray(layer(sound[None]))[0, :, :, 0]
    loud = spectrogram > 0.6
    assert 120 * np.abs(again - spectrogram)[loud].mean() < 4.0
    np.testing.assert_array_equal(sound, spectrogram_to_audio(spectrogram, size, samples, rounds=20))
    assert np.any(sound != spectrogram_to_audio(spectrogram, size, samples, rounds=20, seed=1))


def test_black_spectrogram_is_silence_and_another_size_is_refused():
    size = PRESETS["tiny"]
    assert not spectrogram_to_audio(np.zeros((128, 512)), size, 1000).any()
    assert magnitudes(np.asarray([[0.0, 0.5, 1.0]])).tolist() == [[0.0, pytest.approx(1e-3), 1.0, 0.0]]
    with pytest.raises(ModelError, match=r"must be 128 frames x 512 bins. Received: \(3, 4\)"):
        spectrogram_to_audio(np.zeros((3, 4)), size, 1000)


def test_four_notes_are_memorised_and_the_output_depends_on_pitch():
    model = build_spectral_autoencoder(SMALL, 1024, RATE, seed=0)
    audio = np.stack([note(hertz, 1024) for hertz in (300, 600, 1500, 4000)])
    pitch = np.asarray([[62], [74], [90], [107]])
    model.compile(optimizer=keras.optimizers.Adam(3e-3, beta_1=0.5))
    losses = [float(model.train_on_batch([audio, pitch])) for _ in range(80)]
    assert losses[-1] < 0.1 * losses[0]
    assert np.any(np.abs(model([audio, pitch]) - model([audio, pitch[::-1]])) > 0.05)


def test_model_comes_back_from_its_file(tmp_path):
    model = build_spectral_autoencoder(SMALL, 1024, RATE, seed=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    inputs = [note(600, 1024)[None], np.asarray([[74]])]
    np.testing.assert_array_equal(again(inputs), model(inputs))


# --- the recipe -------------------------------------------------------------------------------------------------------


@pytest.fixture
def notes(tmp_path):
    return write_notes(tmp_path / "notes.hdf5")


def test_recipe_trains_on_whole_notes_and_is_measured_beside_the_mean_picture(notes):
    argv = ["--dataset_file", str(notes), "--epochs", "4", "--batch_size", "8", "--learning_rate", "0.003"]
    run = train_from_settings(BaselineSettings.parse(argv))
    assert run.path.name == "nsynth-baseline_notes"
    assert run.history()[-1]["loss"] < 0.7 * run.history()[0]["loss"]
    test = run.metrics()["test"]
    assert test["n"] == run.metrics()["splits"]["test"] == 8
    assert 0 < test["blind_db_error"]["All"] < 60
    assert 0 < test["db_error"]["All"] < 60
    assert read_card(run.best).takes == "notes"


def test_notes_come_whole_with_their_pitch_and_from_their_split(notes):
    with Dataset(notes) as dataset:
        source = WholeNotes(dataset, seed=0)
        with source.validation(64) as batches:
            (audio, pitch), again = batches[0]
        rows = source.rows("validation")
        np.testing.assert_array_equal(audio, dataset.audio[:][rows])
        np.testing.assert_array_equal(pitch[:, 0], dataset.classes[:][rows, 0])
        np.testing.assert_array_equal(again, pitch)
        assert source.settings["split"] == "labels"


def test_size_brings_its_settings_where_none_are_given():
    assert BaselineSettings.parse(["--size", "full"]).batch_size == 8
    assert BaselineSettings.parse(["--size", "full", "--batch_size", "3"]).batch_size == 3
    assert BaselineSettings.parse([]).learning_rate == 1e-3


@pytest.mark.parametrize(
    ("argv", "message"),
    [(("--stream",), "unknown argument --stream"), (("--loss", "bce"), "unknown argument --loss")],
)
def test_settings_that_mean_nothing_to_it_are_refused(notes, argv, message):
    with pytest.raises(SettingsError, match=message):
        train_from_settings(BaselineSettings.parse(["--dataset_name", "notes", *argv]))
