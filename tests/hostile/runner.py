"""Running hostile cases: workers that are replaced as they die, limits they are held to, and what must hold after."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.corpus.places import ODD_NAMES
from tests.hostile.places import Snapshot, snapshot

ROOT = Path(__file__).resolve().parents[2]

CPU_SECONDS = 45.0
"""Time of the processor that a case may take; the slowest valid call of the table takes a third of it."""

IDLE_SECONDS = 8.0
"""Seconds without work after which a command hangs: it waits for what never comes, such as a writer of a fifo."""

MEMORY = 1 << 30
"""Bytes that a case may take above what a worker holds with everything loaded."""

KILLED_AT = 5 << 29
"""Bytes above that at which a worker is stopped, for the sake of the machine."""

LONGEST = 2000
"""Characters of an error; the 128 instruments of General MIDI, which one of them lists, take 1,700."""

STARTING = 300.0
"""Seconds in which a worker must be ready on a busy machine."""

ERROR_LINE = re.compile(r"^(\w+Error: |cannot |disk full)")
LIBRARY_LINE = re.compile(
    r"^(WARNING: All log messages|WARNING:\w+:|[IWEF]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] "
    r"|.*oneDNN|.*cuInit|.*Warning: )",
    re.MULTILINE,
)
RETRACING = re.compile(r"^WARNING:tensorflow:.* triggered tf\.function retracing.*$", re.MULTILINE)
"""What TensorFlow says of a process that loads one model after another, as no command does but the worker."""

KEPT = re.compile(rb"(is|are) finished and kept in ")
"""Says that work was done before what failed, such as a dataset whose sounds find no room as WAV files."""

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")
PROGRESS = re.compile(r"\d+%\||\d+examples|it/s|s/it|\?examples|\?it")


@dataclass(frozen=True)
class Job:
    """A call: the words after `inversynth`, its folder and variables, and what the world is like around it.

    Attributes: `cpu_seconds` is the time of the processor that it may take.
    """

    argv: Sequence[str]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    disk: Path | None = None
    ordinary: bool = False
    cpu_seconds: float = CPU_SECONDS


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes: `code` is the exit code, or minus a signal; `ended` says why a worker had to be stopped, or how it died;
    `fault` is the traceback of what a command let through. `memory` is in bytes above the base, `seconds` by the clock.
    """

    code: int
    stdout: bytes
    stderr: bytes
    fault: str = ""
    ended: str = ""
    memory: int = 0
    seconds: float = 0.0


class Worker:
    """A process of `tests.hostile.worker`, started when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.crashes = folder / "crashes.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._child = 0
        self._base = 0

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, and its child with it."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._replies.close()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process, self._child = None, 0

    def run(self, job: Job) -> Outcome:
        """Run a job within the limits."""
        self._make_ready()
        assert self._process is not None
        assert self._process.stdin is not None
        printed = self.folder / "stdout", self.folder / "stderr"
        content = {
            **{"argv": [*job.argv], "folder": str(job.folder), "variables": dict(job.variables)},
            **{"disk": str(job.disk) if job.disk else "", "ordinary": job.ordinary},
            **{"stdout": str(printed[0]), "stderr": str(printed[1])},
        }
        for path in printed:
            path.write_bytes(b"")
        crashed = len(self.crashes.read_text(errors="replace")) if self.crashes.exists() else 0
        started = time.monotonic()
        self._process.stdin.write(json.dumps(content).encode() + b"\n")
        self._process.stdin.flush()
        reply, ended = self._await(job.cpu_seconds)
        seconds = time.monotonic() - started
        out, err = (path.read_bytes() for path in printed)
        if "died" in reply:
            self._child = 0
            if job.disk:
                subprocess.run(["umount", "-l", str(job.disk)], capture_output=True, check=False)
            code = int(reply["died"])
            place = self.crashes.read_text(errors="replace")[crashed:] if self.crashes.exists() else ""
            return Outcome(code, out, err, place, ended or f"died of {_signal_name(code)}", seconds=seconds)
        if reply["base"] > self._base + MEMORY:  # what earlier commands left behind would hide what later ones take
            os.kill(self._child, signal.SIGKILL)
            self._await()
            self._child = 0
        return Outcome(reply["code"], out, err, reply["fault"], "", reply["peak"] - reply["base"], seconds)

    def _make_ready(self) -> None:
        """Wait until there is a child to take a job."""
        if self._process is None:
            self._start()
        if not self._child:
            reply, _ = self._await()
            self._child = int(reply["ready"])
            self._base = self._memory()

    def _start(self) -> None:
        reading, writing = os.pipe()
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("INVERSYNTH_", "PYTEST_"))
        } | {
            **{"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(home), "MPLBACKEND": "Agg"},
            **{"HOSTILE_CRASHES": str(self.crashes), "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:strict"},
        }
        with (self.folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.worker", str(writing)],
                **{"cwd": self.folder, "env": environment, "pass_fds": (writing,), "start_new_session": True},
                **{"stdin": subprocess.PIPE, "stdout": log, "stderr": log},
            )
        os.close(writing)
        self._replies = os.fdopen(reading, "rb", buffering=0)
        self._text = b""

    def _await(self, cpu_seconds: float = CPU_SECONDS) -> tuple[dict[str, Any], str]:
        """Wait for a line; a child that breaks a limit is stopped, and why comes second.

        Raises: RuntimeError where the process ends, or takes too long to begin.
        """
        assert self._process is not None
        began, first = time.monotonic(), self._cpu()
        worked, at = first, began
        ended = ""
        while True:
            if b"\n" in self._text:
                line, _, self._text = self._text.partition(b"\n")
                return json.loads(line), ended
            ready, _, _ = select.select([self._replies], [], [], 0.05)
            if ready:
                part = os.read(self._replies.fileno(), 1 << 20)
                self._text += part
                if not part:
                    raise RuntimeError(f"a worker ended. See {self.folder / 'worker.log'}")
                continue
            now, cpu = time.monotonic(), self._cpu()
            if not self._child:
                if now - began > STARTING:
                    raise RuntimeError(f"a worker did not start in {STARTING:g} s")
                continue
            if cpu > worked + 0.02 or self._is_busy():
                worked, at = cpu, now
            if ended:
                continue
            if cpu - first > cpu_seconds:
                ended = f"worked for more than {cpu_seconds:g} s"
            elif now - at > IDLE_SECONDS:
                ended = f"hung: no work in {IDLE_SECONDS:g} s"
            elif self._memory() > self._base + KILLED_AT:
                ended = f"took more than {KILLED_AT / 1e9:.1f} GB"
            if ended:  # faulthandler answers SIGABRT with where it is
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._child, signal.SIGABRT if ended.startswith("hung") else signal.SIGKILL)

    def _cpu(self) -> float:
        try:
            text = Path(f"/proc/{self._child}/stat").read_text()
        except OSError:
            return 0.0
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _is_busy(self) -> bool:
        """Say whether a thread works, waits for a processor or for a disk."""
        try:
            threads = list(Path(f"/proc/{self._child}/task").iterdir())
            states = [(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads]
        except OSError:
            return False
        return not {"R", "D"}.isdisjoint(states)

    def _memory(self) -> int:
        try:
            resident = Path(f"/proc/{self._child}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(resident) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def sandbox() -> Iterator[Path]:
    """Yield a folder with neighbours whom nobody may harm; it vanishes afterwards, whatever was made in it."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        (folder / "work").mkdir()
        (folder / "in").mkdir()
        for path in (folder / "work" / "notes.txt", folder / "in" / "notes.txt"):
            path.write_text("what a user keeps here\n", encoding="utf-8")
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Delete a folder with whatever names and permissions are in it."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(OSError):
                Path(parent, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def broken_promises(outcome: Outcome, before: Snapshot, after: Snapshot, *, must: str = "either") -> list[str]:
    """Name what does not hold after a job: each an entry that begins with the kind of failure.

    Args:
        must: `refuse` where only exit code 2 is right, `accept` where only 0 is.
    """
    if outcome.ended:
        kind = "crash" if outcome.ended.startswith("died") else "blow-up"
        return [f"{kind}: {outcome.ended}"]
    if outcome.fault:
        return [f"traceback: {outcome.fault.strip().splitlines()[-1][:200]} [{_place(outcome.fault)}]"]
    found = [*_wrong_code(outcome, must), *_wrong_lines(outcome), *_wrong_files(outcome, before, after)]
    if outcome.memory > MEMORY:
        found.append(f"blow-up: {outcome.memory / 1e9:.1f} GB of memory")
    return found


def _wrong_code(outcome: Outcome, must: str) -> list[str]:
    allowed = {"refuse": (2,), "accept": (0,), "either": (0, 2)}[must]
    return [] if outcome.code in allowed else [f"exit code: {outcome.code}, not {' or '.join(map(str, allowed))}"]


def _wrong_lines(outcome: Outcome) -> list[str]:
    found = []
    for name, content in (("standard output", outcome.stdout), ("standard error", outcome.stderr)):
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            found.append(f"output: {name} is not UTF-8")
            text = content.decode("utf-8", "replace")
        if "Traceback" in text:
            found.append(f"output: a traceback on {name}")
        if line := LIBRARY_LINE.search(RETRACING.sub("", text)):
            found.append(f"output: a library's line on {name}: {line[0][:40]!r}")
        if os.fsdecode(ODD_NAMES["newline"]) in text:
            found.append(f"output: an end of line in a name on {name}")
        if odd := UNPRINTABLE.search(text):
            found.append(f"output: {odd[0]!r} on {name}")
    if outcome.code == 2:
        text = outcome.stderr.decode("utf-8", "replace")
        lines = [line for line in text.split("\n") if line.strip() and not PROGRESS.search(line)]
        errors = [line for line in lines if ERROR_LINE.match(line)]
        if len(errors) > 1 or not lines:
            found.append(f"output: {len(errors)} errors on standard error, not one: {errors[:2]!r:.160}")
        elif not ERROR_LINE.match(lines[-1]):
            found.append(f"output: the line does not begin with its error: {lines[-1][:60]!r}")
        elif len(lines[-1]) > LONGEST:
            found.append(f"output: a line of {len(lines[-1])} characters")
    return found


def _wrong_files(outcome: Outcome, before: Snapshot, after: Snapshot) -> list[str]:
    found = []
    changed = sorted(path for path in before if after.get(path) != before[path])
    made = sorted(set(after) - set(before))
    if (outcome.code == 2 and changed) or any(path.endswith(b"/notes.txt") for path in changed):
        found.append(f"harm: {_names(changed)} changed or gone")
    partial = [path for path in made if b".partial" in path]
    if partial:
        found.append(f"leftovers: {_names(partial)}")
    elif outcome.code == 2 and made and not KEPT.search(outcome.stderr):
        found.append(f"leftovers: {_names(made)}")
    return found


def _names(paths: Sequence[bytes]) -> str:
    names = [ascii(path.split(b"/hostile-", 1)[-1].partition(b"/")[2])[2:-1][:60] for path in paths[:3]]
    return ", ".join(names) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _place(fault: str) -> str:
    """Name the last line of ours in a traceback."""
    ours = re.findall(r'File "[^"]*/((?:generators|models|inversynth)/[^"]+)", line (\d+), in (\w+)', fault)
    return "{}:{} {}".format(*ours[-1]) if ours else "outside"


def _signal_name(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def look(folder: Path) -> Snapshot:
    """Return what lies in a sandbox, for comparison."""
    return snapshot(folder)
