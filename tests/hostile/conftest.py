"""What the hostile tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def materials_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what valid calls need: one for all processes of this session."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "materials"
