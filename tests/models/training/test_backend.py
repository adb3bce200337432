"""Starting Keras: quietly, and with a clear word where the backend asked for is not there."""

import os
import subprocess
import sys

import pytest

START = "from models.training.backend import start_keras; start_keras(); start_keras()\n"


def python(code, **environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_keras_starts_without_a_word():
    done = python(START + "import keras, sys; print(keras.backend.backend()); print('heard', file=sys.stderr)")
    assert (done.stdout, done.stderr) == ("tensorflow\n", "heard\n")


@pytest.mark.parametrize("backend", ["theano", "openvino"])
def test_a_backend_that_is_not_there_is_told_in_one_line(backend):
    done = python(
        "from generators.command import run_command\nfrom generators.settings import Settings\n"
        "from models.training.backend import start_keras\n"
        "raise SystemExit(run_command(Settings, lambda _: start_keras(), []))",
        KERAS_BACKEND=backend,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "SettingsError: KERAS_BACKEND must be one of tensorflow, jax, torch, and be installed. "
        f"Received: KERAS_BACKEND={backend}\n"
    )
