"""Compiling kernels with Numba: once after installation, announced, and kept on disk.

Numba keeps machine code in `__pycache__` beside the module; where that folder cannot be written, in the user's cache
folder; NUMBA_CACHE_DIR names another. Where none of them can be written, kernels are compiled in every process.
"""

import logging
from collections.abc import Callable
from typing import Any

import numba
from numba.core import event

log = logging.getLogger(__name__)

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "arcp", "reassoc"}}
"""Kernels run in threads, divide as NumPy does, and may reorder sums; NaN and infinity keep their meaning."""

_kernels: set[Any] = set()


def compile_kernel(function: Callable[..., Any]) -> Any:
    """Have Numba compile a function for the types of its first call. Use it as a decorator."""
    if not _kernels:
        event.register("numba:compile", _Announcement())
    try:
        kernel = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # Numba finds no folder to keep it in
        kernel = numba.njit(**OPTIONS)(function)
    _kernels.add(kernel)
    return kernel


class _Announcement(event.Listener):
    """Logs the first compilation of a process. Loading a kernel from the cache is none."""

    def __init__(self) -> None:
        self._announced = False

    def on_start(self, event: event.Event) -> None:
        kernel = event.data["dispatcher"]
        if self._announced or kernel not in _kernels:
            return
        self._announced = True
        kept = "once" if kernel.stats.cache_path else "no folder can keep them; name one in NUMBA_CACHE_DIR"
        log.info("compiling the synthesizer kernels (%s) …", kept)

    def on_end(self, event: event.Event) -> None:
        """Say nothing: the result follows."""
