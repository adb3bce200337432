"""`inversynth export PATCH_OR_MODEL --format …`: a patch for other programs, and back; a network for a plugin."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import SettingsError
from generators.settings import Settings

log = logging.getLogger(__name__)

NETWORK_FORMATS = ("onnx", "saved_model", "litert")


class ExportSettings(Settings):
    """Write a patch as JSON, CSV or a MIDI file of control changes, or the network of a model as ONNX, SavedModel or
    LiteRT. A patch may be any of its three.
    """

    flags_only: ClassVar = frozenset({"patch_or_model", "format", "output", "mcnn"})

    patch_or_model: CliPositionalArg[str] = Field(
        description="a patch: patch.json, or a CSV or MIDI file made from one; or a model: a bundled one, a run folder "
        "or a .keras file"
    )
    format: Literal["json", "csv", "midi-cc", "onnx", "saved_model", "litert"] = Field(
        "json", description="what to write: the first three for a patch, the others for a model"
    )
    output: Path | None = Field(
        None, description="where to write; beside a patch, or in this folder, with the ending of the format if left out"
    )
    mcnn: str | None = Field(
        None,
        description="the MCNN that makes sound of the pictures of a WAE: a bundled one, a run folder, a .keras file",
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
    output = settings.output or patch.with_suffix(suffix)
    if settings.output is None and output == patch:
        raise SettingsError(f"--output is required where PATCH has the format to write. Received: {patch}")
    if output.suffix.lower() != suffix:
        raise SettingsError(f"--output must end in {suffix} for --format {settings.format}. Received: {output}")
    print(write_any_patch(output, read_any_patch(patch), settings.format))


def _export_network(settings: ExportSettings) -> None:
    from inversynth.patches.formats import SUFFIXES
    from inversynth.pretrained import find_model

    named = Path(settings.patch_or_model)
    if named.is_file() and named.suffix.lower() in {*SUFFIXES.values(), ".midi"}:
        raise SettingsError(
            f"a patch is written with --format {', '.join(SUFFIXES)}. Received: {named} and --format {settings.format}"
        )
    path = find_model(settings.patch_or_model)
    mcnn = find_model(settings.mcnn) if settings.mcnn else None

    from models.training.backend import start_keras

    start_keras()
    from inversynth.export.formats import FORMATS
    from inversynth.export.models import exportable
    from inversynth.export.writer import check_output, export
    from models.model_files import read_card

    form = FORMATS[settings.format]
    form.check_installed(settings.format)
    if settings.output:
        check_output(settings.output, settings.format)
    what = exportable(path, mcnn)
    log.info("%s -> %s, then checked", what.name, form.title)
    done = export(what, read_card(path), settings.format, settings.output)
    batch = "any number of examples at once" if form.batch is None else f"{form.batch} example at once"
    print(f"{done.path}: {done.bytes / 1e6:.1f} MB, {batch}\n{done.description}: inputs and outputs")
    print(f"largest difference from Keras: {done.difference:.1e} (at most {done.tolerance:.1e})")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.export.command"))
