"""`python -m inversynth` is the `inversynth` command."""

import sys

from inversynth.cli import main

if __name__ == "__main__":
    sys.exit(main())
