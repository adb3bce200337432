"""Starting Keras without its backend's start-up chatter on the terminal."""

import importlib
import os
import sys
import tempfile


def start_keras() -> None:
    """Import Keras and wake its backend, before anything else of Keras is imported.

    TensorFlow reports missing CUDA drivers and CPU instructions straight to the file behind standard error, past every
    setting. That text is dropped, unless starting fails, or TF_CPP_MIN_LOG_LEVEL is 0 or 1.
    """
    if "keras" in sys.modules:
        return
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        _wake()
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            _wake()
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
