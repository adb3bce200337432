"""The notes that a network of NSynth was trained on, from its file, without Keras.

They are among the features of its card. Files from before they were written tell them by their weights: in the kernels
that take the note one-hot, rows of notes that never came up are where they were initialised, within the limit of the
distribution, and those of the others have left it.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.errors import ModelError
from generators.notes.pitches import note_ranges
from models.model_files import ModelCard, find_model_file, read_card
from models.network_files import check_hdf5_arrays, open_model_file, read_weights_member
from models.nsynth.presets import NSYNTH, PITCHES, PRESETS

MARGIN = 1e-3
"""Of the initial limit: rounding to float16 exceeds it by up to half of this."""


def known_notes(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the MIDI notes that a model was trained on, rising; none where its file does not tell.

    Raises: ModelError as `read_card`, and for a card whose notes are none.
    """
    path = find_model_file(path)
    card = read_card(path)
    if "notes" in card.features:
        return _checked(card.features["notes"], path)
    return _trained_rows(card, path) if card.model == NSYNTH and card.features.get("pitch_conditioning") else ()


def nearest_note(note: int, notes: Sequence[int]) -> int:
    """Return the known note nearest to one: of two the lower, which loses no frequencies; itself if none are known."""
    return min(notes, key=lambda known: (abs(known - note), known), default=note)


def check_known(what: str, pitches: Sequence[int], notes: Sequence[int], path: Path, advice: str) -> None:
    """Raise ModelError where a network was not trained on a note; with no notes nothing is known of it.

    Args:
        what: whose notes the pitches are. path: of its file. advice: what to do, as the end of the message.
    """
    unknown = sorted(set(pitches) - set(notes)) if notes else []
    if unknown:
        raise ModelError(
            f"{path} was trained on the notes {note_ranges(notes)}. Received: {what} at {note_ranges(unknown)}. "
            f"{advice}"
        )


def _checked(notes: Any, path: Path) -> tuple[int, ...]:
    if not isinstance(notes, list) or not all(type(note) is int and 0 <= note < PITCHES for note in notes):
        raise ModelError(f"the notes of {path} must be a list of MIDI numbers. Received: {notes!r:.60}")
    return tuple(sorted(set(notes)))


def _trained_rows(card: ModelCard, path: Path) -> tuple[int, ...]:
    """Return the notes whose rows have left the initial range of the kernels that take notes one-hot."""
    import h5py

    preset = PRESETS.get(str(card.features.get("size")))
    if preset is None:
        return ()
    width = preset.code + PITCHES
    with open_model_file(path) as archive:
        weights = read_weights_member(archive)
    try:
        with h5py.File(io.BytesIO(weights), "r") as file:
            arrays = check_hdf5_arrays(file, len(weights), path).values()
            kernels = [array[preset.code :] for array in arrays if array.ndim == 2 and array.shape[0] == width]
    except (OSError, RuntimeError, ValueError):
        raise ModelError(f"the weights of {path} are damaged. Copy it again, or train it again") from None
    if not kernels:
        return ()
    limit = np.sqrt(3 / width)  # of the uniform distribution of variance 1 / fan-in
    largest = np.max([np.abs(kernel).max(axis=1) for kernel in kernels], axis=0)
    return tuple(np.flatnonzero(largest > (1 + MARGIN) * limit).tolist())
