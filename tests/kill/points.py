"""Points at which a process dies: the n-th time that it writes, flushes or renames, before, amid or after it.

Nothing of the product knows of them: what writes is replaced from outside, in the process that is to die.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHASES = ("before", "half", "after")
"""Half: of the rows, samples or characters are written; of a file that is to be renamed, half is there."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

CACHES = (".nbi", ".nbc", ".pyc")
"""Endings of what Numba and Python compile once and keep: the first run alone would have these events."""


@dataclass(frozen=True)
class Point:
    """Where a process dies: at its event of a number, counted from 0, in a phase of it, by a signal."""

    event: int
    phase: str = "before"
    signal: int = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.event}:{self.phase}:{signal.Signals(self.signal).name}"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """Read what `str` wrote."""
        event, phase, name = text.split(":")
        return cls(int(event), phase, signal.Signals[name])


class Killer:
    """Counts the events of this process, and ends it at one of them; `events` names those that have come."""

    def __init__(self, point: Point | None = None) -> None:
        self.point = point
        self.events: list[str] = []
        self._lock = threading.Lock()

    def around(self, name: str, act: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """Do something that counts as an event, unless it is where the process dies."""
        with self._lock:
            number = len(self.events)
            self.events.append(name)
        here = self.point is not None and number == self.point.event
        if not here:
            return act()
        assert self.point is not None
        if self.point.phase == "after":
            result = act()
            self._die()
            return result
        if self.point.phase == "half" and half is not None:
            half()
        self._die()
        return act()  # where a signal is not the end, or another thread is the one that ends

    def _die(self) -> None:
        assert self.point is not None
        os.kill(os.getpid(), self.point.signal)


@contextlib.contextmanager
def watched(killer: Killer) -> Iterator[None]:
    """Let a killer see what this process writes."""
    import h5py
    import soundfile
    from matplotlib.figure import Figure

    replaced: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        replaced.append((owner, name, original))
        setattr(owner, name, made(original))

    def rename(original: Any) -> Any:
        def call(source: Any, target: Any, **options: Any) -> Any:
            if str(target).endswith(CACHES):
                return original(source, target, **options)
            label = f"rename {Path(os.fsdecode(target)).name}"
            return killer.around(label, lambda: original(source, target, **options), lambda: _halve(source))

        return call

    def row(original: Any) -> Any:
        def call(column: Any, place: Any, value: Any) -> None:
            def half() -> None:
                if isinstance(place, slice) and place.stop is not None and place.stop - (place.start or 0) > 1:
                    middle = ((place.start or 0) + place.stop) // 2
                    part = value if getattr(value, "ndim", 0) == 0 else value[: middle - (place.start or 0)]
                    original(column, slice(place.start, middle), part)
                    h5py.h5f.flush(column.file.id)

            killer.around(f"row {column.name}", lambda: original(column, place, value), half)

        return call

    def flush(original: Any) -> Any:
        return lambda file: killer.around("flush", lambda: original(file))

    def sound(original: Any) -> Any:
        return lambda file, data: killer.around(
            "sound", lambda: original(file, data), lambda: (original(file, data[: len(data) // 2]), file.flush())
        )

    def text(original: Any) -> Any:
        def call(path: Path, content: Any, *args: Any, **options: Any) -> Any:
            return killer.around(
                f"text {path.name}",
                lambda: original(path, content, *args, **options),
                lambda: original(path, content[: len(content) // 2], *args, **options),
            )

        return call

    def figure(original: Any) -> Any:
        return lambda self, *args, **options: killer.around("figure", lambda: original(self, *args, **options))

    replace(os, "replace", rename)
    replace(os, "rename", rename)
    replace(h5py.Dataset, "__setitem__", row)
    replace(h5py.File, "flush", flush)
    replace(soundfile.SoundFile, "write", sound)
    replace(Path, "write_text", text)
    replace(Path, "write_bytes", text)
    replace(Figure, "savefig", figure)
    try:
        yield
    finally:
        for owner, name, original in reversed(replaced):
            setattr(owner, name, original)


def _halve(path: Any) -> None:
    """Leave half of a file, as a process leaves it that dies while it writes."""
    with contextlib.suppress(OSError):
        os.truncate(path, Path(path).stat().st_size // 2)
