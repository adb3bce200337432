"""Settings: flag > environment > `.env` > default; second names; one line for every fault."""

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import DatasetError, SettingsError
from generators.settings import Settings


class Toy(Settings):
    """A toy."""

    other_names: ClassVar = {"model": ("architecture",)}
    flags_only: ClassVar = frozenset({"sounds"})

    sounds: CliPositionalArg[list[Path]] = Field(description="sounds")
    model: str = "C6"
    epochs: int = Field(100, ge=1)
    mode: Literal["a", "b"] = "a"
    name: str = "n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def toy(*argv):
    return Toy.parse(["x.wav", *argv])


def test_the_strongest_source_wins(folder, monkeypatch):
    assert toy().epochs == 100
    (folder / ".env").write_text("EPOCHS=20\n")
    assert toy().epochs == 20
    monkeypatch.setenv("EPOCHS", "30")
    assert toy().epochs == 30
    assert toy("--epochs", "40").epochs == 40


def test_the_prefixed_variable_wins_over_the_bare_one(monkeypatch):
    monkeypatch.setenv("MODEL", "C1")
    monkeypatch.setenv("INVERSYNTH_MODEL", "C2")
    assert toy().model == "C2"


def test_a_second_name_is_a_flag_and_a_variable(folder, monkeypatch):
    (folder / ".env").write_text("MODEL=C1\n")
    assert toy("--architecture", "C3").model == "C3"
    monkeypatch.setenv("ARCHITECTURE", "C4")
    assert toy().model == "C4"  # the environment beats `.env`, whichever name is used


def test_hyphens_spell_a_flag_too():
    class Long(Settings):
        """Long."""

        batch_size: int = 16

    assert Long.parse(["--batch-size", "4"]).batch_size == Long.parse(["--batch_size", "4"]).batch_size == 4


def test_a_variable_that_systems_set_needs_the_prefix(monkeypatch):
    monkeypatch.setenv("NAME", "my-laptop")
    assert toy().name == "n"
    monkeypatch.setenv("INVERSYNTH_NAME", "mine")
    assert toy().name == "mine"


def test_contradicting_variables_are_refused(folder):
    (folder / ".env").write_text("MODEL=C1\nARCHITECTURE=C2\n")
    with pytest.raises(SettingsError) as fault:
        toy()
    assert str(fault.value) == (
        "MODEL and ARCHITECTURE set the same thing. Received: MODEL=C1 and ARCHITECTURE=C2 in .env. Keep one"
    )
    (folder / ".env").write_text("MODEL=C1\nARCHITECTURE=C1\n")
    assert toy().model == "C1"


def test_a_path_may_hold_a_comma_or_a_bracket():
    assert Toy.parse(["a,b.wav", "[c].wav"]).sounds == [Path("a,b.wav"), Path("[c].wav")]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["x", "--epochs", "0"], "epochs must be greater than or equal to 1. Received: --epochs 0"),
        (
            ["x", "--epochs", "two"],
            "epochs must be a valid integer, unable to parse string as an integer. Received: --epochs two",
        ),
        (["x", "--mode", "c"], "mode must be 'a' or 'b'. Received: --mode c"),
        (["x", "--epoch", "2"], "unknown argument --epoch. Did you mean --epochs? See --help"),
        (["x", "--bogus"], "unknown argument --bogus. See --help"),
        ([], "the following arguments are required: SOUNDS. See --help"),
        (["x", "--epochs"], "argument --epochs: expected one argument. See --help"),
    ],
)
def test_a_bad_flag_is_told_in_one_line(argv, message):
    with pytest.raises(SettingsError) as fault:
        Toy.parse(argv)
    assert str(fault.value) == message


def test_a_bad_variable_is_told_with_its_place(folder):
    (folder / ".env").write_text("EPOCHS=two\n")
    with pytest.raises(SettingsError, match=r"Received: EPOCHS=two in \.env$"):
        toy()


def raiser(error):
    def action(settings):
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DatasetError("it is\nbroken"), 2, "DatasetError: it is broken\n"),
        (
            PermissionError(13, "Permission denied", "/f"),
            2,
            "cannot write /f: Permission denied. Name a place with room that you may write to\n",
        ),
        (
            OSError(28, "No space left on device"),
            2,
            "cannot write: No space left on device. Name a place with room that you may write to\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "\ninterrupted; what is finished is kept, and the same command goes on from there\n",
        ),
    ],
)
def test_a_door_turns_faults_into_exit_codes(capsys, error, code, line):
    assert run_command(Toy, raiser(error), ["x"]) == code
    assert capsys.readouterr().err == line


def test_only_work_that_resumes_promises_it(capsys):
    assert run_command(Toy, raiser(KeyboardInterrupt()), ["x"], resumes=False) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_bug_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(Toy, lambda settings: 1 / 0, ["x"])


def test_help_names_every_setting_once(capsys):
    with pytest.raises(SystemExit) as leaving:
        Toy.parse(["--help"], prog="toy")
    assert leaving.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: toy SOUNDS")
    assert text.count("--epochs") == 1
    assert "--model, --architecture" in text
