"""Writing a file whole or not at all: beside its place first, then renamed over it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from generators.errors import InversynthError


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], fault: type[InversynthError] = InversynthError) -> Iterator[None]:
    """Raise what the system refuses to write as a `fault`, in one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise fault(f"cannot write {path}: {reason}. Name a place with room that you may write to") from None


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path to write to; on leaving without a fault it replaces `path`, otherwise nothing stays behind.

    The path has the suffix of the one it replaces, by which many writers tell a format. The parent folder is made.
    Raises: OSError as the system words it.
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
