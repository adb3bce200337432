"""Starting Keras without its backend's start-up chatter on the terminal."""

import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator

from generators.errors import SettingsError

BACKENDS = ("tensorflow", "jax", "torch")
"""What KERAS_BACKEND may be; each is the name of its package, too."""


def start_keras() -> None:
    """Import Keras and wake its backend, before anything else of Keras is imported.

    TensorFlow reports missing CUDA drivers and CPU instructions straight to the file behind standard error, past every
    setting. That text is dropped, unless starting fails, or TF_CPP_MIN_LOG_LEVEL is 0 or 1.
    Raises: SettingsError where KERAS_BACKEND names none that is installed.
    """
    if "keras" in sys.modules:
        return
    backend = os.environ.get("KERAS_BACKEND")  # unset, ~/.keras/keras.json decides, else it is TensorFlow
    if backend and (backend not in BACKENDS or importlib.util.find_spec(backend) is None):
        raise SettingsError(
            f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}, and be installed. Received: KERAS_BACKEND={backend}"
        )
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        _wake()
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what it cannot optimise it calls an error; those raise, too
    with silent_libraries():
        _wake()


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
    """Drop what compiled libraries write to the file behind standard error, unless what is done here fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _wake() -> None:
    keras = importlib.import_module("keras")
    keras.ops.convert_to_numpy(keras.ops.zeros(1))  # the first tensor makes the backend look for devices
