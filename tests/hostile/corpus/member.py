"""What a corpus is made of: members, each with a name, the arguments it fits, and how it is made."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

Must = Literal["refuse", "accept", "either"]

FILES = (
    *("dataset", "model", "sound", "midi", "soundfont", "csv", "space", "patch", "codes", "latents", "pca", "batch"),
    *("notes", "patches", "voice", "voices", "checkpoint"),
)
"""Kinds of arguments that name something to read. Those of `notes`, `patches` and `voices` may be folders, a
`checkpoint` is one; a `patch` may be a DX7 voice, too, a `voice` nothing else, and `voices` are any number of them."""

OUTPUTS = ("folder", "output")
TEXTS = ("stem", "word", "words")
NUMBERS = ("integer", "number", "integers", "numbers")


@dataclass(frozen=True)
class Place:
    """Where a member is made: a folder of its own, and a valid file of its kind to begin with, if there is one."""

    folder: Path
    valid: Path | None = None
    seed: int = 0

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def path(self, name: str) -> Path:
        """Return where a file of that name goes, with the ending of the valid one if the name has none."""
        ending = self.valid.suffix if self.valid is not None and not self.valid.is_dir() else ""
        return self.folder / (name if "." in name else name + ending)

    def content(self) -> bytes:
        """Return the bytes of the valid file. Raises LookupError where there is none."""
        if self.valid is None or not self.valid.is_file():
            raise LookupError("there is no valid file of this kind")
        return self.valid.read_bytes()


Maker = Callable[[Place], "str | Path"]


@dataclass(frozen=True)
class Member:
    """A hostile value of an argument.

    Attributes:
        name: unlike all others. group: which of the ten kinds of `docs/reliability.md` it belongs to.
        fits: kinds of arguments that it replaces. make: makes it and returns what stands in the argument.
        must: what has to come of it, where that does not depend on the command.
        ordinary: as a user whom permissions bind. disk: with a full disk where the command works.
        variables: the environment it is given with. everywhere: every argument that it fits meets it; the others go to
            a few each, for arguments of a kind share their reader.
    """

    name: str
    group: int
    fits: tuple[str, ...]
    make: Maker
    must: Must = "either"
    ordinary: bool = False
    disk: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    everywhere: bool = False


def written(name: str, content: bytes | Callable[[Place], bytes]) -> Maker:
    """Return a maker of a file of some bytes, or of what becomes of a valid file's."""

    def make(place: Place) -> Path:
        path = place.path(name)
        path.write_bytes(content if isinstance(content, bytes) else content(place))
        return path

    return make


def constant(text: str) -> Maker:
    """Return a maker of a text that stands in the argument as it is."""
    return lambda place: text


def sparse(name: str, size: int, head: bytes = b"") -> Maker:
    """Return a maker of a file of any size that takes no room."""

    def make(place: Place) -> Path:
        path = place.path(name)
        with path.open("wb") as file:
            file.write(head)
            file.truncate(size)
        return path

    return make


def copied(place: Place, name: str | bytes) -> Path:
    """Copy the valid file or folder under a name, which may be bytes that are no text."""
    if place.valid is None:
        raise LookupError("there is no valid file of this kind")
    target = place.folder / os.fsdecode(name)
    if place.valid.is_dir():
        shutil.copytree(place.valid, target)
    else:
        shutil.copyfile(place.valid, target)
    return target
