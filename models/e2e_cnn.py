"""Train CE2E, the InverSynth network on raw audio: `python -m models.e2e_cnn`.

Model and output folder are by default those of the seed project.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from models.estimation.architectures import E2E
from models.train import main as train


def main(argv: Sequence[str] | None = None) -> int:
    """Train the model with the settings of flags, environment and `.env`; returns the exit code."""
    return train(argv, "python -m models.e2e_cnn", model=E2E, output_dir=Path("output"))


if __name__ == "__main__":
    sys.exit(main())
