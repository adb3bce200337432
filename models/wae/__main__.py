"""The door `python -m models.wae`."""

import sys

from models.wae.recipe import main

sys.exit(main())
