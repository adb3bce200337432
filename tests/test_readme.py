"""Every block of the README runs, in the order they stand, in one empty folder."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inversynth.cli import main

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

LIBRARY_LINE = re.compile(r"oneDNN|cuInit|absl|WARNING: All log|^[IWE]0000")
"""What TensorFlow writes on standard error, which no screen of ours may show."""

SMALLER = {
    "--num_examples 20000": "--num_examples 20",
    "--epochs 20 --batch_size 64": "--epochs 1 --batch_size 8",
    "--epochs 50": "--epochs 2",
    "evaluate runs/C6_train": "evaluate runs/C6_train --num_examples 4 --identifiability 0",
    "evaluate --paper": "evaluate --paper --num_examples 1 --identifiability 0 --budgets 200",
    "compare --model": "compare --num 2 --model",
    "macros runs/macros_InverSynth": "macros runs/macros_InverSynth --positions 2",
    "demo --train": "demo --train --num_examples 20 --epochs 1",
    "inversynth demo": "inversynth demo --budget none",
    "--pitches 60:84:4": "--pitches 72",
    "corners/choir-aahs": "corners/choir-aahs --resolution 2 --final_length 512 --batch_size 1",
    "decode output/bell.codes.npz": "decode output/bell.codes.npz --length 0.064",
    "--steps 3": "--steps 3 --batch_size 1",
    "--budget full": "--budget none",
    "inversynth invert examples/bell.flac": "inversynth invert examples/bell.flac --renders 1500",
    "--synth dx7": "--synth dx7 --renders 40",
    "--pitch C5": "--pitch C5 --length 0.064",
    'budget="fast"': 'budget="none"',
    "--model C6 ": "--model C1 ",
    "C6_train": "C1_train",
}
"""What the test asks less of than the README does, so that it ends in minutes: fewer examples, epochs and weights."""

ELSEWHERE = ("make ", "pip ", "poetry install", "poetry run task --list")
"""Commands of the checkout, not of an empty folder; `.ci/run` runs them."""

OTHER_DEFAULTS = {"EPOCHS": "1", "NUM_EXAMPLES": "20", "INVERSYNTH_DATASET_NAME": "InverSynth"}
"""Settings of the two commands that take all of theirs from `.env`."""


OWN_PROCESS = ("start", "invert", "train")
"""Commands that run in a process of their own when they come first, as one by a shell would: one that loads little, one
that runs a network without TensorFlow, and one with it. All others run in this process, which has loaded TensorFlow
already: that would take them five seconds each."""


def blocks(language: str) -> list[str]:
    return [
        code for found, code in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")) if found == language
    ]


def commands() -> list[str]:
    """The shell lines of the README, without their comments, those of the checkout left out."""
    lines = [re.split(r"\s+#", line)[0].strip() for code in blocks("") for line in code.splitlines()]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


def smaller(line: str) -> str:
    for words, fewer in SMALLER.items():
        line = line.replace(words, fewer)
    return line


def argv(line: str) -> list[str]:
    """Return what a shell would start; tasks as pyproject.toml defines them."""
    words = shlex.split(line)
    if words[:4] == ["poetry", "run", "task", "generate_sin"]:
        words = ["python", "-m", "generators.fm_generator", *words[4:]]
    if words[0] == "inversynth":
        words = ["python", "-m", *words]
    assert words[0] == "python", f"a line of the README that this test cannot run: {line}"
    return [sys.executable, *words[1:]]


def test_every_substitution_is_of_something_in_the_readme() -> None:
    assert len(commands()) >= 25
    lines = [*commands(), *blocks("python")]
    assert [words for words in SMALLER if not any(words in line for line in lines)] == []


def run_here(command: list[str]) -> int:
    """Run a command in this process, and return its exit code."""
    if command[2] == "inversynth":
        return main(command[3:])
    command_main: Callable[[list[str]], int] = importlib.import_module(command[2]).main
    return command_main(command[3:])


def run_alone(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command in a process of its own, and return its exit code and what it printed on standard error."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    return ran.returncode, ran.stderr


def _own_lines(errors: str) -> str:
    """Leave out what TensorFlow says when it is first used: of this process other tests decide how it begins."""
    return "\n".join(line for line in errors.splitlines() if not LIBRARY_LINE.search(line))


def test_blocks_run_in_their_order_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = set(OWN_PROCESS)
    for line in commands():
        command = argv(smaller(line))
        if command[2] == "inversynth" and command[3] in alone:
            code, errors = run_alone(command, tmp_path, dict(os.environ))
            alone.discard(command[3])
        else:
            with monkeypatch.context() as patch:
                for setting, value in OTHER_DEFAULTS.items() if command[2] != "inversynth" else ():
                    patch.setenv(setting, value)
                code, errors = run_here(command), _own_lines(capfd.readouterr().err)
        assert code == 0, f"{line}\n{errors}"
        assert "Traceback" not in errors
        assert [one for one in errors.splitlines() if LIBRARY_LINE.search(one)] == [], line
    for code_block in blocks("python"):
        code, errors = run_alone([sys.executable, "-c", smaller(code_block)], tmp_path, dict(os.environ))
        assert code == 0, errors
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"output/index.html", "output/bell/report.html", "song.wav", "bell.csv", "bell.json"} <= written
