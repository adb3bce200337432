"""Train a spectrogram CNN of InverSynth: `python -m models.spectrogram_cnn`.

Model and output folder are by default those of the seed project, as its README has them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from models.train import main as train


def main(argv: Sequence[str] | None = None) -> int:
    """Train the model with the settings of flags, environment and `.env`; returns the exit code."""
    return train(argv, "python -m models.spectrogram_cnn", model="C1", output_dir=Path("output"))


if __name__ == "__main__":
    sys.exit(main())
