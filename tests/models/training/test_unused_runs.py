"""A run that fails before its first epoch is finished leaves nothing; one that has an epoch keeps it."""

from pathlib import Path

import pytest

from generators.errors import RunError
from models.training.runs import Run


def fail(run: Run, *, trained: bool = False) -> None:
    with run.locked():
        run.begin({"seed": 0}, {"rows": 4}, resume=True)
        run.logs.mkdir()
        (run.logs / "train").mkdir()
        (run.logs / "train" / "events.out.tfevents.1").touch()
        if trained:
            run.last.touch()
        raise RunError("loss and weights must stay finite")


def test_a_run_that_fails_at_once_is_removed_with_its_folders(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        fail(Run(tmp_path / "runs" / "C1"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_an_epoch_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "C1")
    with pytest.raises(RunError):
        fail(run, trained=True)
    assert run.last.is_file()
    assert run.settings_file.is_file()


def interrupt(run: Run) -> None:
    with run.locked():
        run.begin({"seed": 0}, {"rows": 4}, resume=True)
        raise KeyboardInterrupt


def test_an_interrupted_run_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "C1")
    with pytest.raises(KeyboardInterrupt):
        interrupt(run)
    assert run.settings_file.is_file()


def test_a_run_that_was_there_and_the_files_of_others_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path / "C1")
    with run.locked():
        run.begin({"seed": 0}, {"rows": 4}, resume=True)
    (run.path / "notes.txt").touch()
    with pytest.raises(RunError, match="C1"), run.locked():
        raise RunError("C1")
    assert sorted(path.name for path in run.path.iterdir()) == ["notes.txt", run.settings_file.name]


def test_a_file_in_the_place_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "C1").touch()
    with (
        pytest.raises(RunError, match=r"must be a folder. Received: a file in its place"),
        Run(tmp_path / "C1").locked(),
    ):
        pass
