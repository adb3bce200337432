"""The command line: `inversynth COMMAND …`.

Only the first word is parsed here. The module of a command is imported when the command is called, so that `--help`
never waits for TensorFlow.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from generators import __version__
from generators.errors import SettingsError, shown, unknown
from inversynth.commands import Command


def _commands_of(*systems: str) -> tuple[Command, ...]:
    """Gather the commands of neural systems, each from the `commands` module of its folder."""
    modules = (importlib.import_module(f"inversynth.{system}.commands") for system in systems)
    return tuple(command for module in modules for command in module.COMMANDS)


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command("start", "inversynth.start:main", "create .env and the data folders in this folder"),
        Command("generate", "generators.registry:main", "render random patches of a synthesizer into a dataset"),
        Command("train", "inversynth.train:main", "train a model on a dataset, or on sounds rendered on the fly"),
        Command(
            "invert",
            "inversynth.inversion.command:main",
            "estimate the synthesizer settings of a sound, and write a report",
        ),
        Command(
            "refine", "inversynth.inversion.refine_command:main", "search on from a patch for one nearer to a sound"
        ),
        Command("play", "inversynth.playback.play:main", "play a patch over a MIDI file or a range of notes"),
        Command("export", "inversynth.export.command:main", "convert a patch, or export a network to run elsewhere"),
        Command("vary", "inversynth.variation.vary_command:main", "vary a patch: patches and sounds near it, a page"),
        Command(
            "morph", "inversynth.variation.morph_command:main", "go from one patch to another in steps that sound even"
        ),
        Command("macros", "inversynth.macros:main", "render what each macro control does: a page, sounds, patches"),
        *_commands_of("neurosynth", "nsynth", "gansynth", "wae", "checkpoints"),
        Command(
            "compare",
            "inversynth.evaluation.compare:main",
            "lay dataset, re-rendered and reconstructed sounds side by side",
        ),
        Command(
            "evaluate", "inversynth.evaluation.command:main", "score models on a dataset, beside chance and an oracle"
        ),
        Command("explain", "inversynth.explanation.command:main", "say in plain words how a patch makes its sound"),
        Command(
            "inspect",
            "inversynth.inspection.command:main",
            "describe a dataset, a run, a model, a synthesizer or voices",
        ),
        Command("list", "inversynth.inspection.command:list_main", "list synthesizers, models, presets and systems"),
        Command("demo", "inversynth.demo:main", "invert five bundled sounds; --train: train a network of your own"),
    )
}
"""Every command, in the order in which a newcomer meets them."""

EXAMPLES = """\
examples:
  inversynth invert sound.wav
  inversynth generate fm --num_examples 2000
  inversynth train --model C3 --dataset_name InverSynth --epochs 5
  inversynth invert sound.wav --model runs/C3_InverSynth --budget full

`inversynth COMMAND --help` lists the flags of a command; docs/commands.md explains them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns its exit code: 0 done, 2 unusable input (one line on standard error), 130 interrupted, 143
    terminated.
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
        print(shown(f"SettingsError: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while a command was being imported; a running command handles it itself
        print("\ninterrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """argparse with one-line errors."""

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
