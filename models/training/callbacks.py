"""Callbacks of `fit`: write the run folder, stop early, stop at NaN, and make epochs repeatable."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from generators.errors import RunError
from models.model_files import ModelCard, save_model
from models.training.data import Batches
from models.training.event_log import EventLog
from models.training.runs import History, Run, best_epoch, finished_epochs, is_finished

log = logging.getLogger(__name__)

REPORTED = (
    *("loss", "val_loss", "val_mpr", "val_top1", "val_distance", "val_pitch", "val_reconstruction"),
    "val_discriminator_accuracy",
)
"""Measures in the log line of an epoch, where they exist."""

LOOK_INTERVAL = 20
"""Steps between two reads of the loss; each read makes an accelerator wait."""


class RunKeeper(keras.callbacks.Callback):
    """Write the run folder after each epoch, in an order that survives a kill between any two writes.

    `last.keras` first: its card holds the history, from which everything else can be written again.

    Args:
        card: of the model, without epoch and scores. history: the finished epochs; extended in place.
        until: the last epoch of this model, where a larger one follows.
        interval: epochs between two that are kept; the last is always kept.
        draw: plots the output of a model for examples into a file; the model of that epoch is saved, too.
    """

    def __init__(
        self,
        run: Run,
        card: ModelCard,
        history: History,
        batches: Batches,
        *,
        seed: int,
        epochs: int,
        patience: int | None,
        seconds: float,
        progress: bool,
        until: int | None = None,
        interval: int = 1,
        draw: Callable[[keras.Model, Path], None] | None = None,
    ) -> None:
        super().__init__()
        self.run, self.card, self.history, self.batches = run, card, history, batches
        self.seed, self.epochs, self.patience = seed, epochs, patience
        self.seconds, self.progress, self.interval, self.draw = seconds, progress, interval, draw
        self.until = until or epochs
        self._bar: tqdm[Any] | None = None
        self._events = EventLog(run.logs, first_epoch=finished_epochs(history) + 1)
        self._started = 0.0
        self._epoch = 0
        self._validating = ExitStack()

    def kept(self) -> list[int]:
        """Return the numbers of the epochs still to come that are validated and written."""
        first = finished_epochs(self.history) + 1
        return [epoch for epoch in range(first, self.until + 1) if epoch % self.interval == 0 or epoch == self.until]

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch + 1
        self.batches.start_epoch(epoch)
        reseed(self.model, self.seed, epoch)
        self._started = time.perf_counter()
        total, name = self.batches.num_batches, f"epoch {epoch + 1}/{self.epochs}"
        self._bar = tqdm(total=total, desc=name, unit="batches", leave=False, disable=not self.progress)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        assert self._bar is not None
        self._bar.update()
        if logs and batch % LOOK_INTERVAL == 0:
            loss = float(logs["loss"])
            self._bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            self._check(loss)

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._validating.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._validating.close()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._bar is not None:
            self._bar.close()
        measures = {name: float(value) for name, value in (logs or {}).items()}
        for loss in (measures["loss"], measures.get("val_loss", 0.0), _sum_of_weights(self.model)):
            self._check(loss)
        elapsed = time.perf_counter() - self._started
        self.seconds += elapsed
        if not any(name.startswith("val_") for name in measures):
            return
        row = {"epoch": epoch + 1, **measures}
        self.history.append(row)
        progress = {"epoch": epoch + 1, "history": self.history}
        card = replace(self.card, training={**self.card.training, **progress})
        save_model(self.model, self.run.last, card, optimizer=True)
        self.run.write_seconds(epoch + 1, self.seconds)
        write_consequences(self.model, self.run, self.card, self.history, self.draw)
        self._events.add(row)
        log.info("%s", epoch_line(row, self.epochs, elapsed, self.batches.count))
        if is_finished(self.history, self.epochs, self.patience):
            self.model.stop_training = True

    def _check(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        kept = f"the best weights so far are in {self.run.best}" if self.history else "no epoch was finished"
        raise RunError(
            f"loss and weights must stay finite. Received: {loss} in epoch {self._epoch}; {kept}. "
            "Lower --learning_rate, under another --run_name"
        )


def _sum_of_weights(model: keras.Model) -> float:
    """Sum the weights: NaN in one of them need not reach the loss, because a ReLU may map it to zero."""
    return float(sum(keras.ops.convert_to_numpy(keras.ops.sum(weight)) for weight in model.trainable_variables))


def write_consequences(
    model: keras.Model,
    run: Run,
    card: ModelCard,
    history: History,
    draw: Callable[[keras.Model, Path], None] | None = None,
) -> None:
    """Write what the last epoch of `history`, that of `model`, determines.

    This is history.csv, a new best model and, where the output is drawn, the plot and the model of this epoch.
    """
    run.write_history(history)
    row = history[-1]
    epoch = int(row["epoch"])
    card = replace(card, training={**card.training, "epoch": epoch})
    with averaged_weights(model):
        if best_epoch(history) == epoch:
            scores = {name: value for name, value in row.items() if name.startswith("val_")}
            save_model(model, run.best, replace(card, scores=scores))
        if draw:
            save_model(model, run.snapshot(epoch), card)
            draw(model, run.picture(epoch))


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Replace the weights of a model by their averages within the block, where an optimiser keeps any."""
    averaging = [pair for pair in optimizer_groups(model) if getattr(pair[0], "use_ema", False)]
    weights = [weight for _, moved in averaging for weight in moved]
    learning = [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]
    for optimizer, moved in averaging:
        optimizer.finalize_variable_values(moved)
    try:
        yield
    finally:
        for weight, value in zip(weights, learning, strict=True):
            weight.assign(value)


def optimizer_groups(model: keras.Model) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
    """Return the optimisers of a compiled model, each with the weights that it moves: two, of an adversarial system."""
    if hasattr(model, "optimizer_groups"):
        pairs: list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]] = model.optimizer_groups()
        return pairs
    return [(model.optimizer, model.trainable_variables)]


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Make dropout a pure function of (seed, epoch): Keras does not save where its generators stand."""
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    for number, state in enumerate(states):
        state.assign(np.random.SeedSequence((seed, epoch, number)).generate_state(2).astype(state.dtype))


def epoch_line(row: Mapping[str, float], epochs: int, seconds: float, examples: int) -> str:
    """Format the log line of an epoch."""
    shown = [f"{name} {row[name]:.4g}" for name in REPORTED if name in row]
    return f"epoch {row['epoch']:g}/{epochs}: {', '.join(shown)}; {seconds:.1f} s, {examples / seconds:,.0f} examples/s"
