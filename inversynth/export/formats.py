"""Formats of exported networks: how each is written, and how a written file is run for the check.

Keras's own exporters write them: ONNX by tf2onnx, checked with ONNX Runtime; SavedModel and LiteRT by TensorFlow.
"""

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generators.errors import SettingsError
from inversynth.export.operations import plain_operations
from inversynth.export.signature import Arrays, Exportable
from models.backend import silent_libraries

Run = Callable[[Arrays], Arrays]
"""Runs an exported network on examples, (count, *shape) each."""


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        suffix: of the file or folder. batch: examples at once, None for any number.
        write: (what, path) -> None. open: path -> function that runs it. packages: optional dependencies it needs.
        folder: whether it is a folder of files. title: for messages.
    """

    title: str
    suffix: str
    batch: int | None
    write: Callable[[Exportable, Path], None]
    open: Callable[[Path], Run]
    packages: tuple[str, ...] = ()
    folder: bool = False

    def check_installed(self, name: str) -> None:
        """Raise SettingsError where a package is missing, or Keras runs on another backend than TensorFlow."""
        missing = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise SettingsError(
                f"--format {name} needs {' and '.join(self.packages)}. Received: an environment without "
                f"{' and '.join(missing)}. Install what is missing: pip install {' '.join(missing)}"
            )
        import keras

        if keras.backend.backend() != "tensorflow":
            raise SettingsError(
                f"networks are exported by TensorFlow. Received: KERAS_BACKEND={keras.backend.backend()}. Leave it out"
            )


def _signature(what: Exportable, batch: int | None) -> list[dict[str, Any]]:
    """Return the inputs of a network as a Keras input signature."""
    import keras

    specs = {}
    for port in what.inputs:
        shape = (batch, *(size if isinstance(size, int) else None for size in port.shape))
        specs[port.name] = keras.InputSpec(dtype="float32", shape=shape, name=port.name)
    return [specs]


# --- ONNX ------------------------------------------------------------------------------------------------------


def _write_onnx(what: Exportable, path: Path) -> None:
    with plain_operations(what.networks), _quietly():
        what.network.export(path, format="onnx", verbose=False, input_signature=_signature(what, None))
    import onnx

    model = onnx.load(path)
    for port, value in zip((*what.inputs, *what.outputs), (*model.graph.input, *model.graph.output), strict=True):
        for size, dimension in zip(("batch", *port.shape), value.type.tensor_type.shape.dim, strict=True):
            if isinstance(size, str):
                dimension.dim_param = size
    onnx.save(model, path)


def _open_onnx(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # failed optimisations are not errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(names, given), strict=True))


# --- SavedModel ------------------------------------------------------------------------------------------------


def _write_saved_model(what: Exportable, path: Path) -> None:
    with _quietly():
        what.network.export(path, format="tf_saved_model", verbose=False, input_signature=_signature(what, None))


def _open_saved_model(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def run(given: Arrays, keep: Any = loaded) -> Arrays:  # keeps the weights alive
        return {name: made.numpy() for name, made in serve(**{n: tf.constant(a) for n, a in given.items()}).items()}

    return run


# --- LiteRT ----------------------------------------------------------------------------------------------------


def _write_litert(what: Exportable, path: Path) -> None:
    import tensorflow as tf

    builtin = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # no operation of TensorFlow's own runtime
    with plain_operations(what.networks), _quietly():
        what.network.export(
            path, format="litert", verbose=False, input_signature=_signature(what, 1), target_spec=builtin
        )


def _open_litert(path: Path) -> Run:
    import tensorflow as tf

    with _quietly():
        interpreter = tf.lite.Interpreter(str(path), num_threads=1)
        runner = interpreter.get_signature_runner()

    def run(given: Arrays) -> Arrays:
        made: list[Arrays] = []
        with _quietly():  # it names its delegate as it first runs
            for row in range(len(next(iter(given.values())))):
                one = runner(**{name: array[row : row + 1] for name, array in given.items()})
                made.append({name: np.array(array) for name, array in one.items()})
        return {name: np.concatenate([one[name] for one in made]) for name in made[0]}

    return run


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence the progress messages of TensorFlow and tf2onnx."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            with silent_libraries():
                yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


FORMATS: dict[str, Format] = {
    "onnx": Format("ONNX", ".onnx", None, _write_onnx, _open_onnx, ("onnx", "tf2onnx", "onnxruntime")),
    "saved_model": Format(
        "TensorFlow SavedModel", "_saved_model", None, _write_saved_model, _open_saved_model, folder=True
    ),
    "litert": Format("LiteRT", ".tflite", 1, _write_litert, _open_litert),
}
