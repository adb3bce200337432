"""Train MCNN: `python -m models.mcnn`."""

import sys

from models.estimation.architectures import MCNN
from models.train import main

sys.exit(main(default_model=MCNN, prog="python -m models.mcnn"))
