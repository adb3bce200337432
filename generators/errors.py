"""Errors of the input, each in one line: what must hold, what was received, what to do.

Libraries raise them; a command (`generators.command`) prints the message alone and exits with 2. A traceback is a bug.
"""

import difflib
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
