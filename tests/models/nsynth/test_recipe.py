"""The recipe of NSynth: pieces of notes, settings that follow the size, and a run from a dataset to its measures."""

import json
import math
from contextlib import ExitStack

import numpy as np
import pytest

from generators.analysis.note_phase import note_frequency
from generators.dataset import Card, Dataset
from generators.errors import DatasetError, ModelError, SettingsError
from generators.parameters import Parameter, ParameterSpace
from models.layers.companding import mu_law_audio, mu_law_classes
from models.model_files import load_model, read_card
from models.notes.data import CropBatches, NoteCrops
from models.nsynth import metrics
from models.nsynth.generation import CachedDecoder
from models.nsynth.inference import load_nsynth
from models.nsynth.metrics import entropy
from models.nsynth.presets import PRESETS, SINE_TEMPERATURE
from models.nsynth.recipe import NSynthSettings, build_nsynth
from models.registry import find_recipe
from models.train import main, train_from_settings

from ..conftest import copied_after

RATE, SAMPLES, COUNT = 4000, 256, 40
LEVELS = tuple(map(float, range(128)))
SPACE = ParameterSpace("notes", (Parameter("pitch", LEVELS), Parameter("velocity", LEVELS)))
SMALL = ("--size", "smoke", "--crop", "64", "--batch_size", "4", "--steps_per_epoch", "5", "--epochs", "2")


def write_notes(path, labelled=True):
    """Notes of MIDI 60 to 99: four in ten for the test and as many for validation, or without any split."""
    labels = (("instrument", "int32"), *([("split", "uint8")] if labelled else []))
    options = json.dumps({"names": {"instrument": ["sine"], "split": ["train", "valid", "test"]}})
    card = Card("notes", SPACE.to_json(), RATE, SAMPLES / RATE, 0, "listed", False, COUNT, options, (), labels)
    pitch = 60 + np.arange(COUNT)
    audio = 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((pitch[:, None] - 69) / 12) * np.arange(SAMPLES) / RATE)
    classes = np.stack([pitch, np.full(COUNT, 100)], axis=-1).astype(np.uint8)
    columns = {"instrument": np.zeros(COUNT, np.int32)}
    if labelled:
        columns["split"] = np.arange(COUNT) % 10 // 4
    with Dataset.create(path, card) as dataset:
        dataset.write(slice(None), audio.astype(np.float32), classes, classes.astype(np.float32), **columns)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "notes.hdf5")


@pytest.fixture
def dataset(path):
    with Dataset(path) as opened:
        yield opened


def rows_in(dataset, pieces):
    """Say which row each piece is from, by looking for it in the whole sounds."""
    whole = mu_law_classes(dataset.audio[:])
    windows = np.lib.stride_tricks.sliding_window_view(whole, pieces.shape[1], axis=1)
    return [int(np.argwhere((windows == piece).all(axis=-1))[0, 0]) for piece in pieces]


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_crops_are_both_input_and_target(dataset):
    with CropBatches(dataset, np.arange(COUNT), 8, length=64, seed=1) as batches:
        heard, said = batches[0]
    assert heard is said
    assert heard.dtype == np.int32
    assert heard.shape == (8, 64)
    assert len(set(rows_in(dataset, heard))) == 8


def test_every_note_comes_up_once_before_any_comes_again(dataset):
    rows = np.arange(10)
    with CropBatches(dataset, rows, 4, length=64, count=20, seed=1) as batches:
        drawn = []
        for epoch in range(2):
            batches.start_epoch(epoch)
            drawn += [row for number in range(batches.num_batches) for row in rows_in(dataset, batches[number][0])]
    assert len(drawn) == 40
    assert all(sorted(drawn[start : start + 10]) == list(rows) for start in range(0, 40, 10))
    assert drawn[:10] != drawn[10:20]


def test_pieces_follow_from_seed_epoch_and_number(dataset):
    def piece(seed, epoch, number=1):
        return CropBatches(dataset, np.arange(COUNT), 8, length=64, seed=seed).make(epoch, number)[0]

    np.testing.assert_array_equal(piece(1, 3), piece(1, 3))
    assert not np.array_equal(piece(1, 3), piece(2, 3))
    assert not np.array_equal(piece(1, 3), piece(1, 4))


def test_crops_come_from_the_beginning_if_limited_to_it(dataset):
    with Dataset(dataset.path) as opened:
        whole = mu_law_classes(opened.audio[:1])[0]
    heard, _ = CropBatches(dataset, np.zeros(200, int), 200, length=64, seed=1, within=80).make(0, 0)
    places = {next(s for s in range(193) if np.array_equal(whole[s : s + 64], piece)) for piece in heard}
    assert places <= set(range(17))
    assert len(places) > 10


def test_jitter_shows_samples_wrong_in_training_alone(dataset):
    source = NoteCrops(dataset, crop=64, jitter=4.0)
    with source.training(8) as batches, source.validation(64) as measured:
        pieces = [batches.make(0, number) for number in range(2)] + [batches.make(1, 0)]
        again, (clean, wanted) = batches.make(0, 0), measured[0]
    heard, said = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    off = heard - said
    assert np.abs(off).max() > 4
    assert 1.0 < off.std() < 3.5  # a uniform mean of two, root mean square of 2.3
    assert np.ptp(off.std(axis=1)) > 1.0
    assert heard.min() >= 0
    assert heard.max() <= 255
    assert set(rows_in(dataset, said)) <= set(source.rows("training").tolist())
    np.testing.assert_array_equal(again[0], pieces[0][0])
    assert clean is wanted
    assert source.settings["jitter"] == 4.0


def test_measured_pieces_lie_in_the_middle(dataset):
    source = NoteCrops(dataset, crop=64, steps=3)
    with source.validation(64) as batches:
        heard, _ = batches[0]
    np.testing.assert_array_equal(heard, mu_law_classes(dataset.audio[:, 96:160])[source.rows("validation")])


def test_labelled_splits_are_kept(dataset):
    source = NoteCrops(dataset, crop=64, pitch=True)
    assert [len(source.rows(name)) for name in ("training", "validation", "test")] == [16, 16, 8]
    assert np.all(source.rows("test") % 10 >= 8)
    with source.test(64) as batches:
        (heard, pitch), said = batches[0]
    assert heard is said
    np.testing.assert_array_equal(pitch[:, 0], 60 + source.rows("test"))
    assert source.settings["split"] == "labels"


def test_notes_without_a_split_are_split_at_random(tmp_path):
    with Dataset(write_notes(tmp_path / "other.hdf5", labelled=False)) as dataset:
        source = NoteCrops(dataset, crop=64)
        assert [len(source.rows(name)) for name in ("training", "validation", "test")] == [32, 4, 4]
        assert source.settings["test_split"] == 0.1


def test_other_datasets_and_long_crops_are_refused(tiny_dataset, dataset):
    with pytest.raises(DatasetError, match=r"learn from a dataset of notes\. Received: .* of synth sine"):
        NoteCrops(tiny_dataset, crop=64)
    with pytest.raises(DatasetError, match="a sound is no shorter than a crop of 512 samples"):
        NoteCrops(dataset, crop=512)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["tiny", "medium", "full", "shallow"])
def test_what_is_not_set_follows_the_size(size):
    settings, row = NSynthSettings.parse(["--preset", size]), PRESETS[size]
    assert (settings.crop, settings.batch_size, settings.learning_rate) == (
        row.crop,
        row.batch_size,
        row.learning_rate,
    )
    assert settings.epochs * settings.steps_per_epoch == row.steps


def test_what_is_set_stays():
    settings = NSynthSettings.parse(["--size", "full", "--crop", "512", "--epochs", "3", "--batch_size", "2"])
    assert (settings.crop, settings.epochs, settings.batch_size, settings.learning_rate) == (512, 3, 2, 2e-4)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--folds", "3"), "unknown argument --folds"),
        (("--loss", "bce"), "unknown argument --loss"),
        (("--normalise",), "unknown argument --normalise"),
        (("--crop", "2000"), "crop must be a multiple of the hop, 512 samples. Received: --crop 2000"),
    ],
)
def test_settings_that_do_not_fit_take_one_line(argv, message, path):
    with ExitStack() as stack, pytest.raises(SettingsError, match=message):
        find_recipe("nsynth").open_data(NSynthSettings.parse(["--dataset_file", str(path), *argv]), stack, None)


def test_another_layout_is_refused():
    with pytest.raises(ModelError, match="nsynth is channels_last"):
        build_nsynth(SPACE, RATE, SAMPLES, data_format="channels_first")


def test_entropy_is_that_of_the_shares():
    assert entropy([5, 5, 0, 5, 5]) == 2.0
    assert entropy([7]) == 0.0


# --- training ---------------------------------------------------------------------------------------------------------


def run_of(path, folder, *argv):
    settings = NSynthSettings.parse(["--dataset_file", str(path), "--output_dir", str(folder), *SMALL, *argv])
    return train_from_settings(settings)


@pytest.fixture(scope="module")
def runs(path, tmp_path_factory):
    """A run of two epochs, and the folder of the same as a kill after the first epoch would leave it."""
    folder = tmp_path_factory.mktemp("runs")
    with copied_after(folder, 1):
        return run_of(path, folder), folder / "1"


@pytest.fixture(scope="module")
def run(runs):
    return runs[0]


def test_run_ends_with_its_measures(run):
    test = run.metrics()["test"]
    assert run.path.name == "nsynth_notes"
    assert test["n"] == 8
    assert test["gain"]["All"] == pytest.approx(test["unigram"]["All"] - test["nll"]["All"])
    assert 6 < test["unigram"]["All"] < 8
    card = read_card(run.best)
    assert (card.takes, card.features["size"], card.sample_rate) == ("notes", "smoke", RATE)
    assert card.features["notes"] == sorted(60 + tens + ones for tens in (0, 10, 20, 30) for ones in range(4))
    assert card.features["counts"] == [1] * 16
    assert all(math.isfinite(row["val_loss"]) for row in run.history())


def test_measured_loss_is_that_of_the_validation(run, dataset):
    """The same measure, taken on the validation split, in nats: what the best epoch was chosen by."""
    loaded = load_model(run.best)
    source = NoteCrops(dataset, crop=64)
    source.test = source.validation
    nll = metrics.measure(loaded, source)["nll"]["All"]
    assert nll * np.log(2) == pytest.approx(min(row["val_loss"] for row in run.history()), rel=1e-5)


def test_trained_model_reconstructs_a_note(run, dataset):
    model = load_model(run.best).model
    codes = np.asarray(model.get_layer("encoder")(mu_law_classes(dataset.audio[:2]).astype(np.int32)))
    assert codes.shape == (2, SAMPLES // 16, 4)
    cached = CachedDecoder(model.get_layer("decoder"))
    sounds = [classes for classes, _ in cached.sample(codes, seeds=[1, 2])]
    assert np.concatenate(sounds, axis=1).shape == (2, SAMPLES)


def test_a_model_of_notes_names_no_settings(run):
    with pytest.raises(ModelError, match="is a model of notes and estimates no parameters of a sound"):
        load_model(run.best).predict(np.zeros((1, SAMPLES), np.float32))


def test_killed_run_ends_as_the_one_that_was_not(runs, path):
    whole, killed = runs
    part = run_of(path, killed)
    assert part.history() == whole.history()
    weights = [load_model(each.best).model.get_weights() for each in (whole, part)]
    assert all(np.array_equal(one, two) for one, two in zip(*weights, strict=True))


def test_crops_include_pitch_for_a_network_conditioned_on_it(dataset):
    model = build_nsynth(SPACE, RATE, SAMPLES, size="smoke", pitch_conditioning=True, seed=0)
    with NoteCrops(dataset, crop=64, pitch=True).training(4) as batches:
        heard, said = batches[0]
    assert model(list(heard)).shape == (*said.shape, 256)


def test_crops_include_notes_and_phase_for_a_network_conditioned_on_sines(dataset):
    """The notes are sines in tune: their phase turns at their frequency, and is 0 where they have their peak."""
    model = build_nsynth(SPACE, RATE, SAMPLES, size="smoke", sine_conditioning=True, seed=0)
    with NoteCrops(dataset, crop=64, phase=True, jitter=4.0).training(4) as batches:
        inputs, said = batches[0]
    heard, notes, phase = inputs
    assert np.any(heard != said)
    assert (notes.shape, phase.shape, phase.dtype) == ((4, 1), (4, 64), np.float32)
    turning = np.diff(phase.astype(float), axis=1) * RATE / note_frequency(notes)
    np.testing.assert_allclose(turning, 1.0, atol=0.04)
    level = np.cos(2 * np.pi * phase) * mu_law_audio(said)
    assert np.mean(level, axis=1) == pytest.approx(np.full(4, 0.25), abs=0.03)
    assert model(list(inputs)).shape == (*said.shape, 256)


def test_run_with_sines_ends_with_its_measures_and_decodes_notes(path, dataset, tmp_path):
    run = run_of(path, tmp_path, "--sine_conditioning", "--epochs", "1")
    card = read_card(run.best)
    assert (card.features["sine_conditioning"], card.features["pitch_conditioning"]) == (True, False)
    assert run.metrics()["test"]["n"] == 8
    codec = load_nsynth(run.best)
    found = metrics.likelihood(codec, dataset)
    assert found["nll"] > 0
    assert codec.takes_pitch
    assert codec.temperature == SINE_TEMPERATURE < 1
    codes = codec.encode(dataset.audio[:2])
    low, high = (codec.decode(codes, seeds=[1, 2], pitch=[note, 64]) for note in (62, 63))
    assert np.any(low[0] != high[0])
    np.testing.assert_array_equal(low[1], high[1])
    cool, warm = (codec.decode(codes, seeds=[1, 2], pitch=[62, 64], temperature=t) for t in (SINE_TEMPERATURE, 1.0))
    np.testing.assert_array_equal(low, cool)
    assert np.any(low != warm)


def test_command_trains(path, tmp_path, capsys):
    argv = ["--dataset_file", str(path), "--output_dir", str(tmp_path), *SMALL, "--crop", "60"]
    assert main(argv, model="nsynth") == 2
    assert "crop must be a multiple of the hop, 16 samples" in capsys.readouterr().err
