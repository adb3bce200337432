"""How well notes are said again: held-out notes through a trained autoencoder, heard by a classifier and by YIN.

The classifier is the measure of Engel et al. 2017 (arXiv 1704.01279). A tracker that learned nothing stands beside it
(YIN, de Cheveigné and Kawahara 2002, as in librosa), for a classifier may be wrong about a sound because of its hiss.
Where they name the pitch of the originals wrongly, they cannot do better by what is said again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import ROUNDS
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError
from models.estimation.architectures import NSYNTH_BASELINE
from models.model_files import LoadedModel
from models.notes.classifier import NoteClassifier
from models.notes.data import NoteCrops, WholeNotes, note_labels
from models.nsynth.baseline_inference import sound_of
from models.nsynth.baseline_networks import find_size
from models.nsynth.inference import NSynthCodec
from models.nsynth.recipe import measure

Sounds = NDArray[np.floating[Any]]

HEARD = (0.1, 3.0)
"""Seconds of a note that the tracker looks at: behind its attack, and before it is released."""

AUDIBLE_DB = 30.0
"""Frames this far below the loudest say nothing of a note's pitch."""

LOWEST, HIGHEST = 20.0, 110.0
"""MIDI notes between which pitch is sought; those of NSynth are 21 to 108."""

FRAME_SECONDS, STEPS = 0.128, 4
"""Length of a frame of the tracker, into which two periods of the lowest note must fit, and in how many steps it is
passed."""

MEASURED_CROP = 2048
"""Samples of each note that the likelihood is taken over, for every model the same: the crop of the tiny size."""


@dataclass(frozen=True)
class HeldOut:
    """Notes that no network has learned from.

    Attributes: `audio` (n, samples) at `sample_rate`; `pitch` (n,) MIDI notes; `family` (n,), -1 where unknown.
    """

    audio: NDArray[np.float32]
    pitch: NDArray[np.integer[Any]]
    family: NDArray[np.integer[Any]]
    sample_rate: int

    def __len__(self) -> int:
        return len(self.audio)


def held_out(dataset: Dataset, count: int, seed: int = 0) -> HeldOut:
    """Return notes of the test split, evenly spread over it; `seed` of the split where the notes are not labelled."""
    rows = WholeNotes(dataset, seed=seed).rows("test")
    if count < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, count).astype(np.intp)]
    labels = note_labels(dataset)[rows]
    audio = dataset.read_columns(rows, ("audio",))[0]
    return HeldOut(audio, labels[:, 0], labels[:, 1], dataset.card.sample_rate)


def reconstruct_with_wavenet(
    coder: NSynthCodec,
    notes: HeldOut,
    *,
    batch_size: int = 32,
    on_samples: Callable[[int], None] | None = None,
) -> Sounds:
    """Encode and decode notes, each by its number as its seed.

    Args:
        batch_size: of all batches, the last one too, so that the loop is compiled once.
        on_samples: told how many samples more have been said, over all notes.
    Shapes: returns (n, samples). Raises: ModelError for another sample rate.
    """
    _same_rate(coder.loaded, notes)
    said = []
    for first in range(0, len(notes), batch_size):
        rows = np.arange(first, first + batch_size) % len(notes)
        wanted = min(batch_size, len(notes) - first)

        def tell(codes: int, wanted: int = wanted) -> None:
            if on_samples:
                on_samples(wanted * coder.hop)

        pitch = notes.pitch[rows].tolist() if coder.takes_pitch else None
        codes = coder.encode(notes.audio[rows])
        said.append(coder.decode(codes, seeds=rows.tolist(), pitch=pitch, on_code=tell)[:wanted])
    return np.concatenate(said)[:, : notes.audio.shape[1]]


def said_by_baseline(
    loaded: LoadedModel, notes: HeldOut, *, rounds: int = ROUNDS, on_samples: Callable[[int], None] | None = None
) -> Sounds:
    """Draw the pictures that the spectral baseline makes of notes, and find sounds with them.

    Shapes: returns (n, samples). Raises: ModelError for another model, or another sample rate.
    """
    if loaded.name != NSYNTH_BASELINE:
        raise ModelError(f"pictures of notes are made by '{NSYNTH_BASELINE}'. Received: {loaded.name} in {loaded.path}")
    _same_rate(loaded, notes)
    size, samples = find_size(str(loaded.card.features["size"])), notes.audio.shape[1]
    said: list[Sounds] = []
    for first in range(0, len(notes), 16):
        rows = slice(first, first + 16)
        pictures = np.asarray(loaded.model([notes.audio[rows], notes.pitch[rows, None]], training=False))
        for picture in pictures:
            said.append(sound_of(picture, size, samples, rounds, seed=len(said)))
            if on_samples:
                on_samples(samples)
    return np.stack(said)


def _same_rate(loaded: LoadedModel, notes: HeldOut) -> None:
    if loaded.sample_rate != notes.sample_rate:
        raise ModelError(
            f"{loaded.path} takes notes of {loaded.sample_rate} Hz. Received: notes of {notes.sample_rate} Hz"
        )


def track(audio: Sounds, sample_rate: int) -> NDArray[np.float64]:
    """Find the pitch of notes by YIN: the median over what is heard of their sustained part.

    Shapes: (n, samples) -> (n,) MIDI notes, in fractions of a semitone; NaN for silence.
    """
    import librosa

    begin, end = (round(seconds * sample_rate) for seconds in HEARD)
    frame = STEPS * round(FRAME_SECONDS * sample_rate / STEPS)
    step = frame // STEPS
    part = np.asarray(audio, np.float32)[:, begin:end]
    if part.shape[1] < frame:
        part = np.asarray(audio, np.float32)
    if part.shape[1] < frame:
        part = np.pad(part, ((0, 0), (0, frame - part.shape[1])))
    found = np.full(len(part), np.nan)
    lowest, highest = librosa.midi_to_hz([LOWEST, HIGHEST])
    for number, sound in enumerate(part):
        level = librosa.feature.rms(y=sound, frame_length=frame, hop_length=step)[0]
        if level.max() <= 0.0:
            continue
        hertz = librosa.yin(
            sound, fmin=lowest, fmax=min(highest, sample_rate / 4), sr=sample_rate, frame_length=frame, hop_length=step
        )
        heard = level > level.max() * 10.0 ** (-AUDIBLE_DB / 20.0)
        found[number] = np.median(librosa.hz_to_midi(hertz[heard]))
    return found


def shares(found: NDArray[np.floating[Any]], wanted: NDArray[Any]) -> tuple[float, float]:
    """Return how many pitches are within a semitone of what they should be, and how many are octaves away from it.

    Where no pitch is wanted (NaN) a note does not count; where none is found, it is wrong.
    """
    counted = np.isfinite(wanted)
    if not counted.any():
        raise DatasetError("some notes must have a pitch. Received: silence alone")
    off = np.where(np.isfinite(found), found, np.inf)[counted] - wanted[counted]
    octaves = np.round(np.where(np.isfinite(off), off, 6.0) / 12.0)
    near = np.abs(off) <= 1.0
    return float(near.mean()), float(((octaves != 0) & (np.abs(off - 12.0 * octaves) <= 1.0)).mean())


def score(classifier: NoteClassifier, said: Sounds, notes: HeldOut) -> dict[str, float]:
    """Measure sounds that should be these notes again.

    Returns: shares `pitch` (named by the classifier as the very note), `near` (within a semitone), `family` (of those
        that have one); `tracked` and `octave`: how many the tracker hears within a semitone of the note, and octaves
        away; `as_original` and `octave_of_original`: the same, beside what it hears in the original.
    Raises: ModelError where the classifier takes another sample rate.
    """
    _same_rate(classifier.loaded, notes)
    names = classifier.name(said)
    off = np.abs(names.pitch - notes.pitch)
    heard, original = track(said, notes.sample_rate), track(notes.audio, notes.sample_rate)
    found = {"pitch": float(np.mean(off == 0)), "near": float(np.mean(off <= 1))}
    known = notes.family >= 0
    if known.any():
        found["family"] = float(np.mean(names.family[known] == notes.family[known]))
    found["tracked"], found["octave"] = shares(heard, notes.pitch.astype(float))
    found["as_original"], found["octave_of_original"] = shares(heard, original)
    return found


def likelihood(coder: NSynthCodec, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """Return `nll`, `unigram` and `gain` in bits a sample, on the middles of the notes of the test."""
    hop = coder.hop
    crop = max(hop, min(MEASURED_CROP, dataset.samples) // hop * hop)
    source = NoteCrops(dataset, crop=crop, pitch=coder.takes_pitch, seed=seed)
    found = measure(coder.loaded, source)
    return {name: found[name]["All"] for name in ("nll", "unigram", "gain")}
