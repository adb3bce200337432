"""The runner notices each way in which a command can break its promises: commands that do so on purpose are caught."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.__main__ import earlier, table
from tests.hostile.page import PAGE, publish
from tests.hostile.places import full_disk, snapshot
from tests.hostile.runner import Outcome, broken_promises, sandbox
from tests.hostile.worker import ordinary_user


def faults(outcome: Outcome, change: Callable[[Path], object] = lambda work: None, must: str = "either") -> list[str]:
    """Return what is said of an outcome, after something happened in the folder of work."""
    with sandbox() as box:
        before = snapshot(box)
        change(box / "work")
        return broken_promises(outcome, before, snapshot(box), must=must)


REFUSED = Outcome(2, b"", b"AudioError: no such sound: a.wav\n")


def test_a_refusal_in_one_line_keeps_every_promise() -> None:
    assert faults(REFUSED) == []
    assert faults(Outcome(0, b"done\n", b"written: out.json\n"), lambda work: (work / "out.json").touch()) == []


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(-11, b"", b"", ended="died of SIGSEGV"), "crash: died of SIGSEGV"),
        (Outcome(-9, b"", b"", ended="hung: no work in 8 s"), "blow-up: hung"),
        (Outcome(1, b"", b"", fault="Traceback …\nKeyError: 'a'"), "traceback: KeyError: 'a'"),
        (Outcome(2, b"", b"", memory=2 << 30), "blow-up: 2.1 GB of memory"),
        (Outcome(130, b"", b"interrupted\n"), "exit code: 130"),
        (Outcome(1, b"", b"AudioError: a\n"), "exit code: 1"),
        (Outcome(2, b"", b""), "output: 0 errors"),
        (Outcome(2, b"", b"AudioError: a\nAudioError: b\n"), "output: 2 errors"),
        (Outcome(2, b"", b"something went wrong\n"), "output: the line does not begin with its error"),
        (Outcome(2, b"", b"AudioError: \x1b[31m\n"), "output: '\\x1b' on standard error"),
        (Outcome(2, b"", b"AudioError: caf\xe9\n"), "output: standard error is not UTF-8"),
        (Outcome(2, b"", b"AudioError: " + b"a" * 3000), "output: a line of 3012 characters"),
        (Outcome(0, b"Traceback (most recent call last)\n", b""), "output: a traceback on standard output"),
        (Outcome(0, b"", b"I0000 00:00:17 1 port.cc:1] oneDNN\n"), "output: a library's line on standard error"),
        (Outcome(0, b"1 note -> one\ntwo.wav\n", b""), "output: an end of line in a name on standard output"),
        (Outcome(0, b"", b"x.py:3: UserWarning: a\n"), "output: a library's line on standard error"),
    ],
)
def test_broken_promises_are_named(outcome: Outcome, said: str) -> None:
    assert any(fault.startswith(said) for fault in faults(outcome)), faults(outcome)


def test_what_must_be_refused_is_not_accepted_and_the_other_way_round() -> None:
    assert faults(Outcome(0, b"", b""), must="refuse") == ["exit code: 0, not 2"]
    assert faults(REFUSED, must="accept") == ["exit code: 2, not 0"]


def test_leftovers_and_harm_are_named() -> None:
    assert faults(REFUSED, lambda work: (work / "made").mkdir()) == ["leftovers: work/made"]
    assert faults(Outcome(0, b"", b""), lambda work: (work / ".a.partial.wav").touch()) == [
        "leftovers: work/.a.partial.wav"
    ]
    for outcome in (REFUSED, Outcome(0, b"", b"")):
        said = faults(outcome, lambda work: (work / "notes.txt").write_text("other"))
        assert said == ["harm: work/notes.txt changed or gone"]


def test_finished_work_may_be_kept_where_the_error_says_so() -> None:
    def partial(work: Path) -> None:
        (work / ".a.partial.hdf5").touch()

    said = Outcome(2, b"", b"AudioError: disk full. The dataset is finished and kept in a.hdf5\n")
    assert faults(said, lambda work: (work / "a.hdf5").touch()) == []
    assert faults(said, partial) == ["leftovers: work/.a.partial.hdf5"]


def test_an_odd_name_is_found_on_disk_and_named_in_ascii() -> None:
    def change(work: Path) -> None:
        with open(os.fsencode(work) + b"/caf\xe9\n", "wb"):
            pass

    assert faults(REFUSED, change) == ["leftovers: work/caf\\xe9\\n"]


def test_a_table_goes_between_its_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(before := PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    publish("kills", "| a \\1 |", page)
    after = page.read_text(encoding="utf-8")
    assert "<!-- kills -->\n| a \\1 |\n<!-- end of kills -->" in after
    assert after.partition("<!-- kills -->")[0] == before.partition("<!-- kills -->")[0]
    with pytest.raises(LookupError, match="has no marks of 'others'"):
        publish("others", "", page)


def test_what_passed_is_kept_and_what_failed_last_runs_again(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    outcomes = {"a": [[], []], "b": [["crash"], []], "c": [[], ["hung"]]}
    lines = [{"case": name, "faults": each[turn]} for turn in (0, 1) for name, each in outcomes.items()]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert earlier(results) == {"a", "b"}
    assert earlier(tmp_path / "none.jsonl") == earlier(None) == set()


def test_the_table_counts_cases_and_failures_by_command_and_group() -> None:
    lines = table([("play", 3, False), ("play", 3, True), ("start", 9, False)]).splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| command", "|---" * 10 + "|", "| start", "| play", "| all"]
    assert lines[3] == "| play |  | 2, 1 failed |  |  |  |  |  |  | 2, 1 failed |"
    assert lines[4].endswith("| 1 | 3, 1 failed |")


def test_a_disk_gets_full(tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk"), pytest.raises(OSError, match=r"space left|File too large"):
        (tmp_path / "disk" / "large").write_bytes(bytes(1 << 20))
    (tmp_path / "disk" / "large").write_bytes(bytes(1 << 20))


def test_an_ordinary_user_cannot_read_what_is_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.write_text("secret")
    closed.chmod(0)
    with ordinary_user(), pytest.raises(PermissionError):
        closed.read_text()
    if os.geteuid() == 0:
        assert closed.read_text() == "secret"
