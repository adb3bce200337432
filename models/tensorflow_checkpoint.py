"""Checkpoints of TensorFlow 1 in its second format, read without TensorFlow: variables by name, shape and values.

A checkpoint is a prefix such as `model.ckpt-200000`: its `.index` is a sorted table, as of LevelDB, from the name of
each variable to its type, shape, place and checksum; `.data-00000-of-00001` holds the values one after another. Anybody
may have written the files, so nothing of them is believed before it is checked, and nothing in them is ever executed.
Source: the formats that `tf.train.Saver` writes since 2016 (tensor_bundle.proto and the table of LevelDB).
"""

import math
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError, os_reason
from generators.files import check_readable_file
from generators.tensorflow_files import DELIMITED, fields, masked_crc32c, varint

STATE = "checkpoint"
"""The file of a folder that names its newest checkpoint."""

INDEX = ".index"
PARTS = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
"""Endings of the files of a checkpoint."""

PACKED = (".zip", ".tar", ".gz", ".tgz")

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
TRAILER = 5
"""Bytes after each block of the table: its compression and its checksum."""

MAX_INDEX_BYTES = 16 << 20
"""Of an index: that of the largest network here, with the state of its training, has 60 kB."""

MAX_VARIABLES = 20_000
MAX_NAME = 1024
MAX_NUMBERS = 1 << 30
"""Of one variable."""

TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Numbers by their type in the index; variables of others are listed, and cannot be read."""

LISTED = 3
"""Names of each kind in a message."""


@dataclass(frozen=True)
class Variable:
    """Where the values of a variable lie, and what they are.

    Attributes: shape; type, as NumPy writes it, empty for an unreadable one; shard, the number of the data file; offset
    and size in it, in bytes; checksum, of the bytes.
    """

    shape: tuple[int, ...]
    type: str
    shard: int
    offset: int
    size: int
    checksum: int


@dataclass(frozen=True)
class Checkpoint:
    """The variables of a checkpoint by name. Attributes: prefix; shards, the number of its data files."""

    prefix: Path
    variables: Mapping[str, Variable]
    shards: int

    def read(self, name: str) -> NDArray[np.generic]:
        """Read a variable. Raises ModelError where it is not there, or its bytes differ from their checksum."""
        if name not in self.variables:
            raise ModelError(f"{self.prefix} must hold {name}. Received: a checkpoint without it")
        variable = self.variables[name]
        path = self.prefix.with_name(f"{self.prefix.name}.data-{variable.shard:05d}-of-{self.shards:05d}")
        held = check_readable_file(path, "file of a checkpoint", ModelError, hint="Copy all files of the checkpoint")
        if not variable.type:
            raise ModelError(f"{name} of {self.prefix} must hold numbers. Received: values of another kind")
        if variable.offset + variable.size > held:
            raise ModelError(f"{path} ends before the values of {name}. Copy it again")
        try:
            with path.open("rb") as file:
                file.seek(variable.offset)
                content = file.read(variable.size)
        except OSError as error:
            raise ModelError(f"cannot read {path}: {os_reason(error)}") from None
        if masked_crc32c(content) != variable.checksum:
            raise ModelError(f"the values of {name} in {path} must agree with their checksum. Copy it again")
        return np.frombuffer(content, variable.type).reshape(variable.shape)

    def count(self, name: str) -> int | None:
        """Read a variable that counts steps; None where there is no such number. Raises ModelError as `read`."""
        variable = self.variables.get(name)
        if variable is None or variable.shape or variable.type[1:2] != "i":
            return None
        return int(self.read(name)[()])

    def read_all(
        self, wanted: Mapping[str, Sequence[int]], what: str, endings: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Read the variables of a network, all of them and no others.

        Args:
            wanted: shapes by name. what: the network, for messages. endings: of names of weights: a variable whose name
                ends so and is not wanted belongs to another network.
        Raises: ModelError with the names that are missing, of another shape or too many, and for values that are not
            finite.
        """
        variables = self.variables
        missing = [name for name in wanted if name not in variables]
        other = [name for name, shape in wanted.items() if name in variables and variables[name].shape != tuple(shape)]
        extra = [name for name in variables if name.endswith(tuple(endings)) and name not in wanted]
        if missing or other or extra:
            shapes = [f"{name} of shape {variables[name].shape}, not {tuple(wanted[name])}" for name in other]
            parts = (("no ", missing), ("", shapes), ("in addition ", extra))
            received = "; ".join(f"{word}{_listed(names)}" for word, names in parts if names)
            raise ModelError(f"{self.prefix} must hold the variables of {what}. Received: {received}")
        values = {name: np.asarray(self.read(name), np.float32) for name in wanted}
        bad = [name for name, array in values.items() if not np.isfinite(array).all()]
        if bad:
            raise ModelError(f"weights must be finite. Received: NaN or infinity in {_listed(bad)} of {self.prefix}")
        return values


def find_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Return the prefix of a checkpoint: of the newest of a folder, of one of its files, or the prefix itself.

    A folder's newest is that which its file `checkpoint` names, else that of the most steps. The folders in that file
    are those of the machine that wrote it, and ignored. Raises: ModelError where there is none.
    """
    path = Path(path)
    if path.is_dir():
        return _newest(path)
    prefix = path.with_name(PARTS.sub("", path.name)) if path.name else path
    if _index_of(prefix).exists():
        return prefix
    hint = "Name a folder with files such as model.ckpt-200000.index, or model.ckpt-200000 in it"
    check_readable_file(path, "checkpoint of TensorFlow", ModelError, hint=hint)
    if path.suffix.lower() in PACKED:
        raise ModelError(
            f"a checkpoint is a folder or a prefix of files. Received: {path}, an archive. Unpack it first"
        )
    raise ModelError(f"a checkpoint has a file {_index_of(prefix)}. Received: {path} without it. {hint}")


def open_checkpoint(prefix: Path) -> Checkpoint:
    """Read the index of a checkpoint. Raises ModelError where it is missing, damaged, or beyond the bounds."""
    path = _index_of(prefix)
    check_readable_file(path, "index of a checkpoint", ModelError, most_bytes=MAX_INDEX_BYTES)
    try:
        entries = dict(_table(memoryview(path.read_bytes())))
        shards = _header(entries.pop(b"", b""))
        variables = {name.decode(): _variable(record, shards) for name, record in entries.items()}
    except OSError as error:
        raise ModelError(f"cannot read {path}: {os_reason(error)}") from None
    except ValueError as error:
        raise ModelError(f"{path} must be the index of a whole checkpoint. Received: {error}. Copy it again") from None
    return Checkpoint(prefix, variables, shards)


def _index_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + INDEX) if prefix.name else prefix


def _newest(folder: Path) -> Path:
    state = folder / STATE
    if state.exists():
        check_readable_file(state, "file that names a checkpoint", ModelError, most_bytes=1 << 20)
        named = re.search(
            r'^\s*model_checkpoint_path:\s*"([^"\n]*)"', state.read_text("utf-8", "replace"), re.MULTILINE
        )
        name = re.split(r"[/\\]", named[1])[-1] if named else ""
        if name and _index_of(folder / name).exists():
            return folder / name
    found = [path.with_name(path.name.removesuffix(INDEX)) for path in folder.glob(f"*{INDEX}")]
    if not found:
        raise ModelError(
            f"{folder} holds no checkpoint of TensorFlow. Name the folder with its files .index and .data-…"
        )
    return max(found, key=lambda prefix: (_steps(prefix.name), prefix.name))


def _steps(name: str) -> int:
    digits = re.search(r"-(\d{1,18})$", name)
    return int(digits[1]) if digits else -1


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


# --- the table --------------------------------------------------------------------------------------------------------


def _table(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Iterate over the entries of a table: name and record. Raises ValueError where it is damaged."""
    if len(data) < FOOTER or struct.unpack("<Q", data[-8:])[0] != MAGIC:
        raise ValueError("another kind of file, or one that was cut off")
    footer, place = data[-FOOTER:-8], 0
    for _ in range(2):  # the block of metadata, which nothing here needs
        _, place = varint(footer, place)
    count = 0
    for _, handle in _entries(_block(data, footer, place)):
        for name, record in _entries(_block(data, handle, 0)):
            count += 1
            if count > MAX_VARIABLES:
                raise ValueError(f"more than {MAX_VARIABLES:,} variables")
            yield name, record


def _block(data: memoryview, handle: memoryview, place: int) -> memoryview:
    """Return the block that an offset and a size at a place of the table lead to."""
    offset, place = varint(handle, place)
    size, _ = varint(handle, place)
    if offset + size + TRAILER > len(data):
        raise ValueError("a block beyond its end")
    kind, checksum = struct.unpack("<BI", data[offset + size : offset + size + TRAILER])
    if masked_crc32c(bytes(data[offset : offset + size + 1])) != checksum:
        raise ValueError("a block that differs from its checksum")
    if kind:
        raise ValueError("a compressed table, which savers of TensorFlow do not write")
    return data[offset : offset + size]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Iterate over the entries of a block, each of which shares the beginning of its key with the one before."""
    if len(block) < 4:
        raise ValueError("a block without an end")
    end = len(block) - 4 * (struct.unpack("<I", block[-4:])[0] + 1)
    key, place = b"", 0
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        size, place = varint(block, place)
        if shared > len(key) or place + own + size > end or shared + own > MAX_NAME:
            raise ValueError("an entry that exceeds its block")
        key = key[:shared] + bytes(block[place : place + own])
        yield key, block[place + own : place + own + size]
        place += own + size


# --- records ----------------------------------------------------------------------------------------------------------


def _header(record: memoryview | bytes) -> int:
    """Return the number of data files. Raises ValueError for a missing header, or numbers of the other byte order."""
    found = _numbers(memoryview(record))
    shards = found.get(1, 0)
    if not 0 < shards < 100_000:
        raise ValueError("no header")
    if found.get(2, 0):
        raise ValueError("numbers of a big-endian machine")
    return shards


def _variable(record: memoryview, shards: int) -> Variable:
    found, shape = _numbers(record), _shape(record)
    kind = TYPES.get(found.get(1, 0), "")
    variable = Variable(shape, kind, found.get(3, 0), found.get(4, 0), found.get(5, 0), found.get(6, 0))
    if kind and variable.size != math.prod(shape) * np.dtype(kind).itemsize:
        raise ValueError(f"a variable of shape {shape} in {variable.size:,} bytes")
    if variable.shard >= shards:
        raise ValueError(f"data file {variable.shard} of {shards}")
    if any(field == 7 for field, _, _ in fields(record)):
        raise ValueError("a variable in slices, as those of several machines; save it whole")
    return variable


def _numbers(record: memoryview) -> dict[int, int]:
    """Return the numbers of a record by field; those of fixed size are the checksum."""
    return {
        field: content if isinstance(content, int) else int.from_bytes(content, "little")
        for field, kind, content in fields(record)
        if kind != DELIMITED
    }


def _shape(record: memoryview) -> tuple[int, ...]:
    shape = [
        _numbers(dimension).get(1, 0)
        for field, kind, content in fields(record)
        if field == 2 and kind == DELIMITED and not isinstance(content, int)
        for part, inner, dimension in fields(content)
        if part == 2 and inner == DELIMITED and not isinstance(dimension, int)
    ]
    if len(shape) > 8 or math.prod(shape) > MAX_NUMBERS:
        raise ValueError(f"a variable of {len(shape)} axes, or more than {MAX_NUMBERS:,} numbers")
    return tuple(shape)


def counted(names: Mapping[str, object], name: Callable[[int], str]) -> int:
    """Return how many of the names of numbers 1, 2, … there are without a gap."""
    count = 0
    while name(count + 1) in names:
        count += 1
    return count
