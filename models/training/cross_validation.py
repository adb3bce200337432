"""Cross-validation: one run for each fold in one folder, and mean and standard deviation of their measures."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generators.dataset import Dataset
from models.backend import start_keras
from models.training.loop import train
from models.training.recipe import Recipe
from models.training.runs import Run, write_json

log = logging.getLogger(__name__)


def cross_validate(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    folds: int,
    *,
    seed: int = 0,
    validation_split: float = 0.1,
    steps: int | None = None,
    resume: bool = True,
    **options: Any,
) -> Run:
    """Train once for each fold, as a run of its own in `folder`; gather mean and standard deviation of the measures.

    Args:
        options: of `train`, the same for each fold.
    Raises: RunError as `train` does; DatasetError where the dataset is too small for so many folds.
    """
    start_keras()
    import keras

    from models.training.data import DatasetSource

    run = Run(folder)
    sources = [
        DatasetSource(dataset, seed=seed, validation_split=validation_split, folds=folds, fold=fold, steps=steps)
        for fold in range(folds)
    ]
    shared = {name: value for name, value in sources[0].settings.items() if name != "fold"}
    with run.locked():
        run.begin({"model": recipe.name, "seed": seed, **shared}, sources[0].identity, resume=resume)
        parts = []
        for number, source in enumerate(sources, start=1):
            parts.append(train(recipe, source, folder / f"fold_{number:02d}", **options).metrics())
            keras.utils.clear_session()
        test = spread(parts)
        write_json(run.metrics_file, {"model": recipe.name, "synth": sources[0].synth, "folds": folds, "test": test})
    overall = test["mpr"]["All"]
    log.info("%s: MPR %.2f, standard deviation %.2f over %d folds", folder, overall["mean"], overall["std"], folds)
    return run


def spread(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over folds of every measure, in the structure of their metrics."""

    def gather(values: Sequence[Any]) -> Any:
        if isinstance(values[0], Mapping):
            return {name: gather([value[name] for value in values]) for name in values[0]}
        return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}

    tests = [dict(part["test"]) for part in parts]
    counts = [test.pop("n") for test in tests]
    return {"n": sum(counts), **gather(tests)}
