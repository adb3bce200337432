"""Training data: splits that never mix, orders that follow from the seed, streams that share nothing with datasets."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import DatasetError
from generators.sampling import sample_classes
from models.training import data
from models.training.data import Batches, DatasetSource, StreamSource
from models.training.splits import split_rows

from ..conftest import SYNTH


def walk(batches, epoch=0):
    """All examples of an epoch, in order."""
    batches.start_epoch(epoch)
    audio, classes = zip(*(batches[number] for number in range(batches.num_batches)), strict=True)
    return np.concatenate(audio), np.concatenate(classes)


# --- splits -----------------------------------------------------------------------------------------------------------


def test_splits_share_no_row_and_lose_none():
    splits = split_rows(100, seed=0, validation_split=0.2, test_split=0.1)
    assert {name: len(rows) for name, rows in splits.items()} == {"training": 70, "validation": 20, "test": 10}
    assert sorted(np.concatenate(list(splits.values()))) == list(range(100))


def test_a_split_follows_from_its_seed():
    first, again, other = (split_rows(50, seed=seed)["test"].tolist() for seed in (4, 4, 5))
    assert first == again != other


@pytest.mark.parametrize("count", [10, 23])
def test_every_row_is_tested_in_exactly_one_fold(count):
    folds = [split_rows(count, seed=0, folds=10, fold=fold) for fold in range(10)]
    assert sorted(np.concatenate([fold["test"] for fold in folds])) == list(range(count))
    for fold in folds:
        assert sorted(np.concatenate(list(fold.values()))) == list(range(count))


@pytest.mark.parametrize(("count", "folds"), [(1, 1), (2, 1), (5, 10), (2, 2)])
def test_a_dataset_too_small_to_split_is_refused(count, folds):
    with pytest.raises(DatasetError, match=rf"large enough for .* test\. Received: {count} examples"):
        split_rows(count, seed=0, folds=folds)
    split_rows(max(3, folds), seed=0, folds=folds)


def test_an_unfinished_dataset_is_refused(tiny_dataset_path, tmp_path):
    path = tmp_path / "unfinished.hdf5"
    path.write_bytes(tiny_dataset_path.read_bytes())
    with Dataset(path, writable=True) as dataset:
        dataset.done[7] = False
        with pytest.raises(DatasetError, match="unfinished: 59 of 60 rows"):
            DatasetSource(dataset)


# --- batches of a dataset ---------------------------------------------------------------------------------------------


def test_an_epoch_shows_every_training_row_once_with_its_own_classes(tiny_dataset):
    source = DatasetSource(tiny_dataset, seed=1)
    with source.training(7) as batches:
        audio, classes = walk(batches)
    assert (audio.dtype, classes.dtype, len(audio), batches.num_batches) == (np.float32, np.uint8, 48, 7)
    np.testing.assert_array_equal(audio, SYNTH.render_classes(classes))
    expected = tiny_dataset.classes[:][source.rows("training")]
    assert sorted(map(tuple, classes)) == sorted(map(tuple, expected))


def test_the_order_follows_from_seed_and_epoch(tiny_dataset):
    def order(seed, epoch):
        source = DatasetSource(tiny_dataset, seed=1)
        source.seed = seed  # the same split in another order
        with source.training(16) as batches:
            return walk(batches, epoch)[0].tobytes()

    assert order(1, 0) == order(1, 0)
    assert len({order(1, 0), order(1, 1), order(2, 0)}) == 3


def test_validation_and_test_stand_still(tiny_dataset):
    source = DatasetSource(tiny_dataset, seed=1)
    for split, make in (("validation", source.validation), ("test", source.test)):
        with make(4) as batches:
            np.testing.assert_array_equal(walk(batches, 0)[0], walk(batches, 5)[0])
            np.testing.assert_array_equal(walk(batches)[0], tiny_dataset.read(source.rows(split))[0])


def test_steps_shorten_an_epoch_and_each_takes_other_rows(tiny_dataset):
    with DatasetSource(tiny_dataset, steps=2).training(8) as batches:
        first, second = walk(batches, 0)[0], walk(batches, 1)[0]
    assert (batches.num_batches, batches.count, batches.examples, len(first)) == (2, 16, 48, 16)
    assert first.tobytes() != second.tobytes()


# --- batches of a stream ----------------------------------------------------------------------------------------------


def test_a_stream_never_repeats_and_yet_can_be_repeated():
    with StreamSource(SYNTH, seed=1, steps=3).training(50) as batches:
        first, second, again = (walk(batches, epoch)[1].tobytes() for epoch in (0, 1, 0))
    assert first == again != second


def test_a_batch_of_a_stream_does_not_depend_on_the_batch_size_before_it():
    small, large = StreamSource(SYNTH, steps=6).training(10), StreamSource(SYNTH, steps=2).training(30)
    with small, large:
        for epoch in (0, 1):
            np.testing.assert_array_equal(walk(small, epoch)[0], walk(large, epoch)[0])


def test_splits_of_a_stream_are_rows_of_one_endless_dataset_that_no_dataset_shares():
    source = StreamSource(SYNTH, seed=2, steps=20)
    parts = [walk(batches)[1] for batches in (source.test(64), source.validation(64), source.training(64))]
    assert [len(part) for part in parts] == [1024, 1024, 1280]
    seed = data.STREAM_SEED + 2
    np.testing.assert_array_equal(np.concatenate(parts), sample_classes(SYNTH.space, 0, 3328, seed))
    ordinary = {sample_classes(SYNTH.space, 1024 * block, 1024 * block + 64, 2).tobytes() for block in range(50)}
    streamed = {sample_classes(SYNTH.space, 1024 * block, 1024 * block + 64, seed).tobytes() for block in range(50)}
    assert len(ordinary | streamed) == 100


def test_a_stream_can_be_normalised():
    with StreamSource(SYNTH, normalise=True).test(8) as batches:
        np.testing.assert_allclose(np.abs(batches[0][0]).max(axis=1), 1.0, rtol=1e-6)


# --- reading ahead ----------------------------------------------------------------------------------------------------


class Slow(Batches):
    def __init__(self, count):
        super().__init__(count, batch_size=1)
        self.made = []

    def make(self, epoch, number):
        self.made.append((epoch, number))
        time.sleep(0.02)
        return np.full((1, 1), epoch, np.float32), np.full((1, 1), number, np.uint8)


def test_batches_are_made_ahead_in_threads_and_never_too_many():
    with Slow(40) as batches:
        batches[0]
        time.sleep(0.5)
        assert len(batches.made) == data.READ_AHEAD
        assert threading.current_thread().name not in {thread.name for thread in batches._pool._threads}
        started = time.perf_counter()
        assert [int(batches[number][1][0, 0]) for number in range(1, data.READ_AHEAD)] == list(
            range(1, data.READ_AHEAD)
        )
        assert time.perf_counter() - started < 0.02 * data.READ_AHEAD


def test_what_was_made_for_another_epoch_is_dropped():
    with Slow(4) as batches:
        batches[0]
        batches.start_epoch(1)
        assert [batches[number][0][0, 0] for number in range(4)] == [1, 1, 1, 1]


def test_threads_end_with_the_batches():
    before = threading.active_count()
    with Slow(4) as batches:
        batches[0]
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_a_fault_in_a_thread_is_kept_for_the_one_who_trains(tiny_dataset_path, tmp_path):
    path = tmp_path / "short.hdf5"
    path.write_bytes(tiny_dataset_path.read_bytes())
    with Dataset(path) as dataset, DatasetSource(dataset).training(16) as batches:
        with path.open("r+b") as file:
            file.truncate(6000)
        with pytest.raises(DatasetError, match="truncated"):
            walk(batches)
        assert isinstance(batches.fault, DatasetError)


def test_reading_a_dataset_needs_neither_numba_nor_librosa(tiny_dataset_path):
    code = "import sys; from models.backend import start_keras; start_keras()\n"
    code += "from models.training.data import DatasetSource; from generators.dataset import Dataset\n"
    code += "import models.training.loop\n"
    code += "DatasetSource(Dataset(sys.argv[1])).training(8)[0]\n"
    code += "assert not {'numba', 'librosa'} & {*sys.modules}"
    done = subprocess.run([sys.executable, "-c", code, tiny_dataset_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
