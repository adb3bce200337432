"""What tests of training share: a tiny source, a way to train on it, and equality of runs to the last bit."""

import io
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from models.training.data import DatasetSource
from models.training.loop import train
from models.training.runs import Run


def weights(path):
    """Every number in a model file, optimiser included."""
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def assert_same_run(one, other):
    """Hold two runs to the same history, measures and weights, bit by bit."""
    assert one.history_file.read_text() == other.history_file.read_text()
    assert one.metrics_file.read_text() == other.metrics_file.read_text()
    for mine, theirs in ((weights(one.last), weights(other.last)), (weights(one.best), weights(other.best))):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


@pytest.fixture
def source(tiny_dataset):
    return DatasetSource(tiny_dataset, seed=1)


@pytest.fixture
def go(tiny_recipe, source, tmp_path):
    """Train the tiny recipe; keywords change its recipe, source, folder or options."""

    def go(name="run", recipe=tiny_recipe, source=source, **options):
        return train(recipe, source, tmp_path / name, **{"epochs": 3, "learning_rate": 0.01} | options)

    return go


@pytest.fixture(scope="module")
def finished_once():
    """Hold the one run that `finished` copies, once a test of the file has asked for it."""
    return {}


@pytest.fixture
def finished(go, finished_once, tmp_path, tmp_path_factory):
    """Give what `go` gives, three epochs, as a copy under another name: it is trained once for all tests of a file."""
    if not finished_once:
        finished_once["run"] = tmp_path_factory.mktemp("finished") / "run"
        shutil.copytree(go("finished").path, finished_once["run"])

    def finished(name="run"):
        return Run(shutil.copytree(finished_once["run"], tmp_path / name))

    return finished
