"""Train WAE-Fader: `python -m models.wae`."""

import sys

from models.train import main
from models.wae.presets import WAE

sys.exit(main(model=WAE, prog="python -m models.wae"))
