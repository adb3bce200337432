"""What NSynth adds to the command line."""

from inversynth.commands import Command

COMMANDS = (
    Command("encode", "inversynth.nsynth.encode:main", "encode sounds to NSynth codes"),
    Command("decode", "inversynth.nsynth.decode:main", "decode codes, or re-synthesise sounds, with NSynth"),
    Command(
        "interpolate", "inversynth.nsynth.interpolate:main", "mix, cross-fade or stretch sounds by their NSynth codes"
    ),
    Command(
        "grid", "inversynth.nsynth.grid.command:main", "render a pad of notes between four sounds, with a page to play"
    ),
)
