"""What every `main(argv)` shares: settings in, exit code out, errors in one line, Ctrl-C without a traceback.

Log lines of the packages go to standard error unchanged. TensorFlow is silenced where it is loaded (`models.backend`),
which serves library users too.
"""

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
    """Reads settings: every class of settings, or an object that first chooses such a class."""

    def parse(self, argv: Sequence[str] | None = None, prog: str | None = None) -> S_co: ...


EXIT_FAULT = 2
"""As argparse exits where it cannot parse."""

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def run_command(
    settings: Parser[S],
    action: Callable[[S], None],
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    *,
    resumes: bool = True,
) -> int:
    """Parse settings, run `action` with them and return the exit code.

    0: done. 2: the input is at fault (one line on standard error). 130: interrupted; if the work `resumes`, a line
    says so.
    """
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # closed by `… | head`, which is no error
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
