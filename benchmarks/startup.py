"""How long a first answer takes from the shell: `python -m benchmarks.startup`.

Every figure is of a fresh process: seconds until it ends, processor time, peak memory, and whether it imported
TensorFlow. Figures on the page are those of a machine that does nothing else; processor time moves less where it does.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.page import Section, publish
from inversynth.examples import EXAMPLES

REPEATS = 7

CHILD = """
import json, sys, time
output, argv = sys.argv[1], sys.argv[2:]
if argv:
    from inversynth.cli import main
    try:
        code = main(argv)
    except SystemExit as end:
        code = end.code
else:
    import inversynth
    code = 0
from benchmarks.machine import peak_memory
with open(output, "w") as file:
    json.dump({"cpu": time.process_time(), "peak": peak_memory(), "tensorflow": "tensorflow" in sys.modules}, file)
sys.exit(code)
"""


@dataclass(frozen=True)
class Run:
    """What one process took: seconds and processor seconds, peak memory in bytes, whether TensorFlow was imported."""

    seconds: float
    cpu: float
    peak: float
    tensorflow: bool


def measure(argv: Sequence[str], folder: Path, kernels: Path | None = None) -> Run:
    """Run `inversynth` with arguments in a fresh process, or only import it where there are none.

    Args:
        folder: the working folder. kernels: of the compiled kernels; by default where Numba keeps them.
    Raises: subprocess.CalledProcessError where the command fails.
    """
    output = folder / "measured.json"
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root} | ({"NUMBA_CACHE_DIR": str(kernels)} if kernels else {})
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", CHILD, str(output), *argv], cwd=folder, env=environment, check=True, capture_output=True
    )
    return Run(time.perf_counter() - began, **json.loads(output.read_text(encoding="utf-8")))


def median(runs: Sequence[Run]) -> Run:
    """Return the median of each figure."""
    figures = (statistics.median(getattr(run, name) for run in runs) for name in ("seconds", "cpu", "peak"))
    return Run(*figures, any(run.tensorflow for run in runs))


def row(what: str, run: Run) -> list[str]:
    """Return a row of the table."""
    return [what, f"{run.seconds:.2f}", f"{run.cpu:.2f}", f"{run.peak / 1e6:.0f}", "yes" if run.tensorflow else "no"]


def main() -> None:
    """Measure and rewrite the section of the page."""
    sound = str(next(example.path for example in EXAMPLES if example.path.stem == "fm_first"))
    commands = {
        "import inversynth": [],
        "--help": ["--help"],
        "invert, none": ["invert", sound, "--budget", "none"],
        "invert, fast": ["invert", sound, "--budget", "fast"],
    }
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, argv in commands.items():
            measure(argv, folder)  # reads files into memory, and compiles what is not compiled yet
            rows.append(row(what, median([measure(argv, folder) for _ in range(REPEATS)])))
        first = [measure(commands["invert, fast"], folder, folder / f"kernels_{i}") for i in range(REPEATS)]
        rows.append(row("invert, fast, kernels not compiled yet", median(first)))
    publish(
        Section(
            "startup",
            "Start-up",
            REPEATS,
            ("command", "s", "CPU s", "peak MB", "TensorFlow"),
            rows,
            "Each run is a fresh process whose files are in the page cache. The sound is the example `fm_first.flac`, "
            "1 s of `fm`, inverted with the bundled network in ONNX Runtime; writing the report is included. Kernels "
            "are compiled once after installation.",
            packages=("numpy", "scipy", "numba", "onnxruntime"),
        )
    )


if __name__ == "__main__":
    main()
