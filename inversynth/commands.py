"""Commands that belong together: `inversynth GROUP COMMAND …`, a door each, behind a door that knows their names."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import SettingsError, unknown
from generators.settings import Settings
from inversynth.cli import Command


@dataclass(frozen=True)
class Group:
    """Commands of one name.

    Attributes: name follows `inversynth`; summary is a sentence about all of them.
    """

    name: str
    summary: str
    commands: Sequence[Command]

    @property
    def doors(self) -> dict[str, Command]:
        """What follows the name."""
        return {command.name: command for command in self.commands}

    def main(self, argv: Sequence[str] | None = None, prog: str = "") -> int:
        """Open the door named first; returns the exit code."""
        doors, prog = self.doors, prog or f"inversynth {self.name}"
        words = list(sys.argv[1:] if argv is None else argv)
        if words and words[0] in doors:
            return doors[words[0]].load()(words[1:])
        if words and not words[0].startswith("-"):
            words = words[:1]  # what follows belongs to the command, of which there is none

        def action(settings: _GroupSettings) -> None:
            if settings.command in doors:
                raise SettingsError(f"'{settings.command}' comes before its flags. Write: {prog} {settings.command} …")
            raise SettingsError(unknown("command", settings.command, doors))

        return run_command(self._settings(), action, words or ["--help"], prog)

    def _settings(self) -> "type[_GroupSettings]":
        """Return settings whose help names the commands."""
        doors = self.doors
        lines = [f"  {name:<{max(map(len, doors))}}  {door.summary}" for name, door in doors.items()]

        class Named(_GroupSettings):
            __doc__ = "\n".join([self.summary, "", "commands:", *lines])

            command: CliPositionalArg[str] = Field(
                description=f"one of {', '.join(doors)}; each has a --help of its own"
            )

        return Named


class _GroupSettings(Settings):
    flags_only = frozenset({"command"})

    command: CliPositionalArg[str]
