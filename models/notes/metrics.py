"""Metrics of reconstructed notes: a classifier and YIN on held-out notes from a trained autoencoder.

The classifier is the measure of Engel et al. 2017 (arXiv 1704.01279). A pitch tracker without training stands beside it
(YIN, de Cheveigné and Kawahara 2002, as in librosa), since a classifier may be misled by noise in a sound. The scores
of the originals are the ceiling for reconstructions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.pitch import estimate_pitch, pitch_accuracy
from generators.dataset import Dataset
from generators.errors import ModelError
from models.model_files import LoadedModel
from models.notes.classifier import NoteClassifier
from models.notes.data import WholeNotes, note_labels
from models.training.splits import evenly_spaced

Audio = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class HeldOut:
    """Notes that no network was trained on.

    Attributes: `audio` (n, samples) at `sample_rate`; `pitch` (n,) MIDI notes; `family` (n,), -1 where unknown.
    """

    audio: NDArray[np.float32]
    pitch: NDArray[np.integer[Any]]
    family: NDArray[np.integer[Any]]
    sample_rate: int

    def __len__(self) -> int:
        return len(self.audio)


def held_out(dataset: Dataset, count: int, seed: int = 0) -> HeldOut:
    """Return test notes, evenly spaced; `seed` is that of the split where the notes are not labelled with one."""
    rows = evenly_spaced(WholeNotes(dataset, seed=seed).rows("test"), count)
    labels = note_labels(dataset)[rows]
    audio = dataset.read_columns(rows, ("audio",))[0]
    return HeldOut(audio, labels[:, 0], labels[:, 1], dataset.card.sample_rate)


def check_same_rate(loaded: LoadedModel, notes: HeldOut) -> None:
    """Raise ModelError where a model takes notes of another sample rate."""
    if loaded.sample_rate != notes.sample_rate:
        raise ModelError(
            f"{loaded.path} takes notes of {loaded.sample_rate} Hz. Received: notes of {notes.sample_rate} Hz"
        )


def score(classifier: NoteClassifier, reconstructed: Audio, notes: HeldOut) -> dict[str, float]:
    """Measure reconstructions of these notes.

    Returns: accuracies of the classifier, `pitch` (the exact note), `near` (within a semitone) and `family` (where it
        is known); `tracked` and `octave`: shares of notes whose pitch by YIN is within a semitone of the note, and
        octaves away; `as_original` and `octave_of_original`: the same, beside YIN's pitch of the original; `reached`,
        as `tracked`, but of those notes alone whose original is within a semitone of its note.
    Raises: ModelError where the classifier takes another sample rate.
    """
    check_same_rate(classifier.loaded, notes)
    labels = classifier.predict_labels(reconstructed)
    off = np.abs(labels.pitch - notes.pitch)
    tracked, original = estimate_pitch(reconstructed, notes.sample_rate), estimate_pitch(notes.audio, notes.sample_rate)
    found = {"pitch": float(np.mean(off == 0)), "near": float(np.mean(off <= 1))}
    known = notes.family >= 0
    if known.any():
        found["family"] = float(np.mean(labels.family[known] == notes.family[known]))
    found["tracked"], found["octave"] = pitch_accuracy(tracked, notes.pitch.astype(float))
    found["as_original"], found["octave_of_original"] = pitch_accuracy(tracked, original)
    in_tune = np.abs(original - notes.pitch) <= 1
    if in_tune.any():
        found["reached"] = pitch_accuracy(tracked[in_tune], notes.pitch[in_tune].astype(float))[0]
    return found
