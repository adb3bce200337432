"""Imports go down only and in no cycle, every module has a layer, and the generators import no TensorFlow."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
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


FILES = (
    "generators/errors.py",
    "generators/generate.py",
    "generators/synth.py",
    "generators/analysis/spectrogram.py",
    "models/registry.py",
    "models/training/loop.py",
    "models/training/data.py",
    "inversynth/cli.py",
    "inversynth/report/report.py",
)
"""A tree that has a few modules of the project, all empty."""


def test_import_contracts_hold() -> None:
    lint = subprocess.run(LINT, cwd=ROOT, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr


@pytest.mark.parametrize(
    ("path", "line", "broken"),
    [
        ("generators/synth.py", "import keras", "generators.synth -> keras"),
        ("generators/synth.py", "def late():\n    import tensorflow", "generators.synth -> tensorflow"),
        ("generators/errors.py", "from generators import generate", "generators.errors -> generators.generate"),
        ("generators/analysis/spectrogram.py", "import inversynth.cli", "spectrogram -> inversynth.cli"),
        ("models/training/loop.py", "import models.registry", "models.training.loop -> models.registry"),
        ("inversynth/report/report.py", "import inversynth.cli", "inversynth.report.report -> inversynth.cli"),
        ("generators/helper.py", "", "generators.helper"),
        ("models/helper.py", "", "models.helper"),
        ("inversynth/helper.py", "", "inversynth.helper"),
    ],
)
def test_import_contracts_refuse_an_upward_import_and_a_module_without_a_layer(
    tmp_path: Path, path: str, line: str, broken: str
) -> None:
    lint = lint_with(tmp_path, {path: line})
    assert lint.returncode == 1
    assert broken in lint.stdout


def test_import_contracts_refuse_a_cycle_within_a_folder(tmp_path: Path) -> None:
    lines = {"models/training/loop.py": "import models.training.data", "models/training/data.py": ""}
    assert lint_with(tmp_path / "one_way", lines).returncode == 0
    lines["models/training/data.py"] = "def late():\n    import models.training.loop"
    lint = lint_with(tmp_path / "both_ways", lines)
    assert lint.returncode == 1
    assert "No import cycle between siblings, at any depth BROKEN" in lint.stdout


def lint_with(folder: Path, lines: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Lint a small tree, clean by itself, with some lines in it."""
    for name in (*FILES, *lines):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, line in lines.items():
        (folder / name).write_text(line)
    # PYTHONPATH would put the real packages before these
    return subprocess.run(["env", "-u", "PYTHONPATH", *LINT], cwd=folder, capture_output=True, text=True)


def test_generators_import_no_deep_learning() -> None:
    script = IMPORT_ALL.format(package="generators")
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    names, loaded = json.loads(output.splitlines()[-1])
    assert "generators.synth" in names
    assert not {"tensorflow", "keras", "jax", "torch"}.intersection(loaded)
