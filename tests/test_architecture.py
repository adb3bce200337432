"""Arrows go down only, and nothing below the TensorFlow line imports TensorFlow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT = (
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache', '--no-logo'])",
)

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import {package}
names = [module.name for module in pkgutil.walk_packages({package}.__path__, "{package}.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted(sys.modules)]))
"""


def test_import_contract_holds() -> None:
    lint = subprocess.run(LINT, cwd=ROOT, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("generators/synth.py", "import keras", "generators.synth -> keras"),
        ("generators/synth.py", "def late():\n    import tensorflow", "generators.synth -> tensorflow"),
        ("generators/errors.py", "from generators import generate", "generators.errors -> generators.generate"),
        (
            "generators/analysis/spectrogram.py",
            "from inversynth import cli",
            "generators.analysis.spectrogram -> inversynth.cli",
        ),
        ("generators/helper.py", "", "generators.helper"),
    ],
)
def test_import_contract_refuses_an_arrow_that_goes_up(tmp_path: Path, path: str, line: str, broken: str) -> None:
    files = (
        "generators/errors.py",
        "generators/generate.py",
        "generators/synth.py",
        "generators/analysis/spectrogram.py",
    )
    for name in (*files, "inversynth/cli.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        (tmp_path / name).with_name("__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # PYTHONPATH would put the real packages before these
    command = ["env", "-u", "PYTHONPATH", *LINT]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / path).write_text(line)
    lint = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert lint.returncode == 1
    assert broken in lint.stdout


def test_generators_leave_deep_learning_out_of_memory() -> None:
    script = IMPORT_ALL.format(package="generators")
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    names, loaded = json.loads(output.splitlines()[-1])
    assert "generators.synth" in names
    assert not {"tensorflow", "keras", "jax", "torch"}.intersection(loaded)
