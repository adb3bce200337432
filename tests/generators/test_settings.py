"""Settings: flag > environment > `.env` > default; second names; one line for every fault."""

import logging
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import LONGEST_MESSAGE, DatasetError, SettingsError, shown
from generators.settings import ENV_BYTES, LARGEST, LIMITS, Numbers, Settings, Words, is_numeric


class Toy(Settings):
    """A toy."""

    other_names: ClassVar = {"model": ("architecture",)}
    flags_only: ClassVar = frozenset({"sounds"})

    sounds: CliPositionalArg[list[Path]] = Field(description="sounds")
    model: str = "C6"
    epochs: int = Field(100, ge=1)
    factor: float = 1.0
    count: int | None = None
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


def test_an_env_file_has_a_bounded_size(folder):
    (folder / ".env").write_text("#" * (ENV_BYTES + 1))
    with pytest.raises(SettingsError, match=f"has at most {ENV_BYTES} bytes. Received: {ENV_BYTES + 1}. Keep"):
        toy()


def test_a_path_may_hold_a_comma_or_a_bracket():
    assert Toy.parse(["a,b.wav", "[c].wav"]).sounds == [Path("a,b.wav"), Path("[c].wav")]


@pytest.mark.parametrize(
    "name", ["a\tb", "a\nb", "a\\b", 'say "so"', '"', "60", "1e5", "nan", "null", "{", "[", "caf\udce9", "♪"]
)
def test_several_paths_may_have_any_names(name: str) -> None:
    assert Toy.parse(["--", name, "b"]).sounds == [Path(name), Path("b")]


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


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("1_000", "must be written in up to 64 digits, as 1000 or 0.5 or 1e-4"),
        ("٣", "must be written in up to 64 digits, as 1000 or 0.5 or 1e-4"),
        ("0" * 65, "must be written in up to 64 digits, as 1000 or 0.5 or 1e-4"),
        ("9" * 5000, "must be written in up to 64 digits, as 1000 or 0.5 or 1e-4"),
        ("nan", "must be a finite number"),
        ("Infinity", "must be a finite number"),
    ],
)
def test_a_number_is_written_plainly_and_bounded(folder, value, rule):
    for field in ("epochs", "factor", "count"):
        with pytest.raises(SettingsError, match=f"^{field} {rule}. Received: --{field} "):
            toy("--" + field, value)
    (folder / ".env").write_text(f"FACTOR={value}\n")
    with pytest.raises(SettingsError, match=f"^factor {rule}. Received: FACTOR="):
        toy()


@pytest.mark.parametrize(
    ("flag", "value", "rule"),
    [
        ("--count", str(LARGEST + 1), f"count must be at most {LARGEST}"),
        ("--factor", f"-{LARGEST + 1}", f"factor must be at least -{LARGEST}"),
        ("--epochs", str(LIMITS["epochs"] + 1), "epochs must be at most 1000000"),
        ("--factor", "1e-320", "factor must be 0, or at least 1e-30 either way"),
        ("--factor", "-9e-31", "factor must be 0, or at least 1e-30 either way"),
    ],
)
def test_a_number_is_neither_vast_nor_vanishing(flag, value, rule):
    with pytest.raises(SettingsError, match=f"^{rule}. Received: {flag}"):
        toy(f"{flag}={value}")
    assert toy("--factor=-0.0").factor == 0.0
    assert toy("--factor=1e-30").factor == 1e-30


def test_sizes_of_a_training_are_bounded_by_name():
    from models.neurosynth.recipe import NeuroSynthSettings

    for name in ("epochs", "steps_per_epoch", "critic_steps", "dsize"):
        with pytest.raises(SettingsError, match=f"^{name} must be at most {LIMITS[name]}"):
            NeuroSynthSettings.parse([f"--{name}={LIMITS[name] + 1}"])


def test_a_number_may_carry_a_sign_and_an_exponent():
    assert toy("--factor=-1e-4").factor == -1e-4
    assert toy("--epochs", "+7", "--count", "None").count is None
    assert Lists.parse(["--numbers=-1,+2.5,1e3"]).numbers == (-1.0, 2.5, 1000.0)


def test_a_seed_may_be_as_large_as_a_dataset_stores():
    class Seeded(Settings):
        seed: int = Field(0, ge=0)

    assert Seeded.parse(["--seed", str(2**63 - 1)]).seed == 2**63 - 1
    with pytest.raises(SettingsError, match="must be at most 9223372036854775807"):
        Seeded.parse(["--seed", str(2**63)])


class Lists(Settings):
    """Lists."""

    numbers: Numbers = ()
    words: Words = ()
    rows: list[int] = Field([])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("9" * 400, "rows must be at most 1000000000. Received: --rows"),
        ("[1", "--rows must be items with commas between them, all brackets and quotes closed. See --help"),
        ("1_0", "--rows must be items with commas between them"),
        ('"', "--rows must be items with commas between them"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_in_our_words(value, words):
    with pytest.raises(SettingsError, match=f"^{re.escape(words)}"):
        Lists.parse([f"--rows={value}"])


def test_a_list_has_a_bounded_number_of_bounded_items():
    for field, item in (("numbers", "1"), ("words", "a")):
        with pytest.raises(SettingsError, match=f"^{field} must have at most 10000 items, which are 10001"):
            Lists.parse([f"--{field}", ",".join([item] * 10_001)])
    with pytest.raises(SettingsError, match=r"^numbers must be at least -1000000000"):
        Lists.parse(["--numbers=-1e10"])


def test_a_value_of_two_hyphens_is_none():
    with pytest.raises(SettingsError, match=r"^--numbers needs a value other than '--'\. Received: --numbers=--"):
        Lists.parse(["--numbers=--"])


def test_no_command_takes_a_number_without_bounds():
    from tests.hostile.commands import classes

    tested = 0
    for name, settings in classes().items():
        numeric = {field for field, info in settings.model_fields.items() if is_numeric(info.annotation)}
        tested += len(numeric)
        for value in (
            ("1_0", "nan", "-inf", "1e999", str(2**64), str(-(2**64)), "9" * 400, "1e308", "٣") if numeric else ()
        ):
            with pytest.raises(ValidationError) as fault:
                settings(**dict.fromkeys(numeric, value))
            refused = {str(error["loc"][0]) for error in fault.value.errors() if error["loc"]}
            assert numeric <= refused, f"{name}: {value}"
    assert tested > 100


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
            "cannot write: the disk is full; what is finished is kept, and the same command goes on from there. "
            "Name a place with room that you may write to\n",
        ),
        (
            OSError("Can't write data (file = 3, name = '/d.hdf5', errno = 28, error message = 'No space …')"),
            2,
            "cannot write /d.hdf5: the disk is full; what is finished is kept, and the same command goes on from "
            "there. Name a place with room that you may write to\n",
        ),
        (
            OSError(36, "File name too long", "n" * 300),
            2,
            f"cannot use {'n' * 300}: File name too long. Name a file or folder that can be read and written\n",
        ),
        (
            MemoryError("Unable to allocate 8 GiB"),
            2,
            "MemoryError: the work must fit into memory. Received: Unable to allocate 8 GiB. Ask for less at a time\n",
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


def test_a_signal_to_terminate_stops_as_cleanly_as_an_interrupt(capsys):
    cleaned = []

    def action(settings):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10.0)
        finally:
            cleaned.append(True)

    before = signal.getsignal(signal.SIGTERM)
    assert run_command(Toy, action, ["x"]) == 143
    line = "\nterminated; what is finished is kept, and the same command goes on from there\n"
    assert capsys.readouterr().err == line
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_command_outside_the_main_thread_receives_no_signals():
    codes = []
    thread = threading.Thread(target=lambda: codes.append(run_command(Toy, lambda settings: None, ["x"])))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize("name", ["\x1b[31mred", "bell\x07", "\udce9", "\u202egnp", "\x9b2J", "\u2028", "\0"])
def test_names_never_control_the_terminal(capsys, name):
    def action(settings):
        print(f"wrote {name}\tone\ntwo")
        logging.getLogger("inversynth").warning("read %s", name)
        raise DatasetError(f"no such file: {name}")

    handlers, logging.root.handlers = logging.root.handlers, []
    try:
        assert run_command(Toy, action, ["x"]) == 2
    finally:
        logging.root.handlers = handlers
    out, err = capsys.readouterr()
    assert out == f"wrote {shown(name)}\tone\ntwo\n"
    assert err == f"read {shown(name)}\nDatasetError: no such file: {shown(name)}\n"
    assert shown(name).isprintable()


def test_a_message_keeps_its_ends_and_a_bounded_length(capsys):
    run_command(Toy, raiser(DatasetError(f"must be short. Received: {chr(27) * 1_000_000}. Make it short")), ["x"])
    error = capsys.readouterr().err
    assert error.startswith("DatasetError: must be short. Received: \\x1b")
    assert error.endswith(". Make it short\n")
    assert len(error) <= LONGEST_MESSAGE + 1


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
