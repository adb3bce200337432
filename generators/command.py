"""What every `main(argv)` shares: settings in, exit code out, errors in one line, stopped without a traceback.

A signal to terminate stops as cleanly as Ctrl-C. What is printed passes `shown` last, so that no name or value out of a
file controls the terminal. TensorFlow is silenced where it is loaded (`models.backend`), which serves library users
too.
"""

import contextlib
import copy
import errno
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from generators.errors import FULL, InversynthError, error_line, one_line, os_reason, shown
from generators.settings import Settings

S = TypeVar("S", bound=Settings)
S_co = TypeVar("S_co", bound=Settings, covariant=True)


class Parser(Protocol[S_co]):
    """Reads settings: every class of settings, or an object that first chooses such a class."""

    def parse(self, argv: Sequence[str] | None = None, prog: str | None = None) -> S_co: ...


EXIT_FAULT = 2
"""As argparse exits where it cannot parse."""

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

EXIT_TERMINATED = 143
"""128 + SIGTERM, as shells report it."""


class Terminated(KeyboardInterrupt):
    """The signal to terminate: what ends cleanly on Ctrl-C ends cleanly on this."""


def run_command(
    settings: Parser[S],
    action: Callable[[S], None],
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    *,
    resumes: bool = True,
) -> int:
    """Parse settings, run `action` with them and return the exit code.

    0: done. 2: the input is at fault (one line on standard error). 130, 143: interrupted, terminated; if the work
    `resumes`, a line says so.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ShownFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    kept = "; what is finished is kept, and the same command goes on from there" if resumes else ""
    try:
        with _termination_interrupts(), contextlib.redirect_stdout(_ShownOutput(sys.stdout)):
            action(settings.parse(argv, prog))
    except InversynthError as error:
        return _fault(f"{type(error).__name__}: {error}")
    except Terminated:
        print(f"\nterminated{kept}", file=sys.stderr)
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        print(f"\ninterrupted{kept}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # closed by `… | head`, which is no error
        return 0
    except MemoryError as error:
        needed = str(error) or "more"
        return _fault(f"MemoryError: the work must fit into memory. Received: {needed}. Ask for less at a time")
    except OSError as error:
        return _fault(_os_fault(error, kept))
    return 0


@contextlib.contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Raise Terminated where the process is told to terminate; only its main thread receives signals."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return

    def terminate(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


class _ShownFormatter(logging.Formatter):
    """Formats a log line without characters that control a terminal; a path in it has no ends of lines either."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.args, tuple):
            record = copy.copy(record)
            record.args = tuple(one_line(arg) if isinstance(arg, os.PathLike) else arg for arg in record.args or ())
        return "\n".join(shown(line) for line in super().format(record).split("\n"))


class _ShownOutput:
    """Standard output without characters that control a terminal, but for tabs and ends of lines."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def write(self, text: str) -> int:
        shown_parts = (part if part in "\n\t" else one_line(part) for part in _PARTS.findall(text))
        self._output.write("".join(shown_parts))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


_PARTS = re.compile(r"[\n\t]|[^\n\t]+")


def _os_fault(error: OSError, kept: str) -> str:
    """Return the message of an OSError that no reader or writer has named. Raises it where it tells a user nothing."""
    reason = os_reason(error)
    hidden = re.search(r"name = '([^']*)'", str(error))  # as h5py writes a path
    path = os.fsdecode(error.filename) if error.filename else hidden[1] if hidden else ""
    where = f" {path}" if path else ""
    if reason in FULL.values() or error.errno in WRITING:
        advice = kept if reason in FULL.values() else ""
        return f"cannot write{where}: {reason}{advice}. Name a place with room that you may write to"
    if not path and error.errno != errno.EIO:
        raise error
    return f"cannot use{where}: {reason}. Name a file or folder that can be read and written"


WRITING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG})
"""Errors of a place that may not be written to, beside those of a full one."""


def _fault(message: str) -> int:
    print(error_line(message), file=sys.stderr)
    return EXIT_FAULT
