"""What checkpoints of other software add to the command line: `inversynth import SYSTEM`, a row for each system."""

import sys

from inversynth.commands import Command, Group

GROUP = Group(
    "import",
    "Make model files of published checkpoints.",
    (
        Command("gansynth", "inversynth.checkpoints.import_model:gansynth_main", "a GANSynth: all_instruments, …"),
        Command("nsynth", "inversynth.checkpoints.import_model:nsynth_main", "an NSynth: wavenet-ckpt, …"),
    ),
)

COMMANDS = (
    Command(
        GROUP.name, "inversynth.checkpoints.commands:main", "make model files of the checkpoints that Magenta published"
    ),
)

main = GROUP.main

if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.checkpoints.commands"))
