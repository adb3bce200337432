"""A folder of sounds becomes banks of voices, and a second run goes on where the first one stopped."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from generators.dx7.sysex import read_syx, write_syx
from inversynth.cli import main
from inversynth.inversion import voices
from inversynth.inversion.result import InversionInterrupted
from inversynth.inversion.target import Target
from inversynth.inversion.to_bank import BankWriter
from inversynth.inversion.voices import invert_voice
from tests.inversynth.inversion.test_voices import RECORDINGS, STRUCK, target_of

WORDS = ["invert", "kit", "--synth", "dx7", "--renders", "12", "--to_bank", "my/kit.syx", "--output_dir", "out"]


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    folder = tmp_path / "kit"
    folder.mkdir()
    for name in ("elec_ping", "bd_808"):
        shutil.copy(RECORDINGS / f"{name}.flac", folder)
    return folder


def test_a_folder_becomes_a_bank_which_an_equal_command_completes(
    kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (kit / "broken.wav").write_bytes(b"no sound")
    assert main(WORDS) == 2  # one sound is at fault, and does not stop the others
    bank = read_syx(tmp_path / "my" / "kit.syx").voices
    assert [voice.name for voice in bank[:3]] == ["BD_808", "ELEC_PING", "INIT VOICE"]
    assert len(bank) == 32
    said = capsys.readouterr().out.splitlines()
    place = next(place for place, line in enumerate(said) if line == "2 voices -> my/kit.syx")
    ranked = [line.split() for line in said[place + 1 : place + 3]]
    assert [row[0] for row in ranked] == ["1.", "2."]
    assert float(ranked[0][1]) <= float(ranked[1][1])
    assert {row[-1] for row in ranked} == {"kit.syx#1", "kit.syx#2"}
    assert "kit.syx#1" in (tmp_path / "out" / "index.html").read_text()
    written = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    shutil.rmtree(tmp_path / "out" / "elec_ping")
    (tmp_path / "my" / "kit.syx").unlink()
    searched: list[str] = []

    def counted(target: Target, *args: Any, **options: Any) -> Any:
        searched.append(target.name)
        return invert_voice(target, *args, **options)

    monkeypatch.setattr(voices, "invert_voice", counted)
    assert main(WORDS) == 2
    assert searched == ["elec_ping"]
    assert read_syx(tmp_path / "my" / "kit.syx").voices == bank
    assert {path: path.read_bytes() for path in written} == written
    assert main([*WORDS, "--renders", "13"]) == 2
    assert searched == ["elec_ping", "bd_808", "elec_ping"]  # another search begins anew


@pytest.mark.parametrize(
    ("bank", "message"),
    [
        ("kit", "cannot write kit: it is a folder"),
        ("kit/bd_808.flac", "an output must not replace an input: kit/bd_808.flac"),
        ("mine.syx", "an output must not replace an input: mine.syx"),
    ],
)
def test_a_bank_that_cannot_or_must_not_be_written_is_refused_before_the_work(
    kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bank: str, message: str
) -> None:
    write_syx(tmp_path / "mine.syx", [STRUCK])
    assert main([*WORDS, "--bank", "mine.syx", "--to_bank", bank]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_names_are_unique_and_banks_hold_32_voices(tmp_path: Path) -> None:
    found = invert_voice(target_of(STRUCK, 60), "none")
    writer = BankWriter(tmp_path / "kit.syx", "none", {})
    names = ["long name of a sound", "long name of another", "Höhle", "", *[f"s{k}" for k in range(30)]]
    added: list[Any] = []
    for name in names:
        target = Target(found.target.audio, found.target.sample_rate, name, found.target.source)
        added.append(writer.add(type(found)(target, found.patch, found.audio)))
        written = [voice for path in sorted(tmp_path.iterdir(), reverse=True) for voice in read_syx(path).voices]
        assert len(written) == (32 if len(added) <= 32 else 64)  # from the first voice on: what is found is kept
    lines = writer.lines()
    assert lines[:2] == [f"32 voices -> {tmp_path / 'kit.syx'}", f"2 voices -> {tmp_path / 'kit-2.syx'}"]
    assert len(lines) == 2 + len(names)
    first, second = (read_syx(tmp_path / name).voices for name in ("kit.syx", "kit-2.syx"))
    assert [voice.name for voice in first[:5]] == ["LONG NAME", "LONG NAM 2", "H?HLE", "VOICE", "S0"]
    assert (len(first), second[1].name) == (32, "S29")
    assert added[33].patch.source["bank"] == "kit-2.syx#2"


def test_nothing_is_written_where_nothing_was_found(tmp_path: Path) -> None:
    assert BankWriter(tmp_path / "kit.syx", "fast", {}).lines() == []
    assert not list(tmp_path.iterdir())


def test_an_interrupted_sound_is_in_the_bank_and_is_searched_again(
    kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []

    def stopped(target: Target, *args: Any, **options: Any) -> Any:
        searched.append(target.name)
        found = invert_voice(target, *args, **options)
        if searched[:2] != ["bd_808", "elec_ping"] or len(searched) > 2:
            return found
        record = {**found.patch.refinement, "interrupted": True}
        cut_short = replace(found, patch=replace(found.patch, refinement=record))
        raise InversionInterrupted(SimpleNamespace(), cut_short)  # type: ignore[arg-type]

    monkeypatch.setattr(voices, "invert_voice", stopped)
    assert main(WORDS) == 130
    assert [voice.name for voice in read_syx(tmp_path / "my" / "kit.syx").voices[:2]] == ["BD_808", "ELEC_PING"]
    assert "search interrupted" in (tmp_path / "out" / "index.html").read_text()
    assert main(WORDS) == 0
    assert searched == ["bd_808", "elec_ping", "elec_ping"]
    assert "search interrupted" not in (tmp_path / "out" / "index.html").read_text()
