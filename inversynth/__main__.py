"""`python -m inversynth`, and the `inversynth` command."""

import sys

from inversynth.packages import check_packages


def main() -> int:
    """Run a command; returns the exit code. Another package in place of one of ours is refused in one line."""
    try:
        check_packages()
    except ImportError as error:
        print(f"ImportError: {error}", file=sys.stderr)
        return 2
    from inversynth.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
