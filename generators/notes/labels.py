"""Labels of notes: pitch and velocity, and the label names of NSynth for all else, in its order.

Source: Engel et al. 2017, the NSynth dataset. Every source of notes gives a table with a row for each note.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError, ParameterError, unknown
from generators.parameters import Parameter, ParameterSpace

FAMILIES = (
    *("bass", "brass", "flute", "guitar", "keyboard", "mallet"),
    *("organ", "reed", "string", "synth_lead", "vocal"),
)
SOURCES = ("acoustic", "electronic", "synthetic")
QUALITIES = (
    *("bright", "dark", "distortion", "fast_decay", "long_release", "multiphonic"),
    *("nonlinear_env", "percussive", "reverb", "tempo-synced"),
)
SPLITS = ("train", "valid", "test")
NORMAL = "normal"
"""The style of a note played in the usual way of its instrument."""

MOST_NOTES = 1 << 20
"""Notes of a dataset: NSynth has 305,979. Each takes half a kilobyte of memory while they are listed."""

UNKNOWN = "unknown"
"""The name of an unlabelled family or source, appended to those of NSynth."""

LEVELS = tuple(map(float, range(128)))
SPACE = ParameterSpace(
    "notes",
    (
        Parameter("pitch", LEVELS, "", "MIDI number, 69 is A4", "Note"),
        Parameter("velocity", LEVELS, "", "MIDI number", "Note"),
    ),
)

TYPES = {
    **{"instrument": "int32", "family": "uint8", "source": "uint8"},
    **{"style": "uint8", "split": "uint8", "qualities": "uint16"},
}
"""The labels of every dataset of notes and their integer types; user-defined tags follow."""

TAG_TYPE = "int32"


@dataclass(frozen=True)
class NoteTable:
    """Notes and their labels.

    Attributes: `pitch` and `velocity` (n,) MIDI numbers; `labels` maps `TYPES` and tags to (n,) integers, and `names`
    maps all of them to the names of the numbers (`qualities`: the bits).
    """

    pitch: NDArray[np.integer[Any]]
    velocity: NDArray[np.integer[Any]]
    labels: dict[str, NDArray[np.integer[Any]]]
    names: dict[str, tuple[str, ...]]
    kept: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """Row numbers in the original table, for its source."""

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Labels with the names of their integer types, as a card of a dataset holds them."""
        return tuple((label, TYPES.get(label, TAG_TYPE)) for label in self.labels)

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Pitch and velocity as classes of `SPACE`, (n, 2)."""
        return np.stack([self.pitch, self.velocity], axis=-1).astype(np.uint8)

    @property
    def digest(self) -> str:
        """A short hash of all rows."""
        sha = hashlib.sha256(self.classes.tobytes())
        for label, kind in self.kinds:
            sha.update(label.encode() + self.labels[label].astype(kind).tobytes())
        return sha.hexdigest()[:16]

    def select(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> "NoteTable":
        """Return some of the rows; instruments that no longer occur are renumbered, other names stay."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        labels = {label: column[rows] for label, column in self.labels.items()}
        left, labels["instrument"] = np.unique(labels["instrument"], return_inverse=True)
        names = {**self.names, "instrument": tuple(self.names["instrument"][number] for number in left)}
        return replace(
            self, pitch=self.pitch[rows], velocity=self.velocity[rows], labels=labels, names=names, kept=self.kept[rows]
        )

    def where(self, label: str, wanted: Sequence[str]) -> NDArray[np.bool_]:
        """Return which rows have one of these names of a label; all rows where no name is given.

        Raises: ParameterError for a name that the label does not have.
        """
        if not wanted:
            return np.ones(len(self), bool)
        return np.isin(self.labels[label], [number_of(label, name, self.names[label]) for name in wanted])


def note_table(rows: Iterable[Mapping[str, Any]], tags: Sequence[str] = ()) -> NoteTable:
    """Build a table from the known labels of each note.

    Args:
        rows: each with `pitch`, `velocity` and `instrument`; `family`, `source`, `style`, `split` as names and
            `qualities` as a list of names where they are known; tags as text. tags: names of further labels.
    Raises: ParameterError for a name that NSynth does not have, DatasetError where there is no note.
    """
    notes = list(rows)
    if not notes:
        raise DatasetError("a dataset of notes has one or more notes. Received: none. Ask for more pitches or sounds")
    fixed = {"family": (*FAMILIES, UNKNOWN), "source": (*SOURCES, UNKNOWN), "split": SPLITS}
    assumed = {"family": UNKNOWN, "source": UNKNOWN, "split": SPLITS[0], "style": NORMAL, **dict.fromkeys(tags, "")}
    labels: dict[str, NDArray[np.integer[Any]]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for label in (*TYPES, *tags):
        if label == "qualities":
            names[label] = QUALITIES
            labels[label] = np.asarray([quality_mask(note.get("qualities", ())) for note in notes])
            continue
        texts = [str(note.get(label) or assumed.get(label, "")) for note in notes]
        known = fixed.get(label) or tuple(dict.fromkeys(texts))
        numbers = {name: number for number, name in enumerate(known)}
        for text in set(texts) - set(numbers):
            raise ParameterError(unknown(label, text, known))
        names[label], labels[label] = known, np.asarray([numbers[text] for text in texts])
    pitch, velocity = (np.asarray([int(note[name]) for note in notes]) for name in ("pitch", "velocity"))
    return NoteTable(pitch, velocity, labels, names, np.arange(len(notes)))


def number_of(label: str, name: str, names: Sequence[str]) -> int:
    """Return the number of a name of a label. Raises ParameterError with the nearest name for an unknown one."""
    if name not in names:
        raise ParameterError(unknown(label, name, names))
    return list(names).index(name)


def quality_mask(names: Iterable[str]) -> int:
    """Return qualities as a sum of 2^i. Raises ParameterError for a name that is none of NSynth's ten."""
    return sum(1 << number_of("quality", name, QUALITIES) for name in set(names))


def options_of(table: NoteTable, **source: Any) -> str:
    """Return what the rows of a dataset depend on, and the names of their labels, as the JSON of its card."""
    return json.dumps({**source, "notes": table.digest, "masks": ["qualities"], "names": table.names})
