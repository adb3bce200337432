"""Starting Keras: quietly, and with a clear word where the backend asked for is not there."""

import logging
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from models import backend
from models.backend import predict_in_batches


def python(code, **environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


LOADED = """
import sys
from generators.command import run_command
from generators.settings import Settings
from models.backend import start_keras

def act(settings):
    start_keras()
    start_keras()
    import keras
    import tensorflow as tf
    print(keras.backend.backend())
    print("heard", file=sys.stderr)
    for size in range(12):
        tf.function(lambda x: x + 1)(tf.zeros(size))
    traced = tf.function(lambda x: x + 1)
    for size in range(1, 12):
        traced(size)

sys.exit(run_command(Settings, act, []))
"""


def test_a_command_says_once_that_it_loads_the_backend_and_retracing_is_not_reported():
    done = python(LOADED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensorflow\n", "loading TensorFlow …\nheard\n")


class Doubling:
    """Stands for a network: doubles its input, and keeps the sizes of its batches."""

    def __init__(self):
        self.sizes = []

    def predict_on_batch(self, rows):
        self.sizes.append(len(rows))
        return {"twice": 2.0 * rows, "same": rows}


def test_batches_of_a_prediction_have_one_size_and_lose_no_row():
    network, rows = Doubling(), np.arange(7.0)[:, None]
    found = predict_in_batches(network, [rows], 3)
    assert network.sizes == [3, 3, 3]
    np.testing.assert_array_equal(found["twice"], 2 * rows)
    np.testing.assert_array_equal(found["same"], rows)
    assert found["same"].dtype == np.float32
    predict_in_batches(network, [rows[:2]], 64)
    assert network.sizes[-1] == 2


def test_only_a_long_wait_is_explained(caplog, monkeypatch):
    monkeypatch.setattr(backend, "PATIENCE", 0.01)
    with caplog.at_level(logging.INFO):
        with backend.explained_wait("loading the network"):
            time.sleep(0.2)
        monkeypatch.setattr(backend, "PATIENCE", 60.0)
        with backend.explained_wait("waiting for nothing"):
            pass
    assert caplog.messages == ["loading the network …"]


@pytest.mark.parametrize("backend", ["theano", "openvino"])
def test_a_backend_that_is_not_there_is_told_in_one_line(backend):
    done = python(
        "from generators.command import run_command\nfrom generators.settings import Settings\n"
        "from models.backend import start_keras\n"
        "raise SystemExit(run_command(Settings, lambda _: start_keras(), []))",
        KERAS_BACKEND=backend,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "SettingsError: KERAS_BACKEND must be one of tensorflow, jax, torch, and be installed. "
        f"Received: KERAS_BACKEND={backend}\n"
    )
