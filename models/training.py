"""Training: one loop for every recipe, into a run folder that goes on from itself after any interruption.

Split, starting weights, order of the examples and dropout are pure functions of the seed and the epoch, and
`last.keras` keeps the optimiser, so a run that was killed ends with the history and the weights of one that was not.
The doors are `inversynth train`, `python -m models.spectrogram_cnn` and `python -m models.e2e_cnn`.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from generators.doors import run_door
from generators.errors import DatasetError, ModelError, ParameterError, RunError, SettingsError
from generators.parameters import ParameterSpace
from generators.registry import build_synth
from generators.store import Dataset
from models.backend import start_keras
from models.patch_sets import ReadPatches
from models.recipe import Recipe, Stage, check_data_format, device_kind
from models.runs import History, Run, best_epoch, epoch_row, finished_epochs, is_finished, write_json
from models.settings import DEFAULT_MODEL, ModelChoice, TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.callbacks import RunKeeper
    from models.data import Batches, Source
    from models.model_files import LoadedModel

log = logging.getLogger(__name__)

EXAMPLES = {
    "audio": "sounds",
    "patches": "patches",
    "envelope": "waveforms",
    "notes": "notes",
    "latents": "notes",
    "pictures": "notes",
    "mels": "notes",
}
"""What the examples of a test are, by what a model takes."""

EVALUATION_BATCH = 64
"""Examples a step where nothing is learned: larger is no quicker on two cores."""


def train(
    recipe: Recipe,
    source: "Source",
    folder: Path,
    *,
    epochs: int = 100,
    patience: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
    loss: str | None = None,
    precision: str = "float32",
    data_format: str = "channels_last",
    print_interval: int = 1,
    resume: bool = True,
    progress: bool = False,
) -> Run:
    """Train a recipe on a source, or go on with the run that `folder` holds; then measure the best model on the test.

    Args:
        print_interval: epochs between two validations, with all that is written then.
        epochs, patience: when to end; they may differ from one start of a run to the next, all else may not (nor
            may the epochs of a recipe whose learning rate follows a schedule).
        loss: by default the recipe's. precision: float32, or mixed_bfloat16 / mixed_float16 for what Keras calls mixed
            precision: weights, features and probabilities stay float32.
        progress: show a progress bar within each epoch.
    Raises: RunError where the folder holds another run, or the loss stops being finite.
    """
    start_keras()
    check_data_format(data_format)
    run = Run(folder)
    agreed = {
        "model": recipe.name,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "loss": loss or recipe.defaults["loss"],
        **({"precision": precision} if precision != "float32" else {}),  # runs from before there was a choice go on
        "seed": source.seed,
        **({"epochs": epochs} if recipe.scheduled else {}),
        **source.settings,
        **recipe.options,
    }
    with run.locked():
        run.begin(agreed, source.identity, resume=resume)
        _fit(recipe, source, run, agreed, epochs, patience, data_format, progress, print_interval)
        _measure(recipe, source, run)
    return run


def _fit(
    recipe: Recipe,
    source: "Source",
    run: Run,
    agreed: Mapping[str, Any],
    epochs: int,
    patience: int,
    data_format: str,
    progress: bool,
    print_interval: int,
) -> None:
    """Train until the run is finished; from its last finished epoch on, where there is one."""
    from models.callbacks import RunKeeper, write_consequences
    from models.model_files import ModelCard

    last = run.progress()
    history: History = list(last.training["history"]) if last else []
    card = ModelCard(
        model=recipe.name,
        synth=source.synth,
        space=source.space.to_json(),
        sample_rate=source.sample_rate,
        length=source.length,
        features={**recipe.features, **recipe.options, **source.known, "normalise": source.normalise},
        training={**agreed, "data": source.identity},
    )
    ended, done = is_finished(history, epochs, patience), finished_epochs(history)
    if ended and _is_consistent(run, history):
        log.info("%s is finished after %d epochs; raise --epochs or --patience to go on", run.path, done)
        return
    seconds = float(last.training["seconds"]) if last else 0.0
    model: keras.Model | None = None
    for stage in _stages(recipe, max(epochs, done)):
        if stage.end < max(done, 1):
            continue
        younger, view = model, source.at(stage.number)
        model = _build(recipe, view, stage, agreed, data_format)
        with ExitStack() as stack:
            training = stack.enter_context(view.training(int(agreed["batch_size"])))
            recipe.compile(
                model,
                view.space,
                loss=str(agreed["loss"]),
                learning_rate=agreed["learning_rate"],
                steps=epochs * training.num_batches,
            )
            validation = stack.enter_context(view.validation(EVALUATION_BATCH))
            if younger is not None:
                assert recipe.grow is not None
                recipe.grow(younger, model)
                log.info("%s: stage %d, %s weights", run.path, stage.number, f"{model.count_params():,}")
            elif last:
                _load_progress(model, run)
                write_consequences(model, run, card, history)
                log.info("%s goes on after epoch %d", run.path, done)
            else:
                log.info("%s", _opening_line(recipe, model, training, run))
                if recipe.adapt:
                    sounds = stack.enter_context(view.training(EVALUATION_BATCH))
                    recipe.adapt(model, sounds.audio(), seed=view.seed)
            if ended:
                return
            keeper = RunKeeper(
                run,
                card,
                history,
                training,
                seed=view.seed,
                epochs=epochs,
                patience=patience,
                seconds=seconds,
                progress=progress,
                until=min(epochs, stage.end),
                interval=print_interval,
                draw=_drawing(recipe, view),
            )
            if keeper.kept():  # nothing is left to do of a stage that the run was stopped behind
                _teach(model, training, validation, keeper)
            seconds = keeper.seconds
        if is_finished(history, epochs, patience):
            return


def _stages(recipe: Recipe, epochs: int) -> Sequence[Stage]:
    """Return the stages of a training; of a model that does not grow, the only one."""
    return recipe.stages(recipe.options) if recipe.stages else (Stage(0, epochs),)


def _build(
    recipe: Recipe, source: "Source", stage: Stage, agreed: Mapping[str, Any], data_format: str
) -> "keras.Model":
    build: Callable[..., keras.Model] = recipe.build  # what is known of the data is more than others take
    with computing_in(str(agreed.get("precision", "float32"))):
        return build(
            source.space,
            source.sample_rate,
            source.samples,
            loss=str(agreed["loss"]),
            data_format=data_format,
            seed=source.seed,
            **({"stage": stage.number} if recipe.stages else {}),
            **source.known,
        )


def _teach(model: "keras.Model", training: "Batches", validation: "Batches", keeper: "RunKeeper") -> None:
    """Fit a model from where the history of its keeper ends to where it stops."""
    try:
        model.fit(
            training,
            validation_data=validation,
            validation_freq=keeper.kept(),
            initial_epoch=finished_epochs(keeper.history),
            epochs=keeper.until,
            shuffle=False,  # the batches shuffle by themselves; Keras would, from a global seed
            callbacks=[keeper],
            verbose=0,
        )
    except Exception:
        for fault in (training.fault, validation.fault):
            if fault is not None:  # the backend wraps an error of the reading thread into one of its own
                raise fault from None
        raise


def _drawing(recipe: Recipe, source: "Source") -> "Callable[[keras.Model, Path], None] | None":
    """Return what draws a model of this training into a file; None where nothing does."""
    draw = recipe.draw
    return None if draw is None else lambda model, path: draw(model, source, path)


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Let layers made inside compute in a precision that Keras knows by this name."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _is_consistent(run: Run, history: History) -> bool:
    """Say whether best model and history.csv are those of `history` (a kill can come before they are written)."""
    from models.model_files import read_card

    try:
        return run.history_file.is_file() and read_card(run.best).training["epoch"] == best_epoch(history)
    except ModelError:
        return False


def _load_progress(model: "keras.Model", run: Run) -> None:
    """Bring a compiled model to where `last.keras` stands, optimiser included."""
    from models.callbacks import learners
    from models.model_files import check_weights

    check_weights(run.last)
    for optimizer, variables in learners(model):
        optimizer.build(variables)
    try:
        model.load_weights(run.last)
    except (ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"cannot go on from {run.last}: {reason}. Begin again with --no-resume") from None


def _opening_line(recipe: Recipe, model: "keras.Model", training: "Batches", run: Run) -> str:
    import keras

    return (
        f"training {recipe.name} ({model.count_params():,} weights) with {training.count} examples an epoch, "
        f"{keras.backend.backend()} on {device_kind()}, into {run.path}"
    )


def _measure(recipe: Recipe, source: "Source", run: Run) -> None:
    """Write metrics.json and the curves, and the scores into the card of the best model."""
    from models.curves import draw_curves
    from models.model_files import load_model, write_card

    last = run.progress()
    if last is None:
        raise RunError(f"{run.path} has no finished epoch")
    history: History = last.training["history"]
    best = best_epoch(history)
    if run.metrics_file.is_file() and run.metrics().get("epochs") == finished_epochs(history):
        log.info("%s", _closing_line(recipe, run.metrics(), run))
        return
    loaded = load_model(run.best)
    with ExitStack() as stack:
        training = stack.enter_context(source.training(last.training["batch_size"]))
        validation = stack.enter_context(source.validation(EVALUATION_BATCH))
        test = stack.enter_context(source.test(EVALUATION_BATCH))
        measures = recipe.measure(loaded, source) if recipe.measure else measure(loaded, test)
    row = epoch_row(history, best)
    metrics = {
        "model": loaded.name,
        "synth": source.synth,
        "epochs": finished_epochs(history),
        "best_epoch": best,
        "splits": {"training": training.examples, "validation": validation.examples, "test": test.examples},
        "seconds": last.training["seconds"],
        "validation": {name.removeprefix("val_"): value for name, value in row.items() if name.startswith("val_")},
        "test": measures,
    }
    write_card(run.best, replace(loaded.card, scores={**loaded.card.scores, "test": measures}))
    draw_curves(history, f"{run.name}: {loaded.name} on {source.synth}", run.curves)
    write_json(run.metrics_file, metrics)  # last: it says that all is there
    log.info("%s", _closing_line(recipe, metrics, run))


def measure(loaded: "LoadedModel", batches: "Batches") -> dict[str, Any]:
    """Measure a model on batches it was not trained on: percentile rank, top-1 to top-5, error in class steps.

    Returns: n; each measure over all parameters and by group; and `parameters`, each measure for every parameter.
    """
    from models.metrics import TOP_K, group_means, mean_absolute_error, mean_percentile_rank, top_k_accuracy

    names = ("mpr", *(f"top{k}" for k in TOP_K), "mae")
    space, count = loaded.space, 0
    sums = np.zeros((len(names), len(space)))
    for audio, classes in (batches[number] for number in range(batches.num_batches)):
        scored = classes, loaded.predict(audio), space.slices
        top = (top_k_accuracy(*scored, k) for k in TOP_K)
        sums += len(classes) * np.stack([mean_percentile_rank(*scored), *top, mean_absolute_error(*scored)])
        count += len(classes)
    means = dict(zip(names, sums / count, strict=True))
    return {
        "n": count,
        **{name: group_means(values, space.groups) for name, values in means.items()},
        "parameters": {
            parameter: {name: float(values[column]) for name, values in means.items()}
            for column, parameter in enumerate(space.names)
        },
    }


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
    """Train once a fold, each a run of its own under `folder`, and gather mean and spread of their measures.

    Args:
        options: of `train`, the same for each fold.
    Raises: RunError as `train` does; DatasetError where the dataset is too small for so many folds.
    """
    start_keras()
    import keras

    from models.data import DatasetSource

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
    """Return mean and standard deviation over folds of every measure in their metrics, laid out as it is there."""

    def gather(values: Sequence[Any]) -> Any:
        if isinstance(values[0], Mapping):
            return {name: gather([value[name] for value in values]) for name in values[0]}
        return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}

    tests = [dict(part["test"]) for part in parts]
    counts = [test.pop("n") for test in tests]
    return {"n": sum(counts), **gather(tests)}


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

    return run_door(_ChosenSettings(default_model), action, argv, prog)


@dataclass(frozen=True)
class _ChosenSettings:
    """Reads the settings of the model that flags, environment or `.env` choose, which may have some of its own."""

    default_model: str | None

    def parse(self, argv: Sequence[str] | None = None, prog: str | None = None) -> TrainingSettings:
        from models.registry import find_recipe

        words = list(sys.argv[1:] if argv is None else argv)
        chosen = ModelChoice.parse([word for word in words if word not in ("-h", "--help")], prog).model
        settings = find_recipe(chosen or self.default_model or DEFAULT_MODEL).settings
        if self.default_model and not chosen:
            settings = settings.with_default_model(self.default_model)
        return settings.parse(words, prog)


def train_from_settings(settings: TrainingSettings, read_patches: ReadPatches | None = None) -> Run:
    """Do what the settings ask for. Faults of the input are found before Keras is started."""
    from models.registry import find_recipe  # the one look upwards: a door serves all models, and they open it

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
    if recipe.open_source:
        with ExitStack() as stack:
            opened, name = recipe.open_source(settings, stack, read_patches)
            _check_parameters(parameters, opened.space, name)
            folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{name}")
            return train(recipe, opened, folder, **options)
    if settings.patches is not None:
        raise SettingsError(f"{recipe.name} learns from sounds. Received: --patches {settings.patches}. Leave it out")
    if settings.stream:
        synth = build_synth(settings.synth, settings.sample_rate, settings.length)
        _check_parameters(parameters, synth.space, f"synth '{synth.name}'")
        folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{synth.name}_stream")
        start_keras()
        from models.data import StreamSource

        stream = StreamSource(synth, seed=settings.seed, steps=steps, normalise=settings.normalise)
        return train(recipe, stream, folder, **options)
    path = settings.dataset_path
    folder = settings.output_dir / (settings.run_name or f"{recipe.name}_{path.stem}")
    with Dataset(path) as dataset:
        dataset.check_finished()
        _check_parameters(parameters, dataset.space, str(path))
        start_keras()
        from models.data import DatasetSource

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


def _closing_line(recipe: Recipe, metrics: Mapping[str, Any], run: Run) -> str:
    test = metrics["test"]
    examples = EXAMPLES[recipe.inputs]
    epochs = f"best epoch {metrics['best_epoch']} of {metrics['epochs']}"
    return f"{run.path}: {epochs}; on {test['n']} test {examples} {recipe.tell(test)}"


if __name__ == "__main__":
    sys.exit(main(prog="python -m models.training"))
