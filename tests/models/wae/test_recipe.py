"""The recipe of the autoencoders of notes: pictures with styles, a run from a dataset on, and a model at work."""

import numpy as np
import pytest

from generators.analysis.mel import log_mel_to_mel, mel_magnitudes, mel_to_log_mel
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError, SettingsError
from generators.notes.labels import SPACE
from models.estimation.architectures import PARAMETER_COUNTS
from models.gansynth.recipe import GanSynthSettings
from models.model_files import read_card
from models.registry import find_recipe
from models.train import train_from_settings
from models.wae.conditions import NOTE_WIDTH
from models.wae.data import StyledNotes
from models.wae.inference import load_wae
from models.wae.presets import PRESETS
from models.wae.recipe import WaeSettings, build_wae
from models.wae.vocoders import griffin_lim_renderer
from tests.styled_notes import STYLES, write_notes

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "notes.hdf5")


def settings(path, folder, *flags):
    given = ["--dataset_file", str(path), "--output_dir", str(folder), "--size", "smoke", "--run_name", "run", *flags]
    return WaeSettings.parse([*given, "--print_interval", "1"])


def trained(path, folder, *flags):
    return train_from_settings(settings(path, folder, *flags))


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    return trained(path, tmp_path_factory.mktemp("run"), "--epochs", "4")


# --- settings and data -----------------------------------------------------------------------------------------------


def test_settings_follow_the_size_where_they_are_not_set():
    paper = WaeSettings.parse(["--size", "paper"])
    assert (paper.latent, paper.epochs, paper.batch_size, paper.learning_rate) == (3, 400, 64, 5e-4)
    assert WaeSettings.parse(["--preset", "paper", "--latent", "16"]).latent == 16


def test_the_kind_has_a_variable_that_gansynth_does_not_read(monkeypatch):
    monkeypatch.setenv("KIND", "linear")
    monkeypatch.setenv("WAE_KIND", "wae-note")
    assert WaeSettings.parse([]).kind == "wae-note"
    assert GanSynthSettings.parse([]).kind == "linear"


def test_pictures_are_of_peak_normalised_notes_of_the_model_s_length(path):
    with Dataset(path) as dataset:
        source = StyledNotes(dataset, size=SMOKE)
        pictures, told = source.examples().read(np.asarray([0, 5]))
        audio = source.audio(np.asarray([0, 5]))
        assert source.analysis.samples == SMOKE.samples == audio.shape[1]
        assert (pictures.shape, told.shape) == ((2, SMOKE.bands, SMOKE.frames, 1), (2, NOTE_WIDTH + 3))
        np.testing.assert_allclose(np.abs(audio).max(axis=1), 1.0)
        wanted = mel_to_log_mel(mel_magnitudes(audio, source.analysis)).transpose(0, 2, 1)
        np.testing.assert_allclose(pictures[..., 0], wanted, atol=1e-6)
        assert told[1, NOTE_WIDTH:].tolist() == [0, 1, 0]
        assert source.known["notes"] == [60, 61, 62, 63]
        assert source.styles == STYLES


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        ({"styles": ("flute",)}, (), "two styles or more.*instrument flute alone"),
        ({"held_out": 1}, (), "every style must have notes in the training. Received: none of reed.*--split_by note"),
        ({}, ("--style_label", "instument"), "unknown label 'instument'. Did you mean 'instrument'"),
    ],
)
def test_notes_that_cannot_be_told_apart_are_refused(tmp_path, change, flags, message):
    path = write_notes(tmp_path / "notes.hdf5", **change)
    with pytest.raises(DatasetError, match=message):
        trained(path, tmp_path / "runs", *flags)
    assert not (tmp_path / "runs").exists()


def test_settings_that_mean_nothing_here_are_refused(path, tmp_path):
    with pytest.raises(SettingsError, match="folds"):
        trained(path, tmp_path, "--folds", "2")


# --- a run -----------------------------------------------------------------------------------------------------------


def test_run_ends_with_its_measures_and_the_newest_epoch(run):
    assert run.metrics()["best_epoch"] == 4
    test = run.metrics()["test"]
    assert test["n"] == 12
    assert 0 < test["rmse"]["All"] < 2 * test["mean"]["All"]
    card = read_card(run.best)
    assert card.features["styles"] == list(STYLES)
    assert card.features["kind"] == "wae-fader"
    assert card.takes == "pictures"


def test_alpha_follows_the_epochs_of_the_run(run):
    alphas = [float(row.split(",")[1]) for row in run.history_file.read_text().splitlines()[1:]]
    assert alphas[0] < alphas[1] < alphas[2] == alphas[3] == 4.0


def test_a_run_that_stopped_goes_on_to_the_same_weights(run, path, tmp_path, monkeypatch):
    from models.training.callbacks import RunKeeper

    whole = RunKeeper.on_epoch_end

    def stop(keeper, epoch, logs=None):
        whole(keeper, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunKeeper, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            trained(path, tmp_path, "--epochs", "4")
    again = trained(path, tmp_path, "--epochs", "4")
    first, second = (load_wae(one.best).loaded.model.get_weights() for one in (run, again))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_kind_without_a_discriminator_is_trained_and_loaded(path, tmp_path):
    maker = load_wae(trained(path, tmp_path, "--kind", "vae", "--epochs", "1").path)
    assert (maker.variant.name, maker.latent) == ("vae", 3)
    one = [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]
    pictures = [maker.decode_spectrograms(np.zeros((1, 3)), [60], weights) for weights in one]
    np.testing.assert_array_equal(*pictures)  # a vae is told no style


# --- at work ---------------------------------------------------------------------------------------------------------


def test_sounds_go_in_and_come_out(run):
    maker = load_wae(run.path)
    assert (maker.name, maker.label, maker.styles, maker.latent) == ("run", "instrument", STYLES, 3)
    audio = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    latents = maker.encode(audio)
    np.testing.assert_allclose(maker.encode(7 * audio), latents, atol=1e-5)
    weights = np.stack([maker.style_weights("flute"), maker.style_weights("flute:0.5, horn:1.5")])
    np.testing.assert_allclose(weights, [[1, 0, 0], [0.5, 0, 1.5]])
    pictures = maker.decode_spectrograms(latents, [60, 62], weights)
    assert pictures.shape == (2, SMOKE.bands, SMOKE.frames)
    sounds = maker.decode(latents, [60, 62], weights, griffin_lim_renderer(maker.analysis, rounds=2), batch_size=1)
    assert sounds.shape == (2, SMOKE.samples)
    assert np.abs(sounds).max() > 0
    heard = []

    def render(mels, notes):
        heard.append((mels, notes))
        return np.zeros((len(mels), SMOKE.samples), np.float32)

    maker.decode(latents, [60, 62], weights, render)
    np.testing.assert_allclose(heard[0][0], log_mel_to_mel(pictures).transpose(0, 2, 1))
    assert heard[0][1].tolist() == [60, 62]


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ("flut", "unknown instrument 'flut'. Did you mean 'flute'"),
        ("flute:nan", "weights of a mixture must be numbers"),
        ("flute:loud", "weights of a mixture must be numbers.*'loud'"),
        ("flute:0,horn:0", "a weight other than 0. Received: 3 zeros"),
        ("flute,flute:2", "names each instrument once. Received: flute twice"),
    ],
)
def test_mixtures_that_say_nothing_are_refused(run, mixture, message):
    with pytest.raises(ModelError, match=message):
        load_wae(run.path).style_weights(mixture)


def test_what_no_decoder_can_take_is_refused(run):
    maker = load_wae(run.path)
    with pytest.raises(ModelError, match=r"notes 60 to 63\. Received: note 64"):
        maker.check_notes([60, 64])
    with pytest.raises(ModelError, match=r"shape \(n, 3\)"):
        maker.check_latents([[1.0, 2.0]])
    with pytest.raises(ModelError, match="finite"):
        maker.check_weights([[np.nan, 1.0, 0.0]])


def test_weights_are_those_that_the_table_of_models_tells():
    model = find_recipe("WAE").build(SPACE, 22050, PRESETS["tiny"].samples, seed=0)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_variables) == PARAMETER_COUNTS["wae"]
    with pytest.raises(ModelError, match="unknown kind 'wae-fade'"):
        build_wae(SPACE, 22050, 34304, kind="wae-fade")
