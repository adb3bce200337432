"""Kill work at chosen points, run it again, and hold it to the outcome of an undisturbed run.

`python -m tests.kill --all` kills 50 times in each kind of work and writes the table of docs/reliability.md, a row as
each kill is done; without it each kind is killed as often as the tests do, or `--kills` says. `--work NAME` takes one
kind, whose row alone is then written anew, `--at POINT` one point.
"""

import argparse
import contextlib
import faulthandler
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.backend import silent_libraries
from tests.hostile.page import publish, published
from tests.hostile.worker import load_everything
from tests.kill.child import run
from tests.kill.materials import make_materials
from tests.kill.points import PHASES, SIGNALS, Killer, Point
from tests.kill.works import KILLS, WORKS, Digests, Work, difference, digests, partial_files

SECONDS = 900.0
"""Time in which a run must end; the longest takes a thirtieth of it where nothing else runs."""

IDLE_SECONDS = 90.0
"""Time in which a run may compute nothing at all, after which its stacks are printed and it counts as hung."""

STOPPED = {signal.SIGKILL: (-signal.SIGKILL,), signal.SIGINT: (130, 0), signal.SIGTERM: (130, 143, 0)}
"""Exit codes that are right after each signal; 0 where it came when all was done."""


@dataclass
class Ended:
    """How a run ended: its exit code or minus a signal, what it printed, and its events."""

    code: int
    stderr: str
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kill:
    """A kill, and what did not hold after it: nothing where all did."""

    work: str
    point: Point
    event: str
    faults: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Kill; returns 1 where a promise did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--all", action="store_true", help=f"up to {KILLS} kills for each kind of work, and the table")
    parser.add_argument("--kills", type=int, help="kills for each kind of work that is killed")
    parser.add_argument("--work", choices=[*WORKS], action="append", help="this kind alone")
    parser.add_argument("--at", help="this point alone, as 12:half:SIGKILL")
    parser.add_argument("--seed", type=int, default=0, help="chooses the points")
    options = parser.parse_args(argv)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["MPLBACKEND"] = "Agg"
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        os.environ["KERAS_HOME"] = folder
        load_without_threads()
        materials = _materials(Path(folder))
        done: list[Kill] = []
        for work in _chosen(options):
            count = options.kills or (work.kills if options.all else max(work.tested, 1))
            point = Point.parse(options.at) if options.at else None
            for kill in kill_work(work, materials, count, options.seed, point):
                done.append(kill)
                if kill.faults:
                    print(f"FAILED {kill.work} {kill.point} ({kill.event})")
                    print(*(f"    {fault}" for fault in kill.faults), sep="\n", flush=True)
                if options.all:
                    print(
                        f"{len(done)} {kill.work} {kill.point} ({kill.event}), {processor_seconds():.0f} s", flush=True
                    )
                    publish("kills", table(done, published("kills")))
    failed = sum(bool(kill.faults) for kill in done)
    print(f"{len(done)} kills, {failed} failed")
    return int(failed > 0)


def _chosen(options: argparse.Namespace) -> list[Work]:
    if options.work:
        return [WORKS[name] for name in options.work]
    return [work for work in WORKS.values() if options.all or work.tested]


def load_without_threads() -> None:
    """Import each module that a command may need; TensorFlow starts its threads in the children that compute.

    A child has none of the threads of its parent, and would wait for them for ever.
    """
    with silent_libraries():
        importlib.import_module("keras")  # loaded, nothing of the product initialises it
    load_everything()


def kill_work(
    work: Work, materials: dict[str, str], count: int, seed: int = 0, point: Point | None = None
) -> Iterator[Kill]:
    """Run a kind of work undisturbed, then kill it again and again, each time running it to its end after that."""
    with _box() as box:
        whole = _forked(work, materials, box)
        if whole.code != 0:
            raise RuntimeError(f"{work.name} does not run: {whole.stderr}")
        expected = digests(box)
    points = [point] if point else choose_points(whole.events, count, seed)
    for each in points:
        yield _killed(work, materials, each, whole.events, expected)


def choose_points(events: Sequence[str], count: int, seed: int) -> list[Point]:
    """Choose points spread over the events of a run, its first, its last and one of each kind among them.

    Phases and signals take turns, so that no point comes twice. There are nine for each event.
    """
    generator = random.Random(seed)
    kinds = {name.split()[0]: number for number, name in reversed(list(enumerate(events)))}
    numbers = [*dict.fromkeys((*kinds.values(), len(events) - 1))]
    rest = [number for number in range(len(events)) if number not in numbers]
    generator.shuffle(rest)
    generator.shuffle(numbers)
    turns = [(phase, each) for phase in PHASES for each in SIGNALS]
    generator.shuffle(turns)
    rounds = range(len(turns))
    return [
        Point(number, *turns[(place + shift) % len(turns)])
        for shift in rounds
        for place, number in enumerate([*numbers, *rest])
    ][:count]


def _killed(work: Work, materials: dict[str, str], point: Point, events: Sequence[str], expected: Digests) -> Kill:
    faults = []
    with _box() as box:
        dead = _forked(work, materials, box, point)
        if dead.code not in STOPPED[signal.Signals(point.signal)]:
            faults.append(f"after {signal.Signals(point.signal).name} the exit code is {dead.code}")
        if "Traceback" in dead.stderr:
            faults.append(f"a traceback: {dead.stderr.strip().splitlines()[-1][:160]}")
        if point.signal != signal.SIGKILL and (left := partial_files(box)):
            faults.append(f"{point}: left {', '.join(left[:3])} behind")
        again = _forked(work, materials, box)
        if again.code != 0:
            faults.append(f"it does not go on: exit code {again.code}, {again.stderr.strip()[-200:]!r}")
        elif differing := difference(digests(box), expected):
            faults.append(f"other bytes in {', '.join(differing[:4])}")
        if left := partial_files(box):
            faults.append(f"{', '.join(left[:3])} stays when all is done")
    return Kill(work.name, point, events[point.event] if point.event < len(events) else "?", tuple(faults))


@contextlib.contextmanager
def _box():  # type: ignore[no-untyped-def]
    folder = Path(tempfile.gettempdir()) / f"kill-work-{os.getpid()}"  # one path for all: some outputs name it
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _materials(folder: Path) -> dict[str, str]:
    """Make what the work takes; in a child, too, since it computes."""
    listed = folder / "materials.json"

    def make() -> int:
        listed.write_text(json.dumps(make_materials(folder)))
        return 0

    code = _in_child(make, folder, folder / "stderr")
    if code != 0:
        raise RuntimeError(f"materials cannot be made: {(folder / 'stderr').read_text()}")
    found: dict[str, str] = json.loads(listed.read_text())
    return found


def _forked(work: Work, materials: dict[str, str], folder: Path, point: Point | None = None) -> Ended:
    """Run a work in a child of this process, which has everything loaded and has computed nothing."""
    with tempfile.TemporaryDirectory() as beside:
        printed, listed = Path(beside) / "stderr", Path(beside) / "events"
        killer = Killer(point)

        def act() -> int:
            try:
                return run(work.command(materials), killer)
            finally:
                listed.write_text(json.dumps(killer.events))

        code = _in_child(act, folder, printed)
        events = json.loads(listed.read_text()) if listed.exists() else []
        return Ended(code, printed.read_text(errors="replace"), events)


def _in_child(act: Callable[[], int], folder: Path, printed: Path) -> int:
    """Let a child of this process act in a folder, its output in a file; returns its exit code, or minus a signal."""
    child = os.fork()
    if child != 0:
        return wait(child, printed)
    code = 1
    try:
        file = os.open(printed, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
        code = act()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def wait(child: int, printed: Path) -> int:
    """Wait for a child; one that hangs is made to print the stacks of its threads, which the error repeats."""
    began = moved = time.monotonic()
    spent = 0
    while time.monotonic() - began < SECONDS and time.monotonic() - moved < IDLE_SECONDS:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if (now := processor_ticks(child)) != spent:
            spent, moved = now, time.monotonic()
        time.sleep(0.02)
    os.kill(child, signal.SIGUSR1)
    time.sleep(1.0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise RuntimeError(
        f"a run did not end in {time.monotonic() - began:.0f} s, the last {time.monotonic() - moved:.0f} s of them "
        f"idle:\n{printed.read_text(errors='replace')}"
    )


def processor_seconds() -> float:
    """Return the time that all ended children of this process have computed."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def processor_ticks(process: int) -> int:
    """Return the time that a process of Linux has computed, in ticks of its clock."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def table(kills: Sequence[Kill], before: str = "") -> str:
    """Return a table in Markdown: kills of each kind of work by signal, and how many of them failed.

    Rows of an earlier table stay where this time nothing of that kind was killed.
    """
    names = [signal.Signals(each).name for each in SIGNALS]
    rows = {line.split("|")[1].strip(): line for line in before.splitlines()[2:]}
    for work in dict.fromkeys(kill.work for kill in kills):
        mine = [kill for kill in kills if kill.work == work]
        counts = [str(sum(kill.point.signal == each for kill in mine)) for each in SIGNALS]
        rows[work] = f"| {work} | {' | '.join(counts)} | {sum(bool(kill.faults) for kill in mine)} |"
    listed = [rows[name] for name in sorted(rows, key=[*WORKS].index)]
    return "\n".join([f"| work | {' | '.join(names)} | failed |", "|---|" + "---:|" * (len(names) + 1), *listed])


if __name__ == "__main__":
    sys.exit(main())
