"""Notes said again: the tracker hears sines as they are, and systems are measured on the notes that they were given."""

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError
from generators.notes.labels import SPACE
from models.estimation.architectures import NSYNTH, NSYNTH_BASELINE
from models.model_files import ModelCard, load_model, save_model
from models.notes import metrics as note_scores
from models.notes.classifier import NoteNames
from models.notes.data import NoteCrops
from models.notes.metrics import (
    HeldOut,
    held_out,
    likelihood,
    reconstruct_with_wavenet,
    said_by_baseline,
    score,
    shares,
    track,
)
from models.nsynth import baseline_networks as spectral_autoencoder
from models.nsynth import recipe as nsynth
from models.nsynth.baseline_inference import sound_of
from models.nsynth.baseline_networks import build_spectral_autoencoder
from models.nsynth.inference import load_nsynth
from tests.models.notes.test_classifier import RATE, SAMPLES, SMALL, write_labelled_notes

COUNT = 6


def tones(pitch, rate=16_000, seconds=2.0, overtones=4):
    time = np.arange(round(seconds * rate)) / rate
    hertz = 440.0 * 2.0 ** ((np.asarray(pitch)[:, None] - 69) / 12)
    return sum(np.sin(2 * np.pi * number * hertz * time) / number for number in range(1, overtones + 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset of notes, and untrained autoencoders of both kinds."""
    path = tmp_path_factory.mktemp("scores")
    write_labelled_notes(path / "notes.hdf5")
    card = ModelCard(NSYNTH, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes"})
    model = nsynth.build_nsynth(SPACE, RATE, SAMPLES, size="smoke", pitch_conditioning=True, seed=0)
    save_model(model, path / "wavenet.keras", card)
    card = ModelCard(
        NSYNTH_BASELINE, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes", "size": "tiny"}
    )
    save_model(build_spectral_autoencoder(SMALL, SAMPLES, RATE, seed=0), path / "baseline.keras", card)
    return path


@pytest.fixture(scope="module")
def notes(folder):
    with Dataset(folder / "notes.hdf5") as dataset:
        return held_out(dataset, COUNT)


def test_held_out_notes_are_spread_over_the_test_split(notes, folder):
    assert len(notes) == COUNT
    assert notes.pitch.tolist() == [45, 57, 69, 45, 57, 81]  # rows 0, 1, 2, 4, 5, 7 of eight
    assert notes.family.tolist() == [2, 2, -1, 2, 2, -1]
    with Dataset(folder / "notes.hdf5") as dataset:
        np.testing.assert_array_equal(notes.audio, dataset.audio[[32, 33, 34, 36, 37, 39]])
        assert len(held_out(dataset, 99)) == 8


def test_tracker_hears_notes_from_the_lowest_to_the_highest_and_no_pitch_in_silence():
    pitch = np.asarray([24, 40.5, 60, 84, 100])
    found = track(tones(pitch), 16_000)
    np.testing.assert_allclose(found, pitch, atol=0.3)
    hiss = np.random.default_rng(0).normal(size=(5, 32_000))
    np.testing.assert_allclose(track(tones(pitch) + 0.1 * hiss, 16_000)[1:4], pitch[1:4], atol=0.3)
    assert np.isnan(track(np.zeros((1, 32_000)), 16_000)).all()
    assert track(tones([69], seconds=0.05), 16_000)[0] == pytest.approx(69, abs=0.5)


def test_tracker_listens_to_what_is_loud():
    faint = tones([50], seconds=2.0)
    faint[:, :8000] = 100 * tones([62], seconds=0.5)
    assert track(faint, 16_000)[0] == pytest.approx(62, abs=0.2)


def test_shares_tell_octaves_from_other_mistakes():
    wanted = np.asarray([60.0, 60.0, 60.0, 60.0, 60.0, np.nan])
    assert shares(np.asarray([60.9, 72.2, 36.0, 66.0, np.nan, 60.0]), wanted) == (0.2, 0.4)
    with pytest.raises(DatasetError, match="silence alone"):
        shares(np.zeros(1), np.asarray([np.nan]))


class Knows:
    """A classifier that was told, and is a semitone or a family off as often as asked."""

    def __init__(self, notes, off=0, family=None):
        self.names = NoteNames(notes.pitch + off, notes.family if family is None else family, notes.family, None)
        self.loaded = type("Loaded", (), {"sample_rate": notes.sample_rate, "path": "classifier"})

    def name(self, audio):
        return self.names


def test_originals_score_full_marks_and_what_is_off_loses_them():
    pitch = np.asarray([48, 60, 72])
    notes = HeldOut(tones(pitch).astype(np.float32), pitch, np.asarray([1, 2, -1]), 16_000)
    found = score(Knows(notes), notes.audio, notes)
    perfect = {"pitch": 1.0, "near": 1.0, "family": 1.0, "tracked": 1.0, "as_original": 1.0}
    assert found == {**perfect, "octave": 0.0, "octave_of_original": 0.0}
    higher = tones([60, 60.8, 79])
    off = score(Knows(notes, np.asarray([0, 1, 2]), np.asarray([1, 3, 3])), higher, notes)
    assert (off["pitch"], off["near"], off["family"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3), 0.5)
    assert (off["tracked"], off["octave"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    wrong = Knows(notes)
    wrong.loaded.sample_rate = 8000
    with pytest.raises(ModelError, match="classifier takes notes of 8000 Hz"):
        score(wrong, notes.audio, notes)


def test_each_note_is_said_by_its_own_seed_whatever_the_batch(folder, notes):
    coder = load_nsynth(folder / "wavenet.keras")
    told = []
    said = reconstruct_with_wavenet(coder, notes, batch_size=4, on_samples=told.append)
    assert said.shape == notes.audio.shape
    assert sum(told) == notes.audio.size
    rows = [4, 5, 0, 1]
    alone = coder.decode(coder.encode(notes.audio[rows]), seeds=rows, pitch=notes.pitch[rows].tolist())
    np.testing.assert_array_equal(said[rows], alone)
    assert not np.array_equal(said[0], said[3])  # one pitch, two seeds


def test_baseline_says_notes_by_its_pictures(folder, notes, monkeypatch):
    monkeypatch.setitem(spectral_autoencoder.SIZES, "tiny", SMALL)
    loaded = load_model(folder / "baseline.keras")
    said = said_by_baseline(loaded, notes, rounds=3)
    picture = np.asarray(loaded.model([notes.audio[2:3], notes.pitch[2:3, None]], training=False))[0]
    np.testing.assert_allclose(said[2], sound_of(picture, SMALL, SAMPLES, 3, seed=2), atol=1e-3)
    with pytest.raises(ModelError, match=r"made by 'nsynth-baseline'\. Received: nsynth in"):
        said_by_baseline(load_model(folder / "wavenet.keras"), notes)


def test_likelihood_is_that_of_the_training(folder):
    coder = load_nsynth(folder / "wavenet.keras")
    with Dataset(folder / "notes.hdf5") as dataset:
        found = likelihood(coder, dataset)
        wanted = nsynth.measure(coder.loaded, NoteCrops(dataset, crop=512, pitch=True))
    assert found == {name: wanted[name]["All"] for name in ("nll", "unigram", "gain")}
    assert found["gain"] == pytest.approx(found["unigram"] - found["nll"])


def test_notes_of_another_rate_are_refused(folder, notes):
    other = HeldOut(notes.audio, notes.pitch, notes.family, 8000)
    with pytest.raises(ModelError, match=r"wavenet.keras takes notes of 4000 Hz\. Received: notes of 8000 Hz"):
        reconstruct_with_wavenet(load_nsynth(folder / "wavenet.keras"), other)
    assert note_scores.MEASURED_CROP % 512 == 0
