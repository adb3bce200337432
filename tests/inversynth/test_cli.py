"""The dispatcher: one table, instant help, exit codes, faults in one line."""

import importlib
import resource
import subprocess
import sys

import pytest

from generators import __version__
from inversynth import cli
from inversynth.cli import COMMANDS, main


def run(*argv: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "inversynth", *argv], capture_output=True, text=True, **options)


def processor_seconds(command: list[str], at_most: float = 0.0) -> float:
    """Seconds of processor time that a command takes, the least of three runs, or one below `at_most`."""
    least = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if least < at_most:
            break
    return least


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_help_names_every_command(argv: list[str]) -> None:
    answer = run(*argv)
    assert answer.returncode == 0
    out = answer.stdout
    for command in COMMANDS.values():
        assert f"  {command.name} " in out
        assert command.summary in out


def test_version_is_the_package_version() -> None:
    answer = run("--version")
    assert (answer.returncode, answer.stdout) == (0, f"inversynth {__version__}\n")


def test_help_is_instant() -> None:
    assert processor_seconds([sys.executable, "-m", "inversynth", "--help"]) < 0.5


@pytest.fixture(scope="module")
def imports() -> float:
    """Seconds of processor time that the two libraries take which every command needs: NumPy, and settings."""
    return processor_seconds([sys.executable, "-c", "import numpy, pydantic_settings"])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_is_quick(command: str, imports: float) -> None:
    assert processor_seconds([sys.executable, "-m", "inversynth", command, "--help"], at_most=3 * imports) < 3 * imports


def test_help_of_no_command_wakes_deep_learning() -> None:
    script = """
import sys
from inversynth.cli import COMMANDS, main
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as end:
        assert end.code == 0, name
    woken = {"tensorflow", "keras", "jax", "torch", "librosa", "matplotlib.pyplot"} & set(sys.modules)
    assert not woken, (name, woken)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    for name in COMMANDS:
        assert f"usage: inversynth {name}" in answer.stdout


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_refuses_an_unknown_flag_in_one_line(command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command.name, "--no_such_flag_anywhere"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("SettingsError: ")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["genrate", "fm"], "unknown command 'genrate'. Did you mean 'generate'? Known: "),
        (["Train"], "unknown command 'Train'. Did you mean 'train'?"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate. See inversynth --help"),
        (["inspect", "no/such/file.hdf5"], "no such file or folder: no/such/file.hdf5"),
    ],
)
def test_faults_take_one_line_and_end_with_2(argv: list[str], message: str) -> None:
    answer = run(*argv)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert len(answer.stderr.splitlines()) == 1
    assert message in answer.stderr


def test_words_after_the_command_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(cli.Command, "load", lambda self: lambda argv: seen.append((self.name, argv)) or 7)
    assert main(["train", "--version", "--help", "x"]) == 7
    assert seen == [("train", ["--version", "--help", "x"])]


def test_interrupted_while_a_command_is_imported_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: cli.Command) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.Command, "load", interrupt)
    assert main(["list"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_closed_pipe_is_no_fault() -> None:
    command = f"{sys.executable} -m inversynth list | head -n 1"
    answer = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert answer.returncode == 0
    assert answer.stderr == ""


@pytest.mark.parametrize(
    ("module", "settings", "words", "old", "value", "field"),
    [
        ("inversynth.macros", "MacrosSettings", ["run"], "output_directory", "there", "output_dir"),
        ("inversynth.demo", "DemoSettings", [], "directory", "there", "output_dir"),
        ("inversynth.neurosynth.shape", "ShapeSettings", ["a.wav"], "output_directory", "there", "output_dir"),
        ("inversynth.nsynth.encode", "EncodeSettings", ["a.wav"], "output_directory", "there", "output_dir"),
        ("inversynth.nsynth.decode", "DecodeSettings", ["a.wav"], "output_directory", "there", "output_dir"),
        ("inversynth.nsynth.interpolate", "InterpolateSettings", ["a.wav"], "output_directory", "there", "output_dir"),
        ("inversynth.nsynth.grid.command", "GridSettings", ["a"], "output_directory", "there", "output_dir"),
        ("inversynth.nsynth.grid.command", "GridSettings", ["a"], "share", "2/4", "shard"),
        ("inversynth.gansynth.sample", "RandomSettings", [], "output_directory", "there", "output_dir"),
        ("inversynth.wae.sample", "RandomSettings", [], "output_directory", "there", "output_dir"),
        ("inversynth.wae.sample", "RandomSettings", [], "rounds", "7", "griffin_lim_iterations"),
    ],
)
def test_a_renamed_flag_works_and_prints_its_new_name(
    module: str, settings: str, words: list[str], old: str, value: str, field: str, capsys
) -> None:
    parsed = getattr(importlib.import_module(module), settings).parse([*words, f"--{old}", value])
    assert str(getattr(parsed, field)) == value
    assert capsys.readouterr().err == f"--{old} is now --{field}\n"


@pytest.mark.parametrize("system", ["neurosynth", "nsynth", "gansynth", "wae", "checkpoints"])
def test_the_folder_of_a_system_lists_its_commands(system: str) -> None:
    listed = importlib.import_module(f"inversynth.{system}.commands").COMMANDS
    assert listed
    assert all(COMMANDS[command.name] is command and command.load() for command in listed)


@pytest.mark.parametrize("command", ["encode", "invert", "shape"])
def test_the_error_of_one_input_among_several_takes_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "none\x07\n.wav"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(r"no such sound: none\x07 .wav")
