"""Training data: a source splits sounds into training, validation and test; batches bring them to `fit`.

A source is a dataset file, or a stream: an endless dataset whose rows are rendered when they are needed. Batch b of
epoch e is a pure function of the source, the seed, e and b, so a run that was killed goes on with the very examples it
would have seen. Threads read or render ahead while the network computes; nothing is ever loaded whole.
"""

import abc
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, Self

import keras
import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.errors import InversynthError
from generators.generate import render_rows
from generators.parallel import available_cores
from generators.parameters import ParameterSpace
from generators.synth import Synth
from models.training.splits import split_rows

Batch = tuple[Any, NDArray[Any]]
"""Inputs of a network, an array or several, and targets: audio and classes, for example."""


class Rows(Protocol):
    """A table that is read by row numbers in any order, such as a dataset."""

    def read(self, rows: NDArray[np.intp]) -> Batch: ...


READ_AHEAD = 8
"""Batches in the queue, at most: enough to bridge delays of a slow disk, and 33 MB at batch 64 of one-second sounds."""

MOST_THREADS = 4
"""One thread reads 150,000 or renders 5,000 sounds of a second per second; more serve fast accelerators only."""

STREAM_STEPS = 500
"""Batches in an epoch of a stream: 8,000 sounds at batch 16."""

STREAM_EXAMPLES = 1024
"""Sounds of a stream for validation, and as many for the test, at which measures are exact to about a percent."""

STREAM_SEED = 0x53545245 << 32
"""Added to the seed of a stream, so that no dataset of an ordinary seed shares a row with it: `sample_classes` draws
from (seed, block), and NumPy's SeedSequence reads a seed of 64 bits as two numbers. With 1 << 32 block 0 of the stream
would be block 1 of the dataset; blocks of the number chosen here (1.4e9) are out of reach."""


class Batches(keras.utils.PyDataset):
    """Examples in batches (audio, classes), prepared in advance by threads.

    Keras' own queue is left alone (`workers=1`): it starts the next epoch before announcing it, and stops late.

    Attributes: count (examples in an epoch), examples (all there are to draw from), epoch, and `fault`: an error that
    came up while reading, for `fit` hides it.
    """

    def __init__(self, count: int, batch_size: int, examples: int | None = None) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.count = count
        self.examples = examples or count
        self.batch_size = batch_size
        self.epoch = 0
        self.fault: InversynthError | None = None
        self._lock = threading.Lock()
        self._ahead: dict[tuple[int, int], Future[Batch]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def make(self, epoch: int, number: int) -> Batch:
        """Return batch `number` of an epoch. Called from several threads at once."""
        raise NotImplementedError

    @property
    def num_batches(self) -> int:
        return -(-self.count // self.batch_size)

    def start_epoch(self, epoch: int) -> None:
        """Set the epoch of the next batches."""
        with self._lock:
            self.epoch = epoch
            for key in [key for key in self._ahead if key[0] != epoch]:
                self._ahead.pop(key).cancel()

    def __getitem__(self, number: int) -> Batch:
        with self._lock:
            epoch = self.epoch
            self._pool = self._pool or ThreadPoolExecutor(min(MOST_THREADS, available_cores()), "batches")
            for key in ((epoch, n) for n in range(number, min(number + READ_AHEAD, self.num_batches))):
                if key not in self._ahead:
                    self._ahead[key] = self._pool.submit(self.make, *key)
            future = self._ahead.pop((epoch, number))
        try:
            return future.result()
        except InversynthError as error:
            self.fault = error
            raise

    def rows_of(self, number: int) -> tuple[int, int]:
        """Return where a batch begins and ends among the examples of an epoch."""
        first = number * self.batch_size
        return first, min(first + self.batch_size, self.count)

    def audio(self) -> Iterator[NDArray[np.float32]]:
        """Yield the audio of one epoch, for features that are fitted before training."""
        for number in range(self.num_batches):
            yield self[number][0]

    def close(self) -> None:
        """Stop the threads."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
            self._pool = None
            self._ahead.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DatasetBatches(Batches):
    """Rows of a table such as a dataset file, in order, or with `seed` in an order that follows from (seed, epoch).

    A row of audio is 64 KB for one second, so rows are read one by one in any order at nearly the speed of a file read
    from end to end; the order is a full shuffle.
    """

    def __init__(
        self,
        dataset: Rows,
        rows: NDArray[np.intp],
        batch_size: int,
        seed: int | None = None,
        steps: int | None = None,
    ) -> None:
        count = len(rows) if steps is None else min(len(rows), steps * batch_size)
        super().__init__(count, batch_size, len(rows))
        self._dataset, self._rows, self._seed = dataset, rows, seed
        self._order: tuple[int, NDArray[np.intp]] = (-1, rows)

    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.rows_of(number)
        return self._dataset.read(self._order_of(epoch)[first:last])

    def _order_of(self, epoch: int) -> NDArray[np.intp]:
        if self._seed is None:
            return self._rows
        known, order = self._order
        if known != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(self._rows)
            self._order = (
                epoch,
                order,
            )  # in one assignment: threads see the old pair or the new one
        return order


class StreamBatches(Batches):
    """Rows of an endless dataset, rendered when needed; with `moves` each epoch begins where the last one ended."""

    def __init__(
        self, synth: Synth, first: int, count: int, batch_size: int, seed: int, normalise: bool, moves: bool
    ) -> None:
        super().__init__(count, batch_size)
        self._synth, self._first, self._seed = synth, first, seed
        self._normalise, self._moves = normalise, moves

    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.drawn_rows(epoch, number)
        audio, classes, _ = render_rows(self._synth, first, last, STREAM_SEED + self._seed, normalise=self._normalise)
        return audio, classes

    def drawn_rows(self, epoch: int, number: int) -> tuple[int, int]:
        """Return where a batch begins and ends among the rows of the stream."""
        start = self._first + (epoch * self.count if self._moves else 0)
        first, last = self.rows_of(number)
        return start + first, start + last


class Source(abc.ABC):
    """A source of examples, in three splits.

    Attributes: space, synth (its name), sample_rate, length (seconds), normalise; `seed` of split, order and all else
    that training draws; `identity` of the data and `settings` of the split, plain values that two sources must share
    for a run to go on from one to the other.
    """

    space: ParameterSpace
    synth: str
    sample_rate: int
    length: float
    normalise: bool
    seed: int
    identity: dict[str, Any]
    settings: dict[str, Any]

    @property
    def samples(self) -> int:
        return round(self.sample_rate * self.length)

    @property
    def known(self) -> dict[str, Any]:
        """Properties of the data that a model is built with, and that its card holds; mostly none."""
        return {}

    def at(self, stage: int) -> "Source":
        """Return this source for a stage of the training; most trainings have one."""
        return self

    @abc.abstractmethod
    def training(self, batch_size: int) -> Batches: ...

    @abc.abstractmethod
    def validation(self, batch_size: int) -> Batches: ...

    @abc.abstractmethod
    def test(self, batch_size: int) -> Batches: ...


class DatasetSource(Source):
    """A finished dataset file, split by `seed`; with folds > 1, fold number `fold` (from 0) is the test split.

    Raises: DatasetError where a row is unfinished, or too few are there for three splits.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        seed: int = 0,
        validation_split: float = 0.1,
        test_split: float = 0.1,
        folds: int = 1,
        fold: int = 0,
        steps: int | None = None,
    ) -> None:
        dataset.check_finished()
        card = dataset.card
        self.space, self.synth = dataset.space, card.synth
        self.sample_rate, self.length, self.normalise = card.sample_rate, card.length, card.normalise
        self.identity = dataset.identity
        self.settings = {
            "stream": False,
            "steps_per_epoch": steps,
            "validation_split": validation_split,
            "folds": folds,
        }
        self.settings |= {"test_split": test_split} if folds == 1 else {"fold": fold + 1}
        self.seed = seed
        self._dataset, self._steps = dataset, steps
        self._splits = split_rows(
            len(dataset), seed, validation_split, test_split, folds, fold, label=f"dataset {dataset.path}"
        )

    def rows(self, split: str) -> NDArray[np.intp]:
        """Return the rows of a split: 'training', 'validation' or 'test'."""
        return self._splits[split]

    def examples(self) -> Rows:
        """Return the table that batches are read from: here audio and classes."""
        return self._dataset

    def training(self, batch_size: int) -> Batches:
        return DatasetBatches(self.examples(), self.rows("training"), batch_size, self.seed, self._steps)

    def validation(self, batch_size: int) -> Batches:
        return DatasetBatches(self.examples(), self.rows("validation"), batch_size)

    def test(self, batch_size: int) -> Batches:
        return DatasetBatches(self.examples(), self.rows("test"), batch_size)


class StreamSource(Source):
    """An endless dataset: its first rows are the test, the next the validation, and training never sees a row twice."""

    def __init__(self, synth: Synth, *, seed: int = 0, steps: int | None = None, normalise: bool = False) -> None:
        self.space, self.synth = synth.space, synth.name
        self.sample_rate, self.length, self.normalise = synth.sample_rate, synth.length, normalise
        self.identity = {
            "synth": synth.name,
            "space": synth.space.fingerprint,
            "sample_rate": synth.sample_rate,
            "length": synth.length,
            "normalise": normalise,
        }
        self.seed, self.settings = seed, {"stream": True, "steps_per_epoch": steps or STREAM_STEPS}
        self._synth, self._steps = synth, steps or STREAM_STEPS

    def training(self, batch_size: int) -> StreamBatches:
        return self._batches(2 * STREAM_EXAMPLES, self._steps * batch_size, batch_size, moves=True)

    def validation(self, batch_size: int) -> StreamBatches:
        return self._batches(STREAM_EXAMPLES, STREAM_EXAMPLES, batch_size)

    def test(self, batch_size: int) -> StreamBatches:
        return self._batches(0, STREAM_EXAMPLES, batch_size)

    def _batches(self, first: int, count: int, batch_size: int, moves: bool = False) -> StreamBatches:
        return StreamBatches(self._synth, first, count, batch_size, self.seed, self.normalise, moves)
