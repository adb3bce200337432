"""A run is a folder: its settings, best and last model, history, logs, measures and plots. Read without Keras.

`last.keras` is the one truth about progress: its card holds the history up to its epoch, and everything else in the
folder follows from it, so a run may be killed between any two writes. Equal trainings give equal files, but for what
depends on the clock: `timing.json` and the logs of TensorBoard.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generators import __version__
from generators.errors import RunError, os_reason
from generators.files import locked, made_folders, written_whole
from generators.json_reader import JsonError, read_json_object
from models.model_files import BEST, ModelCard, read_card

SCHEMA = "inversynth-run/1"

MAX_EPOCHS = 1_000_000
"""Epochs of a run that is read; the longest so far have some thousand."""

History = list[dict[str, float]]
"""One row for each epoch that was kept: `epoch` counted from 1, and every measure of training and validation."""

MONITOR = "val_loss"
"""Its minimum marks the best epoch, and decides when to stop (InverSynth stops early on the validation loss)."""


@dataclass(frozen=True)
class Run:
    """A run folder. Nothing is read or written until a method is called."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def settings_file(self) -> Path:
        return self.path / "settings.json"

    @property
    def best(self) -> Path:
        return self.path / BEST

    @property
    def last(self) -> Path:
        return self.path / "last.keras"

    @property
    def history_file(self) -> Path:
        return self.path / "history.csv"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def timing_file(self) -> Path:
        return self.path / "timing.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def curves(self) -> tuple[Path, Path]:
        return self.path / "curves.png", self.path / "curves.pdf"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    def folds(self) -> list["Run"]:
        """Return the runs of a cross-validation, in order; none for a single split."""
        return [Run(path) for path in sorted(self.path.glob("fold_*")) if path.is_dir()]

    def settings(self) -> dict[str, Any]:
        """Return what the run was started with: `settings`, `data` and `software`. Raises RunError."""
        content = self._json(self.settings_file)
        if content.get("schema") != SCHEMA:
            received = f"{content.get('schema')!r:.60}"
            raise RunError(f"{self.settings_file} must follow schema '{SCHEMA}'. Received: {received}")
        for part in ("settings", "data"):
            if not isinstance(content.get(part), dict):
                raise RunError(
                    f"'{part}' of {self.settings_file} must be an object. Received: {content.get(part)!r:.60}"
                )
        return content

    def metrics(self) -> dict[str, Any]:
        """Return the measures on the test split. Raises RunError where there are none yet."""
        return self._json(self.metrics_file)

    def seconds(self) -> float | None:
        """Return the seconds that the finished epochs took; None where they are not known."""
        try:
            seconds = read_json_object(self.timing_file)["seconds"]
        except (OSError, JsonError, KeyError):
            card = self.progress()
            seconds = card.training.get("seconds") if card else None  # where runs noted them before
        return float(seconds) if type(seconds) in (int, float) and 0 <= seconds < math.inf else None

    def write_seconds(self, epoch: int, seconds: float) -> None:
        """Write timing.json: the seconds that the epochs up to this one took."""
        write_json(self.timing_file, {"epoch": epoch, "seconds": round(seconds, 3)})

    def progress(self) -> ModelCard | None:
        """Return the card of the last finished epoch, or None before there is one."""
        return read_card(self.last) if self.last.is_file() else None

    def history(self) -> History:
        """Return the finished epochs."""
        card = self.progress()
        history = card.training.get("history") if card else []
        numbers = isinstance(history, list) and all(map(_is_row, history))
        if not numbers:
            raise RunError(f"the history of {self.last} must list the numbers of each epoch. Received: something else")
        return list(history or [])

    def picture(self, epoch: int) -> Path:
        """Return the path of the plot that an epoch leaves, where its recipe draws any."""
        return self.pictures / f"epoch_{epoch:05d}.png"

    def snapshot(self, epoch: int) -> Path:
        """Return the path of the model that an epoch leaves, where its recipe draws any."""
        return self.snapshots / f"epoch_{epoch:05d}.keras"

    def kept_on_the_way(self) -> list[Path]:
        """Return plots and models of earlier epochs, in order."""
        return [*sorted(self.pictures.glob("epoch_*.png")), *sorted(self.snapshots.glob("epoch_*.keras"))]

    def begin(self, settings: Mapping[str, Any], data: Mapping[str, Any], *, resume: bool) -> None:
        """Make the folder, or check that the run in it can be resumed.

        Args:
            settings, data: plain values that a run must share with the one it goes on from.
            resume: go on; else what the folder holds of an earlier run is deleted.
        Raises: RunError for a folder of another run or of something else.
        """
        self._make()
        if not self.settings_file.exists() and any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise RunError(f"{self.path} holds something else than a run. Choose another --run_name")
        if not resume:
            self._clear()
        started = any(run.last.is_file() for run in (self, *self.folds()))
        if started:
            self._check({"settings": settings, "data": data})
        else:
            content = {"schema": SCHEMA, "software": f"inversynth {__version__}", "settings": settings, "data": data}
            write_json(self.settings_file, content)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this folder; the lock ends with the process in any case.

        Where the block fails before an epoch of a new run is finished, the run is removed again.
        """
        message = f"{{holder}} trains in {self.path}. Wait for it, or choose another --run_name"
        with ExitStack() as stack:
            with _refusing_files(self.path):
                stack.enter_context(made_folders(self.path))
            stack.enter_context(locked(self.path / ".lock", message, RunError))
            new = not self.settings_file.exists()
            try:
                yield
            except Exception:
                if new and self.settings_file.exists() and not any(run.last.is_file() for run in (self, *self.folds())):
                    self._clear()
                raise

    def write_history(self, history: History) -> None:
        """Write history.csv with all digits."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        with written_whole(self.history_file, durable=True) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8")

    def written_epochs(self) -> int:
        """Return how many epochs history.csv lists; 0 where it is not there, or is no text."""
        try:
            return max(0, len(self.history_file.read_text(encoding="utf-8").splitlines()) - 1)
        except (OSError, UnicodeDecodeError):
            return 0

    def _make(self) -> None:
        with _refusing_files(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def _check(self, received: Mapping[str, Mapping[str, Any]]) -> None:
        stored = self.settings()
        for part, values in received.items():
            for name in sorted({*values, *stored[part]}):
                mine, theirs = stored[part].get(name), values.get(name)
                if mine != theirs:
                    what = f"on a dataset of {name}" if part == "data" else f"with {name}"
                    raise RunError(
                        f"{self.path} was trained {what} {mine}. Received: {name} {theirs}. Choose another --run_name, "
                        "or begin this one again with --no-resume"
                    )

    def _clear(self) -> None:
        """Delete what a run writes, and nothing else."""
        for run in (*self.folds(), self):
            files = (run.best, run.last, run.history_file, run.metrics_file, run.timing_file, run.settings_file)
            for path in (*files, *run.curves, *run.logs.glob("*/events.out.tfevents.*"), *run.kept_on_the_way()):
                path.unlink(missing_ok=True)
            for folder in (*run.logs.glob("*"), run.logs, run.pictures, run.snapshots):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()

    def _json(self, path: Path) -> dict[str, Any]:
        try:
            return read_json_object(path)
        except FileNotFoundError:
            raise RunError(f"{self.path} has no {path.name}. Name the folder of a run, or train it further") from None
        except JsonError as error:
            raise RunError(f"cannot read {path}: it {error}") from None
        except OSError as error:
            raise RunError(f"cannot read {path}: {os_reason(error)}") from None


@contextmanager
def _refusing_files(path: Path) -> Iterator[None]:
    """Raise RunError where the block finds a file in the place of a run's folder."""
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise RunError(f"{path} must be a folder. Received: a file in its place. Choose another name") from None


def _is_row(row: Any) -> bool:
    """Return whether a row of a history holds its epoch, from 1, and other numbers."""
    if not isinstance(row, dict) or not all(type(value) in (int, float) for value in row.values()):
        return False
    return 1 <= row.get("epoch", 0) <= MAX_EPOCHS


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON. NaN is refused: JSON has none, and no measure should be NaN."""
    with written_whole(path, durable=True) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def finished_epochs(history: Sequence[Mapping[str, float]]) -> int:
    """Return the number of the last epoch in a history, which may hold only some of them."""
    return int(history[-1]["epoch"]) if history else 0


def epoch_row(history: Sequence[Mapping[str, float]], epoch: int) -> Mapping[str, float]:
    """Return the row of an epoch by its number."""
    return next(row for row in history if row["epoch"] == epoch)


def best_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """Return the number of the epoch of lowest validation loss, the first of equals; 0 for an empty history.

    Where there is no such loss, as in an adversarial system without targets, it is the newest epoch.
    """
    if not history or MONITOR not in history[-1]:
        return finished_epochs(history)
    return int(min(history, key=lambda row: row[MONITOR])["epoch"])


def is_finished(history: Sequence[Mapping[str, float]], epochs: int, patience: int | None) -> bool:
    """Return whether training ends here: all epochs done, or `patience` of them without a lower validation loss."""
    done = finished_epochs(history)
    return done >= epochs or (patience is not None and done - best_epoch(history) >= patience)
