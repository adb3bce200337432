"""Train a spectrogram CNN of InverSynth, C6 by default: `python -m models.spectrogram_cnn`."""

import sys
from collections.abc import Sequence

from models.train import main as train
from models.training.settings import DEFAULT_MODEL


def main(argv: Sequence[str] | None = None) -> int:
    """Train the model with the settings of flags, environment and `.env`; returns the exit code."""
    return train(argv, default_model=DEFAULT_MODEL, prog="python -m models.spectrogram_cnn")


if __name__ == "__main__":
    sys.exit(main())
