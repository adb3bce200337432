"""`inversynth gansynth COMMAND`: what can be heard of a GANSynth, a door each."""

import sys

from inversynth.cli import Command
from inversynth.commands import Group

GROUP = Group(
    "gansynth",
    "Hear a GANSynth.",
    (
        Command("random", "inversynth.gansynth.sample:main", "timbres drawn at random"),
        Command("interpolate", "inversynth.gansynth.interpolate:main", "what lies between two timbres"),
        Command("hallucinate", "inversynth.gansynth.hallucinate:main", "a long sound that drifts through timbres"),
        Command("midi", "inversynth.gansynth.midi:main", "a MIDI file, its timbre gliding"),
        Command("pca", "inversynth.gansynth.pca:main", "the directions in which timbres differ, and sliders for them"),
    ),
)

main = GROUP.main

if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.commands"))
