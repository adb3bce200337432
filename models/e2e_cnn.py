"""Train CE2E, the InverSynth network on raw audio: `python -m models.e2e_cnn`."""

import sys
from collections.abc import Sequence

from models.estimation.architectures import E2E
from models.train import main as train


def main(argv: Sequence[str] | None = None) -> int:
    """Train the model with the settings of flags, environment and `.env`; returns the exit code."""
    return train(argv, default_model=E2E, prog="python -m models.e2e_cnn")


if __name__ == "__main__":
    sys.exit(main())
