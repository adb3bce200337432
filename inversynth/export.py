"""`inversynth export PATCH --format json|csv|midi-cc`: a patch for other programs, and back from any of the three."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.doors import run_door
from generators.errors import SettingsError
from generators.settings import Settings


class ExportSettings(Settings):
    """Write a patch as JSON, CSV or a MIDI file of control changes; PATCH may be any of the three."""

    flags_only: ClassVar = frozenset({"patch", "format", "output"})

    patch: CliPositionalArg[Path] = Field(description="a patch: patch.json, or a CSV or MIDI file made from one")
    format: Literal["json", "csv", "midi-cc"] = Field("json", description="what to write")
    output: Path | None = Field(None, description="where to write; beside PATCH with another ending if left out")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth export") -> int:
    """Export a patch; returns the exit code."""
    return run_door(ExportSettings, _run, argv, prog, resumes=False)


def _run(settings: ExportSettings) -> None:
    from inversynth.patch_formats import SUFFIXES, read_any_patch, write_any_patch

    suffix = SUFFIXES[settings.format]
    output = settings.output or settings.patch.with_suffix(suffix)
    if settings.output is None and output == settings.patch:
        raise SettingsError(f"--output is required where PATCH has the format to write. Received: {settings.patch}")
    if output.suffix.lower() != suffix:
        raise SettingsError(f"--output must end in {suffix} for --format {settings.format}. Received: {output}")
    print(write_any_patch(output, read_any_patch(settings.patch), settings.format))


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.export"))
