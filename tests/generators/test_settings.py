"""Settings: flag > environment > `.env` > default; second names; one line for every fault."""

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import DatasetError, SettingsError
from generators.settings import Numbers, Settings


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
def test_a_bad_flag_is_reported_in_one_line(argv, message):
    with pytest.raises(SettingsError) as fault:
        Toy.parse(argv)
    assert str(fault.value) == message


def test_a_bad_variable_is_reported_with_its_place(folder):
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
def test_a_command_turns_errors_into_exit_codes(capsys, error, code, line):
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


class Renamed(Settings):
    """Settings two of which had other names once."""

    renamed: ClassVar = {"output_directory": "output_dir", "go_on": "resume"}
    renamed_variables: ClassVar = {"toy_kind": "variant"}
    renamed_flags: ClassVar = {"kind": "variant"}

    output_dir: Path = Path("output")
    resume: bool = True
    variant: str = "a"


@pytest.mark.parametrize(
    ("argv", "field", "value", "line"),
    [
        (["--output_directory", "o"], "output_dir", Path("o"), "--output_directory is now --output_dir\n"),
        (["--output-directory=o"], "output_dir", Path("o"), "--output-directory is now --output_dir\n"),
        (["--no-go_on"], "resume", False, "--no-go_on is now --no-resume\n"),
        (["--go-on"], "resume", True, "--go-on is now --resume\n"),
        (["--kind", "b"], "variant", "b", "--kind is now --variant\n"),
        (["--output_dir", "o"], "output_dir", Path("o"), ""),
    ],
)
def test_an_old_flag_works_and_prints_its_new_name_once(capsys, argv, field, value, line):
    assert getattr(Renamed.parse(argv), field) == value
    assert capsys.readouterr().err == line


def test_an_old_variable_works_and_prints_its_new_name_once(folder, monkeypatch, capsys):
    (folder / ".env").write_text("OUTPUT_DIRECTORY=o\nTOY_KIND=b\nKIND=c\n")
    monkeypatch.setenv("INVERSYNTH_GO_ON", "false")
    settings = Renamed.parse([])
    assert (settings.output_dir, settings.resume, settings.variant) == (Path("o"), False, "b")
    assert capsys.readouterr().err.splitlines() == [
        "INVERSYNTH_GO_ON in the environment is now INVERSYNTH_RESUME",
        "OUTPUT_DIRECTORY in .env is now OUTPUT_DIR",
        "TOY_KIND in .env is now VARIANT",
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--output_directory", "a", "--output_dir=b"],
            "--output_directory and --output_dir set the same thing. Received: --output_directory a and "
            "--output_dir b. Keep one",
        ),
        (
            ["--no-resume", "--go_on"],
            "--go_on and --no-resume contradict each other: --go_on is now --resume. Keep one",
        ),
    ],
)
def test_an_old_flag_that_contradicts_the_new_one_is_refused(argv, message):
    with pytest.raises(SettingsError) as fault:
        Renamed.parse(argv)
    assert str(fault.value) == message


def test_an_old_flag_beside_the_new_one_may_have_the_same_value(capsys):
    assert Renamed.parse(["--output_dir", "a", "--output_directory", "a"]).output_dir == Path("a")
    assert Renamed.parse(["--go_on", "--resume"]).resume is True


def test_an_old_variable_that_contradicts_the_new_one_is_refused(folder):
    (folder / ".env").write_text("OUTPUT_DIRECTORY=a\nOUTPUT_DIR=b\n")
    with pytest.raises(SettingsError, match=r"^OUTPUT_DIR and OUTPUT_DIRECTORY set the same thing"):
        Renamed.parse([])


def test_old_names_are_inherited_and_hidden_from_help_and_documentation(capsys):
    class Heir(Renamed):
        """More."""

        renamed: ClassVar = {"gain": "level"}

        level: float = 1.0

    assert Heir.parse(["--gain", "2", "--output_directory", "o"]) == Heir(level=2.0, output_dir=Path("o"))
    assert capsys.readouterr().err.splitlines() == [
        "--gain is now --level",
        "--output_directory is now --output_dir",
    ]
    assert Heir.flags("level") == ("level",)
    assert Heir.variables("level") == ("INVERSYNTH_LEVEL", "LEVEL")
    with pytest.raises(SystemExit):
        Heir.parse(["--help"])
    text = capsys.readouterr().out
    assert "--level" in text
    assert "gain" not in text
    assert "directory" not in text


def test_help_shows_placeholders_and_defaults_without_python(capsys):
    class Shown(Settings):
        """All kinds of settings
        on two lines."""

        sounds: CliPositionalArg[list[Path]] = Field([], description="sounds")
        levels: Numbers = Field((), description="levels")
        pair: tuple[float, float] = Field((0.0, 1.5), description="pair")
        rows: list[int] = Field([], description="rows")
        note: int | Literal["low"] | None = Field(None, description="50 % of it")
        output_dir: Path = Field(Path("out"), description="folder")
        dataset_file: Path = Field(description="file")
        word: str = Field("", description="word")
        on: bool = Field(True, description="switch")
        off: bool = Field(False, description="switch")

    with pytest.raises(SystemExit):
        Shown.parse(["--help"])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "on two lines." in lines
    assert [line for line in lines if line.startswith(("SOUNDS", "--"))] == [
        "SOUNDS sounds",
        "--levels NUMBER,… levels",
        "--pair NUMBER,NUMBER pair (default: 0.0,1.5)",
        "--rows N,… rows",
        "--note N|{low} 50 % of it",
        "--output_dir FOLDER folder (default: out)",
        "--dataset_file FILE file (required)",
        "--word WORD word",
        "--on, --no-on switch (default: on)",
        "--off, --no-off switch",
    ]
