"""The command line: `inversynth COMMAND …`, one table of commands, each a door of its own.

Only the first word is parsed here; the rest goes to the command, whose module is imported then and not before, so that
`--help` never waits for TensorFlow.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from generators import __version__
from generators.errors import SettingsError, unknown


@dataclass(frozen=True)
class Command:
    """A command: the door it opens (`module:function`, called with the remaining words) and one line about it."""

    name: str
    door: str
    summary: str

    def load(self) -> Callable[[Sequence[str]], int]:
        """Import the door."""
        module, function = self.door.split(":")
        loaded: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), function)
        return loaded


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command("start", "inversynth.start:main", "make .env and the data folders in this folder"),
        Command("generate", "generators.registry:main", "render random patches of a synth into a dataset"),
        Command("train", "inversynth.train:main", "train a model on a dataset, or on freshly rendered sounds"),
        Command(
            "invert", "inversynth.inversion.inversion:main", "estimate the settings behind a sound, and write a report"
        ),
        Command("refine", "inversynth.inversion.refine:main", "search on from a patch for one nearer to a sound"),
        Command("play", "inversynth.playback.play:main", "play a patch over a MIDI file or a range of notes"),
        Command("export", "inversynth.export.command:main", "write a patch, or a network, for other programs"),
        Command("macros", "inversynth.macros:main", "render what each macro control does: a page, sounds, patches"),
        Command("shape", "inversynth.neurosynth.shape:main", "put sounds under an amplitude envelope, by a network"),
        Command("encode", "inversynth.nsynth.encode:main", "hear sounds in the codes of an NSynth"),
        Command("decode", "inversynth.nsynth.decode:main", "say codes, or sounds, by an NSynth"),
        Command(
            "interpolate", "inversynth.nsynth.interpolate:main", "make sounds that lie between others, or last longer"
        ),
        Command(
            "grid",
            "inversynth.nsynth.grid.command:main",
            "render a pad of notes between four sounds, with a page to play",
        ),
        Command(
            "gansynth", "inversynth.gansynth.commands:main", "hear a GANSynth: random timbres, and what lies between"
        ),
        Command("wae", "inversynth.wae.commands:main", "hear a WAE-Fader: notes in styles, and your sounds in others"),
        Command(
            "compare",
            "inversynth.evaluation.compare:main",
            "lay dataset, regenerated and reconstructed sounds side by side",
        ),
        Command(
            "evaluate", "inversynth.evaluation.command:main", "score models on a dataset, beside chance and an oracle"
        ),
        Command(
            "inspect", "inversynth.inspection.command:main", "say what a dataset, a run, a model file or a model holds"
        ),
        Command("list", "inversynth.inspection.command:list_main", "name the synths, models, presets and systems"),
        Command("demo", "inversynth.demo:main", "invert five bundled sounds; --train: make a network of your own"),
    )
}
"""Every command, in the order in which a newcomer meets them."""

EXAMPLES = """\
examples:
  inversynth invert sound.wav
  inversynth generate fm --num_examples 2000
  inversynth train --model C3 --dataset_name InverSynth --epochs 5
  inversynth invert sound.wav --model runs/C3_InverSynth --budget full

`inversynth COMMAND --help` tells the flags of a command; docs/commands.md explains them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns its exit code: 0 done, 2 the input is at fault (one line on standard error), 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    try:
        name = parser.parse_args(words[:1]).command
        if name is None:
            parser.print_help()
            return 0
        if name not in COMMANDS:
            raise SettingsError(unknown("command", name, COMMANDS))
        return COMMANDS[name].load()(words[1:])
    except SettingsError as error:
        print(f"SettingsError: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while a command was being imported; once it runs, it answers by itself
        print("\ninterrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """argparse, but with a fault told in one line."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}. See inversynth --help")


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items())
    parser = _Parser(
        prog="inversynth",
        usage="inversynth COMMAND …",
        description="A sound -> the synthesizer settings that make it.",
        epilog=f"commands:\n{commands}\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"inversynth {__version__}")
    return parser
