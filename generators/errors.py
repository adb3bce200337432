"""Errors of the input, each in one line: what must hold, what was received, what to do.

Libraries raise them; a command (`generators.command`) prints the message alone and exits with 2. A traceback is a bug.
"""

import difflib
import errno
import os
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


class InversynthError(Exception):
    """Base of every error that a user can fix."""


class SettingsError(InversynthError):
    """A flag, an environment variable or a line of `.env` is unusable."""


class ParameterError(InversynthError):
    """Values, classes or a parameter space do not fit."""


class AudioError(InversynthError):
    """A sound cannot be read, written or used."""


class DatasetError(InversynthError):
    """A dataset file is missing, foreign, unfinished or belongs to something else."""


class ModelError(InversynthError):
    """A model is unknown, or a model file does not fit what it is used for."""


class RunError(InversynthError):
    """A run folder cannot be started, resumed or read."""


LONGEST_MESSAGE = 1000
"""Characters of a message: half a screen of 80 columns holds them, whatever a file or an argument contains."""

ELLIPSIS = " … "


def shown(text: str | os.PathLike[str], longest: int = LONGEST_MESSAGE) -> str:
    r"""Return text as it may be printed: one line of bounded length, without characters that control a terminal.

    Control and format characters, line separators and lone surrogates are escaped as in Python; bytes of a path that
    are not UTF-8 as `\xe9`, the way that shells quote them. A longer text keeps its beginning and its end.
    """
    text = os.fspath(text)
    if len(text) > longest:  # first, for a value out of a file may have any size
        text = _shortened(text, longest)
    if text.isprintable():
        return text
    escaped = "".join(character if character.isprintable() else _escaped(character) for character in text)
    return _shortened(escaped, longest) if len(escaped) > longest else escaped


def one_line(text: str | os.PathLike[str]) -> str:
    """Return text of any length as one line to print: `shown`, of which nothing is left out."""
    text = os.fspath(text)
    return shown(text, len(text) * LONGEST_ESCAPE)


def error_line(message: str) -> str:
    """Return a message in one line of bounded length, as a command prints it on standard error."""
    return shown(re.sub(r"[ \t\r\n]+", " ", message).strip(" "))


LONGEST_ESCAPE = 10
"""Characters of the longest escape, `\\U0001d173`."""


def _shortened(text: str, longest: int) -> str:
    end = longest // 3
    return text[: longest - end - len(ELLIPSIS)] + ELLIPSIS + text[-end:]


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python could not decode (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota of the disk is used up"}
"""What is said of a write that found no room."""


def os_reason(error: OSError) -> str:
    """Return the reason of an OSError in words; h5py hides the number of its error in its message."""
    hidden = re.search(r"errno = (\d+)", str(error))
    number = error.errno or (int(hidden[1]) if hidden else 0)
    if number in FULL:
        return FULL[number]
    return os.strerror(number) if hidden or (number and not error.strerror) else error.strerror or str(error)


def look_up(kind: str, name: str, known: Mapping[str, Entry], fault: type[InversynthError]) -> Entry:
    """Return an entry of a table by its name. Raises `fault`, with the nearest name, for one that is not in it."""
    if name not in known:
        raise fault(unknown(kind, name, known))
    return known[name]


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not in a table, with the nearest one that is.

    Returns: one line, e.g. `unknown model 'C7'. Did you mean 'C6'? Known: C1, C2, …`.
    """
    names = list(known)
    folded = {candidate.casefold(): candidate for candidate in names}
    meant = name.casefold()
    close = difflib.get_close_matches(meant, folded, n=max(len(folded), 1), cutoff=0.4)

    def nearness(candidate: str) -> tuple[float, bool, str]:  # a common first letter breaks ties
        ratio = difflib.SequenceMatcher(None, candidate, meant).ratio()
        return ratio, candidate[:1] == meant[:1], candidate

    hint = f" Did you mean '{folded[max(close, key=nearness)]}'?" if close else ""
    return f"unknown {kind} '{name}'.{hint} Known: {', '.join(names)}"
