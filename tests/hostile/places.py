"""Where files may and may not be written: a disk that is full, and what a folder held before and holds after."""

import contextlib
import hashlib
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOM = 8 << 10
"""Bytes of a disk that is nearly full: a file begins to be written, and does not end."""

LARGE = 4 << 20
"""Bytes beyond which a file counts by its size and time of change, not by its content."""


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Make a folder a disk of 8 kB; where that takes root, let no file grow beyond it instead."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "hostile", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))  # Python ignores SIGXFSZ: writing raises EFBIG
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


Snapshot = dict[bytes, str]
"""What lies below a folder: paths as the file system has them, each with what tells its content from another."""


def snapshot(folder: Path) -> Snapshot:
    """Look at all files and folders below a folder, following no link."""
    found: Snapshot = {}
    pending = [os.fsencode(folder)]
    while pending:
        parent = pending.pop()
        try:
            entries = list(os.scandir(parent))
        except OSError as error:
            found[parent] = f"closed: {error.errno}"
            continue
        for entry in entries:
            found[entry.path] = _describe(entry)
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
    return found


def _describe(entry: "os.DirEntry[bytes]") -> str:
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {os.readlink(entry.path)!r}"  # noqa: PTH115 - a path of bytes
    if not stat.S_ISREG(status.st_mode):
        return f"of kind {stat.S_IFMT(status.st_mode):o}"
    if status.st_size > LARGE:
        return f"{status.st_size} bytes of {status.st_mtime_ns}"
    mode = stat.S_IMODE(status.st_mode)
    try:
        with open(entry.path, "rb") as file:
            return f"{mode:o} {hashlib.sha256(file.read()).hexdigest()}"
    except OSError as error:
        return f"{mode:o} closed: {error.errno}"
