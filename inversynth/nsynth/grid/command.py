"""`inversynth grid FOLDER`, or four folders: a pad of notes between four sounds."""

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.command import run_command
from generators.errors import AudioError, ModelError, ParameterError, SettingsError, error_line, one_line
from generators.files import real_path
from generators.notes.folder import Fit
from generators.notes.naming import NoteNaming
from generators.notes.pitches import NoteNames, describe_notes, note_list, note_ranges
from generators.parallel import available_cores
from generators.settings import Words
from inversynth.inputs import model_loader
from inversynth.nsynth.encode import LOADER, TEMPERATURE, TRANSPOSE
from inversynth.nsynth.grid.corners import Corner, check_corners, required_format
from inversynth.nsynth.grid.job import NOTES, Job
from inversynth.nsynth.grid.points import CORNERS
from inversynth.nsynth.grid.trim import FADE
from inversynth.nsynth.transpose import notes_to_make

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

FULL = 9
"""Points on a side of the published grid."""


class GridSettings(NoteNaming):
    """Render a pad of notes between four sounds: files for a player, and a page to play."""

    flags_only: ClassVar = frozenset(
        {"corners", "model", "output_dir", "resolution", "full", "pitches", "final_length", "check"}
        | {"temperature", "seed", "batch_size", "workers", "shard", "sounds", "note_names", "transpose_unknown"}
    )
    renamed: ClassVar = {"output_directory": "output_dir", "share": "shard"}

    corners: CliPositionalArg[list[Path]] = Field(
        [],
        description="four folders of <sound>_<note>.wav: top-left, top-right, bottom-left, bottom-right; or one that "
        "holds the files or the folders of all four",
    )
    sounds: Words = Field(
        (),
        description="of one folder, the four to take, in the order of the corners; by default in that of the alphabet",
    )
    model: str = Field("nsynth", description="a bundled model, a run folder, or a .keras file")
    output_dir: Path = Field(Path("output/grid"), description="where the pad, its page and all notes are written")
    resolution: int = Field(5, ge=2, le=33, description="points on a side of the grid")
    full: bool = Field(False, description="the published resolution, 9 points on a side")
    pitches: str | None = Field(
        None, description="notes to render, such as 24:48:4; by default all, which all folders must then share"
    )
    transpose_unknown: CliToggleFlag[bool] = Field(False, description=TRANSPOSE)
    final_length: int = Field(60_000, ge=2 * FADE, description="samples of a note of the pad")
    temperature: float | None = Field(None, gt=0, allow_inf_nan=False, description=TEMPERATURE)
    seed: int = Field(0, ge=0, description="of the drawn samples")
    batch_size: int = Field(16, ge=1, description="notes decoded at once by a thread, at most")
    workers: int | None = Field(None, ge=1, description="threads; one per core if left out")
    shard: str = Field("1/1", description="part of the work, as 2/4, for machines that share the output folder")
    check: bool = Field(False, description="only check the folders, of which there may then be any number")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth grid") -> int:
    """Render a pad; returns the exit code."""
    return run_command(GridSettings, _run, argv, prog)


def _run(settings: GridSettings) -> None:
    _check(settings)
    shard, pitches = _parse_shard(settings.shard), _parse_pitches(settings.pitches, settings.note_names)

    from inversynth.pretrained import find_model
    from models.model_files import read_card
    from models.nsynth.known_notes import known_notes
    from models.nsynth.presets import NSYNTH

    path = find_model(settings.model)
    card = read_card(path)
    if card.model != NSYNTH:
        raise ModelError(f"a pad is rendered by a model '{NSYNTH}'. Received: {card.model} in {settings.model}")
    fit = Fit(card.sample_rate, card.samples, bits=16)
    corners = check_corners(settings.corners, fit, pitches, sounds=settings.sounds, names=settings.note_names)
    _print_faults(corners, fit)
    pitches = pitches or tuple(sorted(corners[0].notes))
    sounds = ", ".join(corner.sound for corner in corners)
    if len(corners) != len(CORNERS) and not settings.check:
        raise SettingsError(
            f"a pad is between four sounds. Received: {len(corners)} in {settings.corners[0]}: {sounds}. Name four of "
            "them with --sounds, or add others"
        )
    made = notes_to_make(known_notes(path), path, "sounds", pitches, settings.transpose_unknown)
    if settings.check:
        print(one_line(f"no fault found in {sounds} at {describe_notes(pitches, settings.note_names)}"))
        return
    if settings.final_length > card.samples:
        raise SettingsError(
            f"a note of the pad is cut from one of {card.samples} samples. Received: --final_length "
            f"{settings.final_length}"
        )
    codec = model_loader(settings.model, LOADER)()
    job = _job(settings, corners, pitches, made, codec)

    from inversynth.nsynth.grid.pad import build_pad
    from inversynth.nsynth.grid.rendering import render_shard

    folder, workers = settings.output_dir, settings.workers or available_cores()
    missing = render_shard(job, codec, corners, folder, shard, batch_size=settings.batch_size, workers=workers)
    if missing:
        left = f"{missing} of {len(job.mixtures)} notes are left to the others"
        print(one_line(f"shard {settings.shard} is done; {left} -> {folder}"))
        return
    page = build_pad(job, folder)
    places = f"{folder / NOTES}, {folder / job.name}.bin"
    told = f"{', '.join(job.sounds)} at {describe_notes(pitches, settings.note_names)}"
    if job.is_transposed:
        told += f", made by way of {note_ranges(made)}"
    print(one_line(f"{told}: {len(job.mixtures)} notes at {len(job.notes)} places -> {places}"))
    print(one_line(page))


def _check(settings: GridSettings) -> None:
    if settings.full and "resolution" in settings.model_fields_set and settings.resolution != FULL:
        raise SettingsError(
            f"--full is --resolution {FULL}. Received: --resolution {settings.resolution} too. Keep one"
        )
    if len(settings.corners) not in (1, len(CORNERS)) and not (settings.check and settings.corners):
        raise SettingsError(
            f"name four folders: {', '.join(CORNERS)}; or one that holds all sounds. Received: "
            f"{len(settings.corners)}. To check any number, add --check"
        )
    for corner in settings.corners:
        if real_path(settings.output_dir).is_relative_to(real_path(corner)):
            raise SettingsError(
                f"the pad must not be written into a corner. Received: --output_dir {settings.output_dir} in {corner}"
            )


def _job(
    settings: GridSettings,
    corners: Sequence[Corner],
    pitches: tuple[int, ...],
    made: tuple[int, ...],
    codec: "NSynthCodec",
) -> Job:
    return Job(
        sounds=tuple(corner.sound for corner in corners),
        digests=tuple(_digest(corner, pitches) for corner in corners),
        pitches=pitches,
        resolution=FULL if settings.full else settings.resolution,
        final_length=settings.final_length,
        sample_rate=codec.sample_rate,
        model=codec.fingerprint,
        hop=codec.hop,
        codes=-(-codec.samples // codec.hop),
        temperature=settings.temperature or codec.temperature,
        seed=settings.seed,
        made=made,
    )


def _print_faults(corners: Sequence[Corner], fit: Fit) -> None:
    """Print all faults, a line each. Raises AudioError where there are any."""
    faults = [fault for corner in corners for fault in corner.faults]
    for fault in faults:
        print(error_line(fault), file=sys.stderr)
    if faults:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}, listed above"
        raise AudioError(
            f"each sound must be there at the same notes as the others: {required_format(fit)}. Received: "
            f"{count}. Correct them; nothing was written"
        )


def _digest(corner: Corner, pitches: Sequence[int]) -> str:
    """Return a hash of the recordings that are encoded."""
    sha = hashlib.sha256()
    for pitch in pitches:
        sha.update(corner.notes[pitch].read_bytes())
    return sha.hexdigest()[:16]


def _parse_pitches(text: str | None, names: NoteNames) -> tuple[int, ...] | None:
    try:
        return note_list(text, names) if text else None
    except ParameterError as error:
        raise SettingsError(f"--pitches: {error}") from None


def _parse_shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text.strip())
    if not found or int(found[1]) > int(found[2]):
        raise SettingsError(f"--shard is one part of several, such as 2/4. Received: --shard {text}")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.grid.command"))
