"""The recipe of the autoencoders of notes: spectrograms with styles, a run from a dataset on, and a trained model."""

from dataclasses import replace

import numpy as np
import pytest

from generators.analysis.mel import log_mel_to_mel, mel_magnitudes, mel_to_log_mel
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError, SettingsError
from generators.files import write_text
from generators.notes.labels import SPACE
from models.gansynth.recipe import GanSynthSettings
from models.model_files import read_card, write_card
from models.registry import RECIPES, find_recipe
from models.train import train_from_settings
from models.training.runs import Run
from models.wae import plots
from models.wae.conditions import NOTE_WIDTH
from models.wae.data import StyledNotes
from models.wae.inference import load_wae
from models.wae.presets import PRESETS
from models.wae.recipe import WaeSettings, build_wae
from models.wae.vocoders import griffin_lim_renderer
from tests.styled_notes import STYLES, write_notes

from ..conftest import copied_after

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "notes.hdf5")


def settings(path, folder, *flags):
    given = ["--dataset_file", str(path), "--output_dir", str(folder), "--size", "smoke", "--run_name", "run", *flags]
    return WaeSettings.parse([*given, "--print_interval", "1"])


def trained(path, folder, *flags):
    return train_from_settings(settings(path, folder, *flags))


@pytest.fixture(scope="module", autouse=True)
def _few_plots():
    """Plot a second epoch and what has no discriminator; a plot of three dimensions takes as long as a training."""

    def draw(system, source, path, draw_space=plots.draw_space):
        if system.discriminator is None or path.stem == "epoch_00002":
            draw_space(system, source, path)
        else:
            write_text(path, "not drawn")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plots, "draw_space", draw)
        yield


@pytest.fixture(scope="module")
def runs(path, tmp_path_factory):
    """A run of four epochs, and the folder of the same as a kill after two of them would leave it."""
    folder = tmp_path_factory.mktemp("runs")
    with copied_after(folder, 2):
        return trained(path, folder, "--epochs", "4"), folder / "2"


@pytest.fixture(scope="module")
def run(runs):
    return runs[0]


# --- settings and data -----------------------------------------------------------------------------------------------


def test_settings_follow_the_size_where_they_are_not_set():
    paper = WaeSettings.parse(["--size", "paper"])
    assert (paper.latent, paper.epochs, paper.batch_size, paper.learning_rate) == (3, 400, 64, 5e-4)
    assert WaeSettings.parse(["--preset", "paper", "--latent", "16"]).latent == 16


def test_the_old_variable_of_the_variant_is_read_and_that_of_gansynth_is_not(monkeypatch):
    monkeypatch.setenv("KIND", "linear")
    monkeypatch.setenv("WAE_KIND", "wae-note")
    assert WaeSettings.parse([]).variant == "wae-note"
    assert GanSynthSettings.parse([]).kind == "linear"


def test_old_names_of_settings_keep_working():
    old = WaeSettings.parse(["--kind", "vae", "--alpha", "2", "--form", "reverse"])
    assert old == WaeSettings.parse(["--variant", "vae", "--adversary_weight", "2", "--adversary_loss", "reverse"])
    assert (old.kind, old.alpha, old.form) == ("vae", 2.0, "reverse")  # as runs and cards store them


def test_spectrograms_are_of_peak_normalised_notes_of_the_model_s_length(path):
    with Dataset(path) as dataset:
        source = StyledNotes(dataset, size=SMOKE)
        spectrograms, condition = source.examples().read(np.asarray([0, 5]))
        audio = source.audio(np.asarray([0, 5]))
        assert source.analysis.samples == SMOKE.samples == audio.shape[1]
        assert (spectrograms.shape, condition.shape) == ((2, SMOKE.bands, SMOKE.frames, 1), (2, NOTE_WIDTH + 3))
        np.testing.assert_allclose(np.abs(audio).max(axis=1), 1.0)
        wanted = mel_to_log_mel(mel_magnitudes(audio, source.analysis)).transpose(0, 2, 1)
        np.testing.assert_allclose(spectrograms[..., 0], wanted, atol=1e-6)
        assert condition[1, NOTE_WIDTH:].tolist() == [0, 1, 0]
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
def test_datasets_without_distinct_styles_are_refused(tmp_path, change, flags, message):
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
    assert [run.picture(epoch).is_file() for epoch in (1, 2, 3, 4)] == 4 * [True]
    assert run.picture(2).read_bytes()[:4] == b"\x89PNG"


def test_the_weight_of_the_adversary_follows_the_epochs_of_the_run(run):
    weights = [row["adversary_weight"] for row in run.history()]
    assert weights[0] < weights[1] < weights[2] == weights[3] == 4.0


OLD_MEASURES = {
    "adversarial_loss": "evasion",
    "adversary_weight": "alpha",
    "discriminator_loss": "guess",
    "discriminator_accuracy": "guessed",
}


def written_by_an_earlier_version(run):
    """Give the history of a run the names that measures had, as its last model file holds it."""
    card = read_card(run.last)
    rows = []
    for row in card.training["history"]:
        parts = {name: (name[: name.startswith("val_") * 4], name.removeprefix("val_")) for name in row}
        rows.append({prefix + OLD_MEASURES.get(name, name): row[whole] for whole, (prefix, name) in parts.items()})
    write_card(run.last, replace(card, training={**card.training, "history": rows}))


def test_a_run_that_an_earlier_version_began_is_resumed_to_the_same_weights(runs, path):
    run, folder = runs
    part = Run(folder / "run")
    stored = part.settings()["settings"]
    assert (stored["kind"], stored["alpha"], stored["form"]) == ("wae-fader", 4.0, "uniform")
    written_by_an_earlier_version(part)
    assert {"evasion", "alpha", "guess", "val_guessed"} <= set(part.history()[0])
    again = trained(path, folder, "--epochs", "4")
    first, second = (load_wae(one.best).loaded.model.get_weights() for one in (run, again))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert again.history_file.read_text() == run.history_file.read_text()


def test_a_variant_without_a_discriminator_is_trained_and_loaded(path, tmp_path):
    model = load_wae(trained(path, tmp_path, "--variant", "vae", "--epochs", "1").path)
    assert (model.variant.name, model.latent) == ("vae", 3)
    one = [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]
    spectrograms = [model.decode_spectrograms(np.zeros((1, 3)), [60], weights) for weights in one]
    np.testing.assert_array_equal(*spectrograms)  # a vae is not conditioned on style


# --- a trained model --------------------------------------------------------------------------------------------------


def test_sounds_go_in_and_come_out(run):
    model = load_wae(run.path)
    assert (model.name, model.label, model.styles, model.latent) == ("run", "instrument", STYLES, 3)
    audio = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    latents = model.encode(audio)
    np.testing.assert_allclose(model.encode(7 * audio), latents, atol=1e-5)
    weights = np.stack([model.style_weights("flute"), model.style_weights("flute:0.5, horn:1.5")])
    np.testing.assert_allclose(weights, [[1, 0, 0], [0.5, 0, 1.5]])
    spectrograms = model.decode_spectrograms(latents, [60, 62], weights)
    assert spectrograms.shape == (2, SMOKE.bands, SMOKE.frames)
    sounds = model.decode(latents, [60, 62], weights, griffin_lim_renderer(model.analysis, iterations=2), batch_size=1)
    assert sounds.shape == (2, SMOKE.samples)
    assert np.abs(sounds).max() > 0
    by_default = model.decode(*model.sample(1), weights[:1])
    wanted = model.decode(*model.sample(1), weights[:1], griffin_lim_renderer(model.analysis))
    np.testing.assert_array_equal(by_default, wanted)
    heard = []

    def render(mels, notes):
        heard.append((mels, notes))
        return np.zeros((len(mels), SMOKE.samples), np.float32)

    model.decode(latents, [60, 62], weights, render)
    np.testing.assert_allclose(heard[0][0], log_mel_to_mel(spectrograms).transpose(0, 2, 1))
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
    model = load_wae(run.path)
    with pytest.raises(ModelError, match=r"notes 60 to 63\. Received: note 64"):
        model.check_notes([60, 64])
    with pytest.raises(ModelError, match=r"shape \(n, 3\)"):
        model.check_latents([[1.0, 2.0]])
    with pytest.raises(ModelError, match="finite"):
        model.check_weights([[np.nan, 1.0, 0.0]])


def test_weights_are_those_that_the_table_of_models_tells():
    model = find_recipe("WAE").build(SPACE, 22050, PRESETS["tiny"].samples, seed=0)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_variables) == RECIPES["wae"].parameters
    with pytest.raises(ModelError, match="unknown variant 'wae-fade'"):
        build_wae(SPACE, 22050, 34304, kind="wae-fade")
