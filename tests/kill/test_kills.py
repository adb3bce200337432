"""A kill or two of each kind of work, and the points at which they come; `python -m tests.kill --all` kills often."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill import __main__ as kills
from tests.kill.__main__ import Kill, choose_points, table
from tests.kill.points import PHASES, SIGNALS, Killer, Point, watched
from tests.kill.works import KILLS, WORKS, difference, digests

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ["flush", "row /audio", "flush", "rename a.wav", "sound", "rename b.wav", "text c.json"]


def test_points_are_chosen_by_the_seed_and_meet_every_kind_of_event() -> None:
    points = choose_points(EVENTS, KILLS, 0)
    assert points == choose_points(EVENTS, KILLS, 0) != choose_points(EVENTS, KILLS, 1)
    assert len(points) == len(set(points)) == KILLS
    assert {point.phase for point in points} == set(PHASES)
    assert {point.signal for point in points} == set(SIGNALS)
    kinds = {EVENTS[point.event].split()[0] for point in points[:6]}
    assert kinds == {"flush", "row", "rename", "sound", "text"}


def test_points_are_read_as_they_are_written() -> None:
    point = Point(12, "half", signal.SIGTERM)
    assert str(point) == "12:half:SIGTERM"
    assert Point.parse(str(point)) == point


def test_events_are_counted_and_what_writes_still_writes(tmp_path: Path) -> None:
    killer = Killer()
    with watched(killer):
        (tmp_path / "a").write_text("text")
        os.replace(tmp_path / "a", tmp_path / "b")  # noqa: PTH105 - as libraries do
        (tmp_path / "b").replace(tmp_path / "c")
        (tmp_path / "c").replace(tmp_path / "kernel.nbi")  # a cache, which only the first run of a work fills
        (tmp_path / "kernel.nbi").replace(tmp_path / "c")
    assert killer.events == ["text a", "rename b", "rename c", "rename c"]
    assert (tmp_path / "c").read_text() == "text"
    (tmp_path / "d").write_text("unseen")
    assert len(killer.events) == 4


@pytest.mark.parametrize(
    ("phase", "left"),
    [("before", {"a": "0123456789", "b": "old"}), ("half", {"a": "01234", "b": "old"}), ("after", {"b": "0123456789"})],
)
def test_a_process_dies_before_amid_or_after_its_event(phase: str, left: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import os, sys; from tests.kill.points import *\n"
        "with watched(Killer(Point.parse(sys.argv[1]))):\n"
        "    open('a', 'w').write('0123456789'); open('b', 'w').write('old'); os.replace('a', 'b'); open('c', 'w')"
    )
    point = Point(0, phase, signal.SIGKILL)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script, str(point)], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == left


def test_rows_of_work_that_was_not_killed_stay() -> None:
    before = table([Kill("training", Point(0), "flush", ()), Kill("dataset", Point(0), "flush", ("lost",))])
    after = table([Kill("dataset", Point(1, "half", signal.SIGINT), "flush", ())], before)
    assert [line.split(" |")[0] for line in after.splitlines()[2:]] == ["| dataset", "| training"]
    assert "| dataset | 0 | 0 | 1 | 0 |" in after.splitlines()
    assert "| training | 1 | 0 | 0 | 0 |" in after.splitlines()


def test_work_that_hangs_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "IDLE_SECONDS", 1.0)
    script = (
        "import faulthandler, signal, sys, threading\n"
        "faulthandler.register(signal.SIGUSR1, all_threads=True)\n"
        "def wait_for_ever(): threading.Event().wait()\n"
        "wait_for_ever()"
    )
    printed = tmp_path / "stderr"
    with printed.open("w") as file:
        child = subprocess.Popen([sys.executable, "-c", script], stderr=file)
    with pytest.raises(RuntimeError, match=r"(?s)the last \d s of them idle:.*in wait_for_ever"):
        kills.wait(child.pid, printed)
    child.returncode = -signal.SIGKILL  # it has been waited for


def test_outcomes_differ_where_a_file_does(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    first = digests(tmp_path)
    (tmp_path / "b").write_text("more")
    for name in (".lock", "timing.json", "events.out.tfevents.000001"):
        (tmp_path / name).write_text("whenever")
    assert difference(first, digests(tmp_path)) == ["b"]
    (tmp_path / "b").unlink()
    (tmp_path / "a").write_text("two")
    assert difference(first, digests(tmp_path)) == ["a"]
    assert difference(first, first) == []


def test_killed_work_ends_as_undisturbed_work_does(tmp_path: Path) -> None:
    """One process loads the libraries for all kinds of work; KILLS=2 kills each of them so often."""
    command = [sys.executable, "-m", "tests.kill"]
    if often := os.environ.get("KILLS"):
        command += ["--kills", often]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kills = sum(int(often or work.tested) for work in WORKS.values() if work.tested)
    assert done.stdout.splitlines()[-1] == f"{kills} kills, 0 failed"
