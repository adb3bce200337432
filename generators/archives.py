"""Zip archives from files that anybody may have written: checked before anything in them is unpacked.

Model files, `.npz` files and graphs are such archives. Python unpacks methods that none of them uses, asks for
passwords, and believes what the archive says of sizes: 2 MB become 2 GB.
"""

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from generators.errors import shown

MAX_MEMBERS = 1000
"""Members of an archive: a model file has 4, the state of a generation one for each of some hundred layers."""

METHODS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}
"""Compression methods, and how many times larger than its packed size a member can be (zlib's documentation)."""

ENCRYPTED = 0x41
"""Flags of a member that is encrypted, in the old way or in the strong one (APPNOTE 4.4.4)."""

LOCAL_HEADER = 30
"""Bytes that stand before every member, without its name."""


class ArchiveError(ValueError):
    """An archive is damaged or beyond the bounds. Its message follows the name of the file: `must be … Received: …`."""


class NoArchiveError(ArchiveError):
    """A file is no zip archive at all, or its end is missing."""


@contextmanager
def open_archive(path: str | os.PathLike[str], max_bytes: int) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members may be unpacked: `max_bytes` together, stored or deflated, each name once.

    Raises: ArchiveError for any other archive; NoArchiveError for
        another kind of file; OSError where the file cannot be opened.
    """
    path = Path(path)
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(about.st_mode):
        raise ArchiveError("must be a regular file. Received: a pipe or device")
    with path.open("rb") as file:
        if not _ends_as_archive(file):
            raise NoArchiveError("must be a zip archive. Received: something else, or a truncated one")
        with reading_archive():
            archive = zipfile.ZipFile(file)
            _check(archive, about.st_size, max_bytes)
        with archive:
            yield archive


def _ends_as_archive(file: BinaryIO) -> bool:
    try:
        return zipfile.is_zipfile(file)
    finally:
        file.seek(0)


@contextmanager
def reading_archive() -> Iterator[None]:
    """Raise ArchiveError for whatever Python raises where an archive is damaged."""
    try:
        yield
    except ArchiveError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        LookupError,
        OverflowError,
        RuntimeError,
    ) as error:
        raise ArchiveError(f"must be a whole zip archive. Received: {shown(str(error), 200)}") from None


def read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """Read a member into memory. Raises: ArchiveError where it is missing, damaged, or larger than `max_bytes`."""
    if name not in archive.NameToInfo:
        raise ArchiveError(f"must hold {name}. Received: an archive without it")
    size = archive.NameToInfo[name].file_size
    if size > max_bytes:
        raise ArchiveError(f"must hold at most {max_bytes:,} bytes of {name}. Received: {size:,}")
    with reading_archive():
        return archive.read(name)


def _check(archive: zipfile.ZipFile, size: int, max_bytes: int) -> None:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ArchiveError(f"must hold at most {MAX_MEMBERS} members. Received: {len(members):,}")
    if len(archive.NameToInfo) < len(members):
        raise ArchiveError("must hold each member once. Received: one of them twice")
    for member in members:
        if member.flag_bits & ENCRYPTED:
            raise ArchiveError(f"must not be encrypted. Received: {member.filename!r:.60} with a password")
        if member.compress_type not in METHODS:
            raise ArchiveError(
                f"must be stored or deflated. Received: {member.filename!r:.60} packed by method {member.compress_type}"
            )
        possible = member.compress_size * METHODS[member.compress_type]
        if member.file_size > possible or (member.compress_type == zipfile.ZIP_STORED and member.file_size != possible):
            raise ArchiveError(
                f"must be a whole zip archive. Received: {member.filename!r:.60} of {member.file_size:,} bytes, "
                f"packed into {member.compress_size:,}"
            )
    packed = sum(member.compress_size + LOCAL_HEADER + len(member.filename) for member in members)
    if packed > size:
        raise ArchiveError(f"must be a whole zip archive. Received: {packed:,} bytes of members in {size:,}")
    whole = sum(member.file_size for member in members)
    if whole > max_bytes:
        raise ArchiveError(f"must hold at most {max_bytes:,} bytes unpacked. Received: {whole:,}")
