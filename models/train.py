"""Training from settings: the command behind `inversynth train` and `python -m models.…`.

The only caller of the model registry besides the application: it looks the recipe up, opens its data and hands both to
`models.training`, which knows no concrete model.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import DatasetError, ParameterError, os_reason
from generators.files import check_readable_file
from generators.json_reader import MAX_BYTES
from generators.parameters import ParameterSpace
from models.macros.patch_sets import ReadPatches
from models.registry import find_recipe
from models.training.cross_validation import cross_validate
from models.training.loop import train
from models.training.recipe import Recipe
from models.training.runs import Run
from models.training.settings import DEFAULT_MODEL, ModelChoice, RunSettings


def main(
    argv: Sequence[str] | None = None,
    prog: str = "inversynth train",
    read_patches: ReadPatches | None = None,
    **defaults: Any,
) -> int:
    """Train with the settings of flags, environment and `.env`; returns the exit code.

    Args:
        read_patches: reads the folder that `patches` names; the format of patch files belongs to the application.
        defaults: of settings, where a command has its own, such as `model`.
    """

    def action(settings: RunSettings) -> None:
        train_from_settings(settings, read_patches)

    return run_command(_ChosenSettings(defaults), action, argv, prog)


@dataclass(frozen=True)
class _ChosenSettings:
    """Parses the settings of the model that flags, environment or `.env` choose."""

    defaults: Mapping[str, Any]

    def parse(self, argv: Sequence[str] | None = None, prog: str | None = None) -> RunSettings:
        words = list(sys.argv[1:] if argv is None else argv)
        chosen = ModelChoice.parse([word for word in words if word not in ("-h", "--help")], prog).model
        settings = find_recipe(chosen or self.defaults.get("model", DEFAULT_MODEL)).settings
        own = {name: value for name, value in self.defaults.items() if name != "model" or not chosen}
        return (settings.with_defaults(**own) if own else settings).parse(words, prog)


def train_from_settings(settings: RunSettings, read_patches: ReadPatches | None = None) -> Run:
    """Train as the settings say. Faults of the input are found before Keras is started."""
    recipe = find_recipe(settings.model)
    recipe = recipe.with_options(**{name: getattr(settings, name) for name in recipe.options})
    file = getattr(settings, "parameters_file", None)
    parameters = read_parameters(file) if file else None
    options: dict[str, Any] = {**settings.training_options, "progress": sys.stderr.isatty()}
    with ExitStack() as stack:
        if getattr(settings, "folds", 1) > 1:
            return _train_folds(recipe, settings, parameters, options)
        source, name = recipe.open_data(settings, stack, read_patches)
        _check_parameters(parameters, source.space, name)
        folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{name}")
        return train(recipe, source, folder, **options)


def _train_folds(recipe: Recipe, settings: Any, parameters: ParameterSpace | None, options: dict[str, Any]) -> Run:
    """Train once a fold of a dataset, whose test splits are the folds."""
    with Dataset(settings.dataset_path) as dataset:
        dataset.check_finished()
        _check_parameters(parameters, dataset.space, str(dataset.path))
        split = {name: value for name, value in settings.split.items() if name != "test_split"}
        folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{dataset.name}")
        return cross_validate(recipe, dataset, folder, settings.folds, **split, **options)


def read_parameters(path: Path) -> ParameterSpace:
    """Read a parameter space from a JSON file. Raises ParameterError."""
    check_readable_file(path, "parameters_file", ParameterError, most_bytes=MAX_BYTES)
    try:
        return ParameterSpace.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ParameterError(f"cannot read parameters_file {path}: {reason}") from None


def _check_parameters(expected: ParameterSpace | None, space: ParameterSpace, holder: str) -> None:
    difference = expected.difference(space) if expected else ""
    if difference:
        raise DatasetError(f"{holder} must have the parameter space of parameters_file. Received: {difference}")


if __name__ == "__main__":
    sys.exit(main(prog="python -m models.train"))
