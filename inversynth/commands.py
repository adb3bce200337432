"""Rows of the command line: single commands, and groups of them (`inversynth GROUP COMMAND …`).

Plain data that costs nothing to import: a command's module is imported when it is called. Each folder of commands lists
its own in a `commands` module, from which `inversynth.cli` gathers them.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generators.errors import InversynthError
    from generators.settings import Settings


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: what is typed. target: `module:function`, which takes the remaining words and returns the exit code.
        summary: one line for the help.
    """

    name: str
    target: str
    summary: str

    def load(self) -> Callable[[Sequence[str]], int]:
        """Import the function that runs it."""
        module, function = self.target.split(":")
        loaded: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), function)
        return loaded


@dataclass(frozen=True)
class Group:
    """Commands that share a first word.

    Attributes: name follows `inversynth`; summary is a sentence about all of them.
    """

    name: str
    summary: str
    commands: Sequence[Command]

    @property
    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {command.name: command for command in self.commands}

    def main(self, argv: Sequence[str] | None = None, prog: str = "") -> int:
        """Run the command that the first word names; returns the exit code."""
        from generators.command import run_command
        from generators.errors import SettingsError, unknown

        table, prog = self.table, prog or f"inversynth {self.name}"
        words = list(sys.argv[1:] if argv is None else argv)
        if words and words[0] in table:
            return table[words[0]].load()(words[1:])
        if words and not words[0].startswith("-"):
            words = words[:1]  # the rest are flags of a command that does not exist

        def action(settings: "Settings") -> None:
            name = str(getattr(settings, "command"))  # noqa: B009
            if name in table:
                raise SettingsError(f"'{name}' comes before its flags. Write: {prog} {name} …")
            raise SettingsError(unknown("command", name, table))

        return run_command(self._settings(), action, words or ["--help"], prog)

    def _settings(self) -> "type[Settings]":
        """Return settings whose help lists the commands."""
        from pydantic import Field, create_model
        from pydantic_settings import CliPositionalArg

        from generators.settings import Settings

        table = self.table
        lines = [f"  {name:<{max(map(len, table))}}  {command.summary}" for name, command in table.items()]
        description = f"one of {', '.join(table)}; each has its own --help"

        class GroupSettings(Settings):
            flags_only = frozenset({"command"})

        return create_model(
            "GroupSettings",
            __base__=GroupSettings,
            __doc__="\n".join([self.summary, "", "commands:", *lines]),
            command=(CliPositionalArg[str], Field(description=description)),
        )


def run_for_each(
    settings: "type[Settings]",
    action: "Callable[[Any, Callable[[InversynthError], None]], None]",
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    *,
    resumes: bool = True,
) -> int:
    """Run an action on many inputs, one of which may be unusable; returns the exit code.

    Args:
        action: takes the settings, and what to call with the error of a single input. That prints it on standard
            error, and makes the exit code 2 while the other inputs go on.
    """
    from generators.command import EXIT_FAULT, run_command

    errors: list[InversynthError] = []

    def on_error(error: "InversynthError") -> None:
        from tqdm import tqdm

        from generators.errors import error_line

        errors.append(error)
        tqdm.write(error_line(f"{type(error).__name__}: {error}"), file=sys.stderr)  # above a progress bar

    code = run_command(settings, lambda given: action(given, on_error), argv, prog, resumes=resumes)
    return code or (EXIT_FAULT if errors else 0)
