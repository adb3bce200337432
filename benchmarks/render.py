"""Rendering in memory: our synthesizers and, where they are installed, other engines, in one run and in turns."""

import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.other_engines import RIVALS, Render
from benchmarks.page import Section, publish
from generators.parallel import available_cores
from generators.registry import build_synth
from generators.sampling import sample_classes

SAMPLE_RATE = 16384
BATCH = 128
ROUNDS = 15
LEAST_SECONDS = 0.2
"""A figure of one round is taken over at least so long."""
GOAL = 10_000


@dataclass(frozen=True)
class Engine:
    """Something that renders: what the table calls it, and what it does."""

    name: str
    what: str
    render: Render


def our_engines() -> list[Engine]:
    """Return `fm` in its forms, and `sine`; every call renders other patches, full synth, one second each."""
    fm, sine = build_synth("fm", SAMPLE_RATE), build_synth("sine", SAMPLE_RATE)
    pools = {synth.name: _values(synth) for synth in (fm, sine)}
    cores = available_cores()
    threads = ThreadPoolExecutor(cores)

    def next_values(name: str, count: int) -> np.ndarray:
        pools[name] = np.roll(pools[name], -count, axis=0)
        return pools[name][:count]

    def on_all_cores() -> int:
        parts = np.array_split(next_values("fm", BATCH * cores), cores)
        return sum(audio.size for audio in threads.map(fm.render, parts))

    return [
        Engine("fm", f"fused kernel, {cores} threads", on_all_cores),
        Engine("fm", "fused kernel, one thread", lambda: fm.render(next_values("fm", BATCH)).size),
        Engine("fm", "fused kernel, one sound at a time", lambda: fm.render(next_values("fm", 1)).size),
        Engine("fm", "definition over NumPy", lambda: fm.synthesize(next_values("fm", 16)).size),
        Engine("sine", "NumPy", lambda: sine.render(next_values("sine", BATCH)).size),
    ]


def rival_engines() -> tuple[list[Engine], list[str]]:
    """Return the rivals that are installed, and the names of those that are not."""
    engines, missing = [], []
    for name, make in RIVALS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what their packages think of one another
                engines.append(Engine(name, (make.__doc__ or "").split(":")[0].rstrip("."), make()))
        except ImportError:
            missing.append(name)
    return engines, missing


def measure(engines: list[Engine], rounds: int = ROUNDS) -> list[float]:
    """Return the median samples per second of each engine, all of them in turns; compiling is not counted."""
    for engine in engines:
        engine.render()
    speeds: list[list[float]] = [[] for _ in engines]
    for _ in range(rounds):
        for engine, found in zip(engines, speeds, strict=True):
            found.append(_speed(engine.render))
    return [statistics.median(found) for found in speeds]


def _speed(render: Callable[[], int]) -> float:
    samples, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < LEAST_SECONDS:
        samples += render()
    return samples / elapsed


def _values(synth: object) -> np.ndarray:
    space = synth.space  # type: ignore[attr-defined]
    return np.asarray(space.classes_to_values(sample_classes(space, 0, 2048, 0)))


def main() -> None:
    """Measure and publish."""
    rivals, missing = rival_engines()
    engines = [*our_engines(), *rivals]
    speeds = measure(engines)
    rows = [
        [engine.name, engine.what, f"{speed / 1e6:,.2f}", f"{speed / SAMPLE_RATE:,.0f}"]
        for engine, speed in zip(engines, speeds, strict=True)
    ]
    best = speeds[0] / SAMPLE_RATE
    absent = f" Not installed in this run: {', '.join(missing)}." if missing else ""
    publish(
        Section(
            "render",
            "Rendering in memory",
            ROUNDS,
            ("engine", "how", "million samples/s", "x real time"),
            rows,
            text=(
                "One-second sounds at 16,384 Hz in memory, every batch with other patches; `fm` is the full, "
                f"band-limited synth. The goal of {GOAL:,} x real time is {'met' if best >= GOAL else 'missed'}."
            ),
            after=(
                "The other engines play voices of their own (see `benchmarks/other_engines.py`), so the figures "
                "compare engines, not sounds; all of them ran on this processor. For scale: torchsynth reports "
                f"16,200 x real time on one GPU.{absent}"
            ),
            packages=("numpy", "numba", *RIVALS, "torch", "jax"),
        )
    )


if __name__ == "__main__":
    main()
