"""Arrays in `.npz` and `.npy` files: nothing is unpickled; damage, missing arrays and NaN give a one-line error."""

import io
import math
import os
import struct
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.archives import ArchiveError, NoArchiveError, open_archive, reading_archive
from generators.errors import DatasetError, os_reason, shown
from generators.files import writing, written_whole
from generators.json_reader import JsonError, read_bounded

MAX_BYTES = 1 << 29
"""Size of a file and of the arrays in it, unpacked: the codes of ten minutes of sound have 1.2 MB, a million latents
256 MB."""

MAX_HEADER = 10_000
"""Bytes of the description of an array, as NumPy bounds it where nothing else is said."""

MAX_BRACKETS = 32
"""Brackets in that description: it has one pair around the shape, and some for the fields of a table."""

MAX_AXES = 8
"""Axes of an array: ours have three at most."""


@dataclass(frozen=True)
class Content:
    """What a file holds, for messages: `latents`, and `a file of latents, as inversynth gansynth random makes`."""

    name: str
    form: str


def read_arrays(path: str | os.PathLike[str], names: Sequence[str], content: Content) -> dict[str, NDArray[Any]]:
    """Read arrays out of an .npz file.

    Raises: DatasetError for a file that is missing, damaged, without them, or larger than MAX_BYTES when unpacked.
    """
    path = Path(path)
    with _reading(path, content), open_archive(path, MAX_BYTES) as archive:
        held = [name.removesuffix(".npy") for name in archive.namelist()]
        if any(name not in held for name in names):
            received = shown(", ".join(held), 200) or "nothing"
            raise DatasetError(f"{path} must hold the arrays {' and '.join(names)}. Received: {received}")
        found = {}
        for name in names:
            member = archive.NameToInfo.get(f"{name}.npy") or archive.NameToInfo[name]
            try:
                with reading_archive():
                    found[name] = _read_array(archive.read(member))
            except ArchiveError as error:
                if "CRC" not in str(error):
                    raise
                raise DatasetError(
                    f"{path} is damaged: {member.filename} does not match its checksum. Make it again"
                ) from None
        return found


def read_array(path: str | os.PathLike[str], content: Content) -> NDArray[Any]:
    """Read the array of an .npy file. Raises DatasetError for a file that is missing or no such array."""
    path = Path(path)
    with _reading(path, content):
        return _read_array(read_bounded(path, MAX_BYTES))


def _read_array(content: bytes) -> NDArray[Any]:
    """Read an array of numbers or text as numpy.save writes it.

    What it says of itself is checked against its size before anything is allocated. Raises: ArchiveError.
    """
    file = io.BytesIO(content)
    shape, by_columns, kind = _read_header(file)
    if kind.hasobject:
        raise ArchiveError("must be an array of numbers or text. Received: Object arrays cannot be loaded safely")
    if kind.kind not in "biufcSUMm":
        raise ArchiveError(f"must be an array of numbers or text. Received: {kind!s:.60}")
    if len(shape) > MAX_AXES or any(extent < 0 for extent in shape):
        raise ArchiveError(f"must be an array of at most {MAX_AXES} axes. Received: shape {shape!s:.60}")
    room, needed = len(content) - file.tell(), math.prod(shape) * kind.itemsize
    if needed > room:
        raise ArchiveError(f"must hold the array that it describes. Received: {room:,} bytes for shape {shape!s:.60}")
    flat = np.frombuffer(content, kind, math.prod(shape), file.tell()) if needed else np.empty(math.prod(shape), kind)
    return flat.reshape(shape, order="F" if by_columns else "C").copy()


def _read_header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read shape, order and type of an array. Raises: ArchiveError for what Python cannot read, or only at length."""
    readers = {(1, 0): ("<H", np.lib.format.read_array_header_1_0), (2, 0): ("<I", np.lib.format.read_array_header_2_0)}
    try:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"version {version[0]}.{version[1]}")
        form, read_header = readers[version]
        start = file.tell()
        (length,) = struct.unpack(form, file.read(struct.calcsize(form)))
        header = file.read(length if length <= MAX_HEADER else 0)
        if len(header) != length or header.count(b"(") + header.count(b"[") > MAX_BRACKETS:
            raise ValueError(f"a description of {length:,} bytes")
        file.seek(start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's parser has remarks on what is no array
            return read_header(file)
    except (ValueError, TypeError, SyntaxError, RuntimeError, ArithmeticError, LookupError, struct.error) as error:
        raise ArchiveError(
            f"must be an array as numpy.save writes it. Received: something else ({shown(str(error).strip(), 60)})"
        ) from None
    except tokenize.TokenError:  # where NumPy takes it for a header of Python 2
        raise ArchiveError("must be an array as numpy.save writes it. Received: something else") from None


def finite_floats(array: NDArray[Any], content: Content, path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Return an array as float32. Raises DatasetError where it holds no numbers, or any that is not finite."""
    if array.dtype.kind not in "fiu":
        raise DatasetError(f"{content.name} must be numbers. Received: {array.dtype} in {path}")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if not np.all(np.isfinite(array)):
        raise DatasetError(f"{content.name} must be finite. Received: NaN or infinity in {path}")
    return array


def write_arrays(path: str | os.PathLike[str], **arrays: Any) -> Path:
    """Write arrays into an .npz file, whole or not at all. Raises DatasetError where it cannot be written."""
    path = Path(path)
    with writing(path, DatasetError), written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)
    return path


@contextmanager
def _reading(path: Path, content: Content) -> Iterator[None]:
    try:
        yield
    except NoArchiveError:
        raise DatasetError(
            f"{path} must be {content.form}. Received: File is not a zip file, or is cut short"
        ) from None
    except (ArchiveError, JsonError) as error:
        raise DatasetError(f"{path} {error}. It must be {content.form}") from None
    except FileNotFoundError:
        raise DatasetError(f"no such {content.name}: {path}") from None
    except OSError as error:
        raise DatasetError(f"{path} must be {content.form}. Received: {os_reason(error)}") from None
