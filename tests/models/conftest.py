"""The smallest things that can be trained: 60 sounds of `sine`, and a network with dropout that builds in no time."""

import shutil
from contextlib import contextmanager

import pytest

from generators.dataset import Dataset
from generators.generate import generate_dataset
from generators.sine_generator import SineSynth
from models.backend import start_keras
from models.training import curves
from models.training.recipe import Recipe

SYNTH = SineSynth(sample_rate=4000, length=0.064)  # 256 samples


@pytest.fixture(scope="session")
def tiny_dataset_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "tiny.hdf5"
    generate_dataset(path, SYNTH, 60, seed=3)
    return path


DRAW_CURVES = curves.draw_curves


@pytest.fixture(scope="module", autouse=True)
def _quick_curves():
    """Drawing takes longer than training does here, so only tests that look at the curves have them drawn."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(curves, "draw_curves", lambda history, title, paths: [path.touch() for path in paths])
        yield


@pytest.fixture
def drawn_curves(monkeypatch):
    """Have the curves of a run drawn; else they are empty files."""
    monkeypatch.setattr(curves, "draw_curves", DRAW_CURVES)


@pytest.fixture
def tiny_dataset(tiny_dataset_path):
    with Dataset(tiny_dataset_path) as dataset:
        yield dataset


@pytest.fixture
def tiny_recipe():
    return Recipe("tiny", "a test", "none", build_tiny, metrics=one_metric, features={"input": "audio"})


@contextmanager
def copied_after(folder, *epochs):
    """Copy the folder of a run that is trained within to folder/EPOCH/NAME, as a kill after each epoch would leave it.

    Going on with a copy costs one training less than interrupting a second run.
    """
    from models.training import callbacks

    finish = callbacks.write_consequences

    def copy(model, run, card, history, *others):
        finish(model, run, card, history, *others)
        if history[-1]["epoch"] in epochs:
            shutil.copytree(run.path, folder / str(history[-1]["epoch"]) / run.name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(callbacks, "write_consequences", copy)
        yield


def one_metric(space):
    from models.training.keras_metrics import MeanPercentileRank

    return [MeanPercentileRank(space.sizes)]


def build_tiny(space, sample_rate, samples, *, loss="bce", data_format="channels_last", seed=None):
    start_keras()
    import keras

    audio = keras.Input((samples,), dtype="float32")
    hidden = keras.layers.Dense(16, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(seed))(audio)
    hidden = keras.layers.Dropout(0.3)(hidden)
    head = keras.layers.Dense(space.size, activation="sigmoid", kernel_initializer=keras.initializers.GlorotUniform(1))
    return keras.Model(audio, head(hidden), name="tiny")
