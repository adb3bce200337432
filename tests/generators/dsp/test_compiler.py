"""Compiling kernels: announced once, found in the cache by the next process, possible without a cache."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from generators.dsp.compiler import compile_kernel

LINE = "compiling the synthesizer kernels (once) …"

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
from generators.dsp.compiler import compile_kernel
from kernels import double, triple
print(double(2.0) + triple(2.0))
"""

KERNELS = """
from generators.dsp.compiler import compile_kernel

@compile_kernel
def double(x):
    return 2.0 * x

@compile_kernel
def triple(x):
    return double(x) + x
"""


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[3])])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_first_process_says_that_it_compiles_and_the_second_finds_the_kernels(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    first = run(tmp_path)
    assert (first.returncode, first.stdout) == (0, "10.0\n"), first.stderr
    assert first.stderr.splitlines() == [LINE]  # for two kernels one line
    assert list((tmp_path / "cache").rglob("*.nbi"))
    second = run(tmp_path)
    assert (second.stdout, second.stderr) == ("10.0\n", "")


def test_kernels_work_where_no_folder_can_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = numba.njit

    def without_cache(*args: object, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(*args, **options)

    monkeypatch.setattr(numba, "njit", without_cache)

    def half(x: float) -> float:
        return 0.5 * x

    assert compile_kernel(half)(3.0) == 1.5
