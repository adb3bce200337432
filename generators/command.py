"""What every `main(argv)` shares: settings in, exit code out, faults in one line, Ctrl-C without a traceback."""

import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from generators.errors import InversynthError
from generators.settings import Settings

S = TypeVar("S", bound=Settings)
S_co = TypeVar("S_co", bound=Settings, covariant=True)


class Parser(Protocol[S_co]):
    """Reads settings; every class of settings does, and what first chooses such a class."""

    def parse(self, argv: Sequence[str] | None = None, prog: str | None = None) -> S_co: ...


EXIT_FAULT = 2
EXIT_INTERRUPTED = 130


def run_command(
    settings: Parser[S],
    action: Callable[[S], None],
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    *,
    resumes: bool = True,
) -> int:
    """Parse settings, run `action` with them and return the exit code.

    0: done. 2: the input is at fault (one line on standard error). 130: interrupted; where the work `resumes`, the line
    says so.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notices say nothing to a user
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        action(settings.parse(argv, prog))
    except InversynthError as error:
        return _fault(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        hint = "; what is finished is kept, and the same command goes on from there" if resumes else ""
        print(f"\ninterrupted{hint}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `… | head` closed the pipe: no complaint
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG):
            raise
        where = f" {error.filename}" if error.filename else ""
        return _fault(f"cannot write{where}: {error.strerror}. Name a place with room that you may write to")
    return 0


def _fault(message: str) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return EXIT_FAULT
