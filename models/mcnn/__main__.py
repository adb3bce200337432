"""The door `python -m models.mcnn`."""

import sys

from models.mcnn.recipe import main

sys.exit(main())
