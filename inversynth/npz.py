"""Arrays in `.npz` and `.npy` files: nothing is unpickled; damage, missing arrays and NaN give a one-line error."""

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError
from generators.files import writing, written_whole


@dataclass(frozen=True)
class Content:
    """What a file holds, for messages: `latents`, and `a file of latents, as inversynth gansynth random makes`."""

    name: str
    form: str


def read_arrays(path: str | os.PathLike[str], names: Sequence[str], content: Content) -> dict[str, NDArray[Any]]:
    """Read arrays out of an .npz file. Raises DatasetError for a file that is missing, damaged or without them."""
    path = Path(path)
    with _reading(path, content):
        with zipfile.ZipFile(path) as members:  # NumPy would report anything else as a pickle
            if damaged := members.testzip():
                raise DatasetError(f"{path} is damaged: {damaged} does not match its checksum. Make it again")
        with np.load(path, allow_pickle=False) as archive:
            if any(name not in archive.files for name in names):
                held = ", ".join(archive.files) or "nothing"
                raise DatasetError(f"{path} must hold the arrays {' and '.join(names)}. Received: {held}")
            return {name: archive[name] for name in names}


def read_array(path: str | os.PathLike[str], content: Content) -> NDArray[Any]:
    """Read the array of an .npy file. Raises DatasetError for a file that is missing or no such array."""
    path = Path(path)
    with _reading(path, content):
        with path.open("rb") as file:
            try:
                np.lib.format.read_magic(file)
            except ValueError:
                raise DatasetError(
                    f"{path} must be an array as numpy.save writes it. Received: something else"
                ) from None
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


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
    except FileNotFoundError:
        raise DatasetError(f"no such {content.name}: {path}") from None
    except (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{path} must be {content.form}. Received: {error}") from None
