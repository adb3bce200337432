"""Training C6 at batch 64 from a dataset file and from a stream, against `fit` on arrays in memory; and peak memory.

The three take turns, so that whatever else the machine does meets all of them, and each round is compared with the
round of arrays beside it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.page import Section, publish
from generators.dataset import Card, Dataset
from generators.generate import generate_dataset
from generators.registry import build_synth
from models.backend import start_keras
from models.registry import find_recipe

MODEL = "C6"
BATCH_SIZE = 64
EXAMPLES = 2048
"""32 steps a round, about five seconds on two cores; 134 MB as arrays."""
ROUNDS = 11
SIZES = (2_000, 20_000, 200_000)
MEMORY_STEPS = 100
GOAL = 0.95


@dataclass(frozen=True)
class Speed:
    """Medians of one way to feed the network: examples per second, their ratio to arrays, and processor time.

    `cpu` is in seconds per 1,000 examples, all cores together; other work on the machine hardly moves it. `alone` is
    examples per second without a network.
    """

    name: str
    examples: float
    ratio: float
    cpu: float
    alone: float | None


def measure_speed(folder: Path, examples: int = EXAMPLES, rounds: int = ROUNDS, model_name: str = MODEL) -> list[Speed]:
    """Fit the same model on the same number of examples in three ways, in turns; the first turn is not counted."""
    from models.training.data import DatasetBatches, StreamBatches

    synth, recipe = build_synth("fm"), find_recipe(model_name)
    path = folder / "speed.hdf5"
    generate_dataset(path, synth, examples)
    model = recipe.build(synth.space, synth.sample_rate, synth.samples, seed=0)
    recipe.compile(model, synth.space)
    with Dataset(path) as dataset:
        audio, classes = dataset.read(slice(None))
        batches = {
            "dataset": DatasetBatches(dataset, np.arange(examples), BATCH_SIZE, seed=0),
            "stream": StreamBatches(synth, 0, examples, BATCH_SIZE, seed=0, normalise=False, moves=True),
        }
        ways: dict[str, Callable[[], Any]] = {
            "arrays": lambda: model.fit(audio, classes, batch_size=BATCH_SIZE, verbose=0),
            "dataset": lambda: model.fit(batches["dataset"], shuffle=False, verbose=0),
            "stream": lambda: model.fit(batches["stream"], shuffle=False, verbose=0),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            order = list(ways) if number % 2 else list(reversed(ways))
            for name in order:
                if name in batches:
                    batches[name].start_epoch(number)
                before = time.process_time()
                elapsed = _time(ways[name])
                if number:
                    seconds[name].append(elapsed)
                    cpu[name].append(time.process_time() - before)
        alone = {name: _speed_alone(source, examples, rounds) for name, source in batches.items()}
        for source in batches.values():
            source.close()
    return [
        Speed(
            name,
            examples / statistics.median(times),
            statistics.median(reference / elapsed for reference, elapsed in zip(seconds["arrays"], times, strict=True)),
            1000.0 * statistics.median(cpu[name]) / examples,
            alone.get(name),
        )
        for name, times in seconds.items()
    ]


def _speed_alone(batches: Any, examples: int, rounds: int) -> float:
    """Return the examples per second that batches come in where no network takes up the cores."""

    def walk() -> None:
        for number in range(batches.num_batches):
            batches[number]

    return examples / statistics.median(_time(walk) for _ in range(rounds))


def _time(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure_memory(size: int, folder: Path, steps: int = MEMORY_STEPS) -> dict[str, float]:
    """Train on a dataset of `size` examples in this process; returns the file's size and peak memory, in bytes.

    The audio is left as a hole in the file, which reads as silence and needs no room on the disk: what is held in
    memory is the same.
    """
    from models.training.data import DatasetSource
    from models.training.loop import train

    synth, recipe = build_synth("fm"), find_recipe(MODEL)
    path = folder / f"{size}.hdf5"
    card = Card("fm", synth.space.to_json(), synth.sample_rate, synth.length, 0, "random", False, size)
    with Dataset.create(path, card) as dataset:
        dataset.done[:] = True
    with Dataset(path) as dataset:
        source = DatasetSource(dataset, steps=steps)
        train(recipe, source, folder / str(size), epochs=1, batch_size=BATCH_SIZE)
    return {"examples": size, "file": path.stat().st_size, "peak": machine.peak_memory()}


def main() -> None:
    """Measure and publish."""
    start_keras()
    with tempfile.TemporaryDirectory() as folder:
        speeds = measure_speed(Path(folder))
        memory = [_in_another_process(size, folder) for size in SIZES]
    names = {"arrays": "`fit` on arrays in memory", "dataset": "dataset file (HDF5)", "stream": "`--stream`"}
    rows = [
        [
            names[speed.name],
            f"{speed.examples:,.0f}",
            f"{100 * speed.ratio:.1f} %",
            f"{speed.cpu:.2f} s",
            f"{speed.alone:,.0f}" if speed.alone else "",
        ]
        for speed in speeds
    ]
    missed = [speed.name for speed in speeds if speed.ratio < GOAL]
    verdict = f"The goal of 95 % is missed by: {', '.join(missed)}." if missed else "The goal of 95 % is met by both."
    memory_rows = ", ".join(
        f"{row['examples']:,.0f} examples ({row['file'] / 1e9:.1f} GB): {row['peak'] / 1e9:.2f} GB" for row in memory
    )
    publish(
        Section(
            "training",
            f"Training {MODEL} at batch {BATCH_SIZE}",
            ROUNDS,
            ("examples from", "examples/s", "of arrays", "processor time per 1,000", "examples/s without a network"),
            rows,
            text=(
                f"Examples per second of `fit`, {EXAMPLES:,} sounds of `fm` a round (1 s at 16,384 Hz), the three in "
                f"turns; the ratio is the median over rounds of one to the arrays beside it. {verdict}"
            ),
            after=(
                f"Peak memory of a process that trains {MEMORY_STEPS} batches drawn from a whole dataset file, then "
                f"validates and tests on a tenth of it each: {memory_rows}. (The audio of these files is a hole, which "
                "reads as silence and needs no disk; n = 1.)"
            ),
            packages=("numpy", "numba", "h5py", "keras", "tensorflow"),
        )
    )


def _in_another_process(size: int, folder: str) -> dict[str, float]:
    """Measure memory in a process of its own, for a peak is never forgotten."""
    command = [sys.executable, "-m", "benchmarks.training", str(size), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    if len(sys.argv) > 1:
        start_keras()
        print(json.dumps(measure_memory(int(sys.argv[1]), Path(sys.argv[2]))))
    else:
        main()
