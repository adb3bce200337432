"""Keras and its backend: a quiet start, the device that it computes on, and prediction in batches.

The lowest module of `models`. Everything that needs Keras calls `start_keras` before it imports it.
"""

import contextlib
import importlib
import importlib.util
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import SettingsError

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
"""Values of KERAS_BACKEND, which are also the names of their packages, and how messages write them."""

PATIENCE = 1.0
"""Seconds after which a wait is explained."""


def start_keras() -> None:
    """Import Keras and initialise its backend, before anything else of Keras is imported.

    TensorFlow reports missing CUDA drivers and CPU instructions directly to the file descriptor of standard error, and
    retracing to the loggers `tensorflow` and `absl`. Both are silenced, unless starting fails or TF_CPP_MIN_LOG_LEVEL
    is 0 or 1. What is computed does not change.
    Raises: SettingsError where KERAS_BACKEND names a backend that is unknown or not installed.
    """
    if "keras" in sys.modules:
        return
    backend = os.environ.get("KERAS_BACKEND")  # unset, ~/.keras/keras.json decides, else it is TensorFlow
    if backend and (backend not in BACKENDS or importlib.util.find_spec(backend) is None):
        raise SettingsError(
            f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}, and be installed. Received: KERAS_BACKEND={backend}"
        )
    log.info("loading %s …", BACKENDS.get(backend or "tensorflow", "Keras"))
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        _initialise()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # at 2 it still reports what it cannot optimise as an error; faults raise
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with silent_libraries():
        _initialise()


def device_kind() -> str:
    """Return what Keras computes on here: 'cpu', 'gpu' or 'tpu'."""
    import keras

    if keras.backend.backend() == "torch":  # it lists no devices
        import torch

        return "gpu" if torch.cuda.is_available() else "cpu"
    devices = keras.distribution.list_devices()
    kind = str(devices[0]).split(":")[0].lower() if devices else "cpu"
    return "gpu" if kind == "cuda" else kind


def predict_in_batches(model: "keras.Model", columns: Sequence[NDArray[Any]], batch_size: int) -> Any:
    """Run a network on any number of rows, `batch_size` at once.

    Args:
        columns: one array for each input of the network.
    Shapes: (n, …) for each input -> (n, …) float32; a list or a dictionary of them where the network returns one.
    """
    parts = list(predicted_batches(model, columns, batch_size))
    if not parts:
        return _structure(model.output, lambda output: np.empty((0, *output.shape[1:]), np.float32))
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if isinstance(parts[0], list):
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    return np.concatenate(parts)


def predict_directly(model: "keras.Model", inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Run a network on a few rows uncompiled: for one sound, TensorFlow traces for seven times as long as it runs.

    Shapes: (n, …) -> (n, …) float32.
    """
    outputs = model(inputs, training=False)
    if not isinstance(outputs, np.ndarray):  # ONNX networks return arrays, and run without Keras
        import keras

        outputs = keras.ops.convert_to_numpy(outputs)
    return np.asarray(outputs, np.float32)


def predicted_batches(model: "keras.Model", columns: Sequence[NDArray[Any]], batch_size: int) -> Iterator[Any]:
    """Yield what a network returns for each batch of rows, float32.

    All batches have one size, because a network is compiled for each size: the last is filled up with rows from the
    beginning, whose outputs are dropped. No batch has more rows than there are.
    """
    count = len(columns[0])
    size = max(1, min(batch_size, count))
    for first in range(0, count, size):
        rows = np.arange(first, first + size) % count
        inputs = [column[rows] for column in columns]
        outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
        yield _structure(outputs, partial(_first_rows, min(size, count - first)))


def _first_rows(count: int, array: Any) -> NDArray[np.float32]:
    return np.asarray(array, np.float32)[:count]


def _structure(outputs: Any, convert: Callable[[Any], NDArray[np.float32]]) -> Any:
    """Convert each array of a network's outputs. `keras.tree` would do, but ONNX networks run without Keras."""
    if isinstance(outputs, dict):
        return {name: convert(output) for name, output in outputs.items()}
    if isinstance(outputs, list | tuple):
        return [convert(output) for output in outputs]
    return convert(outputs)


@contextlib.contextmanager
def explained_wait(what: str) -> Iterator[None]:
    """Log what is being done, such as `loading the network`, once it has taken longer than PATIENCE."""
    timer = threading.Timer(PATIENCE, log.info, ("%s …", what))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
    """Drop what compiled libraries write to the descriptor of standard error, unless the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as dropped:
        os.dup2(dropped.fileno(), 2)
        try:
            yield
        except BaseException:
            dropped.seek(0)
            os.write(kept, dropped.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _initialise() -> None:
    keras = importlib.import_module("keras")
    keras.ops.convert_to_numpy(keras.ops.zeros(1))  # the first tensor makes the backend look for devices
