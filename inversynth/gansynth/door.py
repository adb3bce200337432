"""`inversynth gansynth COMMAND`: what can be heard of a GANSynth, a door each."""

import sys
from collections.abc import Sequence

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.doors import run_door
from generators.errors import SettingsError, unknown
from generators.settings import Settings
from inversynth.cli import Command

DOORS: dict[str, Command] = {
    door.name: door
    for door in (
        Command("random", "inversynth.gansynth.random:main", "timbres drawn at random"),
        Command("interpolate", "inversynth.gansynth.interpolate:main", "what lies between two timbres"),
        Command("hallucinate", "inversynth.gansynth.hallucinate:main", "a long sound that drifts through timbres"),
        Command("midi", "inversynth.gansynth.midi:main", "a MIDI file, its timbre gliding"),
        Command("pca", "inversynth.gansynth.pca:main", "the directions in which timbres differ, and sliders for them"),
    )
}
"""What follows `inversynth gansynth`."""


class GansynthSettings(Settings):  # noqa: D101 (it has one, made of the table)
    __doc__ = "Hear a GANSynth.\n\ncommands:\n" + "\n".join(
        f"  {door.name:<{max(map(len, DOORS))}}  {door.summary}" for door in DOORS.values()
    )
    flags_only = frozenset({"command"})

    command: CliPositionalArg[str] = Field(description=f"one of {', '.join(DOORS)}; each has a --help of its own")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth") -> int:
    """Open the door named first; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in DOORS:
        return DOORS[words[0]].load()(words[1:])
    if words and not words[0].startswith("-"):
        words = words[:1]  # what follows belongs to the command, of which there is none

    def action(settings: GansynthSettings) -> None:
        if settings.command in DOORS:
            raise SettingsError(f"'{settings.command}' comes before its flags. Write: {prog} {settings.command} …")
        raise SettingsError(unknown("command", settings.command, DOORS))

    return run_door(GansynthSettings, action, words or ["--help"], prog)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.door"))
