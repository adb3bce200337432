"""Training from settings: the command behind `inversynth train` and `python -m models.…`.

The only caller of the model registry besides the application: it looks the recipe up, opens its data and hands both to
`models.training`, which knows no concrete model.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import DatasetError, ParameterError, SettingsError
from generators.parameters import ParameterSpace
from generators.registry import build_synth
from models.backend import start_keras
from models.macros.patch_sets import ReadPatches
from models.registry import find_recipe
from models.training.cross_validation import cross_validate
from models.training.loop import train
from models.training.runs import Run
from models.training.settings import DEFAULT_MODEL, ModelChoice, TrainingSettings


def main(
    argv: Sequence[str] | None = None,
    default_model: str | None = None,
    prog: str = "inversynth train",
    read_patches: ReadPatches | None = None,
) -> int:
    """Train with the settings of flags, environment and `.env`; returns the exit code.

    Args:
        default_model: what is trained where no setting names a model.
        read_patches: reads the folder that `patches` names; patch files are known on the floor above.
    """

    def action(settings: TrainingSettings) -> None:
        train_from_settings(settings, read_patches)

    return run_command(_ChosenSettings(default_model), action, argv, prog)


@dataclass(frozen=True)
class _ChosenSettings:
    """Reads the settings of the model that flags, environment or `.env` choose, which may have some of its own."""

    default_model: str | None

    def parse(self, argv: Sequence[str] | None = None, prog: str | None = None) -> TrainingSettings:
        words = list(sys.argv[1:] if argv is None else argv)
        chosen = ModelChoice.parse([word for word in words if word not in ("-h", "--help")], prog).model
        settings = find_recipe(chosen or self.default_model or DEFAULT_MODEL).settings
        if self.default_model and not chosen:
            settings = settings.with_default_model(self.default_model)
        return settings.parse(words, prog)


def train_from_settings(settings: TrainingSettings, read_patches: ReadPatches | None = None) -> Run:
    """Do what the settings ask for. Faults of the input are found before Keras is started."""
    recipe = find_recipe(settings.model)
    recipe = recipe.with_options(**{name: getattr(settings, name) for name in recipe.options})
    parameters = read_parameters(settings.parameters_file) if settings.parameters_file else None
    options: dict[str, Any] = {
        "epochs": settings.epochs,
        "patience": settings.patience,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "loss": settings.loss,
        "precision": settings.precision,
        "data_format": settings.data_format,
        "print_interval": settings.print_interval,
        "resume": settings.resume,
        "progress": sys.stderr.isatty(),
    }
    steps = settings.steps_per_epoch
    if recipe.open_data:
        with ExitStack() as stack:
            opened, name = recipe.open_data(settings, stack, read_patches)
            _check_parameters(parameters, opened.space, name)
            folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{name}")
            return train(recipe, opened, folder, **options)
    if settings.patches is not None:
        raise SettingsError(f"{recipe.name} learns from sounds. Received: --patches {settings.patches}. Leave it out")
    if settings.stream:
        synth = build_synth(settings.synth, settings.sample_rate, settings.length)
        _check_parameters(parameters, synth.space, f"synth '{synth.name}'")
        folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{synth.short_name}_stream")
        start_keras()
        from models.training.data import StreamSource

        stream = StreamSource(synth, seed=settings.seed, steps=steps, normalise=settings.normalise)
        return train(recipe, stream, folder, **options)
    path = settings.dataset_path
    folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{path.stem}")
    with Dataset(path) as dataset:
        dataset.check_finished()
        _check_parameters(parameters, dataset.space, str(path))
        start_keras()
        from models.training.data import DatasetSource

        split = settings.split
        if settings.folds > 1:  # whose test splits are the folds
            del split["test_split"]
            return cross_validate(recipe, dataset, folder, settings.folds, **split, **options)
        source = DatasetSource(dataset, **split)
        return train(recipe, source, folder, **options)


def read_parameters(path: Path) -> ParameterSpace:
    """Read a parameter space from a JSON file. Raises ParameterError."""
    try:
        return ParameterSpace.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ParameterError(f"cannot read parameters_file {path}: {reason}") from None


def _check_parameters(expected: ParameterSpace | None, space: ParameterSpace, holder: str) -> None:
    difference = expected.difference(space) if expected else ""
    if difference:
        raise DatasetError(f"{holder} must have the parameter space of parameters_file. Received: {difference}")


if __name__ == "__main__":
    sys.exit(main(prog="python -m models.train"))
