"""Cross-validation: a run for each fold, and the mean and standard deviation of their measures."""

import numpy as np
import pytest

from generators.errors import RunError
from models.training.cross_validation import cross_validate


def test_folds_are_runs_of_their_own_and_their_measures_are_gathered(tiny_recipe, tiny_dataset, tmp_path):
    def go(**options):
        return cross_validate(tiny_recipe, tiny_dataset, tmp_path / "cv", 2, seed=1, epochs=1, **options)

    run = go()
    parts = [fold.metrics()["test"] for fold in run.folds()]
    test = run.metrics()["test"]
    assert [part["n"] for part in parts] == [30, 30]
    assert test["n"] == 60
    ranks = [part["mpr"]["All"] for part in parts]
    assert test["mpr"]["All"] == {"mean": pytest.approx(np.mean(ranks)), "std": pytest.approx(np.std(ranks, ddof=1))}
    assert set(test["parameters"]["f2"]["mae"]) == {"mean", "std"}
    before = [fold.last.stat().st_mtime_ns for fold in run.folds()]
    (run.folds()[1].metrics_file).unlink()
    go()
    assert [fold.last.stat().st_mtime_ns for fold in run.folds()] == before
    with pytest.raises(RunError, match="was trained with batch_size 16"):
        go(batch_size=8)
