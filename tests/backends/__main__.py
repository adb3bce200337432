"""Build and train every feed-forward model on every Keras backend: `python -m tests.backends [tensorflow jax torch]`.

TensorFlow goes first and leaves each model as a file; each further backend loads these files, must predict what
TensorFlow predicted, and trains models of its own. A backend that is not installed is skipped, and said to be.
Each runs in a process of its own, because Keras takes its backend once. Exit code 0 unless something failed.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile

REFERENCE = "tensorflow"
BACKENDS = (REFERENCE, "jax", "torch")


def main(argv: list[str]) -> int:
    """Run the wanted backends, the reference always first, and count."""
    unknown = sorted(set(argv) - set(BACKENDS))
    if unknown:
        print(f"backends are {', '.join(BACKENDS)}. Received: {', '.join(unknown)}", file=sys.stderr)
        return 2
    wanted = [backend for backend in BACKENDS if backend in (argv or BACKENDS) or backend == REFERENCE]
    passed, failed, skipped = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for backend in wanted:
            if importlib.util.find_spec(backend) is None:
                print(f"{backend}: skipped, it is not installed here (it is in the dependency group `backends`)")
                skipped += 1
                continue
            environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            command = [sys.executable, "-m", "tests.backends.steps", folder]
            if subprocess.run(command, env=environment, check=False).returncode:
                failed += 1
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
