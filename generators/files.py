"""Writing a file whole or not at all: under a temporary name first, then renamed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from generators.errors import InversynthError


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], fault: type[InversynthError] = InversynthError) -> Iterator[None]:
    """Raise an OSError of the block as a `fault`, in one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise fault(f"cannot write {path}: {reason}. Name a place with room that you may write to") from None


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path to write to; without an exception it then replaces `path`, otherwise it is removed.

    It has the same suffix, by which many writers choose the format. The parent folder is created.
    Raises: OSError as the operating system words it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a UTF-8 text file, whole or not at all. Raises InversynthError where it cannot."""
    path = Path(path)
    with writing(path), written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path
