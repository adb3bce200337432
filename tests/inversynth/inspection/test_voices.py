"""`inversynth inspect` of DX7 voice files: the list of a bank, and one voice in panel words."""

import json
from pathlib import Path

import pytest

from generators.dx7.sysex import format_syx, write_syx
from generators.dx7.voice import PARAMETERS, Voice
from inversynth.inspection import command

BELL = Voice().replaced(
    name="BELL",
    algorithm=4,
    feedback=6,
    op2_coarse=3,
    op2_fine=50,
    op2_detune=14,
    op3_mode=1,
    op3_coarse=2,
    op1_rate_2=25,
    transpose=12,
    lfo_wave=5,
)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return write_syx(tmp_path / "bank.syx", [Voice(), BELL, Voice().replaced(name="ORGAN", algorithm=31)])


def test_a_bank_lists_its_voices(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(bank)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("32 DX7 voices in ")
    assert lines[0].endswith("bank.syx#1")
    assert lines[2].split()[:5] == ["#", "name", "algorithm", "carriers", "feedback"]
    assert len(lines) == 3 + 32
    assert lines[4].split() == [
        "2",
        "BELL",
        "5",
        "1",
        "3",
        "5",
        "6",
        "1.00",
        "4.50",
        "100.0",
        "Hz",
        "1.00",
        "1.00",
        "1.00",
    ]
    assert lines[5].split()[:9] == ["3", "ORGAN", "32", "1", "2", "3", "4", "5", "6"]
    assert max(map(len, lines[1:])) <= 100


def test_one_voice_is_shown_in_panel_words(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{bank}#2"]) == 0
    out = capsys.readouterr().out
    rows = {line[:26].strip(): line[26:].split() for line in out.splitlines()}
    assert out.splitlines()[0] == f"DX7 voice 2 of {bank}: BELL"
    assert rows["FREQUENCY"] == ["1.00", "4.50", "100.0", "Hz", "1.00", "1.00", "1.00"]
    assert rows["DETUNE"] == ["0", "+7", "0", "0", "0", "0"]
    assert rows["EG RATE 1 TO 4"][:8] == ["99", "25", "99", "99", "99", "99", "99", "99"]
    assert rows["BREAK POINT"] == ["C3"] * 6
    pairs = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in out.splitlines()}
    assert pairs["ALGORITHM"] == "5"
    assert pairs["TRANSPOSE"] == "−12"
    assert pairs["LFO WAVE"] == "SAMPLE & HOLD"
    assert max(map(len, out.splitlines()[1:])) <= 120


def test_every_parameter_of_a_voice_is_shown(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(voice: Voice) -> str:
        write_syx(bank, [voice])
        assert command.main([str(bank)]) == 0
        return capsys.readouterr().out

    plain = shown(Voice())
    for parameter in PARAMETERS:
        value = parameter.initial + 1 if parameter.initial < parameter.highest else parameter.initial - 1
        if parameter.name == "op1_output_level":
            value = 50
        assert shown(Voice().replaced(None, **{parameter.name: value})) != plain, parameter.name


def test_json_has_every_value_of_a_voice_and_the_list_of_a_bank(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{bank}#2", "--json"]) == 0
    voice = json.loads(capsys.readouterr().out)
    assert voice["kind"] == "voice"
    assert voice["parameters"] == {parameter.name: BELL[parameter.name] for parameter in PARAMETERS}
    assert command.main([str(bank), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["kind"] == "voices"
    assert [each["name"] for each in listed["voices"][:3]] == ["INIT VOICE", "BELL", "ORGAN"]
    assert listed["voices"][1]["carriers"] == [1, 3, 5]


def test_remarks_of_the_reader_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(format_syx([BELL]))
    data[-2] ^= 1
    (tmp_path / "one.syx").write_bytes(data)
    assert command.main([str(tmp_path / "one.syx")]) == 0
    assert "  dump 1 has the checksum " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("what", "message"),
    [("no.syx", "no.syx"), ("bank.syx#33", "holds the DX7 voices 1 to 32. Received: #33"), ("cut.syx", "truncated")],
)
def test_what_is_no_voice_takes_one_line(
    what: str, message: str, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bank.parent / "cut.syx").write_bytes(bank.read_bytes()[:500])
    assert command.main([str(bank.parent / what)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_preset_does_not_go_with_voices(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{bank}#2", "--preset", "C1"]) == 2
    assert "--preset goes with a model by its name" in capsys.readouterr().err
