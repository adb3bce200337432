"""What GANSynth adds to the command line: `inversynth gansynth COMMAND`."""

import sys

from inversynth.commands import Command, Group

GROUP = Group(
    "gansynth",
    "Generate notes with GANSynth.",
    (
        Command("random", "inversynth.gansynth.sample:main", "notes with random timbres"),
        Command("interpolate", "inversynth.gansynth.interpolate:main", "notes between two timbres"),
        Command("hallucinate", "inversynth.gansynth.hallucinate:main", "a long sound that drifts through timbres"),
        Command("midi", "inversynth.gansynth.midi:main", "a MIDI file played with gliding timbre"),
        Command("pca", "inversynth.gansynth.pca:main", "principal directions of timbre, and sliders along them"),
    ),
)

COMMANDS = (
    Command(
        GROUP.name, "inversynth.gansynth.commands:main", "generate notes: random timbres, interpolations, MIDI files"
    ),
)

main = GROUP.main

if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.commands"))
