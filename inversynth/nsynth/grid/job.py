"""A rendering job: the notes of a pad, their batches, and the card that records what they are made from.

A note follows from its codes, its name and the seed alone. So any batches on any machines give the same sounds, to the
accuracy of their arithmetic, and the centre of a grid of 5 is the centre of a grid of 9.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import read_header
from generators.errors import AudioError, DatasetError
from generators.files import writing, written_whole
from generators.json_reader import JsonError, read_json_object
from inversynth.nsynth.grid.points import CORNERS, corner_weights, grid_points, mixture_stem
from inversynth.nsynth.grid.trim import samples_needed

SCHEMA = "inversynth-grid/1"
CARD = "grid.json"
MADE_AT = "made_at"
"""In cards of pads with notes that the model does not know: the notes by way of which it makes them."""

NOTES = "notes"
"""Subfolder of the WAV files."""


@dataclass(frozen=True)
class GridNote:
    """A note of a pad: its row in the file, its point, the weights of the corners, its pitch and its file stem."""

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
        model: fingerprint; hop: samples per code; codes: of a whole sound. final_length: samples of a row.
        made: the note at which the model makes each pitch, itself where it knows it; empty if it knows them all.
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
    made: tuple[int, ...] = ()

    @property
    def is_transposed(self) -> bool:
        """Whether the model makes any pitch by way of another."""
        return self.made not in ((), self.pitches)

    def made_at(self, pitch: int) -> int:
        """Return the note at which the model makes a pitch of the pad."""
        return self.made[self.pitches.index(pitch)] if self.made else pitch

    @property
    def name(self) -> str:
        """The sounds, joined: the stem of the pad's file."""
        return "_".join(self.sounds)

    @property
    def codes_needed(self) -> int:
        """Codes of each sound that the trimmed note can need."""
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
                name = mixture_stem(self.sounds, weights, pitch)
                found.append(GridNote(place * len(self.pitches) + number, x, y, tuple(weights), pitch, name))
        return tuple(found)

    @cached_property
    def mixtures(self) -> tuple[GridNote, ...]:
        """One note of each name: in a grid of 9 the middle of a side is the same mixture as its neighbour."""
        first: dict[str, GridNote] = {}
        for note in self.notes:
            first.setdefault(note.name, note)
        return tuple(first.values())

    def even_size(self, most: int) -> int:
        """Return the size of equal batches, as few as possible, of at most so many notes."""
        return -(-len(self.mixtures) // -(-len(self.mixtures) // most))

    def batches(self, size: int) -> list[tuple[GridNote, ...]]:
        """Split all mixtures into batches, rendered or not, pitch by pitch."""
        notes = sorted(self.mixtures, key=lambda note: (note.pitch, note.row))
        return [tuple(notes[first : first + size]) for first in range(0, len(notes), size)]

    def mixed(self, codes: NDArray[np.floating], notes: Sequence[GridNote]) -> NDArray[np.float32]:
        """Mix the codes of notes. Shapes: codes (4, pitches, k, width) -> (notes, codes_needed, width)."""
        places = [self.pitches.index(note.pitch) for note in notes]
        weights = np.array([note.weights for note in notes])
        return np.einsum("nc,cnkw->nkw", weights, codes[:, places, : self.codes_needed]).astype(np.float32)

    def seed_of(self, note: GridNote) -> int:
        """Return the seed of a note's samples."""
        return zlib.crc32(f"{self.seed} {note.name}".encode())

    def path_of(self, note: GridNote, folder: Path) -> Path:
        """Return the path of a note's WAV file."""
        return folder / NOTES / f"{note.name}.wav"

    def is_rendered(self, note: GridNote, folder: Path) -> bool:
        """Return whether the WAV file of a note is there, complete."""
        try:
            found = read_header(self.path_of(note, folder))
        except AudioError:
            return False
        return (found.sample_rate, found.frames, found.channels) == (self.sample_rate, self.samples, 1)

    def card(self) -> dict[str, Any]:
        """Return everything that the notes follow from, as JSON can hold it."""
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
            **({MADE_AT: list(self.made)} if self.is_transposed else {}),
        }

    def claim(self, folder: Path) -> None:
        """Write the card into a folder, or check that it holds the same. Raises DatasetError for another grid."""
        path, own = folder / CARD, self.card()
        if not path.exists():
            with writing(path, DatasetError), written_whole(path) as partial:  # several machines may start at once
                partial.write_text(json.dumps(own, indent=2) + "\n", encoding="utf-8")
        try:
            found = read_json_object(path)
        except (OSError, JsonError):
            found = None
        if found is None:
            raise DatasetError(f"{path} must be the card of a grid. Received: something else. Name another folder")
        other = [key for key in dict.fromkeys((*own, MADE_AT)) if found.get(key) != own.get(key)]
        if other:
            differences = [f"{key} {_short(own.get(key))}, there {_short(found.get(key))}" for key in other]
            raise DatasetError(
                f"{folder} holds another grid. Received: {'; '.join(differences)}. Name another --output_dir"
            )


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = list(value.values())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
