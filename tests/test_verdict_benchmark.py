"""The verdict benchmark: rows count misses and false alarms, and the exact patch under noise is graded reachable."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import verdict
from benchmarks.conditions import CONDITIONS
from generators.fm_generator import FmSynth
from inversynth.inversion.target import Target
from inversynth.inversion.verdict import THRESHOLDS, WORDS


def test_a_row_counts_grades_and_the_errors_of_its_side() -> None:
    distances = [0.0, 0.1, THRESHOLDS[0], 2.0, 5.0, 9.0, 9.0, 9.0]
    row = verdict._row("sounds", distances, "miss")
    assert row[:2] == ["sounds", "8"]
    assert row[3 : 3 + len(WORDS)] == ["38 %", "12 %", "12 %", "38 %"]
    assert row[-2:] == ["62.5 %", ""]
    assert verdict._row("sounds", distances, "false alarm")[-2:] == ["", "37.5 %"]
    assert verdict._row("sounds", distances, "")[-2:] == ["", ""]


def test_conditions_that_are_measured_exist() -> None:
    assert set(verdict.MADE_BY_FM.values()) <= set(CONDITIONS)


def test_exact_patches_under_noise_are_reachable_and_trivial_matches_are_not() -> None:
    synth = FmSynth()
    settings = verdict.VerdictSettings(num=3)
    exact = verdict.exact_distances(synth, 40.0, settings)
    assert len(exact) == 3
    assert max(exact) < 0.2
    assert 0.1 < max(verdict.independent_distances(synth, settings)) < THRESHOLDS[0]
    sound = synth.render_classes(np.full(23, 7))
    found = verdict.trivial_distances(Target(sound, synth.sample_rate, "sound"), sound[None][:, ::-1].copy(), seed=1)
    assert len(found) == 4
    assert min(found.values()) > THRESHOLDS[0]


def test_a_later_run_goes_on_from_the_distances_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "verdict.jsonl"
    settings = verdict.VerdictSettings(log=path)
    log = verdict.DistanceLog.open(settings)
    assert log.measure("recordings", "bell", lambda: {"found": 2.5}) == {"found": 2.5}
    with path.open("a", encoding="utf-8") as file:
        file.write('{"run": "inverter, fa')  # a run that was killed while it wrote
    again = verdict.DistanceLog.open(settings)
    assert again.measure("recordings", "bell", pytest.fail) == {"found": 2.5}
    assert again.measure("noise", "bell", lambda: {"found": 9.0}) == {"found": 9.0}


def test_distances_of_another_search_are_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "verdict.jsonl"
    verdict.DistanceLog.open(verdict.VerdictSettings(log=path)).measure("noise", "1", lambda: {"found": 2.5})
    for changed in ({"budget": "full"}, {"seed": 3}, {"continuous": True}, {"model": "C6XL"}):
        log = verdict.DistanceLog.open(verdict.VerdictSettings.model_validate({"log": path, **changed}))
        assert log.measure("noise", "1", lambda: {"found": 1.0}) == {"found": 1.0}


def test_a_log_that_ends_within_a_line_is_continued_on_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "verdict.jsonl"
    path.write_text('{"run": "inverter, fa', encoding="utf-8")
    settings = verdict.VerdictSettings(log=path)
    verdict.DistanceLog.open(settings).measure("noise", "1", lambda: {"found": 2.5})
    assert verdict.DistanceLog.open(settings).measure("noise", "1", pytest.fail) == {"found": 2.5}
