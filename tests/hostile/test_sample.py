"""A short sample of hostile cases, drawn by a seed; HOSTILE_SECONDS=600 goes on with others for so long."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.__main__ import run_all
from tests.hostile.cases import all_cases, sample, short_sample
from tests.hostile.commands import CALLS, filled, words
from tests.hostile.prepared import prepared
from tests.hostile.runner import Job, Outcome, Worker, broken_promises, sandbox

SEED = 0


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with Worker(tmp_path_factory.mktemp("hostile")) as worker:
        yield worker


@pytest.fixture(scope="module")
def materials(worker: Worker, materials_folder: Path) -> dict[str, str]:
    return prepared(worker, materials_folder)


def test_a_worker_runs_commands_one_after_another(worker: Worker, tmp_path: Path) -> None:
    found = worker.run(Job(["list", "--json"], tmp_path))
    assert (found.code, found.fault, found.ended) == (0, "", "")
    assert b"InverSynth" in found.stdout
    refused = worker.run(Job(["inspect", "no/such/thing"], tmp_path))
    assert refused.code == 2
    assert broken_promises(refused, {}, {}, must="refuse") == []


def test_a_worker_outlives_a_command_that_hangs(worker: Worker, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = worker.run(Job(["play", str(tmp_path / "pipe"), "--notes", "C4"], tmp_path))
    assert found.ended.startswith("hung") or found.code == 2
    assert worker.run(Job(["list"], tmp_path)).code == 0


QUICK = [name for name in CALLS if not name.startswith(("train", "invert", "demo")) and name not in ("gansynth", "wae")]
"""Commands whose valid calls take seconds; those of the others are run by `--all`, with hostile values beside them. The
two groups are called with one of their commands, which is here by itself."""


@pytest.mark.parametrize("name", QUICK)
def test_valid_calls_are_valid(name: str, worker: Worker, materials: dict[str, str]) -> None:
    """A refusal of a hostile value means nothing where the call would be refused without it."""
    with sandbox() as box:
        outcome = worker.run(Job(words(CALLS[name], materials, {}), box / "work"))
    assert outcome.code == 0, outcome.stderr.decode() + outcome.fault + outcome.ended


FRESH = {
    "shape": ["shape", "{midi}"],
    "wae": ["wae", "random", "--model", "{wae_run}", "--mcnn", "{run}", "--note", "60"],
    "generate": ["generate", "notes", "--soundfont", "{midi}"],
}
"""Refusals in processes of their own, where libraries are loaded and say what they say; the test of the README runs
commands that succeed."""


@pytest.mark.parametrize("name", FRESH)
def test_libraries_are_silent_in_a_fresh_process(name: str, materials: dict[str, str], tmp_path: Path) -> None:
    argv = [filled(word, materials) for word in FRESH[name]]
    done = subprocess.run([sys.executable, "-m", "inversynth", *argv], cwd=tmp_path, capture_output=True, check=False)
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    assert broken_promises(outcome, {}, {}, must="refuse") == []


def test_a_sample_keeps_every_promise(worker: Worker, materials: dict[str, str]) -> None:
    """Every command, and every kind of argument with every group of members."""
    broken = {
        result.case.name: list(result.faults)
        for result in run_all(short_sample(all_cases(SEED), SEED), worker, materials)
        if result.faults
    }
    assert broken == {}


@pytest.mark.skipif("HOSTILE_SECONDS" not in os.environ, reason="more cases run where HOSTILE_SECONDS says how long")
def test_a_longer_sample_keeps_every_promise(worker: Worker, materials: dict[str, str]) -> None:
    seconds = float(os.environ["HOSTILE_SECONDS"])
    broken = {
        result.case.name: list(result.faults)
        for result in run_all(sample(all_cases(SEED), SEED), worker, materials, seconds)
        if result.faults
    }
    assert broken == {}
