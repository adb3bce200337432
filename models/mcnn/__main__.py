"""Train MCNN: `python -m models.mcnn`."""

import sys

from models.mcnn.presets import MCNN
from models.train import main

sys.exit(main(model=MCNN, prog="python -m models.mcnn"))
