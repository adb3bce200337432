"""The table of synthesizers, and the door `inversynth generate SYNTH`."""

import sys
from collections.abc import Sequence

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.doors import run_door
from generators.errors import ParameterError, unknown
from generators.fm_generator import FmSynth
from generators.generate import GeneratorSettings, generate_from_settings
from generators.parameters import ParameterSpace
from generators.sine_generator import SineSynth
from generators.structure import Oscillator
from generators.synth import DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE, Synth

SYNTHS: dict[str, type[Synth]] = {synth.name: synth for synth in (FmSynth, SineSynth)}

DATASET_NAMES = {"fm": "InverSynth"}
"""Default dataset names that differ from the name of the synth."""


def find_synth(name: str) -> type[Synth]:
    """Return a synthesizer class by name. Raises ParameterError with the nearest name for an unknown one."""
    if name not in SYNTHS:
        raise ParameterError(unknown("synth", name, SYNTHS))
    return SYNTHS[name]


def declared_oscillators(space: ParameterSpace) -> tuple[Oscillator, ...]:
    """Return the oscillators that the synth of a space declares, where one network can hear them all.

    That is where the space has all their parameters, all on one grid of levels; none are returned otherwise.
    """
    synth = SYNTHS.get(space.synth)
    oscillators = synth.oscillators if synth else ()
    if not {name for one in oscillators for name in one.parameters} <= set(space.names):
        return ()
    levels = {
        tuple(space.parameters[space.index(name)].levels for name in (one.frequency, one.rate, one.depth))
        for one in oscillators
    }
    return oscillators if len(levels) == 1 else ()


def build_synth(name: str, sample_rate: int = DEFAULT_SAMPLE_RATE, length: float = DEFAULT_LENGTH) -> Synth:
    """Return a synthesizer by name at a sample rate (hertz) and length (seconds)."""
    return find_synth(name)(sample_rate, length)


class GenerateSettings(GeneratorSettings):
    """Generate a dataset of sounds with known parameters into one HDF5 file."""

    flags_only = GeneratorSettings.flags_only | {"synth"}

    synth: CliPositionalArg[str] = Field(description=f"which synthesizer: {', '.join(SYNTHS)}")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth generate") -> int:
    """Generate a dataset of the synth named first; returns the exit code."""

    def action(settings: GenerateSettings) -> None:
        name = settings.synth
        generate_from_settings(find_synth(name), settings, DATASET_NAMES.get(name, name))

    return run_door(GenerateSettings, action, argv, prog)


if __name__ == "__main__":
    sys.exit(main(prog="python -m generators.registry"))
