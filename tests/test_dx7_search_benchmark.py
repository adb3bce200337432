"""The benchmark of the search for DX7 voices measures recordings and voices beside baselines."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import dx7_search
from benchmarks.dx7_search import Row, search_plainly
from generators.analysis.distance import LogMelDistance
from generators.dx7.prior import sample_voices
from generators.dx7.synth import Dx7Synth, voice_values
from generators.dx7.sysex import write_syx
from generators.dx7.voice import Voice

RECORDINGS = Path(__file__).parent / "recordings"


def cells(printed: str, method: str) -> list[str]:
    row = next(line for line in printed.splitlines() if line.startswith(f"| {method}"))
    return [cell.strip() for cell in row.split("|")[2:-1]]


def test_a_recording_is_nearer_after_the_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elec_ping.flac").symlink_to(RECORDINGS / "elec_ping.flac")
    words = ["--targets", "0", "--recordings", str(tmp_path), "--num", "1", "--renders", "400"]
    assert dx7_search.main(words) == 0
    printed = capsys.readouterr().out
    assert "recordings with a pitch, 16,384 Hz: 1 sounds, 4" in printed
    assert float(cells(printed, "search")[0]) < float(cells(printed, "nearest")[0])
    assert cells(printed, "nearest")[3] == "100 %"


def test_voices_are_found_beside_the_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = sample_voices(2, 8)[0]
    for number, row in enumerate(values):
        write_syx(tmp_path / f"{number}.syx", [Voice(row.tobytes()).replaced(name=f"V{number}")])
    words = ["--num", "0", "--voices", str(tmp_path), "--targets", "1", "--renders", "120", "--baselines"]
    assert dx7_search.main([*words, "--worst", "1"]) == 0
    printed = capsys.readouterr().out
    for method in ("nearest", "search", "genetic", "cma-es"):
        assert float(cells(printed, method)[0]) < 15.0
    assert float(cells(printed, "genetic")[0]) <= float(cells(printed, "nearest")[0]) + 0.5
    assert any(line.startswith("| V") for line in printed.splitlines())


def test_the_plain_search_comes_nearer_than_its_starts() -> None:
    synth = Dx7Synth(16000, 0.25)
    values = voice_values(sample_voices(9, 4)[0])
    measure = LogMelDistance(synth.render(values[:1].astype(np.float64))[0], 16000)
    start = measure.distance(synth.render(values[1:].astype(np.float64)))
    found = search_plainly(synth, measure, values[1:], 200, np.random.default_rng(0))
    assert float(measure.distance(synth.render(found[None]))[0]) < float(start.min())


def test_a_table_is_of_all_sounds(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("A", {"nearest": 4.0, "search": 0.5}, 2.0, 100), Row("B", {"nearest": 2.0, "search": 2.5}, 4.0, 300)]
    dx7_search._print("some", rows, 1)
    printed = capsys.readouterr().out
    assert "some: 2 sounds, 200 renders, 3.0 s each (medians)" in printed
    assert cells(printed, "nearest") == ["3.00", "3.00", "0 %", "50 %"]
    assert cells(printed, "search") == ["1.50", "1.50", "50 %", ""]
    assert cells(printed, "B") == ["2.00", "2.50"]
    dx7_search._print("none", [], 1)
    assert capsys.readouterr().out.startswith("none: none")
