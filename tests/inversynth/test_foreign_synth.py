"""A synth that no line of this project names: generated, learned, inverted, refined, played and exported."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from generators import registry
from generators.audio import write_audio
from generators.registry import build_synth
from inversynth.cli import main
from inversynth.patches.formats import read_any_patch
from inversynth.patches.patch import read_patch

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
MODULE = next(
    block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "class Bell" in block
)
"""The example of docs/extending.md, as it is written there."""

TRAIN = ["--model", "C1", "--epochs", "1", "--steps_per_epoch", "2"]
SIZE = ["--sample_rate", "8000", "--length", "0.25"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in a process that has seen no synth yet."""
    return subprocess.run(
        [sys.executable, "-m", "inversynth", *words], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with the synth's module, which nothing else can import."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    forget_synths()


def forget_synths() -> None:
    """Let the next search for a synth begin as in a new process."""
    sys.modules.pop("my_bell", None)
    registry._referenced.cache_clear()
    registry._from_entry_point.cache_clear()


def test_a_synth_by_reference_goes_all_the_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my_bell.py").write_text(MODULE)
    name = "my_bell:Bell"
    assert main(["generate", "--synth", name, "--num_examples", "40", "--no-wavefiles", *SIZE]) == 0
    assert main(["train", *TRAIN, "--dataset_name", "Bell", "--output_dir", "runs"]) == 0
    assert main(["inspect", name]) == 0
    assert "a decaying sine, 2 parameters" in capsys.readouterr().out

    write_audio(folder / "ding.wav", build_synth(name, 8000, 0.25).render([500.0, 8.0]), 8000)
    forget_synths()
    assert main(["invert", "ding.wav", "--model", "runs/C1_Bell"]) == 0
    patch = read_patch(folder / "output" / "ding" / "patch.json")
    assert patch.space.synth == name
    np.testing.assert_allclose(patch.values, [500.0, 8.0])

    done = run("refine", "output/ding/patch.json", "ding.wav")
    assert done.returncode == 0, done.stderr
    assert main(["play", "output/ding/patch.json", "--notes", "C4:D4", "--output", "notes.wav"]) == 0
    for format_name, file in (("csv", "ding.csv"), ("midi-cc", "ding.mid")):
        assert main(["export", "output/ding/patch.json", "--format", format_name, "--output", file]) == 0
        np.testing.assert_allclose(read_any_patch(folder / file).values, [500.0, 8.0])


def test_a_synth_of_an_installed_package_has_a_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = folder / "site"
    (package / "bell-1.0.dist-info").mkdir(parents=True)
    (package / "bell-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: bell\nVersion: 1.0\n")
    (package / "bell-1.0.dist-info" / "entry_points.txt").write_text("[inversynth.synths]\nbell = my_bell:Bell\n")
    (package / "my_bell.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(package))
    assert main(["list"]) == 0
    assert re.search(r"^bell +2 +a decaying sine, 2 parameters$", capsys.readouterr().out, re.MULTILINE)
    assert main(["train", *TRAIN, "--stream", "--synth", "bell", *SIZE, "--output_dir", "runs"]) == 0
    assert json.loads((folder / "runs" / "C1_bell_stream" / "settings.json").read_text())["data"]["synth"] == "bell"

    write_audio(folder / "ding.wav", build_synth("bell", 8000, 0.25).render([700.0, 2.0]), 8000)
    words = ["invert", "ding.wav", "--model", "runs/C1_bell_stream"]
    forget_synths()
    assert main(words) == 0
    np.testing.assert_allclose(read_patch(folder / "output" / "ding" / "patch.json").values, [700.0, 2.0])

    sys.path.remove(str(package))
    forget_synths()
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("ParameterError: unknown synth 'bell'.")


def test_a_synth_that_is_not_there_is_refused_before_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TRAIN, "--stream", "--synth", "absent_bell:Bell"]) == 2
    assert "cannot import synth 'absent_bell:Bell': no module 'absent_bell'" in capsys.readouterr().err
