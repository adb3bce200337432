"""Conditions of the decoder: semitone, octave and style. One-hot in training; any weights of styles in inference.

Octaves are those of MIDI with note 60 as C4, so that nine of them, 0 to 8, are the notes 12 to 119.
Source: Esling et al. 2019, arXiv 1904.06215.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ModelError

SEMITONES = 12
OCTAVES = 9

NOTE_WIDTH = SEMITONES + OCTAVES
"""Columns that encode a note."""

LOWEST = 12
"""MIDI note of C0."""


def note_labels(notes: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return semitones from C and octaves of MIDI notes.

    Shapes: (n,) -> (n,) in 0..11, (n,) in 0..8.
    Raises: ModelError for notes outside of 12..119.
    """
    given = np.asarray(notes)
    whole = given.astype(np.intp)
    outside = (whole != given) | (whole < LOWEST) | (whole >= LOWEST + OCTAVES * SEMITONES)
    if outside.any():
        raise ModelError(
            f"notes are whole numbers from {LOWEST} to {LOWEST + OCTAVES * SEMITONES - 1}, C0 to B8. "
            f"Received: {given[outside].flat[0]}"
        )
    octaves, semitones = np.divmod(whole - LOWEST, SEMITONES)
    return semitones, octaves


def conditions(notes: ArrayLike, styles: ArrayLike) -> NDArray[np.float32]:
    """Encode notes and styles as the condition of the decoder.

    Args:
        notes: MIDI notes. styles: weight of each style; mixtures, negative weights and weights above 1 are allowed.
    Shapes: (n,), (n, styles) -> (n, 21 + styles).
    Raises: ModelError for notes outside of C0 to B8, weights that are not finite, or another count of them.
    """
    semitones, octaves = note_labels(notes)
    weights = np.asarray(styles, np.float32)
    if weights.ndim != 2 or semitones.shape != weights.shape[:1]:
        raise ModelError(
            "each note needs one row of style weights. Received: "
            f"notes of shape {semitones.shape}, weights of shape {weights.shape}"
        )
    if not np.isfinite(weights).all():
        raise ModelError(f"style weights are finite numbers. Received: {weights[~np.isfinite(weights)][0]}")
    parts = (np.eye(SEMITONES, dtype=np.float32)[semitones], np.eye(OCTAVES, dtype=np.float32)[octaves], weights)
    return np.concatenate(parts, axis=1)
