"""The benchmark of the search for DX7 voices measures recordings, and says what it found."""

from pathlib import Path

import pytest

from benchmarks import dx7_search

RECORDINGS = Path(__file__).parent / "recordings"


def test_a_recording_is_nearer_after_the_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elec_ping.flac").symlink_to(RECORDINGS / "elec_ping.flac")
    words = ["--targets", "0", "--recordings", str(tmp_path), "--num", "1", "--renders", "500"]
    assert dx7_search.main(words) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| recordings"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells[0] == "1"
    assert float(cells[3]) < float(cells[1])


def test_a_summary_is_of_all_sounds() -> None:
    rows = [[4.0, 3.0, 0.5, 2.0], [6.0, 5.0, 2.5, 4.0]]
    assert dx7_search._summary("x", rows) == ["x", "2", "5.00", "4.00", "1.50", "1.50", "50 %", "3.0"]
    assert dx7_search._summary("x", [])[1] == "0"
