"""What every test may rely on: TensorFlow as backend, no screen, nothing of the developer's machine, a known state.

Tests run in a folder of their own and see no `.env`, no settings variable and no `~/.keras` of whoever runs them.
Numbers that a test draws come from a Generator that it makes; what Keras draws by itself is seeded before each test.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KERAS_HOME = tempfile.mkdtemp(prefix="keras-")

# Before any import of Keras, TensorFlow or matplotlib, which read these once.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_HOME"] = KERAS_HOME  # keras.json of the home folder may say channels_first or float16
os.environ["MPLBACKEND"] = "Agg"
if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core: threads of libraries would only wait for one another
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(threads, "1")


def pytest_unconfigure() -> None:
    """Leave no folder behind."""
    shutil.rmtree(KERAS_HOME, ignore_errors=True)


def settings_variables() -> set[str]:
    """Names of the variables that steer the doors: those in `.env.example`, and all with the prefix."""
    example = ROOT / ".env.example"
    text = example.read_text(encoding="utf-8") if example.is_file() else ""
    named = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
    return named | {name for name in os.environ if name.startswith("INVERSYNTH_")}


LONG_FIRST = ("test_readme.py", "kill/", "hostile/", "memory/", "models/", "pages/", "inversynth/")
"""Files and folders of tests in which single files last longest. With them at the end, cores would wait for one."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that last longest where several processes share the tests, in the order of the files."""
    if not hasattr(config, "workerinput"):
        return
    tests = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(tests).as_posix() if item.path.is_relative_to(tests) else ""
        return next((i for i, start in enumerate(LONG_FIRST) if name.startswith(start)), len(LONG_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def outside_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Shut out the developer's settings; child processes import this checkout from wherever they run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in settings_variables():
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.chdir(tmp_path_factory.mktemp("session"))
        yield


@pytest.fixture(autouse=True)
def known_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in `tmp_path`, and make what Keras draws independent of the tests before."""
    monkeypatch.chdir(tmp_path)
    if "keras" in sys.modules:  # importing it here would cost seconds in every run of a test that needs none
        sys.modules["keras"].utils.set_random_seed(0)
