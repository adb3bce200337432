"""Start-up: the first answer needs no TensorFlow and little else, and nothing but results and waits is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.startup import Run, measure, median, row
from inversynth.examples import EXAMPLES

SOUND = next(example.path for example in EXAMPLES if example.path.stem == "fm_first")
ROOT = Path(__file__).parents[2]

SLOW = ("tensorflow", "keras", "matplotlib", "librosa", "scipy.signal", "sklearn", "pandas", "PIL", "torch", "jax")
"""Packages whose import takes a tenth of a second or more, and that inverting a sound does without."""


def python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=300, check=True
    )


@pytest.mark.parametrize("budget", ["none", "fast"])
def test_a_sound_is_inverted_without_what_takes_long_to_import(tmp_path: Path, budget: str) -> None:
    done = python(
        f"""
from inversynth.cli import main
assert main(["invert", {str(SOUND)!r}, "--budget", {budget!r}]) == 0
print("imported:", *[name for name in {SLOW!r} if name in sys.modules])
""",
        tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "imported:"
    assert re.search(r"^fm_first: (reachable|close|similar|far) \(\d", done.stdout, re.MULTILINE)
    report = (tmp_path / "output" / "fm_first" / "report.html").read_text(encoding="utf-8")
    assert report.count('<svg class="plot"') >= 4
    for line in done.stderr.splitlines():  # nothing of a library; a wait may be explained
        assert line.endswith(" …"), done.stderr


def test_importing_the_package_imports_none_of_what_it_needs_later(tmp_path: Path) -> None:
    heavy = (*SLOW, "numba", "scipy", "onnxruntime", "h5py", "pydantic")
    done = python(f"import inversynth; print(*[name for name in {heavy!r} if name in sys.modules])", tmp_path)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_help_imports_no_numpy(tmp_path: Path) -> None:
    done = python(
        """
from inversynth.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print("imported:", *[name for name in ("numpy", "pydantic") if name in sys.modules])
""",
        tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "imported:"


def test_a_process_is_measured_with_what_it_imports(tmp_path: Path) -> None:
    run = measure(["--help"], tmp_path)
    assert 0.0 < run.cpu < run.seconds + 1.0
    assert 5e6 < run.peak < 400e6
    assert not run.tensorflow
    with pytest.raises(subprocess.CalledProcessError):
        measure(["invert", "no_such.wav"], tmp_path)


def test_medians_are_taken_figure_by_figure() -> None:
    runs = [Run(1.0, 5.0, 30e6, False), Run(2.0, 4.0, 10e6, False), Run(9.0, 3.0, 20e6, True)]
    assert median(runs) == Run(2.0, 4.0, 20e6, True)
    assert row("x", median(runs)) == ["x", "2.00", "4.00", "20", "yes"]
