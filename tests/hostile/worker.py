"""A process with everything loaded that runs commands one after another: `python -m tests.hostile.worker FD`.

Jobs come as lines of JSON on standard input, replies go as lines of JSON to the descriptor FD. What a command prints is
caught at its descriptors, so that lines of C++ libraries count, too. A child of the process that loaded everything runs
them: a command that crashes takes only the child along, and the next is there at once.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import logging
import os
import pkgutil
import resource
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tests.hostile.places import full_disk

ADDRESS_SPACE = 6 << 30
"""Bytes that a command may map beyond what is mapped once everything is loaded."""

OVERRIDES = 1 << 1 | 1 << 2 | 1 << 3
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER: what lets root ignore the permissions of files."""


def main(descriptor: int) -> None:
    """Load everything, then fork what serves jobs; as often as it dies, until standard input ends."""
    jobs, replies = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(descriptor, "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    load_everything()
    while (child := os.fork()) != 0:
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        print(json.dumps({"died": os.waitstatus_to_exitcode(status)}), file=replies, flush=True)
    serve(jobs, replies)
    os._exit(0)


def serve(jobs: TextIO, replies: TextIO) -> None:
    """Run jobs as they come."""
    import tensorflow

    tensorflow.config.list_physical_devices()  # looks for CUDA once, and says what it found
    faulthandler.enable(open(os.environ["HOSTILE_CRASHES"], "a", encoding="utf-8"), all_threads=False)  # noqa: SIM115
    gc.collect()
    gc.freeze()  # a collection after each case then looks at what the case made, not at all of TensorFlow
    soft = int(_status("VmSize")) + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps({"ready": os.getpid()}), file=replies, flush=True)
    for line in jobs:
        print(json.dumps(run(json.loads(line))), file=replies, flush=True)


def load_everything() -> None:
    """Import each module that a command may need, so that none is charged for it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # as `models.backend` does; it also computes, which no fork outlives
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import keras  # noqa: F401
    import librosa
    import matplotlib.pyplot  # noqa: F401
    import onnxruntime  # noqa: F401
    import scipy.signal  # noqa: F401
    import tensorflow  # noqa: F401

    for package in ("generators", "models", "inversynth"):
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    librosa.resample  # noqa: B018 - librosa loads its modules when they are first named
    from models.dx7 import source

    source.EXAMPLES = 12  # DX7 notes of a validation: no flag has fewer than 512, which take a minute to play


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run `inversynth ARGV` as a job says: folder, variables, files for what is printed, limits.

    Returns: exit code, peak and base of resident memory in bytes, and the traceback of what a command let through.
    """
    from inversynth.cli import main as command

    fault = ""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_printing_to(job["stdout"], job["stderr"]))
        stack.enter_context(_variables(job.get("variables", {})))
        stack.enter_context(contextlib.chdir(job["folder"]))
        if job.get("disk"):
            stack.enter_context(full_disk(Path(job["disk"])))
        if job.get("ordinary"):
            stack.enter_context(ordinary_user())
        base = _forget_peak()
        try:
            code = command(job["argv"])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            code, fault = 1, traceback.format_exc()
        peak = int(_status("VmHWM"))
    _forget_models()
    return {"code": code, "fault": fault, "base": base, "peak": peak}


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Take from this thread, and from those that it starts, what lets root ignore the permissions of files."""
    if os.geteuid() != 0:
        yield
        return
    before = _capabilities()
    _set_capabilities([word & ~OVERRIDES if i == 0 else word for i, word in enumerate(before)])
    try:
        yield
    finally:
        _set_capabilities(before)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("process", ctypes.c_int)]


def _call(name: str, words: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(ctypes.byref(_Header(0x20080522, 0)), words) != 0:  # version 3 of capget(2)
        raise OSError(ctypes.get_errno(), name)


def _capabilities() -> list[int]:
    """Effective, permitted and inheritable capabilities: three words for the first 32, three for the others."""
    words = (ctypes.c_uint32 * 6)()
    _call("capget", words)
    return list(words)


def _set_capabilities(words: list[int]) -> None:
    _call("capset", (ctypes.c_uint32 * 6)(*words))


@contextlib.contextmanager
def _printing_to(stdout: str, stderr: str) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        os.dup2(file, number)
        os.close(file)
    try:
        yield
    finally:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
            os.dup2(kept[number - 1], number)
            os.close(kept[number - 1])


@contextlib.contextmanager
def _variables(changes: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _forget_models() -> None:
    """Close what a command leaves behind in a process that goes on."""
    import keras
    import matplotlib.pyplot

    matplotlib.pyplot.close("all")
    keras.backend.clear_session()
    gc.collect()
    gc.freeze()


def _forget_peak() -> int:
    """Make the peak of resident memory what is resident now, and return it in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return int(_status("VmRSS"))


def _status(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
