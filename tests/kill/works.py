"""Kinds of work that a process may die in, each small, and what tells two outcomes apart."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import soundfile

from tests.hostile.commands import filled

IGNORED = ("events.out.tfevents.", ".lock")
"""Beginnings of names of files that may differ: logs with times in them, and locks."""


@dataclass(frozen=True)
class Work:
    """A kind of work: the words of its command, in which `{name}` stands for a material."""

    name: str
    words: tuple[str, ...]

    def command(self, materials: Mapping[str, str]) -> list[str]:
        """Return the words with the materials in place."""
        return [filled(word, materials) for word in self.words]


WORKS = {
    work.name: work
    for work in (
        Work(
            "dataset",
            (
                *("generate", "sine", "--num_examples", "96", "--length", "0.05", "--sample_rate", "8000"),
                *("--workers", "6", "--name", "made"),
            ),
        ),
        Work("training", ("train", "--model", "C1", "--dataset_file", "{sine}", "--epochs", "3", "--batch_size", "4")),
        Work(
            "grid",
            (
                *("grid", "{corner_a}", "{corner_b}", "{corner_c}", "{corner_d}", "--resolution", "2"),
                *("--final_length", "512", "--pitches", "60", "--workers", "1", "--batch_size", "1"),
            ),
        ),
        Work("decode", ("decode", "{codes}", "{npy}", "--length", "0.032", "--batch_size", "1")),
        Work("invert", ("invert", "{fm_sound}", "{note}", "--budget", "none")),
        Work("benchmark", ("page", "benchmarks.md")),
    )
}

Digests = dict[str, str]


def digests(folder: Path, *, content: bool = False) -> Digests:
    """Hash the files below a folder by their paths: their bytes, or what they hold where `content` is asked for."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(IGNORED):
            data = _content(path) if content else path.read_bytes()
            found[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()[:16]
    return found


def difference(mine: Digests, theirs: Digests) -> list[str]:
    """Name the files in which two outcomes differ."""
    return sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))


def partial_files(folder: Path) -> list[str]:
    """Name what was begun and never finished."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.partial*"))


def _content(path: Path) -> bytes:
    """Return what a file holds, without times at which it was written."""
    reader = {".hdf5": _hdf5, ".h5": _hdf5, ".wav": _sound, ".keras": _archive, ".npz": _archive}.get(path.suffix)
    if reader:
        return reader(path)
    if path.suffix == ".csv":
        return _table(path)
    return path.read_bytes()


def _hdf5(path: Path | io.BytesIO) -> bytes:
    digest = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        digest.update(name.encode())
        if isinstance(item, h5py.Dataset):
            digest.update(np.ascontiguousarray(item[()]).tobytes())
        for key, value in sorted(item.attrs.items()):
            digest.update(f"{key}={value!r}".encode())

    with h5py.File(path) as file:
        add("", file)
        file.visititems(add)
    return digest.digest()


def _sound(path: Path) -> bytes:
    audio, rate = soundfile.read(path, dtype="float32")
    return bytes(audio.tobytes()) + str(rate).encode()


def _archive(path: Path) -> bytes:
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            data = archive.read(name)
            if name.endswith(".h5"):
                data = _hdf5(io.BytesIO(data))
            elif name == "metadata.json":
                data = json.dumps({**json.loads(data), "date_saved": ""}).encode()
            digest.update(name.encode() + data)
    return digest.digest()


def _table(path: Path) -> bytes:
    """Return a table without columns of seconds."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = [{key: value for key, value in row.items() if "seconds" not in str(key)} for row in rows]
    return json.dumps(kept).encode()
