"""Training: one loop for every recipe, into a run folder that goes on from itself after any interruption.

Split, starting weights, order of the examples and dropout are pure functions of the seed and the epoch, and
`last.keras` keeps the optimiser, so a run that was killed ends with the history and the weights of one that was not.
The command on top of it is `models.train`.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.errors import ModelError, RunError, one_line
from models.backend import device_kind, start_keras
from models.training.evaluate import EVALUATION_BATCH, measure
from models.training.recipe import Recipe, TrainingStage, check_data_format
from models.training.runs import History, Run, best_epoch, epoch_row, finished_epochs, is_finished, write_json

if TYPE_CHECKING:
    import keras

    from models.training.callbacks import RunKeeper
    from models.training.data import Batches, Source

log = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    source: "Source",
    folder: Path,
    *,
    epochs: int = 100,
    patience: int | None = 10,
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
        epochs, patience: when to end; they may change when a run is resumed, which nothing else may (nor may the epochs
            of a recipe whose optimiser follows a schedule). patience None: after all epochs.
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
    patience: int | None,
    data_format: str,
    progress: bool,
    print_interval: int,
) -> None:
    """Train until the run is finished; from its last finished epoch on, where there is one."""
    from models.model_files import ModelCard
    from models.training.callbacks import RunKeeper, write_consequences

    last = run.progress()
    history: History = [recipe.current_measures(row) for row in last.training["history"]] if last else []
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
    if ended and _is_consistent(run, history, drawn=recipe.draw is not None):
        log.info("%s is finished after %d epochs; raise --epochs or --patience to go on", run.path, done)
        return
    seconds = run.seconds() or 0.0
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
                assert recipe.growth is not None
                recipe.growth.grow(younger, model)
                log.info("%s: stage %d, %s weights", run.path, stage.number, f"{model.count_params():,}")
            elif last:
                _load_progress(model, run)
                training.start_epoch(done - 1)  # what is drawn can depend on it
                write_consequences(model, run, card, history, _drawing(recipe, view))
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


def _stages(recipe: Recipe, epochs: int) -> Sequence[TrainingStage]:
    """Return the stages of a training; of a model that does not grow, the only one."""
    return recipe.growth.stages(recipe.options) if recipe.growth else (TrainingStage(0, epochs),)


def _build(
    recipe: Recipe, source: "Source", stage: TrainingStage, agreed: Mapping[str, Any], data_format: str
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
            **({"stage": stage.number} if recipe.growth else {}),
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


def _is_consistent(run: Run, history: History, *, drawn: bool) -> bool:
    """Say whether all that the last epoch determines is there (a kill can come before it is written)."""
    from models.model_files import read_card

    done = finished_epochs(history)
    expected = [run.snapshot(done), run.picture(done)] if drawn else []
    try:
        best = read_card(run.best).training["epoch"]
    except ModelError:
        return False
    return (
        run.written_epochs() == len(history)
        and all(path.is_file() for path in expected)
        and best == best_epoch(history)
    )


def _load_progress(model: "keras.Model", run: Run) -> None:
    """Bring a compiled model to where `last.keras` stands, optimiser included."""
    from models.model_files import check_weights
    from models.training.callbacks import optimizer_groups

    check_weights(run.last)
    for optimizer, variables in optimizer_groups(model):
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
        f"{keras.backend.backend()} on {device_kind()}, into {one_line(run.path)}"
    )


def _measure(recipe: Recipe, source: "Source", run: Run) -> None:
    """Write metrics.json and the curves, and the scores into the card of the best model."""
    from models.model_files import load_model, write_card
    from models.training.curves import draw_curves

    last = run.progress()
    if last is None:
        raise RunError(f"{run.path} has no finished epoch")
    history: History = [recipe.current_measures(row) for row in last.training["history"]]
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
        "validation": {name.removeprefix("val_"): value for name, value in row.items() if name.startswith("val_")},
        "test": measures,
    }
    write_card(run.best, replace(loaded.card, scores={**loaded.card.scores, "test": measures}))
    draw_curves(history, f"{run.name}: {loaded.name} on {source.synth}", run.curves)
    write_json(run.metrics_file, metrics)  # last: it says that all is there
    log.info("%s", _closing_line(recipe, metrics, run))


def _closing_line(recipe: Recipe, metrics: Mapping[str, Any], run: Run) -> str:
    test = metrics["test"]
    examples = recipe.kind.examples
    epochs = f"best epoch {metrics['best_epoch']} of {metrics['epochs']}"
    return f"{one_line(run.path)}: {epochs}; on {test['n']} test {examples} {recipe.report(test)}"
