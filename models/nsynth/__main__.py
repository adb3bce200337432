"""Train NSynth: `python -m models.nsynth`."""

import sys

from models.nsynth.presets import NSYNTH
from models.train import main

sys.exit(main(model=NSYNTH, prog="python -m models.nsynth"))
