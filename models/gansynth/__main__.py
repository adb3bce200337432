"""Train GANSynth: `python -m models.gansynth`."""

import sys

from models.gansynth.presets import GANSYNTH
from models.train import main

sys.exit(main(model=GANSYNTH, prog="python -m models.gansynth"))
