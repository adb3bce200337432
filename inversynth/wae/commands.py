"""What WAE-Fader adds to the command line: `inversynth wae COMMAND`."""

import sys

from inversynth.commands import Command, Group

GROUP = Group(
    "wae",
    "Generate and transform notes with WAE-Fader: a small latent, a pitch and a style give a note.",
    (
        Command("random", "inversynth.wae.sample:main", "random notes in each style"),
        Command(
            "reconstruct", "inversynth.wae.reconstruct:main", "notes of a test split, or yours, and reconstructions"
        ),
        Command("morph", "inversynth.wae.morph:main", "notes from one style to another, and beyond"),
        Command("transfer", "inversynth.wae.transfer:main", "a sound, note by note, in other styles"),
        Command("map", "inversynth.wae.latent_map:main", "maps of the notes in the latent spaces of models"),
    ),
)

COMMANDS = (
    Command(
        GROUP.name, "inversynth.wae.commands:main", "generate notes in styles, and transfer sounds to other styles"
    ),
)

main = GROUP.main

if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.commands"))
