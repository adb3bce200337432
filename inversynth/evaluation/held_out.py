"""Which rows of a dataset a model may be scored on: those of its synth that it was not trained on."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset, parse_shard, shard_rows
from generators.errors import ModelError
from models.model_files import ModelCard, read_card
from models.training.runs import Run
from models.training.splits import split_rows

log = logging.getLogger(__name__)


def held_out_rows(dataset: Dataset, paths: Sequence[Path]) -> NDArray[np.intp]:
    """Return the finished rows that none of the models was trained or chosen on.

    Rows of one seed are the same sounds in every dataset that has them, whatever its size, so a dataset made with the
    seed of the training data holds training sounds. Of a run's own dataset, its test split is left.
    Raises: ModelError where nothing is left.
    """
    rows = dataset.finished()
    for path in paths:
        unseen = np.setdiff1d(rows, _seen_rows(dataset, path))
        if len(rows) and not len(unseen):
            raise ModelError(
                f"{path} must be scored on sounds that it was not trained on. Received: {dataset.path}, of the seed "
                f"{dataset.card.seed} that it was trained with. Generate another with --seed {dataset.card.seed + 1}"
            )
        if len(unseen) < len(rows):
            log.info(
                "%s: %d of %d sounds are left that %s was not trained on", dataset.path, *map(len, (unseen, rows)), path
            )
        rows = unseen
    return rows


def _seen_rows(dataset: Dataset, path: Path) -> NDArray[np.intp]:
    """Return the rows that a model was trained on, or chosen by; all of its dataset's if no run records the split."""
    training, card = read_card(path).training, dataset.card
    recorded = training.get("data")
    data = recorded if isinstance(recorded, dict) else {}
    identity = {"synth": card.synth, "seed": card.seed, "sampling_method": card.sampling_method}
    if any(data.get(name) != value for name, value in identity.items()):
        return np.empty(0, np.intp)
    count = data.get("num_examples")
    if not isinstance(count, int) or count < 1:
        raise ModelError(f"the card of {path} must say on how many sounds it was trained. Received: {count!r:.60}")
    trained = shard_rows(count, parse_shard(data.get("shard")))
    first, count = trained.start - dataset.first_row, len(trained)
    run = Run(path.parent)
    settings = run.settings()["settings"] if run.settings_file.is_file() else {}
    if "validation_split" not in settings or settings.get("seed") != training.get("seed"):
        return np.arange(count) + first
    named = ("seed", "validation_split", "test_split", "folds")
    split = {name: settings[name] for name in named if name in settings}
    return first + np.setdiff1d(np.arange(count), split_rows(count, **split, fold=settings.get("fold", 1) - 1)["test"])


def card_difference(card: ModelCard, dataset: Dataset) -> str:
    """Name the first thing in which a model's sounds differ from those of a dataset, or return an empty string."""
    if not card.kind.estimates_parameters:
        return f"{card.model}, {card.kind.model}"
    difference = card.parameter_space.difference(dataset.space)
    for name in ("sample_rate", "length"):
        mine, theirs = getattr(card, name), getattr(dataset.card, name)
        if mine != theirs and not difference:
            difference = f"{name} {mine:g} against {theirs:g}"
    return difference
