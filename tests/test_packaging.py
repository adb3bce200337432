"""pyproject.toml, poetry.lock and requirements.lock tell one story, and nothing about the machine that made them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from generators import __version__

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK_TEXT = (ROOT / "poetry.lock").read_text()
LOCK = tomllib.loads(LOCK_TEXT)
EXPORT = (ROOT / "requirements.lock").read_text()
CORE = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DEV = [Requirement(text) for text in PROJECT["dependency-groups"]["dev"]]


def pins() -> list[tuple[Requirement, set[str]]]:
    """Every pinned package of requirements.lock with its hashes."""
    entries = re.sub(r"\\\n", " ", EXPORT).splitlines()
    return [
        (Requirement(entry.split(" --hash=")[0]), set(re.findall(r"--hash=(\S+)", entry)))
        for entry in entries
        if entry.strip() and not entry.startswith("#")
    ]


def pinned_version(requirement: Requirement) -> str:
    """The version that a line of requirements.lock pins."""
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def holds(marker: Marker | None, python: str) -> bool:
    """Whether a marker holds on Linux with CPython of that version."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }
    return marker is None or marker.evaluate(environment)


def locked(name: str, version: str) -> dict:
    """The entry of poetry.lock for a package."""
    (entry,) = [
        package
        for package in LOCK["package"]
        if canonicalize_name(package["name"]) == canonicalize_name(name) and package["version"] == version
    ]
    return entry


def test_poetry_finds_the_lock_up_to_date() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "poetry", "check", "--lock", "--no-interaction"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("wanted", [*CORE, *DEV], ids=lambda requirement: requirement.name)
def test_direct_dependency_is_pinned_once_within_its_bounds(wanted: Requirement, python: str) -> None:
    name = canonicalize_name(wanted.name)
    found = [pin for pin, _ in pins() if canonicalize_name(pin.name) == name and holds(pin.marker, python)]
    assert len(found) == 1
    assert wanted.specifier.contains(pinned_version(found[0]))


def test_requirements_lock_pins_what_poetry_lock_does_for_the_main_and_dev_groups() -> None:
    exported = {(canonicalize_name(pin.name), pinned_version(pin)) for pin, _ in pins()}
    expected = {
        (canonicalize_name(package["name"]), package["version"])
        for package in LOCK["package"]
        if not package["optional"] and {"main", "dev"}.intersection(package["groups"])
    }
    assert len(expected) > 100
    assert exported == expected


def test_every_pin_carries_the_hashes_of_poetry_lock() -> None:
    for pin, hashes in pins():
        files = locked(pin.name, pinned_version(pin))["files"]
        assert hashes == {file["hash"] for file in files}, pin.name
        assert hashes, pin.name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), pin.name


def test_locks_name_no_index_no_address_and_no_path() -> None:
    assert "://" not in LOCK_TEXT
    assert not [package["name"] for package in LOCK["package"] if package["description"]]  # some name addresses
    assert not [package["name"] for package in LOCK["package"] if "source" in package or "url" in package]
    assert not [
        file for package in LOCK["package"] for file in package["files"] if "url" in file or "/" in file["file"]
    ]
    assert not re.search(r"://|^\s*-(?!-hash=)|\s@\s|--index-url|--find-links", EXPORT.replace("    --hash=", ""))


def test_gpu_builds_are_an_extra_and_never_installed_by_default() -> None:
    (gpu,) = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["gpu"]]
    assert gpu.name == "tensorflow"
    assert gpu.extras == {"and-cuda"}
    assert not [pin.name for pin, _ in pins() if pin.name.startswith("nvidia")]


def test_package_and_project_have_one_version() -> None:
    assert PROJECT["project"]["version"] == __version__


def test_tasks_of_the_readme_exist() -> None:
    tasks = {"start", "generate_sin", "generate", "train", "demo", "test", "check", "bench"}
    assert tasks <= set(PROJECT["tool"]["taskipy"]["tasks"])


def test_words_after_a_task_reach_its_command() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    task = subprocess.run(
        [sys.executable, "-m", "taskipy.cli", "start", "--no-such-flag"],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert task.returncode == 2
    assert "--no-such-flag" in task.stderr


def test_ci_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_make_without_a_suitable_python_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    make = subprocess.run(
        ["make", "test", "PYTHON=/no/python"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},  # of a `make test` around this
        capture_output=True,
        text=True,
    )
    assert make.returncode == 2
    assert "A Python from 3.11 to 3.13 with venv is needed. Tried: /no/python." in make.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()
