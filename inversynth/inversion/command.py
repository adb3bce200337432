"""`inversynth invert SOUND…`: estimate the settings behind sounds, and write a report for each.

Each sound gets a folder of its own, and all reports of the output folder are listed in its index.html. A sound at fault
does not stop the others. Ctrl-C writes the best patch so far and ends with 130.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.command import EXIT_FAULT, run_command
from generators.errors import AudioError, InversynthError, SettingsError, error_line, one_line
from generators.settings import Settings
from inversynth.inputs import unique_names

if TYPE_CHECKING:
    from inversynth.inversion.result import Inversion
    from inversynth.inversion.target import Target
    from inversynth.search.search import StageReport
    from models.model_files import LoadedModel


INDEX = "index.html"
"""The page that lists all reports of the output folder."""


class InvertSettings(Settings):
    """Estimate the synthesizer settings behind sounds (WAV, FLAC, OGG, MP3, AIFF) and write a report for each."""

    flags_only: ClassVar = frozenset(
        {"sounds", "model", "synth", "output_dir", "start", "synth_info", "budget", "continuous", "every_onset"}
    )
    renamed: ClassVar = {"output_directory": "output_dir"}

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, of any rate, length and channel count")
    model: str = Field("inverter", description="a bundled model (inverter, C6XL), a run folder, or a .keras file")
    synth: Literal["fm", "dx7"] = Field(
        "fm", description="fm: the synth of the model; dx7: a voice for the Yamaha DX7 and Dexed, as NAME.syx"
    )
    budget: Literal["none", "fast", "full"] = Field(
        "fast", description="how long to search on from the model's estimate"
    )
    continuous: CliToggleFlag[bool] = Field(
        False, description="finally move the parameters between their levels, by gradient descent"
    )
    output_dir: Path = Field(Path("output"), description="where a folder for each sound is made, and index.html")
    start: float | None = Field(None, ge=0, description="second at which to begin; by default the sound's onset")
    every_onset: CliToggleFlag[bool] = Field(
        False, description="invert every note of a sound, each into its own folder"
    )
    synth_info: CliToggleFlag[bool] = Field(False, description="print what is assumed of the sounds; needs none")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth invert") -> int:
    """Invert the sounds named; returns the exit code, which is 2 where one of them is at fault."""
    faults: list[str] = []
    code = run_command(InvertSettings, lambda settings: _run(settings, faults), argv, prog, resumes=False)
    return code or (EXIT_FAULT if faults else 0)


@dataclass(frozen=True)
class _Inverter:
    """What inverts sounds: how it needs them, what it takes for granted, and `invert(target, options)`."""

    sample_rate: int
    length: float
    normalised: bool
    assumptions: dict[str, str]
    invert: "Callable[[Target, dict[str, Any]], Inversion]"


def _run(settings: InvertSettings, faults: list[str]) -> None:
    if settings.every_onset and settings.start is not None:
        raise SettingsError("--every_onset finds the beginnings by itself. Received: --start too. Keep one of them")
    if not settings.sounds and not settings.synth_info:
        raise SettingsError("name one or more sounds. Received: none. See --help")
    inverter = _voice_inverter(settings) if settings.synth == "dx7" else _model_inverter(settings)
    if settings.synth_info:
        for name, words in inverter.assumptions.items():
            print(f"{name + ':':<17}{words}")
    if settings.sounds:
        _invert_sounds(settings, inverter, faults)


def _model_inverter(settings: InvertSettings) -> _Inverter:
    """Return what inverts sounds by a model and its synth; one that does not fit its synth is refused at once."""
    from inversynth.inversion.inversion import (
        describe_assumptions,
        estimate,
        invert_estimate,
        learned_normalised,
        model_synth,
        open_model,
    )

    card, load = open_model(settings.model)
    if settings.sounds:
        model_synth(card)
    only = len(settings.sounds) == 1 and not settings.every_onset
    model: LoadedModel | None = None

    def invert(target: "Target", options: dict[str, Any]) -> "Inversion":
        nonlocal model
        model = model or load()
        probabilities = estimate(target, model)
        if only:
            model = None  # frees its memory before the search, which needs as much
        return invert_estimate(target, card, probabilities, level="fit", continuous=settings.continuous, **options)

    normalised = learned_normalised(card)
    return _Inverter(card.sample_rate, card.length, normalised, describe_assumptions(card, "fit"), invert)


def _voice_inverter(settings: InvertSettings) -> _Inverter:
    """Return what finds DX7 voices."""
    from generators.dx7.synth import SAMPLE_RATE, Dx7Synth
    from inversynth.inversion import voices

    if settings.continuous:
        raise SettingsError("--continuous moves parameters between levels, of which a DX7 voice has none. Leave it out")
    if settings.model != InvertSettings.model_fields["model"].default:
        raise SettingsError(f"--synth dx7 searches without a model. Received: --model {settings.model}. Leave it out")
    assumptions = voices.describe_assumptions(Dx7Synth(SAMPLE_RATE, voices.LENGTH))
    return _Inverter(
        SAMPLE_RATE,
        voices.LENGTH,
        False,
        assumptions,
        lambda target, options: voices.invert_voice(target, **options),
    )


def _invert_sounds(settings: InvertSettings, inverter: _Inverter, faults: list[str]) -> None:
    """Invert sounds one after another, each into its folder, and list all reports of the output folder."""
    from inversynth.inversion.result import InversionInterrupted
    from inversynth.report.index import write_index

    index, written = settings.output_dir / INDEX, 0
    options: dict[str, Any] = {"budget": settings.budget, "progress": print_stage}
    try:
        for target, folder in _targets(settings, inverter, faults):
            print_remarks(target)
            try:
                _write(inverter.invert(target, options), folder, index)
                written += 1
            except AudioError as fault:
                faults.append(_print_fault(fault))
            except InversionInterrupted as stop:
                _write(stop.inversion, folder, index)
                written += 1
                raise
    finally:
        if written:
            print(one_line(f"all reports: {write_index(index, faults)}"))


def _targets(settings: InvertSettings, inverter: _Inverter, faults: list[str]) -> "Iterator[tuple[Target, Path]]":
    """Yield sounds made ready, with the folder of each; print sounds at fault, and add them to `faults`."""
    from inversynth.inversion.notes import read_notes, read_sound

    rate, length, normalised = inverter.sample_rate, inverter.length, inverter.normalised
    for path, name in zip(settings.sounds, name_folders(settings.sounds), strict=True):
        folder = settings.output_dir / name
        try:
            if settings.every_onset:
                for target in read_notes(path, rate, length, normalised):
                    yield target, folder / target.name.rpartition("-")[2]
            else:
                yield read_sound(path, rate, length, settings.start, normalised), folder
        except AudioError as fault:
            faults.append(_print_fault(fault))


def name_folders(sounds: Sequence[Path]) -> list[str]:
    """Name a folder after each sound, with a number where two have the same name; none takes that of the index."""
    return unique_names([INDEX, *(sound.stem or "sound" for sound in sounds)])[1:]


def _print_fault(fault: InversynthError) -> str:
    message = error_line(f"{type(fault).__name__}: {fault}")
    print(message, file=sys.stderr)
    return message


def _write(inversion: "Inversion", folder: Path, index: Path) -> None:
    from inversynth.inversion.result import write_inversion
    from inversynth.report.report import describe_match

    report = write_inversion(inversion, folder, index)
    print(one_line(f"{inversion.target.name}: {describe_match(inversion.patch)} -> {report}"))
    if inversion.patch.verdict.get("hint"):
        print(f"  {inversion.patch.verdict['hint']}")


def print_remarks(target: "Target") -> None:
    """Print in one line what a sound plays, and what to beware of."""
    print(one_line(" ".join([f"{target.name}:", *target.remarks])), flush=True)


def print_stage(report: "StageReport") -> None:
    """Print what a stage of the search did, beside what it declares."""
    from inversynth.search.search import STAGES

    declared = STAGES[report.name]
    print(
        f"  {report.name:<9} {report.renders:>6,} renders (about {declared.renders:,}), {report.seconds:5.2f} s (about "
        f"{declared.seconds:g}), {report.distance:5.2f} dB away: {declared.summary}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inversion.command"))
