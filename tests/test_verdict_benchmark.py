"""The verdict benchmark: rows count misses and false alarms, and the exact patch under noise is graded reachable."""

import numpy as np

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
    assert max(exact) < THRESHOLDS[0]
    sound = synth.render_classes(np.full(23, 7))
    found = verdict.trivial_distances(Target(sound, synth.sample_rate, "sound"), sound[None][:, ::-1].copy(), seed=1)
    assert len(found) == 4
    assert min(found.values()) > THRESHOLDS[0]
