"""Measure the peak memory of every command that takes or makes long sounds, on one second and on ten minutes.

`python -m tests.memory --all` measures all of them and writes the table of docs/reliability.md; `--only REGEX` takes
some, and prints them.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.page import publish
from tests.memory.commands import COMMANDS, LONG, RATE, SHORT, make_materials

ROOT = Path(__file__).resolve().parents[2]
PEAK = Path(__file__).with_name("peak.py")

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Peak:
    """Peak memory in MB of a command on the short and the long sound, and its last lines where it failed."""

    command: str
    short: float
    long: float
    fault: str = ""

    @property
    def above(self) -> float:
        return self.long - self.short

    @property
    def holds(self) -> bool:
        return not self.fault and self.above <= COMMANDS[self.command].bound


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; returns 1 where a command exceeds its bound."""
    parser = argparse.ArgumentParser(prog="python -m tests.memory", description=__doc__)
    parser.add_argument("--all", action="store_true", help="measure every command, and write the table")
    parser.add_argument("--only", default=".", help="commands whose name matches a regular expression")
    parser.add_argument("--seconds", type=float, default=LONG, help="of the long sound (default: %(default)g)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="memory-") as place:
        found = []
        for name in COMMANDS:
            if options.all or re.search(options.only, name):
                found.append(peak_of(name, Path(place), options.seconds))
                print(row(found[-1]), found[-1].fault, flush=True)
    if options.all:
        publish("memory", table(found))
    return int(not all(one.holds for one in found))


def peak_of(name: str, place: Path, seconds: float = LONG) -> Peak:
    """Measure one command on the short sound and on the longest that it accepts, up to `seconds`.

    The sounds are made where they are missing. What exceeds `seconds` must be refused, with less memory.
    """
    known, fault = COMMANDS[name], ""
    refuses = known.longest is not None and known.longest < seconds
    lengths = [SHORT, *([known.longest] if refuses and known.longest else []), seconds]
    peaks = []
    for length in lengths:
        folder = place / f"{length:g}"
        if not folder.exists():
            make_materials(folder, length)
        peak, code, words = measure([sys.executable, "-m", "inversynth", *known.words(folder)])
        peaks.append(peak)
        if code != (2 if refuses and length == seconds else 0):
            fault = fault or f"exit {code} on {length:g} s: {words[-400:]}"
        shutil.rmtree(folder / "out", ignore_errors=True)
    return Peak(name, peaks[0], max(peaks[1:]), fault)


def measure(words: Sequence[str]) -> tuple[float, int, str]:
    """Run a program; returns its peak memory in MB, its exit code and what it wrote on standard error."""
    ran = subprocess.run(
        [sys.executable, "-S", str(PEAK), *words],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"^peak (\d+) exit (-?\d+)$", ran.stdout, re.MULTILINE)
    assert found, ran.stdout + ran.stderr
    return int(found[1]) / MEGABYTE, int(found[2]), ran.stderr


def row(one: Peak) -> str:
    """Return a line of the table."""
    known = COMMANDS[one.command]
    cells = f"{one.short:,.0f}", f"{one.long:,.0f}", f"{one.above:+,.0f}", f"{known.bound}", known.reason
    return f"| `{one.command}` | " + " | ".join(cells) + " |" + ("" if one.holds else " **exceeded**")


def table(found: Sequence[Peak]) -> str:
    """Return the table of docs/reliability.md."""
    long = f"{LONG / 60:.0f} min at {RATE // 1000} kHz"
    head = f"| command | 1 s, MB | {long}, or the longest accepted, MB | above | bound | why |"
    return "\n".join([head, "|---|--:|--:|--:|--:|---|", *map(row, found)])


if __name__ == "__main__":
    sys.exit(main())
