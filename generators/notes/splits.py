"""Splitting notes into train, valid and test: by whole instruments, whole pitches, or single notes.

Pieces of one recording stay together however notes are split: they share its sound.
"""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generators.errors import ParameterError
from generators.notes.labels import SPLITS, NoteTable

SplitBy = Literal["instrument", "pitch", "note"]

STREAM = 0x73706C6974
"""Separates the random stream of the split from others of the same seed; ASCII "split"."""


FEWEST = 3
"""Instruments, or recordings, that give all three splits."""


def natural_split(table: NoteTable, recordings: NDArray[np.integer[Any]] | None = None) -> SplitBy | None:
    """Return how notes are split where nobody says: by instrument, by note where those are too few, or not at all."""
    if len(np.unique(table.labels["instrument"])) >= FEWEST:
        return "instrument"
    return "note" if len(table if recordings is None else np.unique(recordings)) >= FEWEST else None


def split_notes(
    table: NoteTable,
    by: SplitBy,
    valid: float,
    test: float,
    seed: int,
    recordings: NDArray[np.integer[Any]] | None = None,
) -> NoteTable:
    """Return the table with a newly drawn split, in which notes of one instrument (pitch, or none) stay together.

    Args:
        valid, test: fractions of the instruments (pitches, notes), to the nearest whole number of them; one at least
            where the fraction is not 0. recordings: numbers of the recordings that notes are pieces of, (notes,).
    Raises: ParameterError where none remains to train on.
    """
    alone = np.arange(len(table)) if recordings is None else recordings
    groups = {"instrument": table.labels["instrument"], "pitch": table.pitch, "note": alone}[by]
    kinds, member = np.unique(groups, return_inverse=True)
    counts = [max(round(fraction * len(kinds)), 1) if fraction else 0 for fraction in (valid, test)]
    if sum(counts) >= len(kinds):
        raise ParameterError(
            f"a split by {by} must leave some for training. Received: {len(kinds)} of them, {counts[0]} for validation "
            f"and {counts[1]} for the test. Ask for more, split by note, or set validation_split or test_split to 0"
        )
    order = np.random.default_rng((seed, STREAM)).permutation(len(kinds))
    split = np.zeros(len(kinds), np.uint8)
    split[order[: counts[0]]] = SPLITS.index("valid")
    split[order[counts[0] : sum(counts)]] = SPLITS.index("test")
    return replace(table, labels={**table.labels, "split": split[member]})
