"""The public API: every example of docs/api.md runs as written, names load lazily, faults are told in one line."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inversynth
from generators import registry
from generators.errors import AudioError, ModelError

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def python(code: str, folder: Path, **options: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, **options)


def test_every_example_of_the_page_runs_in_an_empty_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BLOCKS) >= 7
    monkeypatch.setattr(registry, "SYNTHS", dict(registry.SYNTHS))  # an example registers a synth
    exec(compile("\n".join(BLOCKS), PAGE, "exec"), {"__name__": "__main__"})
    assert "(4, 16384) (4, 23)" in capsys.readouterr().out


def test_page_and_package_offer_the_same_names() -> None:
    table = PAGE.read_text(encoding="utf-8").split("\n\n")[2]
    offered = set(re.findall(r"`(\w+)`", re.sub(r"\|[^|]*\|$", "", table, flags=re.MULTILINE)))
    assert offered == set(inversynth.__all__) - {"__version__"}
    assert set(dir(inversynth)) == set(inversynth.__all__)
    assert all(getattr(inversynth, name) is not None for name in inversynth.__all__)


def test_import_is_quick_and_silent_and_starts_no_deep_learning(tmp_path: Path) -> None:
    code = "import sys, inversynth; print(sorted({'tensorflow', 'keras', 'numpy', 'h5py'} & set(sys.modules)))"
    ran = python(code, tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")
    code = "import sys, inversynth; inversynth.invert, inversynth.metrics; print('tensorflow' in sys.modules)"
    assert python(code, tmp_path).stdout == "False\n"


def test_unknown_name_is_an_attribute_error_that_lists_the_names() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'inverse'\. It offers: .*invert"):
        inversynth.inverse  # noqa: B018


@pytest.mark.parametrize("form", ["command", "import"])
def test_a_package_that_shadows_ours_is_named_by_its_folder(form: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    module = [sys.executable, "-m", "inversynth", "list"]
    command = module if form == "command" else [sys.executable, "-c", "import inversynth; inversynth.metrics"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    last = ran.stderr.splitlines()[-1]
    assert f"needs its own package 'models' in {ROOT}. Received: another one in {tmp_path / 'models'}" in last
    assert ran.returncode == (2 if form == "command" else 1)
    assert (len(ran.stderr.splitlines()) == 1) == (form == "command")


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: inversynth.invert(np.ones(100, np.float32)), AudioError, "needs its sample_rate in hertz"),
        (lambda: inversynth.invert(np.ones((2, 100)), 16384), AudioError, r"one channel .* shape \(2, 100\)"),
        (lambda: inversynth.invert(np.full(100, np.nan), 16384), AudioError, "finite samples"),
        (lambda: inversynth.invert(np.zeros(100), 16384), AudioError, "must be audible"),
        (lambda: inversynth.invert(np.ones(100), 16384, model="no-such"), ModelError, "no such model: no-such"),
        (lambda: inversynth.encode(np.ones(100), 16384, model="inverter"), ModelError, "must be one that can"),
    ],
)
def test_faults_say_what_must_hold(act, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        act()
