"""`inversynth evaluate`: score trained models on a dataset, beside chance and an oracle.

What is measured, and how, is in `inversynth.evaluation.evaluator`; tables and files are in
`inversynth.evaluation.scores`. A model is refused before the work begins where its parameter space, sample rate or
length is not the dataset's.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import ModelError, ParameterError, RunError, os_reason, unknown
from generators.files import write_text
from generators.settings import Settings
from inversynth.evaluation.conditions import find_condition
from inversynth.evaluation.evaluator import choose_rows, evaluate_methods, one_key_synth
from inversynth.evaluation.held_out import card_difference, held_out_rows
from inversynth.evaluation.methods import Method, chance, network, oracle, search
from inversynth.evaluation.paper_tables import paper_tables
from inversynth.evaluation.scores import score_files, write_scores
from inversynth.pretrained import FOLDER, find_model
from inversynth.search.search import BUDGETS
from models.estimation.architectures import INVERTER
from models.model_files import ModelCard, read_card

log = logging.getLogger(__name__)


class EvaluationSettings(Settings):
    """Score trained models on a dataset: parameters and re-synthesised sounds, beside chance and an oracle."""

    other_names: ClassVar = {"as_json": ("json",)}
    flags_only: ClassVar = frozenset(  # a measurement must not depend on a variable that was set for something else
        {
            *("runs", "dataset", "num_examples", "seed", "batch_size", "budgets", "condition", "paper"),
            *("identifiability", "output", "as_json"),
        }
    )

    runs: CliPositionalArg[list[str]] = Field(
        ["inverter", "C6XL"], description="run folders, .keras files, or names of bundled models"
    )
    dataset: Path = Field(description="the sounds to score on: an HDF5 dataset")
    budgets: list[str] = Field(
        [],
        description="search from the estimates of the inverter, else the first model: fast, full, or renders",
    )
    condition: str = Field(
        "clean", description="applied to the sounds: clean, noise, late, offset, quiet, 44.1kHz, 48kHz, mp3, phases"
    )
    paper: CliToggleFlag[bool] = Field(
        False, description="Tables 3 and 4 of the paper, printed rows beside ours; searches fast and full"
    )
    num_examples: int = Field(1000, ge=1, description="sounds, drawn by the seed; all where the dataset has fewer")
    seed: int = Field(0, ge=0, description="draws the sounds, the chance row and the bootstrap")
    batch_size: int = Field(64, ge=1, description="sounds in memory at a time")
    identifiability: int = Field(100, ge=0, description="sounds on which to measure the upper bound; 0 skips it")
    output: Path | None = Field(
        None, description="JSON file, CSV (and with --paper Markdown) beside it; default: in the first run"
    )
    as_json: bool = Field(False, description="print JSON in place of tables")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth evaluate") -> int:
    """Evaluate runs on a dataset; returns the exit code."""
    return run_command(EvaluationSettings, _evaluate, argv, prog, resumes=False)


def _evaluate(settings: EvaluationSettings) -> None:
    with Dataset(settings.dataset) as dataset:
        paths = [find_model(run) for run in settings.runs]
        names = _names([_check_card(path, dataset) for path in paths], paths)  # before any time is spent on one
        budgets = check_budgets(settings.budgets or (["fast", "full"] if settings.paper else []))
        condition = find_condition(settings.condition)
        bundled = paths[0].parent == FOLDER  # nothing is written into the package
        output = settings.output or (Path("evaluation") if bundled else paths[0].parent / "evaluation")
        _check_writable(output)
        rows = choose_rows(held_out_rows(dataset, paths), settings.num_examples, settings.seed)
        evaluation = evaluate_methods(
            dataset,
            _methods(names, paths, dataset, budgets, settings),
            rows=rows,
            seed=settings.seed,
            batch_size=settings.batch_size,
            bound_examples=settings.identifiability,
            condition=condition,
            progress=True,
        )
    written = [*write_scores(output, evaluation)]
    if settings.paper:
        written.append(write_text(written[0].with_suffix(".md"), paper_tables(evaluation)))
    print(evaluation.to_json() if settings.as_json else evaluation.to_text())
    log.info("written: %s", ", ".join(map(str, written)))


def _methods(
    names: Sequence[str],
    paths: Sequence[Path],
    dataset: Dataset,
    budgets: Sequence[str],
    settings: EvaluationSettings,
) -> Iterator[Method]:
    """Yield the models one after another, each loaded when its turn comes, then searches, chance and the oracle."""
    from models.model_files import load_model

    for name, path in zip(names, paths, strict=True):
        yield network(name, load_model(path), settings.batch_size)
    if budgets:
        first = next((place for place, name in enumerate(names) if name.startswith(INVERTER)), 0)
        model, synth = load_model(paths[first]), one_key_synth(dataset)
        for budget in budgets:
            renders = f"{budget} renders" if budget.isdigit() else budget
            any_level = find_condition(settings.condition).any_level
            yield search(f"{names[first]} + {renders}", model, synth, budget, any_level)
    yield chance(dataset.space, settings.seed)
    yield oracle(dataset.space)


def check_budgets(budgets: Sequence[str]) -> Sequence[str]:
    """Return budgets that are names or numbers of renders. Raises ParameterError for others."""
    for budget in budgets:
        if not (budget.isdigit() and int(budget) > 0) and budget not in BUDGETS:
            raise ParameterError(f"{unknown('budget', budget, BUDGETS)}, or a number of renders")
    return budgets


def _check_card(path: Path, dataset: Dataset) -> ModelCard:
    """Return a model's card. Raises ModelError where the model does not fit the dataset."""
    card = read_card(path)
    difference = card_difference(card, dataset)
    if difference:
        raise ModelError(f"{path} must be a model of the sounds in {dataset.path}. Received: {difference}")
    return card


def _names(cards: Sequence[ModelCard], paths: Sequence[Path]) -> list[str]:
    """Name each model, with its file where two are of one name."""
    names = [card.model for card in cards]
    return [
        name if names.count(name) == 1 else f"{name} ({path.parent.name}/{path.name})"
        for name, path in zip(names, paths, strict=True)
    ]


def _check_writable(output: Path) -> None:
    """Raise RunError before the work where the scores could not be written after it."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
        for path in score_files(output):
            if path.is_dir():
                raise IsADirectoryError(None, "it is a folder", path)
    except OSError as error:
        what, why = error.filename or output, os_reason(error)
        raise RunError(f"cannot write {what}: {why}. Name an --output that you may write to") from None


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.evaluation.command"))
