"""Write the weights of a trained network in half precision: `python -m models.dx7.bundle`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from generators.command import run_command
from generators.errors import ModelError
from generators.files import writing, written_whole
from generators.settings import Settings
from models.dx7.inference import BUNDLED, VERSION

if TYPE_CHECKING:
    import keras


class BundleSettings(Settings):
    """Write the network for DX7 voices that comes with the package."""

    flags_only: ClassVar = frozenset({"model", "output"})

    model: Path = Field(Path("runs/dx7_stream"), description="model file or run folder of a trained model dx7")
    output: Path = Field(BUNDLED, description="file to write")


def write_network(model: "keras.Model", path: Path) -> Path:
    """Write the weights of a network in half precision. Raises ModelError where they cannot be written."""
    arrays = {variable.path: np.asarray(variable, np.float16) for variable in model.weights}
    with writing(path, ModelError), written_whole(path) as partial:
        np.savez_compressed(partial, version=np.array(VERSION), **arrays)  # type: ignore[arg-type]
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Write the file; returns the exit code."""
    return run_command(BundleSettings, _run, argv, "python -m models.dx7.bundle", resumes=False)


def _run(settings: BundleSettings) -> None:
    from models.backend import start_keras

    start_keras()
    from models.inference import load_model_named

    loaded = load_model_named("dx7", settings.model, "DX7 voices are named")
    path = write_network(loaded.model, settings.output)
    print(f"{path.name}: {loaded.model.count_params():,} weights, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
