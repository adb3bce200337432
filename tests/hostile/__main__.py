"""Run hostile cases and say what does not hold.

`python -m tests.hostile --all`, a sample of `--seconds 120`, `--only REGEX` or `--list`. With `--results FILE` the same
command goes on where it was stopped, and runs again what failed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.hostile.cases import Case, Result, all_cases, run_case, sample
from tests.hostile.commands import CALLS
from tests.hostile.page import publish
from tests.hostile.prepared import prepared
from tests.hostile.runner import Worker

KINDS = {
    **{1: "memory corruption", 3: "names", 4: "places", 5: "JSON", 6: "HDF5", 7: "`.keras`"},
    **{8: "arrays, audio, MIDI", 9: "numbers, words, disks"},
}
"""The groups of the corpus, by their numbers; crowds (2) and equal bytes (10) have tests of their own."""

SAMPLE = 120.0
"""Seconds of a sample."""

EXAMPLES = 2000
"""Inputs with which each fuzzer tries its parser where everything is run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run cases; returns 1 where a promise did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every case, and the table of docs/reliability.md")
    parser.add_argument("--seconds", type=float, help="how long cases run; a sample takes 120, all have no end")
    parser.add_argument("--only", help="cases whose names match a regular expression")
    parser.add_argument("--list", action="store_true", help="name the cases, and run none")
    parser.add_argument("--seed", type=int, default=0, help="draws the sample")
    parser.add_argument("--materials", type=Path, help="folder of what valid calls need; made once, kept if named")
    parser.add_argument(
        "--results", type=Path, help="where each case goes as a line of JSON; those that passed are not run again"
    )
    parser.add_argument("--crossed", action="store_true", help="every argument with every member that fits it")
    options = parser.parse_args(argv)
    cases = all_cases(options.seed, crossed=options.crossed)
    matching = [case for case in cases if not options.only or re.search(options.only, case.name)]
    chosen = list(sample(matching, options.seed))
    if options.list:
        for case in sorted(chosen, key=lambda case: case.name):
            print(ascii(case.name)[1:-1])
        return 0
    seconds = options.seconds or (None if options.all or options.only else SAMPLE)
    passed = earlier(options.results)
    rows = [row(case) for case in chosen if case.name in passed]
    with tempfile.TemporaryDirectory(prefix="hostile-worker-") as folder, Worker(Path(folder)) as worker:
        materials = prepared(worker, options.materials or Path(folder) / "materials")
        for result in run_all([case for case in chosen if case.name not in passed], worker, materials, seconds):
            rows.append(row(result.case, failed=bool(result.faults)))
            report(result, options.results)
    failed = sum(failed for _, _, failed in rows)
    print(f"{len(rows)} cases, {failed} failed")
    if options.all:
        fuzzed = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", str(Path(__file__).with_name("test_parsers.py"))],
            env={"HOSTILE_EXAMPLES": str(EXAMPLES), **os.environ},
            check=False,
        )
        publish("hostile", f"{len(rows):,} of {len(cases):,} cases, {failed} failed.\n\n{table(rows)}")
        return int(failed > 0 or fuzzed.returncode != 0)
    return int(failed > 0)


Row = tuple[str, int, bool]
"""Of a case that ran: its command, its group, and whether it failed."""


def row(case: Case, *, failed: bool = False) -> Row:
    """Return what the table counts of a case."""
    return case.argument.command, case.member.group, failed


def earlier(path: Path | None) -> set[str]:
    """Return the names of the cases that passed when they last ran, by a file of results."""
    lines = path.read_text().splitlines() if path and path.is_file() else []
    last = {line["case"]: line["faults"] for line in map(json.loads, lines)}
    return {name for name, faults in last.items() if not faults}


def run_all(
    cases: Iterable[Case], worker: Worker, materials: dict[str, str], seconds: float | None = None
) -> Iterator[Result]:
    """Run cases one after another, for so many seconds at most."""
    until = time.monotonic() + seconds if seconds else float("inf")
    for case in cases:
        if time.monotonic() > until:
            return
        yield run_case(case, worker, materials)


def report(result: Result, path: Path | None) -> None:
    """Print a case that failed, and keep every case in a file if one is named."""
    name = ascii(result.case.name)[1:-1]
    if result.faults:
        print(f"FAILED {name}", *(f"    {fault}" for fault in result.faults), sep="\n", flush=True)
    if path:
        outcome = result.outcome
        line = {"case": name, "faults": result.faults, "code": outcome.code, "seconds": round(outcome.seconds, 2)}
        line |= {"memory": outcome.memory, "stderr": outcome.stderr.decode("utf-8", "replace")[-600:]}
        line |= {
            "fault": outcome.fault[:3000] if outcome.ended else outcome.fault[-3000:],
            "command": result.case.argument.command,
            "group": result.case.member.group,
        }
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def table(rows: Sequence[Row]) -> str:
    """Return a table in Markdown: cases of each command and group, and how many of them failed."""
    tried: Counter[tuple[str, int]] = Counter()
    failed: Counter[tuple[str, int]] = Counter()
    for command, group, fails in rows:
        tried[command, group] += 1
        failed[command, group] += fails
    commands = [name for name in CALLS if any(command == name for command, _, _ in rows)]
    lines = ["| command | " + " | ".join(KINDS.values()) + " | all |", "|---|" + "---|" * (len(KINDS) + 1)]
    for command in commands:
        cells = [_cell(tried[command, kind], failed[command, kind]) for kind in KINDS]
        total = [sum(counts[command, kind] for kind in KINDS) for counts in (tried, failed)]
        shown = f"`{command}`" if " --" in command else command
        lines.append(f"| {shown} | " + " | ".join([*cells, _cell(*total)]) + " |")
    cells = [_cell(*(sum(counts[each, kind] for each in commands) for counts in (tried, failed))) for kind in KINDS]
    lines.append("| all | " + " | ".join([*cells, _cell(len(rows), sum(failed.values()))]) + " |")
    return "\n".join(lines)


def _cell(tried: int, failed: int) -> str:
    return f"{tried}, {failed} failed" if failed else str(tried or "")


if __name__ == "__main__":
    sys.exit(main())
