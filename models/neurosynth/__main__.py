"""Train NeuroSynth: `python -m models.neurosynth`."""

import sys

from models.estimation.architectures import NEUROSYNTH
from models.train import main

sys.exit(main(default_model=NEUROSYNTH, prog="python -m models.neurosynth"))
