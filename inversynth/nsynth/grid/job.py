"""What there is to render: the notes of a pad, in batches, and a card beside them that says of what they are made.

A note follows from its codes, its name and the seed alone: the same sounds come out of any batches on any machines, to
the accuracy of their arithmetic, and the middle of a grid of 5 is the middle of a grid of 9.
"""

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from generators.errors import DatasetError
from inversynth.nsynth.grid.points import CORNERS, corner_weights, grid_points, note_name
from inversynth.nsynth.grid.trim import samples_needed

SCHEMA = "inversynth-grid/1"
CARD = "grid.json"
NOTES = "notes"
"""Folder of the WAV files, within that of the pad."""


@dataclass(frozen=True)
class GridNote:
    """A note of a pad: its row in the file, its point, how much of each corner is in it, and its stem."""

    row: int
    x: int
    y: int
    weights: tuple[float, ...]
    pitch: int
    name: str


@dataclass(frozen=True)
class Job:
    """A pad to render.

    Attributes:
        sounds: names of the four corners, in the order of CORNERS; digests: hashes of their audio.
        model: fingerprint; hop: samples of a code; codes: how many a sound has. final_length: samples of a row.
    """

    sounds: tuple[str, ...]
    digests: tuple[str, ...]
    pitches: tuple[int, ...]
    resolution: int
    final_length: int
    sample_rate: int
    model: str
    hop: int
    codes: int
    temperature: float = 1.0
    seed: int = 0

    @property
    def name(self) -> str:
        """The sounds, joined as the file of the pad is named."""
        return "_".join(self.sounds)

    @property
    def codes_needed(self) -> int:
        """Codes of each sound that the pad can reach."""
        return min(self.codes, -(-samples_needed(self.final_length, self.sample_rate) // self.hop))

    @property
    def samples(self) -> int:
        """Samples of a rendered note."""
        return self.codes_needed * self.hop

    @cached_property
    def notes(self) -> tuple[GridNote, ...]:
        """All notes in the order of the file: y outermost, then x, then pitch."""
        found = []
        for place, weights in enumerate(corner_weights(grid_points(self.resolution)).tolist()):
            y, x = divmod(place, self.resolution)
            for number, pitch in enumerate(self.pitches):
                name = note_name(self.sounds, weights, pitch)
                found.append(GridNote(place * len(self.pitches) + number, x, y, tuple(weights), pitch, name))
        return tuple(found)

    @cached_property
    def mixtures(self) -> tuple[GridNote, ...]:
        """One note of each name: in a grid of 9 the middle of a side is the same mixture as the point next to it."""
        first: dict[str, GridNote] = {}
        for note in self.notes:
            first.setdefault(note.name, note)
        return tuple(first.values())

    def even_size(self, most: int) -> int:
        """Return of how many notes batches are that are alike, as few as can be, and of no more than so many."""
        return -(-len(self.mixtures) // -(-len(self.mixtures) // most))

    def batches(self, size: int) -> list[tuple[GridNote, ...]]:
        """Cut the mixtures into batches, one pitch after the other, whatever is rendered already."""
        notes = sorted(self.mixtures, key=lambda note: (note.pitch, note.row))
        return [tuple(notes[first : first + size]) for first in range(0, len(notes), size)]

    def mixed(self, codes: NDArray[np.floating], notes: Sequence[GridNote]) -> NDArray[np.float32]:
        """Mix the codes of notes. Shapes: codes (4, pitches, k, width) -> (notes, codes_needed, width)."""
        places = [self.pitches.index(note.pitch) for note in notes]
        weights = np.array([note.weights for note in notes])
        return np.einsum("nc,cnkw->nkw", weights, codes[:, places, : self.codes_needed]).astype(np.float32)

    def seed_of(self, note: GridNote) -> int:
        """Return what a note is drawn with."""
        return zlib.crc32(f"{self.seed} {note.name}".encode())

    def path_of(self, note: GridNote, folder: Path) -> Path:
        """Return where a note is or will be."""
        return folder / NOTES / f"{note.name}.wav"

    def is_rendered(self, note: GridNote, folder: Path) -> bool:
        """Say whether a note is there, whole."""
        path = self.path_of(note, folder)
        if not path.is_file():
            return False
        try:
            info = soundfile.info(path)
        except (soundfile.LibsndfileError, RuntimeError, OSError):
            return False
        return (info.samplerate, info.frames, info.channels) == (self.sample_rate, self.samples, 1)

    def card(self) -> dict[str, Any]:
        """Return all that the notes follow from."""
        return {
            "schema": SCHEMA,
            "corners": dict(zip(CORNERS, self.sounds, strict=True)),
            "recordings": dict(zip(CORNERS, self.digests, strict=True)),
            "pitches": list(self.pitches),
            "resolution": self.resolution,
            "final_length": self.final_length,
            "sample_rate": self.sample_rate,
            "model": self.model,
            "temperature": self.temperature,
            "seed": self.seed,
        }

    def claim(self, folder: Path) -> None:
        """Write the card into a folder, or find the same there. Raises DatasetError where it holds another grid."""
        path, mine = folder / CARD, self.card()
        if not path.exists():
            partial = folder / f".{CARD}.{os.getpid()}"  # several machines may begin at once
            try:
                folder.mkdir(parents=True, exist_ok=True)
                partial.write_text(json.dumps(mine, indent=2) + "\n", encoding="utf-8")
                partial.replace(path)
            except OSError as error:
                raise DatasetError(
                    f"cannot write {path}: {error.strerror or error}. Name an --output_directory that you may write to"
                ) from None
        try:
            theirs = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            theirs = None
        if not isinstance(theirs, dict):
            raise DatasetError(f"{path} must be the card of a grid. Received: something else. Name another folder")
        other = [key for key in mine if theirs.get(key) != mine[key]]
        if other:
            said = [f"{key} {_short(mine[key])}, there {_short(theirs.get(key))}" for key in other]
            raise DatasetError(
                f"{folder} holds another grid. Received: {'; '.join(said)}. Name another --output_directory"
            )


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = list(value.values())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
