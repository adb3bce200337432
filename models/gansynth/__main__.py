"""The door `python -m models.gansynth`."""

import sys

from models.gansynth.recipe import main

sys.exit(main())
