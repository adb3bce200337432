"""`inversynth refine PATCH SOUND`: search on from a patch for one that is nearer to a sound.

Writes the folder that `inversynth invert` writes. Ctrl-C writes the best patch so far and ends with 130.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.command import run_command
from generators.errors import one_line
from generators.settings import Settings
from inversynth.inversion.command import INDEX, print_remarks, print_stage
from inversynth.inversion.result import Inversion, InversionInterrupted, write_inversion


class RefineSettings(Settings):
    """Search on from a patch for settings that come nearer to a sound."""

    flags_only: ClassVar = frozenset({"patch", "sound", "budget", "output_dir", "start", "continuous"})
    renamed: ClassVar = {"output_directory": "output_dir"}

    patch: CliPositionalArg[Path] = Field(description="the patch.json to begin with")
    sound: CliPositionalArg[Path] = Field(description="the sound to come near to")
    budget: Literal["none", "fast", "full"] = Field("fast", description="how long to search; none only measures")
    continuous: CliToggleFlag[bool] = Field(
        False, description="finally move the parameters between their levels, by gradient descent"
    )
    output_dir: Path = Field(Path("output"), description="where a folder of the sound's name is made")
    start: float | None = Field(None, ge=0, description="second at which to begin; by default the sound's onset")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth refine") -> int:
    """Refine a patch; returns the exit code."""
    return run_command(RefineSettings, _run, argv, prog, resumes=False)


def _run(settings: RefineSettings) -> None:
    from inversynth.inversion.notes import read_sound
    from inversynth.inversion.refine import refine_patch
    from inversynth.patches.formats import read_any_patch

    patch = read_any_patch(settings.patch)
    target = read_sound(settings.sound, patch.sample_rate, patch.length, settings.start)
    print_remarks(target)
    try:
        found = refine_patch(target, patch, settings.budget, continuous=settings.continuous, progress=print_stage)
    except InversionInterrupted as stop:
        _write(stop.inversion, settings)
        raise
    _write(found, settings)


def _write(found: Inversion, settings: RefineSettings) -> None:
    from inversynth.report.index import write_index
    from inversynth.report.report import describe_match

    index = settings.output_dir / INDEX
    report = write_inversion(found, settings.output_dir / (settings.sound.stem or "sound"), index)
    record = found.patch.refinement
    distances = f"distance {record['start_distance']:.2f} -> {record['distance']:.2f}"
    print(one_line(f"{found.target.name}: {distances}, {describe_match(found.patch)} -> {report}"))
    print(one_line(f"all reports: {write_index(index)}"))


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inversion.refine_command"))
