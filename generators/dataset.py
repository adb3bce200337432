"""A dataset is one self-describing HDF5 file, or several: shards, each of which is complete by itself.

Datasets: `audio` (n, samples) float32, `classes` (n, parameters) uint8, `values` (n, parameters) float32, `done` (n,)
bool, one more of the shape of `audio` for each companion of the synth (such as its basic waveform), and one of shape
(n,) for each label (of notes: the instrument, the family, …). Attributes: schema, synth, parameter space as JSON,
sample rate, length, seed, sampling, options of the synth as JSON, companions, labels, software, and of a shard which
one it is. All columns are contiguous and fully allocated before the first row is written, so a process killed at any
instant leaves a readable file; a row counts only once its `done` flag, written after its data, is set.

Files come from anywhere, so a file is read only where it is laid out exactly as it is here: nothing else is taken from
it, followed out of it, or allocated because of it.
"""

import contextlib
import glob
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators import __version__
from generators.audio import LOUDEST, MOST_SAMPLES, SAMPLE_RATES
from generators.errors import DatasetError, ParameterError, os_reason, unknown
from generators.files import (
    check_readable_file,
    hidden_path,
    lock_holder,
    locked,
    made_folders,
    written_whole,
)
from generators.json_reader import parse_json
from generators.parameters import ParameterSpace

SCHEMA = "inversynth-dataset/1"
SUFFIX = ".hdf5"

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""The first bytes of a file: ours have nothing in front of it."""

LABEL_TYPES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"})

COLUMNS = ("audio", "classes", "values", "done")

MOST_ROWS = 1 << 40
"""Rows of a dataset: far beyond any disk, and its products with other sizes are exact."""

MOST_COLUMNS = 1000
"""Companions and labels: notes have six labels, and as many tags as somebody gives them."""

MOST_CARD_BYTES = 16 << 20
"""Of one text in a card: the names of the 1,006 instruments of NSynth take 30 kB."""

MOST_SHARDS = 9999

BLOCK = 1 << 20
"""Rows whose `done` flags are read at once."""

READ_BYTES = 1 << 30
"""Read at once: Linux reads no more than 2 GB in one call."""


@dataclass(frozen=True)
class Card:
    """The description in a dataset file. Two datasets with equal cards hold the same rows, byte for byte.

    Attributes: `options` is JSON text of what the synth's rows depend on beside its space, and under "names" of what
    the numbers of its labels stand for; `companions` names the columns beside `audio`, `labels` those of one number a
    row, each with the name of its integer type. Files written before there were any have none of the three.
    """

    synth: str
    space: str
    sample_rate: int
    length: float
    seed: int
    sampling_method: str
    normalise: bool
    num_examples: int
    options: str = "{}"
    companions: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> dict[str, list[str]]:
        """What the numbers of a label stand for, by label, in order; empty where they stand for themselves."""
        return {label: list(names) for label, names in json.loads(self.options).get("names", {}).items()}

    def names_of(self, label: str) -> list[str]:
        """Return what the numbers of a label stand for. Raises DatasetError where the card does not say."""
        names = self.names
        if label not in names:
            raise DatasetError(f"a card names what the numbers of label '{label}' stand for. Received: none")
        return names[label]

    @property
    def masks(self) -> tuple[str, ...]:
        """Labels whose numbers are sums of 2^i, one for each name i that holds."""
        return tuple(json.loads(self.options).get("masks", ()))

    def difference(self, other: "Card") -> str:
        """Name the first field in which another card differs, or return an empty string."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine == theirs:
                continue
            if field.name == "space":  # spaces that differ in descriptions alone are the same
                difference = ParameterSpace.from_json(mine).difference(ParameterSpace.from_json(theirs))
            elif field.name == "options":
                difference = _options_difference(json.loads(mine), json.loads(theirs))
            else:
                difference = f"{field.name} {mine} against {theirs}"
            if difference:
                return difference
        return ""


def dataset_path(directory: str | os.PathLike[str], name: str, shard: tuple[int, int] = (1, 1)) -> Path:
    """Return where a dataset of that name stands, or a shard (k, n) of it: `<name>.<k>of<n>.hdf5`."""
    return Path(directory) / (f"{name}.{shard[0]}of{shard[1]}{SUFFIX}" if shard[1] > 1 else f"{name}{SUFFIX}")


def parse_shard(text: str | None) -> tuple[int, int]:
    """Return (k, n) of `k/n`, counted from 1; (1, 1), the whole, of None. Raises: ParameterError for anything else."""
    numbers = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", "1/1" if text is None else text)
    k, n = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= k <= n:
        raise ParameterError(f"a shard is k/n with k from 1 to n, and n up to {MOST_SHARDS}. Received: {text}")
    return k, n


class Column:
    """One column of a dataset, over all its files: read and written by rows as an array is."""

    def __init__(self, name: str, parts: Sequence["_Part"]) -> None:
        self.name, self._parts = name, parts
        self._ends = np.cumsum([len(part) for part in parts])
        first = parts[0].columns[name]
        self.dtype = np.dtype(first.dtype)
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *first.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        rows, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if isinstance(rows, int | np.integer):
            one = self._range(*self._whole_rows(int(rows)))[0]
            return one[rest] if rest else one
        if isinstance(rows, slice) and rows.step in (None, 1):
            found = self._range(*rows.indices(len(self))[:2])
        else:
            numbers = np.arange(len(self))[rows]
            found = self.rows(numbers)
        return found[(slice(None), *rest)] if rest else found

    def __setitem__(self, rows: Any, values: Any) -> None:
        (part,) = self._parts
        part.columns[self.name][rows] = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def rows(self, rows: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Return scattered rows, in the order asked for."""
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for i, (part, row) in enumerate(self._places(rows)):
            part.read(self.name, row, out[i : i + 1])
        return self._clean(out)

    def crops(self, rows: NDArray[np.integer[Any]], starts: NDArray[np.integer[Any]], length: int) -> NDArray[Any]:
        """Return pieces of rows, in the order asked for."""
        out = np.empty((len(rows), length), self.dtype)
        for i, ((part, row), start) in enumerate(zip(self._places(rows), starts, strict=True)):
            part.read(self.name, row, out[i : i + 1], int(start))
        return self._clean(out)

    def _places(self, rows: NDArray[np.integer[Any]]) -> Iterator[tuple["_Part", int]]:
        parts = np.searchsorted(self._ends, rows, side="right")
        for number, row in zip(parts.tolist(), rows.tolist(), strict=True):
            part = self._parts[number]
            yield part, row - (int(self._ends[number]) - len(part))

    def _whole_rows(self, row: int) -> tuple[int, int]:
        row = row + len(self) if row < 0 else row
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return row, row + 1

    def _range(self, first: int, last: int) -> NDArray[Any]:
        """Read consecutive rows, whichever files they are in."""
        out = np.empty((max(last - first, 0), *self.shape[1:]), self.dtype)
        begin = 0
        for part, end in zip(self._parts, self._ends.tolist(), strict=True):
            low, high = max(first, begin), min(last, end)
            if low < high:
                part.read(self.name, low - begin, out[low - first : high - first])
            begin = end
        return self._clean(out)

    def _clean(self, out: NDArray[Any]) -> NDArray[Any]:
        """Return flags as flags: a file may hold any byte, NumPy knows 0 and 1 alone."""
        return out.view(np.uint8) != 0 if self.dtype == np.bool_ else out


class _Part:
    """One open file, checked: every column is where, and what, `Dataset.create` would have made it.

    Attributes: path, card, shard, software; `columns` maps the names of columns to the h5py datasets.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        """Open a file. Raises: DatasetError for a missing, empty, truncated or foreign one."""
        self.path, self.writable = path, writable
        self._file = _open(path, "r+" if writable else "r")
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            self.card, self.shard = _read_card(self._file, path)
            self.software = _text(self._file, "software", 200) if "software" in self._file.attrs else "unknown"
            self.space = ParameterSpace.from_json(self.card.space)
            layout = _columns(self.card, self.space, self.shard)
            size = os.fstat(self._descriptor).st_size
            self.columns = {
                name: _checked_column(self._file, path, name, shape, np.dtype(kind), size)
                for name, (shape, kind) in layout.items()
            }
            self._offsets = {name: column.id.get_offset() for name, column in self.columns.items()}
        except (DatasetError, KeyboardInterrupt):
            self.close()
            raise
        except (  # whatever a library makes of a damaged or hostile file
            *(ParameterError, KeyError, TypeError, ValueError, OverflowError, RuntimeError, OSError),
            *(AttributeError, RecursionError, MemoryError),
        ) as error:
            self.close()
            raise DatasetError(
                f"a dataset holds audio, classes, values, done and their card. Received: {path} without, "
                f"at fault: {error or type(error).__name__}"
            ) from None

    def __len__(self) -> int:
        return len(shard_rows(self.card.num_examples, self.shard))

    def read(self, name: str, row: int, out: NDArray[Any], start: int = 0) -> None:
        """Read consecutive rows, or a piece of one, into a contiguous array: straight from the file.

        No HDF5 call, no lock, no GIL a row. Measured at 64 rows of 16,384 samples: 0.4 ms, against 7 ms for a read
        through h5py a row. A file open for writing is read through HDF5, which may hold what it has not written yet.

        Raises: DatasetError where the file ends before.
        """
        column = self.columns[name]
        if self.writable or not hasattr(os, "preadv"):
            where = np.s_[row : row + len(out)]
            out[...] = column[where] if column.ndim == 1 else column[where, start : start + out.shape[1]]
            return
        size = out.itemsize
        place = self._offsets[name] + (row * math.prod(column.shape[1:]) + start) * size
        left = out.reshape(-1).view(np.uint8).data
        while len(left):
            count = os.preadv(self._descriptor, [left[:READ_BYTES]], place)
            if not count:
                raise DatasetError(f"{self.path} is truncated. Delete it and generate the dataset again")
            left, place = left[count:], place + count

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        if self._descriptor >= 0:
            if self.writable:  # what was rendered survives a power cut from here on
                with contextlib.suppress(OSError):
                    os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


class Dataset:
    """An open dataset: one file, or all its shards in order. Use as a context manager; reading never changes a file.

    Attributes: path (of shards a pattern that names them all), name, card, space, software, and `shard`: (1, 1), but of
    a shard opened alone (k, n). `audio`, `classes`, `values`, `done` are columns, and `companions` and `labels` map the
    names of the further ones to them.
    """

    def __init__(
        self, path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, writable: bool = False
    ) -> None:
        """Open what exists.

        Args:
            path: a file, a list of shards, or both as text: names with commas between them, or a pattern (`a.*.hdf5`).
        Raises: DatasetError for a missing, empty, truncated or foreign file, and for shards that make no whole.
        """
        paths = dataset_files(path)
        with contextlib.ExitStack() as stack:
            if writable:
                if len(paths) > 1:
                    raise DatasetError(f"a dataset is written one file at a time. Received: {len(paths)} of them")
                _check_there(paths[0])
                stack.enter_context(_sole_writer(paths[0]))
            self._open(paths, writable, stack)

    def _open(self, paths: Sequence[Path], writable: bool, stack: contextlib.ExitStack) -> None:
        self._writable = writable
        self._parts: list[_Part] = []
        for path in paths:
            part = _Part(path, writable=writable)
            stack.callback(part.close)
            self._parts.append(part)
        if len(paths) > 1:
            self._parts = _in_order(self._parts)
        first = self._parts[0]
        self.card, self.space, self.software = first.card, first.space, first.software
        self.shard = first.shard if len(paths) == 1 else (1, 1)
        k, n = first.shard
        self.name = first.path.stem.removesuffix(f".{k}of{n}") if n > 1 else first.path.stem
        self.path = first.path if len(paths) == 1 else first.path.with_name(f"{self.name}.*of{n}{SUFFIX}")
        columns = {name: Column(name, self._parts) for name in first.columns}
        self.audio, self.classes, self.values, self.done = (columns[name] for name in COLUMNS)
        self.companions = {name: columns[name] for name in self.card.companions}
        self.labels = {name: columns[name] for name, _ in self.card.labels}
        self._stack = stack.pop_all()

    @classmethod
    def create(cls, path: str | os.PathLike[str], card: Card, shard: tuple[int, int] = (1, 1)) -> "Dataset":
        """Lay out a new, unfinished file (replacing one of that name, whole or not at all) and open it for writing.

        Args:
            shard: (k, n) for the rows of shard k of n, counted from 1, in a file of their own.
        Raises: DatasetError where it does not fit on the disk, cannot be written, or is being written by others.
        """
        path = Path(path)
        space = ParameterSpace.from_json(card.space)
        _check_card(card, shard, str(path))
        columns = _columns(card, space, shard)
        need = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in columns.values())
        dataset = cls.__new__(cls)
        try:
            with made_folders(path.parent), contextlib.ExitStack() as stack:
                stack.enter_context(_sole_writer(path))
                with written_whole(path, durable=True) as partial:
                    _check_room(path, need)
                    _lay_out(partial, card, shard, columns)
                    os.truncate(partial, max(partial.stat().st_size, need))
                dataset._open([path], True, stack)
        except OSError as error:
            raise DatasetError(
                f"cannot write {path}: {os_reason(error)}. Name a --dataset_directory that you may write to"
            ) from None
        return dataset

    # --- reading -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.done)

    @property
    def first_row(self) -> int:
        """The number of its first row in the whole dataset: not 0 for a later shard opened alone."""
        return shard_rows(self.card.num_examples, self.shard).start

    @property
    def file_bytes(self) -> int:
        """Size of its files."""
        return sum(part.path.stat().st_size for part in self._parts)

    @property
    def samples(self) -> int:
        return int(self.audio.shape[1])

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies its rows, ready for JSON: the card with the space as its fingerprint, and options by name.

        Options that a synth does not have have no entry, so that runs on datasets older than the options can be
        resumed; neither have the names of labels, which may be many.
        """
        separate = ("options", "companions", "labels")
        card = {name: value for name, value in asdict(self.card).items() if name not in separate}
        options = {name: value for name, value in json.loads(self.card.options).items() if name != "names"}
        shard = {"shard": "{}/{}".format(*self.shard)} if self.shard != (1, 1) else {}
        return {**card, "space": self.space.fingerprint, **options, **shard}

    def finished(self) -> NDArray[np.intp]:
        """Row numbers that are done, in order."""
        return np.concatenate([np.flatnonzero(self.done[rows]) + rows.start for rows in self.blocks(BLOCK)])

    def check_finished(self) -> None:
        """Raise DatasetError unless every row is done, with classes that its space has."""
        count = len(self.finished())
        if count == 0:
            raise DatasetError(f"{self.path} has no finished rows. Generate it first")
        if count < len(self):
            raise DatasetError(
                f"{self.path} is unfinished: {count} of {len(self)} rows. Run its generator again to finish it"
            )
        for rows in self.blocks(BLOCK):
            try:
                self.space.check_classes(self.classes[rows])
            except ParameterError as error:
                raise DatasetError(f"{self.path} is damaged: {error}. Make it anew") from None

    def read(self, rows: slice | Sequence[int] | NDArray[np.integer[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (audio, classes) of some rows, in the order asked for, float32 and uint8."""
        audio, classes = self.read_columns(rows, ("audio", "classes"))
        return audio, classes

    def read_columns(
        self, rows: slice | Sequence[int] | NDArray[np.integer[Any]], names: Sequence[str]
    ) -> tuple[NDArray[Any], ...]:
        """Return columns by name, of some rows in the order asked for.

        Raises: DatasetError for a row or a column that the file lacks, and for samples that are no sound.
        """
        known = {"audio": self.audio, "classes": self.classes, "values": self.values}
        known |= {**self.companions, **self.labels}
        for name in names:
            if name not in known:
                raise DatasetError(f"{self.path}: {unknown('column', name, known)}")
        if isinstance(rows, slice):
            columns = [known[name][rows] for name in names]
        else:
            rows = self._check_rows(rows)
            columns = [known[name].rows(rows) for name in names]
        for name, column in zip(names, columns, strict=True):
            if name == "audio" or name in self.companions:
                self._check_samples(column)
        return tuple(columns)

    def read_crops(
        self, rows: Sequence[int] | NDArray[np.integer[Any]], starts: ArrayLike, length: int
    ) -> NDArray[np.float32]:
        """Return pieces of audio, straight from the file: what lies before and after them is never read.

        Args:
            starts: first sample of each piece, or one for all. length: samples of a piece.
        Shapes: rows (n,), starts (n,) or () -> (n, length) float32, in the order asked for.
        Raises: DatasetError for a row that the file lacks, and for a piece that leaves its sound.
        """
        rows = self._check_rows(rows)
        places = np.broadcast_to(np.asarray(starts, np.int64), rows.shape)
        if length < 1 or np.any((places < 0) | (places + length > self.samples)):
            span = f"{places.min()}..{places.max()}" if len(places) else "none"
            raise DatasetError(
                f"a crop lies within the {self.samples} samples of a sound of {self.path}. Received: {length} samples "
                f"from {span}"
            )
        crops = self.audio.crops(rows, places, length)
        self._check_samples(crops)
        return crops

    def _check_samples(self, audio: NDArray[np.floating[Any]]) -> None:
        if not audio.size:
            return
        low, high = float(audio.min()), float(audio.max())  # NaN where there is any
        if not (low >= -LOUDEST and high <= LOUDEST):
            received = f"{low:.3g}..{high:.3g}" if math.isfinite(high - low) else "NaN or infinity"
            raise DatasetError(
                f"samples must be finite, within ±2^31. Received: {received} in {self.path}. Make it anew"
            )

    def _check_rows(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        rows = np.asarray(rows, np.int64)
        if np.any((rows < 0) | (rows >= len(self))):
            raise DatasetError(
                f"rows of {self.path} run from 0 to {len(self) - 1}. Received: {rows.min()}..{rows.max()}"
            )
        return rows

    def count_labels(self, size: int = 65536) -> dict[str, dict[str, int]]:
        """Count among finished rows how often each name of each label holds, reading in blocks.

        Names that never hold are left out. A number without a name counts as its digits.
        """
        counts: dict[str, Counter[int]] = {label: Counter() for label in self.labels}
        for rows in self.blocks(size):
            done = self.done[rows]
            for label, column in self.labels.items():
                numbers, times = np.unique(column[rows][done], return_counts=True)
                for number, count in zip(numbers.tolist(), times.tolist(), strict=True):
                    bits = [bit for bit in range(number.bit_length()) if number >> bit & 1]
                    for each in bits if label in self.card.masks else [number]:
                        counts[label][each] += count
        names = self.card.names
        return {
            label: {
                names[label][number] if number < len(names.get(label, ())) else str(number): counts[label][number]
                for number in sorted(counts[label])
            }
            for label in counts
        }

    def blocks(self, size: int = 256) -> Iterator[slice]:
        """Walk the rows in slices, so that nothing is loaded whole."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    # --- writing -----------------------------------------------------------------------------------------------

    def write(
        self,
        rows: slice,
        audio: NDArray[np.float32],
        classes: NDArray[Any],
        values: NDArray[Any],
        **others: NDArray[Any],
    ) -> None:
        """Write a block of rows, companions and labels by name, and mark them done once their data have left."""
        self.audio[rows] = audio
        self.classes[rows] = classes
        self.values[rows] = values
        for name, column in {**self.companions, **self.labels}.items():
            column[rows] = others[name]
        self._parts[0].flush()
        self.done[rows] = True
        self._parts[0].flush()

    def forget(self) -> None:
        """Mark all rows undone, keeping their data until they are written anew."""
        self.done[:] = False
        self._parts[0].flush()

    def close(self) -> None:
        """Close its files; closing twice is harmless."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


# --- files and shards -------------------------------------------------------------------------------------------------


def shard_rows(rows: int, shard: tuple[int, int]) -> range:
    """Return the rows of shard (k, n), counted from 1: consecutive ones, as many in each shard to within one."""
    k, n = shard
    return range(rows * (k - 1) // n, rows * k // n)


def dataset_files(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the files that a path, a list, names with commas between them, or a pattern stand for.

    A file whose own name has a comma or looks like a pattern is meant itself. Raises: DatasetError for a pattern that
    nothing matches.
    """
    if not isinstance(path, str | os.PathLike):
        return [each for one in path for each in dataset_files(one)]
    text = os.fspath(path)
    if os.path.lexists(text):
        return [Path(text)]
    if "," in text:
        return [each for one in text.split(",") if one.strip() for each in dataset_files(one.strip())]
    if not glob.has_magic(text):
        return [Path(text)]
    found = sorted(glob.glob(text))  # noqa: PTH207 (a pattern of a user, absolute or not)
    if not found:
        raise DatasetError(f"no such dataset: nothing matches {text}. Make one, e.g. with: inversynth generate fm")
    return [Path(each) for each in found]


def _in_order(parts: Sequence[_Part]) -> list[_Part]:
    """Return shards in the order of their rows. Raises: DatasetError unless they make a whole."""
    ordered = sorted(parts, key=lambda part: part.shard)
    first = ordered[0]
    for part in ordered:
        difference = first.card.difference(part.card)
        if part.shard[1] == 1:
            difference = difference or "it is a whole dataset by itself"
        elif part.shard[1] != first.shard[1]:
            difference = difference or f"it is one of {part.shard[1]} shards against {first.shard[1]}"
        if difference:
            raise DatasetError(
                f"several files make a dataset if they are its shards. Received: {part.path} beside {first.path}, "
                f"{difference}. Name shards of one dataset"
            )
    numbers, n = [part.shard[0] for part in ordered], first.shard[1]
    for before, after in pairwise(ordered):
        if before.shard == after.shard:
            raise DatasetError(
                f"each shard comes once. Received: {before.path} and {after.path}, both shard {before.shard[0]}"
            )
    absent = sorted({*range(1, n + 1)} - {*numbers})
    if absent:
        named = ", ".join(map(str, absent[:10])) + (", …" if len(absent) > 10 else "")
        raise DatasetError(
            f"the {n} shards of a dataset belong together. Received: {len(numbers)} of them, without {named}. Name "
            f"them all, or make them: --shard {absent[0]}/{n}"
        )
    return ordered


@contextlib.contextmanager
def _sole_writer(path: Path) -> Iterator[None]:
    message = f"{path} is being written by {{holder}}. Wait for it to end, or generate a part of your own with --shard"
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked(hidden_path(path, ".lock"), message, DatasetError))
            yield
    except PermissionError as error:
        raise DatasetError(f"cannot write {path}: {os_reason(error)}. Name a dataset that you may write to") from None


# --- checks -----------------------------------------------------------------------------------------------------------


def _columns(card: Card, space: ParameterSpace, shard: tuple[int, int]) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Return the shape and the type of every column."""
    n, samples = len(shard_rows(card.num_examples, shard)), round(card.sample_rate * card.length)
    return {
        "audio": ((n, samples), np.float32),
        "classes": ((n, len(space)), np.uint8),
        "values": ((n, len(space)), np.float32),
        "done": ((n,), np.bool_),
        **dict.fromkeys(card.companions, ((n, samples), np.float32)),
        **{name: ((n,), np.dtype(kind)) for name, kind in card.labels},
    }


def _checked_column(
    file: h5py.File, path: Path, name: str, shape: tuple[int, ...], kind: np.dtype[Any], size: int
) -> h5py.Dataset:
    """Open a column. Raises: DatasetError unless it is stored as `Dataset.create` does it, within the file's size."""

    def wrong(what: str) -> DatasetError:
        return DatasetError(f"{name} of {path} must be {kind} in one piece of the file. Received: {what}. Make it anew")

    link = file.get(name, getlink=True)
    if link is None:
        raise KeyError(f"no {name}")
    if not isinstance(link, h5py.HardLink):  # nothing is followed: neither here nor into other files
        raise wrong("a link to it")
    column = file[name]
    if not isinstance(column, h5py.Dataset):
        raise wrong("a group" if isinstance(column, h5py.Group) else "a type")
    properties = column.id.get_create_plist()
    if properties.get_layout() != h5py.h5d.CONTIGUOUS:
        raise wrong("a virtual one" if properties.get_layout() == h5py.h5d.VIRTUAL else "chunks of it")
    if properties.get_external_count():
        raise wrong("storage in another file")
    if column.id.get_type() != _stored_type(kind):
        raise wrong("another type")
    if column.shape != shape:
        raise DatasetError(f"{name} of {path} must have shape {shape}. Received: {column.shape}. Make it anew")
    start, need = column.id.get_offset(), math.prod(shape) * kind.itemsize
    if start is None or column.id.get_storage_size() != need:
        raise wrong("less than its rows")
    if start + need > size:
        raise DatasetError(f"{path} is truncated. Delete it and generate the dataset again")
    return column


def _stored_type(kind: np.dtype[Any]) -> h5py.h5t.TypeID:
    return h5py.h5t.py_create(kind, logical=True)


def _read_card(file: h5py.File, path: Path) -> tuple[Card, tuple[int, int]]:
    """Read the card of a file, and which shard it is. Raises: DatasetError, and what its parts raise."""
    schema = _text(file, "schema", 200) if "schema" in file.attrs else None
    if schema != SCHEMA:
        raise DatasetError(f"{path} is no dataset of this project (schema '{SCHEMA}'). Received: schema {schema!r}")
    optional = {name: _text(file, name) for name in ("options", "companions", "labels", "shard") if name in file.attrs}
    card = Card(
        synth=_text(file, "synth"),
        space=_text(file, "space"),
        sampling_method=_text(file, "sampling_method", 200),
        sample_rate=int(_number(file, "sample_rate")),
        seed=int(_number(file, "seed")),
        num_examples=int(_number(file, "num_examples")),
        length=float(_number(file, "length")),
        normalise=bool(_number(file, "normalise")),
        options=json.dumps(_object(parse_json(optional.get("options", "{}"), MOST_CARD_BYTES))),
        companions=tuple(_list(parse_json(optional.get("companions", "[]")))),
        labels=tuple(_pair(label) for label in _list(parse_json(optional.get("labels", "[]")))),
    )
    shard = parse_shard(optional.get("shard"))
    _check_card(card, shard, str(path))
    return card, shard


def _text(file: h5py.File, name: str, most: int = MOST_CARD_BYTES) -> str:
    """Read a text attribute. Raises: TypeError or ValueError for anything else, or a longer one."""
    stored = h5py.h5a.open(file.id, name.encode())
    if stored.shape != () or stored.get_type().get_class() != h5py.h5t.STRING or stored.get_storage_size() > most:
        raise TypeError(f"{name} is no text")
    value = file.attrs[name]
    text = value.decode() if isinstance(value, bytes) else str(value)
    if len(text.encode()) > most:  # refuses surrogates, too: bytes that are not UTF-8
        raise ValueError(f"{name} is longer than {most} bytes")
    return text


def _number(file: h5py.File, name: str) -> Any:
    """Read an attribute of one number. Raises: TypeError for anything else."""
    stored = h5py.h5a.open(file.id, name.encode())
    value = file.attrs[name] if stored.shape == () and stored.get_storage_size() <= 16 else None
    if not isinstance(value, int | float | np.bool_ | np.integer | np.floating):
        raise TypeError(f"{name} is no number")
    return value


def _object(content: Any) -> dict[str, Any]:
    """Check the options of a card, among them the names of labels. Raises: TypeError."""
    names = content.get("names", {}) if isinstance(content, dict) else None
    masks = content.get("masks", []) if isinstance(content, dict) else None
    if not (isinstance(names, dict) and all(map(_is_texts, names.values())) and _is_texts(masks)):
        raise TypeError("options are no object, or their names no lists of text")
    return dict(content)


def _is_texts(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(each, str) for each in content)


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("companions and labels are lists")
    return content


def _pair(content: Any) -> tuple[str, str]:
    name, kind = _list(content)
    return name, kind


def _check_card(card: Card, shard: tuple[int, int], place: str) -> None:
    """Raise DatasetError for a card that no dataset can have, or whose numbers would grow beyond bounds."""

    def check(name: str, fits: bool, must: str, received: Any) -> None:
        if not fits:
            raise DatasetError(f"{name} of a dataset {must}. Received: {str(received)[:80]} for {place}")

    rates = f"lies in {SAMPLE_RATES[0]}..{SAMPLE_RATES[-1]} Hz"
    check("synth", card.synth.isprintable() and 0 < len(card.synth) <= 200, "is a name", card.synth)
    check("sample_rate", card.sample_rate in SAMPLE_RATES, rates, card.sample_rate)
    check("length", math.isfinite(card.length) and card.length > 0, "is a positive number", card.length)
    samples = round(card.sample_rate * min(card.length, MOST_SAMPLES))
    check("length", 1 <= samples <= MOST_SAMPLES, f"makes 1 to {MOST_SAMPLES:,} samples", f"{card.length:g} s")
    check("num_examples", 1 <= card.num_examples <= MOST_ROWS, f"lies in 1..{MOST_ROWS:,}", card.num_examples)
    check("seed", 0 <= card.seed < 1 << 63, "lies in 0..2^63 - 1", card.seed)
    k, n = shard
    check("shard", 1 <= k <= n <= min(MOST_SHARDS, card.num_examples), "k/n has k from 1 to n, a row each", f"{k}/{n}")
    others = [*card.companions, *(name for name, _ in card.labels)]
    check("companions and labels", len(others) <= MOST_COLUMNS, f"are at most {MOST_COLUMNS}", len(others))
    for name in others:
        plain = isinstance(name, str) and bool(re.fullmatch(r"[A-Za-z][\w-]{0,99}", name))
        check("a column", plain and name not in COLUMNS and others.count(name) == 1, "has a name of its own", name)
    for name, kind in card.labels:
        check(f"label {name}", kind in LABEL_TYPES, "is of integers", kind)


def _options_difference(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    for name in sorted({*mine, *theirs} - {"names"}):
        if mine.get(name) != theirs.get(name):
            return f"{name} {mine.get(name)} against {theirs.get(name)}"
    return "" if mine.get("names") == theirs.get("names") else "other names of labels"


def _check_room(path: Path, need: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if need > free:
        raise DatasetError(
            f"{path} needs {need / 1e9:.1f} GB. Received: a disk with {free / 1e9:.1f} GB free. Ask for fewer "
            "examples or name another --dataset_directory"
        )


def _lay_out(
    path: Path, card: Card, shard: tuple[int, int], columns: Mapping[str, tuple[tuple[int, ...], Any]]
) -> None:
    with h5py.File(path, "w") as file:
        for name, (shape, dtype) in columns.items():
            layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            layout.set_layout(h5py.h5d.CONTIGUOUS)
            layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            layout.set_obj_track_times(False)  # the bytes of a file follow from its card and rows alone
            if name == "audio" or name in card.companions:  # large: a hole in the file until its rows are written
                layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            kind = _stored_type(np.dtype(dtype))
            h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), layout)
        attributes = {**asdict(card), "companions": json.dumps(card.companions), "labels": json.dumps(card.labels)}
        if shard != (1, 1):
            attributes["shard"] = "{}/{}".format(*shard)
        file.attrs.update({"schema": SCHEMA, "software": f"inversynth {__version__}", **attributes})


def _check_there(path: Path) -> None:
    """Raise DatasetError where there is no file that could be a dataset."""
    hint = "Make one, e.g. with: inversynth generate fm"
    if not check_readable_file(path, "dataset", DatasetError, hint=hint):
        raise DatasetError(f"{path} is empty. Delete it and generate the dataset again")


def _open(path: Path, mode: str) -> h5py.File:
    _check_there(path)
    try:
        with path.open("rb") as raw:
            if raw.read(len(SIGNATURE)) != SIGNATURE:
                raise DatasetError(f"{path} is no HDF5 file. Name a dataset made by: inversynth generate")
        return h5py.File(path, mode)
    except (OSError, RuntimeError, ValueError, KeyError, OverflowError, MemoryError) as error:
        if "truncated" in str(error):
            raise DatasetError(f"{path} is truncated. Delete it and generate the dataset again") from None
        if "lock" in str(error):
            holder = lock_holder(hidden_path(path, ".lock"))
            raise DatasetError(f"{path} is being written by {holder}. Wait for it to end") from None
        reason = os_reason(error) if isinstance(error, OSError) else error
        raise DatasetError(f"cannot open {path}: {reason}") from None
