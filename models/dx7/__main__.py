"""Train the network for DX7 voices: `python -m models.dx7`."""

import sys

from models.dx7.recipe import DX7
from models.train import main

sys.exit(main(model=DX7, prog="python -m models.dx7"))
