"""Run the benchmarks named, or all, each in a process of its own: `python -m benchmarks [render training …]`."""

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.page import PREPARED, SECTIONS


def main(argv: Sequence[str]) -> int:
    """Run the benchmarks named, or all that need nothing made first; returns the exit code of the first that fails."""
    unknown = sorted(set(argv) - set(SECTIONS))
    if unknown:
        print(f"benchmarks are {', '.join(SECTIONS)}. Received: {', '.join(unknown)}", file=sys.stderr)
        return 2
    for name in argv or [name for name in SECTIONS if name not in PREPARED]:
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
