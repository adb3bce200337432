"""The benchmark of generation: it measures what it says, and its section tells goals that are missed."""

import pytest

from benchmarks import wavenet
from benchmarks.wavenet import Speed, measure, section


@pytest.fixture(scope="module")
def speeds():
    return [measure("smoke", batch, rounds=1, naive_samples=1) for batch in (1, 2)]


def test_cached_generation_is_measured_against_naive(speeds):
    assert [(speed.name, speed.batch, speed.rounds) for speed in speeds] == [("smoke", 1, 1), ("smoke", 2, 1)]
    assert all(speed.cached > 0 and speed.naive > 0 for speed in speeds)


def test_section_lays_out_speeds_and_steps():
    made = section([Speed("tiny", 1, 20_000.0, 40.0, 3), Speed("tiny", 16, 45_000.0, 90.0, 3)], {"tiny": 0.3})
    markdown = made.to_markdown()
    assert Speed("tiny", 1, 20_000.0, 40.0, 3).row() == ["`tiny`", "1", "20,000", "1.25", "6.3", "40", "500"]
    assert " 20,000 " in markdown
    assert Speed("full", 16, 300.0, None, 3).row()[-2:] == ["", ""]
    assert "`tiny` misses its goal: 45,000 of 60,000 samples/s at batch 16." in markdown
    assert "0.25 GB of weights for a sample" in markdown
    assert "`tiny` (crop 2,048, batch 8) 300 ms, 8,000 steps in 40 min" in markdown
    assert "median of n = 3" in markdown


def test_size_with_sines_is_measured_with_them(monkeypatch):
    monkeypatch.setattr(wavenet, "WITH_SINES", ("smoke",))
    speed = measure("smoke", 2, rounds=1, naive_samples=1)
    assert min(speed.cached, speed.naive) > 0
    made = section([Speed("shallow", 1, 12_000.0, 40.0, 3)], {}).to_markdown()
    assert "`shallow` misses its goal: 12,000 of 16,000 samples/s at batch 1." in made
    assert "`tiny` m" not in made


def test_goals_that_are_met_are_reported():
    speeds = [Speed("tiny", 1, 16_000.0, 40.0, 3), Speed("tiny", 16, 60_000.0, 90.0, 3)]
    assert "`tiny` meets its goals." in section(speeds, {}).to_markdown()


def test_some_sizes_alone_are_printed_and_not_published(monkeypatch, capsys):
    page = wavenet.publish.__globals__["PAGE"].read_text(encoding="utf-8")
    monkeypatch.setattr(wavenet, "measure", lambda name, batch, rounds, naive: Speed(name, batch, 2.0, 1.0, rounds))
    monkeypatch.setattr(wavenet, "measure_step", lambda name, rounds: 0.1)
    assert wavenet.main(["tiny"]) == 0
    assert "`tiny`" in capsys.readouterr().out
    assert wavenet.main(["--dry"]) == 0
    assert "`full`" in capsys.readouterr().out
    assert wavenet.publish.__globals__["PAGE"].read_text(encoding="utf-8") == page
