"""Run a command that dies at a point: `python -m tests.kill.child 12:half:SIGKILL -- COMMAND …`.

With `none` for a point it runs undisturbed, and names its events on standard error as it ends.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.settings import Settings
from tests.kill.points import Killer, Point, watched


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code, if it comes to that."""
    place, _, *words = argv
    killer = Killer(None if place == "none" else Point.parse(place))
    code = run(words, killer)
    if killer.point is None:
        print(*(f"{number} {name}" for number, name in enumerate(killer.events)), sep="\n", file=sys.stderr)
    return code


def run(words: Sequence[str], killer: Killer) -> int:
    """Run `inversynth WORDS`, or `page PATH`, which publishes the sections of a benchmark page, under a killer."""
    with watched(killer), saved_at_every_step():
        if words[0] == "page":
            return run_command(PageSettings, publish_sections, words[1:], "page")
        from inversynth.cli import main as command

        try:
            return command(words)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1


@contextlib.contextmanager
def saved_at_every_step() -> Iterator[None]:
    """Let decoding keep its state after every code, not every minute, so that events do not depend on the clock."""
    import models.nsynth.inference as inference

    before, inference.SAVE_SECONDS = inference.SAVE_SECONDS, -1.0
    try:
        yield
    finally:
        inference.SAVE_SECONDS = before


class PageSettings(Settings):
    """Publish every section of a page of benchmarks, each with a table of its own."""

    flags_only = frozenset({"page"})

    page: CliPositionalArg[Path]


def publish_sections(settings: PageSettings) -> None:
    """Publish all sections, one after another."""
    from benchmarks.page import SECTIONS, Section, publish

    for name in SECTIONS:
        rows = [[f"{name} {number}", str(number)] for number in range(200)]
        publish(Section(name, name.title(), 1, ("what", "number"), rows), settings.page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
