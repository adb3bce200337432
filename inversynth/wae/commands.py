"""`inversynth wae COMMAND`: what can be heard of a WAE-Fader, a door each."""

import sys

from inversynth.cli import Command
from inversynth.commands import Group

GROUP = Group(
    "wae",
    "Hear a WAE-Fader: notes made of a few numbers, a pitch and a style.",
    (
        Command("random", "inversynth.wae.sample:main", "notes drawn at random, in each style"),
        Command("reconstruct", "inversynth.wae.reconstruct:main", "notes of a test, or of yours, and what comes back"),
        Command("morph", "inversynth.wae.morph:main", "from one style to another, and beyond"),
        Command("transfer", "inversynth.wae.transfer:main", "a sound, note by note, in other styles"),
        Command("map", "inversynth.wae.latent_map:main", "where notes lie in the latent spaces of models, as pictures"),
    ),
)

main = GROUP.main

if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.commands"))
