"""Rendering into HDF5 files: speed with and without WAV files, and peak memory as the dataset grows."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.page import Section, publish
from generators.generate import generate_dataset
from generators.registry import build_synth

EXAMPLES = 10_000
WITH_WAVES = 2_000
ROUNDS = 5
SIZES = (2_000, 20_000, 200_000)
GOAL = 5_000


def measure_speed(folder: Path, examples: int, waves: bool, rounds: int = ROUNDS) -> float:
    """Return the median sounds per second of generating a whole dataset file anew."""
    synth = build_synth("fm")
    times = []
    for number in range(rounds + 1):
        started = time.perf_counter()
        generate_dataset(
            folder / "d.hdf5",
            synth,
            examples,
            seed=number,
            regenerate_samples=True,
            wavefile_directory=folder / "waves" if waves else None,
        )
        times.append(time.perf_counter() - started)
    return examples / statistics.median(times[1:])  # the first compiles the kernel


def measure_memory(size: int, folder: Path) -> dict[str, float]:
    """Generate `size` sounds in this process; returns the file's size and peak memory in bytes, and the seconds."""
    path = folder / f"{size}.hdf5"
    started = time.perf_counter()
    generate_dataset(path, build_synth("fm"), size)
    seconds = time.perf_counter() - started
    result = {"examples": size, "file": path.stat().st_size, "peak": machine.peak_memory(), "seconds": seconds}
    path.unlink()
    return result


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder:
        plain = measure_speed(Path(folder), EXAMPLES, waves=False)
        with_waves = measure_speed(Path(folder), WITH_WAVES, waves=True)
        memory = [_in_another_process(size, folder) for size in SIZES]
    rows = [
        ["HDF5 alone", f"{EXAMPLES:,}", f"{plain:,.0f}"],
        ["HDF5 and WAV files", f"{WITH_WAVES:,}", f"{with_waves:,.0f}"],
    ]
    grown = "; ".join(
        f"{row['examples']:,.0f} sounds ({row['file'] / 1e9:.2f} GB) in {row['seconds']:.0f} s: "
        f"{row['peak'] / 1e9:.2f} GB"
        for row in memory
    )
    publish(
        Section(
            "dataset",
            "Rendering into datasets",
            ROUNDS,
            ("output", "sounds", "x real time"),
            rows,
            text=(
                "Whole `fm` datasets from nothing, one-second sounds at 16,384 Hz, all cores. The goal of "
                f"{GOAL:,} x real time is {'met' if plain >= GOAL else 'missed'}."
            ),
            after=f"Peak memory of a process that generates a whole dataset (n = 1 each): {grown}.",
            packages=("numpy", "numba", "h5py"),
        )
    )


def _in_another_process(size: int, folder: str) -> dict[str, float]:
    """Measure memory in a process of its own, for a peak is never forgotten."""
    command = [sys.executable, "-m", "benchmarks.dataset", str(size), folder]
    result: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure_memory(int(sys.argv[1]), Path(sys.argv[2]))))
    else:
        main()
