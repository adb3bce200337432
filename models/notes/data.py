"""Training data of note models: crops of notes as mu-law classes, and whole notes, read directly from a dataset file.

In training a crop starts at a random place, drawn anew each time its note comes up; in validation and test it is the
middle of the sound, as in the published code. A dataset whose notes are labelled with their split keeps that split, so
that test instruments are held out.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.note_phase import track_phase
from generators.dataset import Dataset
from generators.errors import DatasetError, SettingsError
from generators.notes import labels
from models.layers.companding import CLASSES, mu_law_classes
from models.training.data import Batch, Batches, DatasetSource, Rows
from models.training.splits import evenly_spaced

SPLITS: Mapping[str, str] = dict(zip(("training", "validation", "test"), labels.SPLITS, strict=True))
"""Splits, and their names among the labels of notes (those of NSynth)."""

MAX_EVALUATED = 1024
"""Notes used in validation and test at most, evenly spaced: the mean over their samples has converged long before."""

MAX_SAMPLES = 131_072
"""Samples in a batch of crops in validation and test: a layer of the full size takes half a gigabyte for them."""


class ShuffledPasses:
    """Rows in an endless sequence of shuffled passes, for epochs that are not passes over the data."""

    def __init__(self, rows: NDArray[np.intp], seed: int) -> None:
        self._rows, self._seed = rows, seed
        self._pass = lru_cache(maxsize=3)(self._shuffled)

    def rows_at(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
        """Return the rows at positions of the sequence, counted from 0. Shapes: (n,) -> rows (n,)."""
        passes, places = np.divmod(positions, len(self._rows))
        return np.asarray([self._pass(int(one))[place] for one, place in zip(passes, places, strict=True)], np.intp)

    def _shuffled(self, number: int) -> NDArray[np.intp]:
        """Return all rows in the order of a pass."""
        return np.random.default_rng([self._seed, number]).permutation(self._rows)


class CropBatches(Batches):
    """Crops of notes, each as both input and target of an autoencoder.

    Args:
        rows: of the dataset. length: samples of a crop. count: crops in an epoch, in shuffled passes over the rows.
        seed: of order and places; None for rows in their order, and the middle of each sound.
        within: samples from the beginning of a sound within which random crops lie.
        pitch: include MIDI notes. phase: include them, and the phase of their fundamentals. jitter: maximum standard
            deviation of noise on the inputs, in classes; that of each crop is drawn. Targets are without noise.
    Batches: classes (batch, length), or (classes, notes (batch, 1)), or (classes, notes, phase (batch, length) float32
        in cycles), and classes (batch, length); int32.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: NDArray[np.intp],
        batch_size: int,
        *,
        length: int,
        count: int | None = None,
        seed: int | None = None,
        within: int | None = None,
        pitch: bool = False,
        phase: bool = False,
        jitter: float = 0.0,
    ) -> None:
        super().__init__(count or len(rows), batch_size, len(rows))
        self._dataset, self._rows, self._seed, self._jitter = dataset, rows, seed, jitter
        self._length, self._within, self._pitch, self._phase = length, within or dataset.samples, pitch, phase
        self._passes = ShuffledPasses(rows, seed or 0)

    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.rows_of(number)
        if self._seed is None:
            rows = self._rows[first:last]
            starts = np.full(len(rows), (self._dataset.samples - self._length) // 2)
        else:
            rows = self._passes.rows_at(np.arange(first, last) + epoch * self.count)
            rng = np.random.default_rng([self._seed, epoch, number])
            starts = rng.integers(0, self._within - self._length + 1, len(rows))
        audio = self._dataset.read_crops(rows, starts, self._length)
        targets = inputs = mu_law_classes(audio).astype(np.int32)
        if self._jitter and self._seed is not None:
            noise = rng.normal(size=targets.shape) * rng.uniform(0.0, self._jitter, (len(targets), 1))
            inputs = np.clip(targets + np.rint(noise).astype(np.int32), 0, CLASSES - 1)
        if not (self._pitch or self._phase):
            return inputs, targets
        notes = self._dataset.read_columns(rows, ("classes",))[0][:, :1].astype(np.int32)
        if not self._phase:
            return (inputs, notes), targets
        return (inputs, notes, track_phase(audio, notes[:, 0], self._dataset.card.sample_rate)), targets


class _LabelledSource(DatasetSource):
    """A dataset file that is split by the labels of its notes, where they have such labels."""

    def _keep_labelled_splits(self, dataset: Dataset) -> None:
        labelled = labelled_splits(dataset)
        if labelled:
            self._splits = labelled
            for name in ("validation_split", "test_split"):
                self.settings.pop(name, None)
            self.settings["split"] = "labels"


class NoteCrops(_LabelledSource):
    """Crops of the notes of a dataset file.

    Args:
        crop: samples of a crop. crop_seconds: seconds from the beginning of each sound that training crops come from; 0
            for all of it. steps: batches of an epoch; by default every note comes up once. pitch, phase: as
            `CropBatches`; jitter: likewise, in training.
    Raises: DatasetError for a dataset of something else, or of sounds shorter than a crop.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        crop: int,
        crop_seconds: float = 0.0,
        steps: int | None = None,
        pitch: bool = False,
        phase: bool = False,
        jitter: float = 0.0,
        **options: Any,
    ) -> None:
        _check_notes(dataset)
        if dataset.samples < crop:
            raise DatasetError(
                f"a sound is no shorter than a crop of {crop} samples. Received: {dataset.path} with "
                f"{dataset.samples}. Lower --crop"
            )
        super().__init__(dataset, steps=steps, **options)
        within = round(crop_seconds * dataset.card.sample_rate) or dataset.samples
        self._crop, self._within, self._pitch = crop, min(max(within, crop), dataset.samples), pitch
        self._phase, self._jitter = phase, jitter
        self.settings |= {"crop": crop, "crop_seconds": crop_seconds, "jitter": jitter}
        self._keep_labelled_splits(dataset)

    @property
    def known(self) -> dict[str, Any]:
        pitch = self._dataset.read_columns(slice(None), ("classes",))[0][:, 0]
        notes, counts = np.unique(pitch[self.rows("training")], return_counts=True)
        return {"notes": notes.tolist(), "counts": counts.tolist()}

    def training(self, batch_size: int) -> Batches:
        count = self._steps * batch_size if self._steps else None
        return self._crops(
            "training", batch_size, count=count, seed=self.seed, within=self._within, jitter=self._jitter
        )

    def validation(self, batch_size: int) -> Batches:
        return self._crops("validation", self._evaluation_size(batch_size))

    def test(self, batch_size: int) -> Batches:
        return self._crops("test", self._evaluation_size(batch_size))

    def _evaluation_size(self, batch_size: int) -> int:
        return max(1, min(batch_size, MAX_SAMPLES // self._crop))

    def _crops(self, split: str, batch_size: int, **options: Any) -> CropBatches:
        rows = self.rows(split)
        if split != "training":
            rows = evenly_spaced(rows, MAX_EVALUATED)
        given = {"pitch": self._pitch, "phase": self._phase}
        return CropBatches(self._dataset, rows, batch_size, length=self._crop, **given, **options)


class WholeNotes(_LabelledSource):
    """Whole notes of a dataset file with their pitch.

    Batches: (audio (batch, samples), notes (batch, 1) int32), and the notes again as targets, which no loss uses.
    Raises: DatasetError for a dataset of something else.
    """

    def __init__(self, dataset: Dataset, *, steps: int | None = None, **options: Any) -> None:
        _check_notes(dataset)
        super().__init__(dataset, steps=steps, **options)
        self._keep_labelled_splits(dataset)

    def examples(self) -> Rows:
        return _NoteRows(self._dataset)


class _NoteRows:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def read(self, rows: NDArray[np.integer[Any]]) -> Batch:
        audio, classes = self._dataset.read_columns(rows, ("audio", "classes"))
        notes = classes[:, :1].astype(np.int32)
        return (audio, notes), notes


class LabelledNotes(WholeNotes):
    """Whole notes of a dataset file with their labels, see `note_labels`.

    Batches: audio (batch, samples), labels (batch, 4) int32.
    """

    def examples(self) -> Rows:
        return _LabelledRows(self._dataset)


class _LabelledRows:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._labels = dataset, note_labels(dataset)

    def read(self, rows: NDArray[np.integer[Any]]) -> Batch:
        (audio,) = self._dataset.read_columns(rows, ("audio",))
        return audio, self._labels[rows]


def note_labels(dataset: Dataset) -> NDArray[np.int32]:
    """Return the labels of all notes.

    Shapes: (n, 4): pitch, a MIDI note; family and source as indices of NSynth, -1 where they are unknown; qualities as
        a bit mask, -1 in a dataset without any.
    """
    unlabelled = np.full(len(dataset), -1, np.int32)
    found = [dataset.read_columns(slice(None), ("classes",))[0][:, 0].astype(np.int32)]
    for label, known in (("family", labels.FAMILIES), ("source", labels.SOURCES)):
        if label in dataset.labels:
            (column,) = dataset.read_columns(slice(None), (label,))
            names = dataset.card.names_of(label)
            found.append(np.asarray([known.index(name) if name in known else -1 for name in names], np.int32)[column])
        else:
            found.append(unlabelled)
    masks = dataset.read_columns(slice(None), ("qualities",))[0] if "qualities" in dataset.labels else unlabelled
    found.append(masks.astype(np.int32) if masks.max() > 0 else unlabelled)
    return np.stack(found, axis=-1)


def _check_notes(dataset: Dataset) -> None:
    if dataset.space.names[:1] != ("pitch",):
        raise DatasetError(
            f"models of notes learn from a dataset of notes. Received: {dataset.path} of synth {dataset.card.synth}. "
            "Make one with: inversynth generate notes"
        )


def labelled_splits(dataset: Dataset) -> dict[str, NDArray[np.intp]] | None:
    """Return the rows of each split by the labels of the notes, or None where a split would be empty."""
    names = dataset.card.names.get("split", [])
    if "split" not in dataset.labels or not set(SPLITS.values()) <= set(names):
        return None
    (label,) = dataset.read_columns(slice(None), ("split",))
    found = {split: np.flatnonzero(label == names.index(name)) for split, name in SPLITS.items()}
    return found if all(len(rows) for rows in found.values()) else None


def open_crops(settings: Any, stack: ExitStack, *, hop: int) -> tuple[NoteCrops, str]:
    """Open the crops that settings name; returns them and the name of the run. `stack` closes the dataset.

    Raises: DatasetError as `NoteCrops` does; SettingsError for a crop that is no multiple of the hop.
    """
    if settings.crop % hop:
        raise SettingsError(f"crop must be a multiple of the hop, {hop} samples. Received: --crop {settings.crop}")
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    source = NoteCrops(
        dataset,
        crop=settings.crop,
        crop_seconds=settings.crop_seconds,
        jitter=settings.jitter,
        pitch=settings.pitch_conditioning,
        phase=settings.sine_conditioning,
        **settings.split,
    )
    return source, dataset.name


def open_whole(settings: Any, stack: ExitStack, source_type: type[WholeNotes] = WholeNotes) -> tuple[WholeNotes, str]:
    """Open whole notes, as `open_crops` does crops."""
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    return source_type(dataset, **settings.split), dataset.name
