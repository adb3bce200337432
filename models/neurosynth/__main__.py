"""Train NeuroSynth: `python -m models.neurosynth`."""

import sys

from models.neurosynth.recipe import NEUROSYNTH
from models.train import main

sys.exit(main(model=NEUROSYNTH, prog="python -m models.neurosynth"))
