"""Files: checked before they are read, written whole or not at all, and by one writer at a time where it matters.

A file is written under a name of its own beside its target and then renamed, so readers meet the old content or the
new, and of several writers the last one wins whole.
"""

import contextlib
import errno
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path

from generators.errors import InversynthError, os_reason

LONGEST_NAME = 255
"""Bytes in a file name where the file system does not say: ext4, XFS, APFS, NTFS and tmpfs all allow as many."""

PARTIAL = ".partial"

HOLDER_BYTES = 512
"""What is read of a lock file: a host name has at most 255 bytes, a process number ten digits."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return a path without links and dots, whether it exists or not; of a loop of links, as far as it leads."""
    return Path(os.path.realpath(path))


# --- before reading ---------------------------------------------------------------------------------------------------


def check_readable_file(
    path: str | os.PathLike[str],
    kind: str = "file",
    fault: type[InversynthError] = InversynthError,
    *,
    most_bytes: int | None = None,
    hint: str = "",
) -> int:
    """Check that a path names a regular file that can be read, without ever waiting for one.

    Args:
        kind: what the file should be, for messages. most_bytes: its size at most.
        hint: what to do where there is no such file.
    Returns: its size in bytes.
    Raises: `fault` for anything else: a folder, a named pipe, a device, no permission, a name that cannot be, a file
        that is too large.
    """
    article = "an" if kind[:1] in "aeiou" else "a"
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise fault(f"{article} {kind} is a file. Received: the folder {path}. Name a file in it")
        if not stat.S_ISREG(status.st_mode):
            received = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise fault(
                f"{article} {kind} is a regular file. Received: {path}, {received}. Save its content in a file first"
            )
        os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
    except (FileNotFoundError, NotADirectoryError):
        raise fault(f"no such {kind}: {path}" + (f". {hint}" if hint else "")) from None
    except OSError as error:
        raise fault(f"cannot read {path}: {os_reason(error)}. Name {article} {kind} that you may read") from None
    except ValueError:  # a NUL
        raise fault(f"no such {kind}: {str(path)!r}" + (f". {hint}" if hint else "")) from None
    if most_bytes is not None and status.st_size > most_bytes:
        raise fault(
            f"{article} {kind} has at most {_megabytes(most_bytes)}. Received: {path} of {_megabytes(status.st_size)}"
        )
    return status.st_size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.6g} MB"


# --- writing ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], fault: type[InversynthError] = InversynthError) -> Iterator[None]:
    """Raise an OSError of the block as a `fault`, in one line."""
    try:
        yield
    except OSError as error:
        reason = os_reason(error)
        raise fault(f"cannot write {path}: {reason}. Name a place with room that you may write to") from None


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Yield a path to write to; without an exception it then replaces `path`, otherwise it is removed.

    It has the same suffix, by which many writers choose the format. The parent folder is created, and removed again if
    nothing was written. Any number of processes may write the same file: the last one to end wins.

    Args:
        durable: wait until the disk has the content and the name, so that a power cut loses neither; for what takes
            long to make anew.
    Raises: OSError as the operating system words it.
    """
    path = Path(path)
    with made_folders(path.parent):
        _check_target(path)
        _remove_stale(path.parent)
        partial = _partial_path(path)
        try:
            yield partial
            if durable:
                _synchronise(partial)
            partial.replace(path)
            if durable:
                _synchronise(path.parent)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(parent: str | os.PathLike[str]) -> Iterator[Path]:
    """Make an empty folder in another, for what a library writes by itself; in the end it is removed with its content.

    That of a process that died is removed by the next one that makes one, or writes a file whole, in the same place.

    Raises: OSError as the operating system words it.
    """
    parent = Path(parent)
    _remove_stale(parent)
    folder = parent / _partial_suffix()
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_writable(path: str | os.PathLike[str], fault: type[InversynthError] = InversynthError) -> None:
    """Check, before long work, that a file can be written at a path; its folder is made. Raises `fault` where not."""
    path = Path(path)
    with writing(path, fault), made_folders(path.parent):
        _check_target(path)
        partial = _partial_path(path)
        partial.touch()
        partial.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a UTF-8 text file, whole or not at all; what UTF-8 cannot write, such as half a surrogate, becomes `?`.

    Raises: InversynthError where it cannot be written.
    """
    path = Path(path)
    with writing(path), written_whole(path, durable=True) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")
    return path


@contextlib.contextmanager
def made_folders(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Make a folder with its parents; those that were made are removed again if the block fails and left them empty."""
    made = []
    for each in (Path(folder), *Path(folder).parents):
        if os.path.lexists(each):
            break
        made.append(each)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()
        raise


def _check_target(path: Path) -> None:
    """Raise OSError before anything is written that could not replace the target in the end, or must not: a device."""
    if path.exists() and not path.is_file():
        reason = "it is a folder" if path.is_dir() else "it is no regular file"
        raise OSError(errno.EISDIR if path.is_dir() else errno.EINVAL, reason, str(path))
    if len(os.fsencode(path.name)) > _longest_name(path.parent):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return LONGEST_NAME


def _partial_path(path: Path) -> Path:
    """Return a new name in the folder of a path: `.<stem>.<machine>-<process>-<random>.partial<suffix>`."""
    return hidden_path(path.with_suffix(""), f"{_partial_suffix()}{path.suffix}")


def _partial_suffix() -> str:
    """Return a new `.<machine>-<process>-<random>.partial`."""
    return f".{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}"


def hidden_path(path: Path, suffix: str) -> Path:
    """Return `.<name><suffix>` beside a path; a long name is cut at its end, so that the file system allows it."""
    room, name = _longest_name(path.parent) - len(os.fsencode(suffix)) - 1, path.name
    while len(os.fsencode(name)) > max(room, 0):
        name = name[:-1]
    return path.with_name(f".{name}{suffix}")


@cache
def _machine() -> str:
    """Return eight digits for this machine, or for this container: whose process numbers those in names are."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


@lru_cache(maxsize=256)
def _remove_stale(folder: Path) -> None:
    """Remove what processes of this machine left that are gone: once a folder, for it may hold many files."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            before, found, _ = path.name.rpartition(PARTIAL)
            if not (found and path.name.startswith(".")):
                continue
            machine, _, rest = before.rpartition(".")[2].partition("-")
            process = rest.partition("-")[0]
            if machine == _machine() and process.isdecimal() and not _is_alive(int(process)):
                with contextlib.suppress(OSError):
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _synchronise(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder. File systems that cannot are left to their own."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# --- one writer at a time ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], message: str, fault: type[InversynthError]) -> Iterator[None]:
    """Hold a lock file of the kernel's: nobody else can while the block runs, and it ends with the process in any case.

    The file says, for people, which process of which host holds it; it is removed at the end. Where the system or the
    file system knows no such locks there is none.

    Args:
        message: of the `fault` where another process holds it, with `{holder}` for which.
    Raises: `fault`; OSError where the file cannot be made.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    path = Path(path)
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise fault(message.replace("{holder}", lock_holder(path))) from None
        except OSError:  # a file system without locks
            os.close(descriptor)
            yield
            return
        if _is_same_file(descriptor, path):
            break
        os.close(descriptor)  # its holder removed it in between
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def lock_holder(path: str | os.PathLike[str]) -> str:
    """Return who holds a lock, as its file says it: `process 123 on host`, else `another process`."""
    try:
        with open(path, "rb") as file:
            text = " ".join(file.read(HOLDER_BYTES).decode("utf-8", "replace").split())
    except OSError:
        text = ""
    return text if text.isprintable() and text.startswith("process ") else "another process"


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
