"""`inversynth export PATCH_OR_MODEL --format …`: convert a patch, or export the network of a model."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import SettingsError, one_line
from generators.files import real_path
from generators.settings import Settings
from inversynth.inputs import check_inputs_kept

log = logging.getLogger(__name__)

NETWORK_FORMATS = ("onnx", "saved_model", "litert")


class ExportSettings(Settings):
    """Convert a patch to JSON, CSV, a MIDI file of control changes or a DX7 voice, or export the network of a model to
    ONNX, SavedModel or LiteRT. Each format of a patch can be read, too.
    """

    flags_only: ClassVar = frozenset({"patch_or_model", "format", "output", "output_dir", "mcnn"})

    patch_or_model: CliPositionalArg[str] = Field(
        description="a patch: patch.json, a CSV or MIDI file exported from one, or a DX7 voice (bank.syx#5); or a "
        "model: a bundled one, a run folder or a .keras file"
    )
    format: Literal["json", "csv", "midi-cc", "syx", "onnx", "saved_model", "litert"] = Field(
        "json", description="what to write: the first four for a patch (syx: a DX7 voice), the others for a model"
    )
    output: Path | None = Field(
        None, description="file to write, for saved_model a folder; by default the name of the patch or model"
    )
    output_dir: Path = Field(Path(), description="folder that output is relative to")
    mcnn: str | None = Field(
        None,
        description="with a WAE: the MCNN that renders its spectrograms: a bundled one, a run folder, a .keras file",
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth export") -> int:
    """Export a patch or a network; returns the exit code."""
    return run_command(ExportSettings, _run, argv, prog, resumes=False)


def _run(settings: ExportSettings) -> None:
    (_export_network if settings.format in NETWORK_FORMATS else _export_patch)(settings)


def _export_patch(settings: ExportSettings) -> None:
    from inversynth.patches.formats import SUFFIXES, read_any_patch, write_any_patch
    from inversynth.pretrained import bundled
    from models.model_files import BEST, SUFFIX

    patch, suffix = Path(settings.patch_or_model), SUFFIXES[settings.format]
    bare = not patch.exists() and settings.patch_or_model in bundled()
    if bare or patch.suffix == SUFFIX or (patch / BEST).is_file():
        raise SettingsError(
            f"a model is written with --format {', '.join(NETWORK_FORMATS)}. Received: {patch} and --format "
            f"{settings.format}"
        )
    if settings.mcnn:
        raise SettingsError(f"--mcnn goes with a model of inversynth wae. Received: {patch}, a patch. Leave it out")
    output = settings.output_dir / (settings.output or _default_name(patch, suffix))
    if settings.output is None:
        check_inputs_kept([output], [patch])
    if output.suffix.lower() != suffix:
        raise SettingsError(f"--output must end in {suffix} for --format {settings.format}. Received: {output}")
    print(one_line(f"{patch} -> {write_any_patch(output, read_any_patch(patch), settings.format)}"))


def _default_name(patch: Path, suffix: str) -> str:
    """Return a file name: that of the patch, or of the sound whose folder holds a `patch.json`."""
    folder = real_path(patch).parent.name
    stem = folder if patch.name == "patch.json" and folder else patch.stem
    return f"{stem}{suffix}" if f"{stem}{suffix}" != patch.name else f"{stem}_exported{suffix}"


def _export_network(settings: ExportSettings) -> None:
    from inversynth.patches.formats import SUFFIXES
    from inversynth.pretrained import find_model

    given = Path(settings.patch_or_model)
    if given.is_file() and given.suffix.lower() in {*SUFFIXES.values(), ".midi"}:
        raise SettingsError(
            f"a patch is written with --format {', '.join(SUFFIXES)}. Received: {given} and --format {settings.format}"
        )
    path = find_model(settings.patch_or_model)
    mcnn = find_model(settings.mcnn) if settings.mcnn else None

    from models.backend import start_keras

    start_keras()
    from inversynth.export.formats import FORMATS
    from inversynth.export.models import exportable
    from inversynth.export.writer import check_output, export
    from models.model_files import read_card

    form = FORMATS[settings.format]
    form.check_installed(settings.format)
    if settings.output:
        check_output(settings.output_dir / settings.output, settings.format)
    what = exportable(path, mcnn)
    log.info("exporting %s to %s, and comparing the file with Keras", what.name, form.title)
    output = settings.output_dir / (settings.output or f"{what.name}{form.suffix}")
    done = export(what, read_card(path), settings.format, output)
    batch = "any number of examples at once" if form.batch is None else f"{form.batch} example at once"
    print(one_line(f"{done.path}: {done.bytes / 1e6:.1f} MB, {batch}"))
    print(one_line(f"{done.description}: inputs and outputs"))
    print(f"largest difference from Keras: {done.difference:.1e} (at most {done.tolerance:.1e})")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.export.command"))
