"""Train WAE-Fader: `python -m models.wae`."""

import sys

from models.estimation.architectures import WAE
from models.train import main

sys.exit(main(default_model=WAE, prog="python -m models.wae"))
