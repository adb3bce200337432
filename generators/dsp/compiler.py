"""Compiling kernels with Numba: at their first call, announced, and kept on disk.

Importing Numba takes 0.3 s, which `--help` and a command that stops at a bad argument need not wait for: the first call
of a kernel does it. Machine code is kept in `__pycache__` beside the module; where that folder cannot be written, in
the user's cache folder; NUMBA_CACHE_DIR names another. Where none of them can be written, kernels are compiled in every
process.
"""

import logging
from collections.abc import Callable
from functools import update_wrapper
from threading import RLock
from types import FunctionType
from typing import Any

log = logging.getLogger(__name__)

OPTIONS = {"nogil": True, "error_model": "numpy"}
"""Kernels run in threads and divide as NumPy does."""

FAST = {"contract", "nsz", "arcp", "reassoc"}
"""What may be reordered and fused where sums need no exact order; NaN and infinity keep their meaning."""

_lock = RLock()
_dispatchers: set[Any] = set()


class Kernel:
    """A function that Numba compiles when it is called. Kernels may call kernels by their global names."""

    def __init__(self, function: FunctionType, exact: bool) -> None:
        update_wrapper(self, function)
        self._function, self._exact = function, exact
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled function."""
        return self.dispatcher(*arguments)

    @property
    def dispatcher(self) -> Any:
        """Numba's object for the function, made once whichever thread asks first."""
        if self._dispatcher is None:
            with _lock:
                if self._dispatcher is None:
                    self._dispatcher = self._made()
        return self._dispatcher

    def _made(self) -> Any:
        import numba

        if not _dispatchers:
            _listen()
        options: dict[str, Any] = OPTIONS if self._exact else {**OPTIONS, "fastmath": FAST}
        function = self._calling_dispatchers()
        try:
            made = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # Numba finds no folder to keep it in
            made = numba.njit(**options)(function)
        _dispatchers.add(made)
        return made

    def _calling_dispatchers(self) -> FunctionType:
        """Return the function with the kernels that it names replaced by Numba's objects for them."""
        function, names = self._function, dict(self._function.__globals__)
        for name in function.__code__.co_names:
            if isinstance(names.get(name), Kernel):
                names[name] = names[name].dispatcher
        copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
        update_wrapper(copy, function)
        return copy


def compile_kernel(function: Callable[..., Any]) -> Kernel:
    """Have Numba compile a function when it is called first; its sums may be reordered. Use it as a decorator."""
    return Kernel(function, exact=False)  # type: ignore[arg-type] # Python calls a function's type FunctionType


def compile_exact(function: Callable[..., Any]) -> Kernel:
    """Have Numba compile a function when it is called first, every sum in the order it is written in."""
    return Kernel(function, exact=True)  # type: ignore[arg-type]


def _listen() -> None:
    """Log the first compilation of this process. Loading a kernel from the cache is none."""
    from numba.core import event

    class Announcement(event.Listener):
        announced = False

        def on_start(self, event: event.Event) -> None:
            kernel = event.data["dispatcher"]
            if self.announced or kernel not in _dispatchers:
                return
            self.announced = True
            kept = "once" if kernel.stats.cache_path else "no folder can keep them; name one in NUMBA_CACHE_DIR"
            log.info("compiling the synthesizer kernels (%s) …", kept)

        def on_end(self, event: event.Event) -> None:
            """Say nothing: the result follows."""

    event.register("numba:compile", Announcement())
