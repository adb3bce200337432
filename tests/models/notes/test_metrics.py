"""Notes said again: the tracker hears sines as they are, and systems are measured on the notes that they were given."""

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import ModelError
from models.notes.classifier import NoteLabels
from models.notes.metrics import (
    HeldOut,
    held_out,
    score,
)
from tests.models.notes.test_classifier import write_labelled_notes

COUNT = 6


def tones(pitch, rate=16_000, seconds=2.0, overtones=4):
    time = np.arange(round(seconds * rate)) / rate
    hertz = 440.0 * 2.0 ** ((np.asarray(pitch)[:, None] - 69) / 12)
    return sum(np.sin(2 * np.pi * number * hertz * time) / number for number in range(1, overtones + 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset of notes."""
    path = tmp_path_factory.mktemp("scores")
    write_labelled_notes(path / "notes.hdf5")
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


class Knows:
    """A classifier that knows the labels, with given errors of pitch and family."""

    def __init__(self, notes, off=0, family=None):
        self.names = NoteLabels(notes.pitch + off, notes.family if family is None else family, notes.family, None)
        self.loaded = type("Loaded", (), {"sample_rate": notes.sample_rate, "path": "classifier"})

    def predict_labels(self, audio):
        return self.names


def test_originals_score_full_marks_and_what_is_off_loses_them():
    pitch = np.asarray([48, 60, 72])
    notes = HeldOut(tones(pitch).astype(np.float32), pitch, np.asarray([1, 2, -1]), 16_000)
    found = score(Knows(notes), notes.audio, notes)
    perfect = {"pitch": 1.0, "near": 1.0, "family": 1.0, "tracked": 1.0, "as_original": 1.0, "reached": 1.0}
    assert found == {**perfect, "octave": 0.0, "octave_of_original": 0.0}
    higher = tones([60, 60.8, 79])
    off = score(Knows(notes, np.asarray([0, 1, 2]), np.asarray([1, 3, 3])), higher, notes)
    assert (off["pitch"], off["near"], off["family"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3), 0.5)
    assert (off["tracked"], off["octave"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    flat = HeldOut(tones([48, 55, 72]).astype(np.float32), pitch, notes.family, 16_000)
    found = score(Knows(flat), tones([48, 60, 77]), flat)
    assert (found["tracked"], found["reached"]) == (pytest.approx(2 / 3), 0.5)  # of 48 and 72, 48
    wrong = Knows(notes)
    wrong.loaded.sample_rate = 8000
    with pytest.raises(ModelError, match="classifier takes notes of 8000 Hz"):
        score(wrong, notes.audio, notes)
