"""Splitting notes into train, valid and test: by whole instruments, whole pitches, or single notes."""

from dataclasses import replace
from typing import Literal

import numpy as np

from generators.errors import ParameterError
from generators.notes.labels import SPLITS, NoteTable

SplitBy = Literal["instrument", "pitch", "note"]

STREAM = 0x73706C6974
"""Separates the random stream of the split from others of the same seed; ASCII "split"."""


def split_notes(table: NoteTable, by: SplitBy, valid: float, test: float, seed: int) -> NoteTable:
    """Return the table with a newly drawn split, in which notes of one instrument (pitch, or none) stay together.

    Args:
        valid, test: fractions of the instruments (pitches, notes), to the nearest whole number of them.
    Raises: ParameterError where none remains to train on.
    """
    groups = {"instrument": table.labels["instrument"], "pitch": table.pitch, "note": np.arange(len(table))}[by]
    kinds, member = np.unique(groups, return_inverse=True)
    counts = [round(fraction * len(kinds)) for fraction in (valid, test)]
    if sum(counts) >= len(kinds):
        raise ParameterError(
            f"a split by {by} must leave some for training. Received: {len(kinds)} of them, {counts[0]} for validation "
            f"and {counts[1]} for the test. Ask for more, or lower validation_split or test_split"
        )
    order = np.random.default_rng((seed, STREAM)).permutation(len(kinds))
    split = np.zeros(len(kinds), np.uint8)
    split[order[: counts[0]]] = SPLITS.index("valid")
    split[order[counts[0] : sum(counts)]] = SPLITS.index("test")
    return replace(table, labels={**table.labels, "split": split[member]})
