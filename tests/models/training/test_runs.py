"""Run folders: what they hold, which settings they may be gone on with, and when they are finished."""

import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from generators.errors import RunError
from models.training.runs import Run, best_epoch, is_finished, write_json

SETTINGS = {"model": "C3", "batch_size": 16}
DATA = {"synth": "fm", "num_examples": 150}


def history(*losses):
    return [{"epoch": number, "loss": 1.0, "val_loss": loss} for number, loss in enumerate(losses, start=1)]


@pytest.fixture
def started(tmp_path):
    run = Run(tmp_path / "C3")
    run.begin(SETTINGS, DATA, resume=True)
    run.last.touch()
    return run


def test_a_run_says_what_it_was_started_with(started):
    content = started.settings()
    assert (content["settings"], content["data"]) == (SETTINGS, DATA)
    assert content["software"].startswith("inversynth ")


def test_a_run_is_gone_on_with_under_the_same_settings_only(started):
    started.begin(SETTINGS, DATA, resume=True)
    with pytest.raises(RunError) as error:
        started.begin({**SETTINGS, "batch_size": 32}, DATA, resume=True)
    assert str(error.value) == (
        f"{started.path} was trained with batch_size 16. Received: batch_size 32. Choose another --run_name, or begin "
        "this one again with --no-resume"
    )
    with pytest.raises(RunError, match=r"on a dataset of num_examples 150\. Received: num_examples 300"):
        started.begin(SETTINGS, {**DATA, "num_examples": 300}, resume=True)


def test_a_run_without_a_finished_epoch_takes_new_settings(started):
    started.last.unlink()
    started.begin({"model": "C4"}, DATA, resume=True)
    assert started.settings()["settings"] == {"model": "C4"}


def test_beginning_again_deletes_what_the_run_wrote_and_nothing_else(started):
    (started.logs / "train").mkdir(parents=True)
    (started.logs / "train" / "events.out.tfevents.000001").touch()
    fold = Run(started.path / "fold_01")
    fold.begin(SETTINGS, DATA, resume=True)
    fold.best.touch()
    (started.path / "notes.txt").write_text("mine")
    started.begin({"model": "C4"}, DATA, resume=False)
    files = sorted(path.name for path in started.path.rglob("*") if path.is_file())
    assert files == ["notes.txt", "settings.json"]
    fold.begin(SETTINGS, DATA, resume=True)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"holds something else than a run\. Choose another --run_name"):
        Run(tmp_path).begin(SETTINGS, DATA, resume=False)
    with pytest.raises(RunError, match=r"must be a folder\. Received: a file in its place"):
        Run(tmp_path / "thesis.tex").begin(SETTINGS, DATA, resume=True)


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    run = Run(tmp_path / "C3")
    code = "import sys; from pathlib import Path; from models.training.runs import Run\n"
    code += "with Run(Path(sys.argv[1])).locked(): pass"
    command = [sys.executable, "-c", code, run.path]
    with run.locked():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"RunError: process {os.getpid()} on {socket.gethostname()} trains in {run.path}" in done.stderr
    assert not (run.path / ".lock").exists()
    subprocess.run(command, check=True)


def test_broken_files_of_a_run_are_named(started):
    with pytest.raises(RunError, match=r"has no metrics\.json"):
        started.metrics()
    started.metrics_file.write_text("{")
    with pytest.raises(RunError, match=r"cannot read .*metrics\.json"):
        started.metrics()
    started.settings_file.write_text("[]")
    with pytest.raises(RunError, match="must hold a JSON object"):
        started.settings()
    started.settings_file.write_text('{"schema": "other"}')
    with pytest.raises(RunError, match="must follow schema"):
        started.begin(SETTINGS, DATA, resume=True)


def test_the_lowest_validation_loss_is_the_best_epoch_and_decides_when_to_stop():
    assert best_epoch(history(0.5, 0.3, 0.4, 0.3)) == 2
    assert best_epoch([]) == 0
    assert not is_finished([], epochs=1, patience=1)
    assert is_finished(history(0.5, 0.4), epochs=2, patience=9)
    assert not is_finished(history(0.5, 0.4, 0.45), epochs=9, patience=2)
    assert is_finished(history(0.5, 0.4, 0.45, 0.41), epochs=9, patience=2)


def test_history_keeps_every_digit(started):
    started.write_history(history(0.1 + 0.2))
    assert started.history_file.read_text() == "epoch,loss,val_loss\n1,1.0,0.30000000000000004\n"


def test_json_is_written_whole_and_never_with_nan(tmp_path):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 60_000, "must be JSON of at most 64 levels"),
        ("[]", "must hold a JSON object. Received: list"),
        ('{"schema": "inversynth-run/1", "settings": NaN, "data": {}}', "must be JSON with finite numbers"),
        ('{"schema": "inversynth-run/1", "settings": [], "data": {}}', "'settings' of .* must be an object"),
        ('{"schema": "inversynth-run/1", "settings": {}}', "'data' of .* must be an object. Received: None"),
        ('{"schema": "' + "x" * 9999 + '"}', "must follow schema"),
    ],
)
def test_settings_that_are_none_are_refused_in_a_short_line(started, text, message):
    started.settings_file.write_text(text)
    with pytest.raises(RunError, match=message) as error:
        started.settings()
    assert len(str(error.value)) < 300 + len(str(started.path))


def test_a_folder_or_a_sparse_file_in_place_of_measures_is_refused(started):
    started.metrics_file.mkdir()
    with pytest.raises(RunError, match=r"cannot read .*: Is a directory"):
        started.metrics()
    started.metrics_file.rmdir()
    with started.metrics_file.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RunError, match="must have at most 16,777,216 bytes"):
        started.metrics()


@pytest.mark.parametrize(
    "kept",
    [None, "x", 3, [1], [{}], [{"epoch": 0}], [{"epoch": "1"}], [{"epoch": 1, "loss": None}], [{"epoch": 2**63}]],
)
def test_a_history_that_is_none_is_refused(started, monkeypatch, kept):
    monkeypatch.setattr(Run, "progress", lambda self: SimpleNamespace(training={"history": kept}))
    with pytest.raises(RunError, match="must list the numbers of each epoch"):
        started.history()
    monkeypatch.setattr(Run, "progress", lambda self: SimpleNamespace(training={"history": history(0.5, 0.25)}))
    assert started.history() == history(0.5, 0.25)


def test_seconds_are_read_from_their_file_or_from_where_runs_noted_them_before(started, monkeypatch):
    monkeypatch.setattr(Run, "progress", lambda self: SimpleNamespace(training={"seconds": 12.5}))
    assert started.seconds() == 12.5
    started.write_seconds(3, 20.25)
    assert started.seconds() == 20.25
    for text in ("", "[1]", "{}"):
        started.timing_file.write_text(text)
        assert started.seconds() == 12.5
    for text in ('{"seconds": "x"}', '{"seconds": -1}', '{"seconds": true}'):
        started.timing_file.write_text(text)
        assert started.seconds() is None
    started.timing_file.unlink()
    monkeypatch.setattr(Run, "progress", lambda self: None)
    assert started.seconds() is None
