"""The recipe of MCNN: mels and notes as examples, a run from a dataset on, and a trained vocoder."""

import keras
import numpy as np
import pytest

from generators.analysis.mel import mel_magnitudes
from generators.dataset import Dataset
from generators.errors import ModelError, SettingsError
from generators.notes.labels import SPACE
from models.mcnn.data import MelNotes, SegmentBatches
from models.mcnn.inference import load_mcnn
from models.mcnn.losses import SINGLE_WEIGHTS
from models.mcnn.metrics import griffin_lim_errors, note_errors
from models.mcnn.presets import PRESETS, find_preset
from models.mcnn.recipe import LONG, RECIPES, McnnSettings, weighted_loss
from models.model_files import read_card
from models.registry import find_recipe
from models.train import train_from_settings
from models.wae.vocoders import mcnn_renderer
from tests.styled_notes import RATE, write_notes

ANALYSIS = find_preset("smoke").analysis(RATE)
(RECIPE,) = RECIPES


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "notes.hdf5")


def settings(path, folder, *flags):
    given = ["--dataset_file", str(path), "--output_dir", str(folder), "--run_name", "run", "--size", "smoke", *flags]
    return McnnSettings.parse(given)


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    return train_from_settings(settings(path, tmp_path_factory.mktemp("run"), "--learning_rate", "0.01"))


@pytest.fixture(scope="module")
def renderer(run):
    return load_mcnn(run.path)


def test_settings_follow_the_size_where_they_are_not_set():
    paper = McnnSettings.parse(["--size", "paper"])
    assert (paper.segment, paper.batch_size, paper.learning_rate) == (64, 32, 5e-4)
    weights = (paper.convergence_weight, paper.log_magnitude_weight, paper.frequency_weight, paper.phase_weight)
    assert weights == tuple(SINGLE_WEIGHTS.values()) == (1.0, 6.0, 10.0, 1.0)
    assert McnnSettings.parse(["--preset", "paper", "--phase_weight", "0"]).phase_weight == 0
    assert McnnSettings.parse([]).epochs == PRESETS["tiny"].epochs


def test_a_term_that_counts_for_nothing_is_not_computed():
    loss = weighted_loss(SPACE, "spectra", size="paper", phase_weight=0.0, convergence_weight=2.0)
    assert loss.weights == {"convergence": 2.0, "log_magnitude": 6.0, "frequency": 10.0}
    assert (loss.fft_length, loss.hop_length) == (2048, 256)
    with pytest.raises(ModelError, match="some weight must be above 0"):
        weighted_loss(SPACE, "spectra", **{f"{name}_weight": 0.0 for name in SINGLE_WEIGHTS})


def test_the_network_is_that_of_the_size():
    assert RECIPE.build(SPACE, 22050, 34304, seed=0).count_params() == RECIPES[0].parameters
    assert find_recipe("MCNN") is RECIPE


def test_the_rate_falls_along_a_cosine_and_in_long_trainings_as_published():
    short, long = (RECIPE.optimizer(1e-3, steps) for steps in (100, LONG))
    assert short.global_clipnorm == long.global_clipnorm == 5.0
    rates = [float(one._learning_rate(step)) for one in (short, long) for step in (99, 10_000)]
    np.testing.assert_allclose(rates, [1e-5, 1e-5, 1e-3, 1e-3 * 0.94**2], rtol=0.05)


def test_examples_are_mels_notes_and_the_sound_in_the_middle_of_their_frames(path):
    with Dataset(path) as dataset:
        source = MelNotes(dataset, analysis=ANALYSIS, segment=0, takes_note=True)
        rows = source.rows("training")[:3]
        (mels, notes), sound = source.examples().read(rows)
        audio = source.audio(rows)
    frames = ANALYSIS.frames + 2 * ANALYSIS.margin
    assert (mels.shape, sound.shape) == ((3, frames, ANALYSIS.bands), (3, frames * ANALYSIS.hop_length))
    np.testing.assert_array_equal(notes[:, 0], [60, 61, 62])
    np.testing.assert_allclose(mels[:, ANALYSIS.margin : -ANALYSIS.margin], mel_magnitudes(audio, ANALYSIS))
    assert np.abs(sound).max() == np.abs(audio).max() == 1.0
    assert np.all(sound[:, -8:] == 0)


def test_pieces_are_frames_and_their_hops_and_lie_in_the_middle_where_nothing_is_learned():
    class Table:
        def read(self, rows):
            frames = np.tile(np.arange(12.0)[None, :, None], (len(rows), 1, 2))
            return (frames, rows[:, None]), np.repeat(frames[:, :, 0], 4, axis=1)

    rows = np.arange(6)
    with SegmentBatches(Table(), rows, 6, 3, segment=(5, 4)) as batches:
        (mels, told), sound = batches[0]
        again = batches.make(0, 0)
        other = batches.make(1, 0)
    np.testing.assert_array_equal(np.repeat(mels[:, :, 0], 4, axis=1), sound)
    assert sorted(told[:, 0]) == rows.tolist()
    assert len(set(mels[:, 0, 0])) > 1
    np.testing.assert_array_equal(again[1], sound)
    assert np.any(other[1] != sound)
    with SegmentBatches(Table(), rows, 6, segment=(5, 4)) as batches:
        assert set(batches[0][0][0][:, 0, 0]) == {3.0}


def test_a_published_network_is_trained_on_segments_and_takes_no_notes(path):
    with Dataset(path) as dataset:
        source = MelNotes(dataset, analysis=ANALYSIS, segment=6, takes_note=False)
        with source.training(4) as batches:
            mels, sound = batches[0]
    assert (mels.shape, sound.shape) == ((4, 6, ANALYSIS.bands), (4, 6 * ANALYSIS.hop_length))


def test_a_piece_longer_than_a_note_is_refused(path, tmp_path):
    with pytest.raises(SettingsError, match=r"a note has 16 frames\. Received: --segment 17"):
        train_from_settings(settings(path, tmp_path, "--segment", "17"))


def test_a_run_learns_and_reports_its_errors(run):
    history, metrics = run.history_file.read_text().splitlines(), run.metrics()
    assert len(history) == 3
    test = metrics["test"]
    assert test["n"] == 12
    measures = {"convergence", "log_magnitude", "lsd"}
    assert set(test) == {"n", *measures, *(f"griffin_lim_{name}" for name in measures)}
    assert -60 < test["convergence"]["All"] < 3
    card = read_card(run.path)
    assert card.takes == "mels"
    assert card.features["analysis"]["hop_length"] == ANALYSIS.hop_length
    assert card.scores["test"] == test


def test_a_renderer_makes_notes_of_mels(renderer, path):
    with Dataset(path) as dataset:
        source = MelNotes(dataset, analysis=ANALYSIS, segment=0, takes_note=True)
        rows = source.rows("test")[:5]
        audio, notes = source.audio(rows), source.pitch[rows]
    mels = mel_magnitudes(audio, ANALYSIS)
    made = renderer.decode(mels, notes, batch_size=2)
    assert made.shape == audio.shape
    assert renderer.analysis == ANALYSIS
    np.testing.assert_allclose(renderer.decode(mels[:1], notes[:1]), made[:1], atol=1e-5)
    right, wrong = (note_errors(audio, one, ANALYSIS)["convergence"].mean() for one in (made, made[::-1]))
    assert right < wrong
    rendered = mcnn_renderer(renderer.loaded.path, ANALYSIS)(mels, notes.astype(np.intp))
    np.testing.assert_allclose(rendered, renderer.decode(mels, notes), atol=1e-6)
    assert np.abs(renderer.decode(0 * mels, notes)).max() < 1e-3
    assert renderer.decode(mels[:0], notes[:0]).shape == (0, ANALYSIS.samples)


@pytest.mark.parametrize(
    ("mels", "notes", "message"),
    [
        (np.zeros((1, 8, 19)), [60], r"of shape \(n, 8, 20\) at n notes"),
        (np.zeros((2, 8, 20)), [60], r"Received: \(2, 8, 20\) at \(1,\)"),
        (np.full((1, 8, 20), -1.0), [60], "must be 0 or more"),
        (np.full((1, 8, 20), np.nan), [60], "must be 0 or more"),
        (np.zeros((1, 8, 20)), [np.nan], "must be 0 or more"),
    ],
)
def test_a_renderer_refuses_what_it_cannot_render(renderer, mels, notes, message):
    with pytest.raises(ModelError, match=message):
        renderer.decode(mels, notes)


def test_a_model_of_another_kind_renders_nothing(run, tmp_path):
    other = tmp_path / "other.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(other)
    with pytest.raises(ModelError):
        load_mcnn(other)


def test_errors_are_in_decibels_of_the_note():
    note = np.random.default_rng(0).normal(size=(1, ANALYSIS.samples))
    found = note_errors(note, 0.9 * note, ANALYSIS)
    np.testing.assert_allclose(found["convergence"], -20.0, atol=0.01)
    assert note_errors(note, note, ANALYSIS)["convergence"] < -150
    assert found["lsd"] == pytest.approx(20 * np.log10(1 / 0.9), abs=1e-3)
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(ANALYSIS.samples) / RATE)
    none, thirty = (griffin_lim_errors(tone[None], ANALYSIS, rounds)["convergence"] for rounds in (0, 30))
    assert thirty < none < 0
