"""A source of notes: its table, a reader of the sound of each row, and the selection of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError
from generators.notes.labels import NoteTable


@dataclass(frozen=True)
class NoteSource:
    """Notes that can become a dataset.

    Attributes: `facts` is what the rows depend on besides the table, ready for JSON; `read` returns the sounds of rows
    of the original table, (n,) -> (n, samples) float32, the same ones on any call and any thread.
    `has_split` says that the data came with a split. `pieces_of` numbers the recordings that the rows of the original
    table are pieces of, (n,).
    """

    table: NoteTable
    sample_rate: int
    samples: int
    facts: dict[str, Any]
    read: Callable[[NDArray[np.intp]], NDArray[np.float32]]
    has_split: bool = False
    pieces_of: NDArray[np.intp] | None = None

    @property
    def recordings(self) -> NDArray[np.intp] | None:
        """The numbers of the recordings that the current rows are pieces of, (n,); None for whole notes."""
        return None if self.pieces_of is None else self.pieces_of[self.table.kept]

    def audio(self, rows: slice) -> NDArray[np.float32]:
        """Return the sounds of rows of the current table, (n, samples)."""
        return self.read(self.table.kept[rows])

    def select(
        self,
        *,
        instruments: Sequence[str] = (),
        families: Sequence[str] = (),
        sources: Sequence[str] = (),
        styles: Sequence[str] = (),
        pitches: Sequence[int] | None = None,
        velocities: Sequence[int] | None = None,
    ) -> "NoteSource":
        """Keep the notes with one of the given names for each label, and one of the numbers.

        Raises: ParameterError for an unknown name, DatasetError where no note is left.
        """
        table = self.table
        kept = np.ones(len(table), bool)
        wanted = {"instrument": instruments, "family": families, "source": sources, "style": styles}
        for label, names in wanted.items():
            kept &= table.where(label, names)
        for numbers, column in ((pitches, table.pitch), (velocities, table.velocity)):
            kept &= np.isin(column, list(numbers)) if numbers is not None else True
        if not kept.any():
            raise DatasetError(f"some of {len(table)} notes must be left. Received: none that meets all conditions")
        return self if kept.all() else replace(self, table=table.select(kept))

    def with_table(self, table: NoteTable) -> "NoteSource":
        """Return the same notes with other labels."""
        return replace(self, table=table)
