"""Train NeuroSynth: `python -m models.neurosynth`."""

import sys

from models.neurosynth.recipe import NEUROSYNTH
from models.train import main

sys.exit(main(default_model=NEUROSYNTH, prog="python -m models.neurosynth"))
