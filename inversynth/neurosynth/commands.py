"""What NeuroSynth adds to the command line."""

from inversynth.commands import Command

COMMANDS = (
    Command("shape", "inversynth.neurosynth.shape:main", "apply an amplitude envelope to sounds, by NeuroSynth"),
)
