"""The table of synthesizers, and the door `inversynth generate SYNTH`."""

import sys
from collections.abc import Callable, Sequence

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators import envelope_generator, note_generator
from generators.command import run_command
from generators.envelope_generator import EnvelopeSynth
from generators.errors import ParameterError, SettingsError, look_up
from generators.fm_generator import FmSynth
from generators.generate import GeneratorSettings, generate_from_settings
from generators.oscillator_spec import Oscillator
from generators.parameters import ParameterSpace
from generators.sine_generator import SineSynth
from generators.synth import DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE, Synth

SYNTHS: dict[str, type[Synth]] = {synth.name: synth for synth in (FmSynth, SineSynth, EnvelopeSynth)}

DATASET_NAMES = {"fm": "InverSynth"}
"""Default dataset names that differ from the name of the synth."""

DOORS: dict[str, Callable[[Sequence[str], str], int]] = {
    EnvelopeSynth.name: envelope_generator.main,
    note_generator.NAME: note_generator.main,
}
"""What has settings of its own, and the doors that read them: a synth, and notes, which are no synth."""


def find_synth(name: str) -> type[Synth]:
    """Return a synthesizer class by name. Raises ParameterError with the nearest name for an unknown one."""
    return look_up("synth", name, SYNTHS, ParameterError)


def declared_oscillators(space: ParameterSpace) -> tuple[Oscillator, ...]:
    """Return the oscillators that the synth of a space declares, where one network can hear them all.

    That is where the space has all their parameters, all on one grid of levels; none are returned otherwise.
    """
    synth = SYNTHS.get(space.synth)
    oscillators = synth.oscillators if synth else ()
    if not {name for one in oscillators for name in one.parameters} <= set(space.names):
        return ()
    levels = {tuple(space.levels(name) for name in (one.frequency, one.rate, one.depth)) for one in oscillators}
    return oscillators if len(levels) == 1 else ()


def build_synth(name: str, sample_rate: int = DEFAULT_SAMPLE_RATE, length: float = DEFAULT_LENGTH) -> Synth:
    """Return a synthesizer by name at a sample rate (hertz) and length (seconds)."""
    return find_synth(name)(sample_rate, length)


class GenerateSettings(GeneratorSettings):
    """Generate a dataset of sounds with known parameters into one HDF5 file."""

    flags_only = GeneratorSettings.flags_only | {"synth"}

    synth: CliPositionalArg[str] = Field(
        description=f"which synthesizer: {', '.join(SYNTHS)}; or {note_generator.NAME}"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth generate") -> int:
    """Generate a dataset of the synth named first, through its own door if it has one; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in DOORS:
        return DOORS[words[0]](words[1:], f"{prog} {words[0]}")

    def action(settings: GenerateSettings) -> None:
        name = settings.synth
        if name in DOORS:
            raise SettingsError(f"'{name}' comes before its flags. Received: it after them. Write: {prog} {name} …")
        synth = find_synth(name)(settings.sample_rate, settings.length)
        generate_from_settings(synth, settings, DATASET_NAMES.get(name, name))

    return run_command(GenerateSettings, action, words, prog)


if __name__ == "__main__":
    sys.exit(main(prog="python -m generators.registry"))
