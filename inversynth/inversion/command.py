"""`inversynth invert SOUND…`: estimate the settings behind sounds, and write a report for each.

Each sound gets a folder of its own, and all reports of the output folder are listed in its index.html. A sound at fault
does not stop the others. Ctrl-C writes the best patch so far and ends with 130.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
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
    from models.model_files import LoadedModel, ModelCard


INDEX = "index.html"
"""The page that lists all reports of the output folder."""


class InvertSettings(Settings):
    """Estimate the synthesizer settings behind sounds (WAV, FLAC, OGG, MP3, AIFF) and write a report for each."""

    flags_only: ClassVar = frozenset(
        {"sounds", "model", "output_dir", "start", "synth_info", "budget", "continuous", "every_onset"}
    )
    renamed: ClassVar = {"output_directory": "output_dir"}

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, of any rate, length and channel count")
    model: str = Field("inverter", description="a bundled model (inverter, C6XL), a run folder, or a .keras file")
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


def _run(settings: InvertSettings, faults: list[str]) -> None:
    from inversynth.inversion.inversion import describe_assumptions, model_synth, open_model

    if settings.every_onset and settings.start is not None:
        raise SettingsError("--every_onset finds the beginnings by itself. Received: --start too. Keep one of them")
    if not settings.sounds and not settings.synth_info:
        raise SettingsError("name one or more sounds. Received: none. See --help")
    card, load = open_model(settings.model)
    if settings.synth_info:
        for name, words in describe_assumptions(card, "fit").items():
            print(f"{name + ':':<17}{words}")
    if settings.sounds:
        model_synth(card)  # a model that does not fit its synth is refused before anything is read
        _invert_sounds(settings, card, load, faults)


def _invert_sounds(
    settings: InvertSettings, card: "ModelCard", load: "Callable[[], LoadedModel]", faults: list[str]
) -> None:
    """Invert sounds one after another, each into its folder, and list all reports of the output folder."""
    from inversynth.inversion.inversion import estimate, invert_estimate
    from inversynth.inversion.result import InversionInterrupted
    from inversynth.report.index import write_index

    index, written, model = settings.output_dir / INDEX, 0, None
    only = len(settings.sounds) == 1 and not settings.every_onset
    options: dict[str, Any] = {"budget": settings.budget, "continuous": settings.continuous, "progress": print_stage}
    try:
        for target, folder in _targets(settings, card, faults):
            print_remarks(target)
            model = model or load()
            try:
                probabilities = estimate(target, model)
                if only:
                    model = None  # frees its memory before the search, which needs as much
                _write(invert_estimate(target, card, probabilities, level="fit", **options), folder, index)
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


def _targets(settings: InvertSettings, card: "ModelCard", faults: list[str]) -> "Iterator[tuple[Target, Path]]":
    """Yield sounds made ready for a model, with the folder of each; print sounds at fault, and add them to `faults`."""
    from inversynth.inversion.inversion import learned_normalised
    from inversynth.inversion.notes import read_notes, read_sound

    normalised = learned_normalised(card)
    for path, name in zip(settings.sounds, name_folders(settings.sounds), strict=True):
        folder = settings.output_dir / name
        try:
            if settings.every_onset:
                for target in read_notes(path, card.sample_rate, card.length, normalised):
                    yield target, folder / target.name.rpartition("-")[2]
            else:
                yield read_sound(path, card.sample_rate, card.length, settings.start, normalised), folder
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
