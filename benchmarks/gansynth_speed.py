"""Speed of a GANSynth: `python -m benchmarks.gansynth_speed MODEL` prints seconds per batch as JSON.

It runs in a process of its own, because a backend fixes its number of threads at its start.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BATCHES = (1, 8, 24)
ROUNDS = 21


@dataclass(frozen=True)
class Speed:
    """Median seconds of a model for a batch of notes of one length, from latents to samples."""

    name: str
    threads: int
    batch: int
    seconds: float
    note_seconds: float

    def cells(self) -> list[str]:
        note = self.seconds / self.batch
        return [
            self.name,
            f"{self.threads}",
            f"{self.batch}",
            f"{1000 * self.seconds:,.1f}",
            f"{1000 * note:,.1f}",
            f"{self.note_seconds / note:,.0f}",
        ]


COLUMNS = ("model", "threads", "notes at once", "ms", "ms per note", "x real time")


def measure(
    path: Path, name: str, threads: int, module: str = "benchmarks.gansynth_speed", *others: str
) -> list[Speed]:
    """Measure a model file in a process of its own, with so many threads.

    Args:
        module: the module to run, with the path and `others` as arguments; it prints what `time_batches` returns.
    """
    variables = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-m", module, str(path), *others],
        env={**os.environ, **dict.fromkeys(variables, str(threads))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return [
        Speed(name, threads, int(batch), seconds, found["note_seconds"]) for batch, seconds in found["seconds"].items()
    ]


def time_batches(play: Callable[[int], object], note_seconds: float, rounds: int = ROUNDS) -> str:
    """Return as JSON `note_seconds`, and the median `seconds` that each batch takes once networks are compiled.

    Args:
        play: generates so many notes.
    """
    seconds = {}
    for batch in BATCHES:
        taken = []
        for _ in range(rounds + 2):
            started = time.perf_counter()
            play(batch)
            taken.append(time.perf_counter() - started)
        seconds[str(batch)] = statistics.median(taken[2:])
    return json.dumps({"note_seconds": note_seconds, "seconds": seconds})


def _time(path: str) -> str:
    from models.backend import start_keras

    start_keras()
    from models.gansynth.inference import load_gansynth

    model = load_gansynth(path)
    drawn = {batch: (model.draw_latents(batch), model.draw_notes(batch)) for batch in BATCHES}
    return time_batches(lambda batch: model.decode(*drawn[batch], batch_size=batch), model.seconds)


if __name__ == "__main__":
    print(_time(sys.argv[1]))
