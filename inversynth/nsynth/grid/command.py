"""`inversynth grid TOP-LEFT TOP-RIGHT BOTTOM-LEFT BOTTOM-RIGHT`: a pad of notes between four sounds."""

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import AudioError, ModelError, ParameterError, SettingsError
from generators.notes.folder import Fit
from generators.notes.pitches import note_list
from generators.parallel import available_cores
from generators.settings import Settings
from inversynth.nsynth.grid.corners import Corner, look_at_corners, what_a_sound_must_be
from inversynth.nsynth.grid.job import NOTES, Job
from inversynth.nsynth.grid.points import CORNERS
from inversynth.nsynth.grid.trim import FADE

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

FULL = 9
"""Points on a side of the published grid."""

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s of sound, {rate_fmt} [{elapsed}<{remaining}]"
"""Seconds of sound in a second are how many times as fast as real time it is."""


class GridSettings(Settings):
    """Render a pad of notes between the sounds of four folders: files for a player, and a page to play."""

    flags_only: ClassVar = frozenset(
        {"corners", "model", "output_directory", "resolution", "full", "pitches", "final_length", "check"}
        | {"temperature", "seed", "batch_size", "workers", "share"}
    )

    corners: CliPositionalArg[list[Path]] = Field(
        [],
        description="four folders of <sound>_<note>.wav: top-left, top-right, bottom-left, bottom-right",
    )
    model: str = Field("nsynth", description="a bundled model, a run folder, or a .keras file")
    output_directory: Path = Field(Path("output/grid"), description="where the pad, its page and all notes are written")
    resolution: int = Field(5, ge=2, le=33, description="points on a side of the grid")
    full: bool = Field(False, description="the published resolution, 9 points on a side")
    pitches: str | None = Field(
        None, description="notes to render, such as 24:48:4; by default all, and then all folders must hold the same"
    )
    final_length: int = Field(60_000, ge=2 * FADE, description="samples of a note of the pad")
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False, description="divides the logits; 1 draws as trained")
    seed: int = Field(0, ge=0, description="draws the samples")
    batch_size: int = Field(16, ge=1, description="notes made at once by a thread, at most")
    workers: int | None = Field(None, ge=1, description="threads; the default is one a core")
    share: str = Field("1/1", description="part of the work, as 2/4: for machines that share the output directory")
    check: bool = Field(False, description="only look at the folders, of which there then may be any number")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth grid") -> int:
    """Render a pad; returns the exit code."""
    return run_command(GridSettings, _run, argv, prog)


def _run(settings: GridSettings) -> None:
    if settings.full and "resolution" in settings.model_fields_set and settings.resolution != FULL:
        raise SettingsError(
            f"--full is --resolution {FULL}. Received: --resolution {settings.resolution} too. Keep one"
        )
    if len(settings.corners) != len(CORNERS) and not (settings.check and settings.corners):
        raise SettingsError(
            f"name four folders: {', '.join(CORNERS)}. Received: {len(settings.corners)}. One alone is looked at by "
            "--check"
        )
    for corner in settings.corners:
        if settings.output_directory.resolve().is_relative_to(corner.resolve()):
            raise SettingsError(
                f"a pad lies beside its corners, not in them. Received: --output_directory {settings.output_directory} "
                f"in {corner}"
            )
    share = _share(settings.share)
    try:
        pitches = note_list(settings.pitches) if settings.pitches else None
    except ParameterError as error:
        raise SettingsError(f"--pitches: {error}") from None

    from inversynth.pretrained import find_model
    from models.estimation.architectures import NSYNTH
    from models.model_files import read_card

    model = find_model(settings.model)
    card = read_card(model)
    if card.model != NSYNTH:
        raise ModelError(f"a pad is rendered by a model '{NSYNTH}'. Received: {card.model} in {model}")
    fit = Fit(card.sample_rate, card.samples, bits=16)
    corners = _checked(look_at_corners(settings.corners, fit, pitches), fit)
    pitches = pitches or tuple(sorted(corners[0].notes))
    if settings.check:
        notes = ", ".join(map(str, pitches))
        print(f"no fault found in {', '.join(corner.sound for corner in corners)} at the notes {notes}")
        return
    if settings.final_length > card.samples:
        raise SettingsError(
            f"a note of the pad is cut from one of {card.samples} samples. Received: --final_length "
            f"{settings.final_length}"
        )

    from models.nsynth.inference import load_nsynth

    coder = load_nsynth(model)
    job = Job(
        sounds=tuple(corner.sound for corner in corners),
        digests=tuple(_digest(corner, pitches) for corner in corners),
        pitches=pitches,
        resolution=FULL if settings.full else settings.resolution,
        final_length=settings.final_length,
        sample_rate=coder.sample_rate,
        model=coder.fingerprint,
        hop=coder.hop,
        codes=-(-coder.samples // coder.hop),
        temperature=settings.temperature,
        seed=settings.seed,
    )
    _render(job, coder, corners, share, settings)


def _render(
    job: Job, coder: "NSynthCodec", corners: Sequence[Corner], share: tuple[int, int], settings: GridSettings
) -> None:
    from tqdm import tqdm

    from inversynth.nsynth.grid.pad import build_pad
    from inversynth.nsynth.grid.rendering import encode_corners, open_batches, render

    folder = settings.output_directory
    job.claim(folder)
    size = job.even_size(settings.batch_size)
    batches = open_batches(job, folder, size, share)
    if batches:
        codes = encode_corners(coder, corners, job.pitches)
        seconds = job.samples / job.sample_rate
        with tqdm(
            total=round(sum(len(notes) for _, notes in batches) * seconds, 1),
            desc="rendering",
            unit="s",
            bar_format=BAR,
            disable=None,
        ) as bar:

            def on_samples(samples: int) -> None:
                bar.update(samples / job.sample_rate)

            render(
                job,
                coder,
                codes,
                batches,
                folder,
                size=size,
                workers=settings.workers or available_cores(),
                on_samples=on_samples,
            )
    missing = sum(not job.is_rendered(note, folder) for note in job.mixtures)
    if missing:
        print(f"share {settings.share} is done; {missing} of {len(job.mixtures)} notes are with the others -> {folder}")
        return
    page = build_pad(job, folder)
    print(f"{len(job.mixtures)} notes at {len(job.notes)} places -> {folder / NOTES}, {folder / job.name}.bin")
    print(page)


def _checked(corners: Sequence[Corner], fit: Fit) -> Sequence[Corner]:
    """Print all faults, a line each. Raises AudioError where there are any."""
    faults = [fault for corner in corners for fault in corner.faults]
    for fault in faults:
        print(" ".join(fault.split()), file=sys.stderr)
    if faults:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}, listed above"
        raise AudioError(
            f"each folder must hold one sound at the same notes as the others: {what_a_sound_must_be(fit)}. Received: "
            f"{count}. Mend them; nothing was written"
        )
    return corners


def _digest(corner: Corner, pitches: Sequence[int]) -> str:
    """Return a hash of the notes that are rendered from."""
    sha = hashlib.sha256()
    for pitch in pitches:
        sha.update(corner.notes[pitch].read_bytes())
    return sha.hexdigest()[:16]


def _share(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text.strip())
    if not found or int(found[1]) > int(found[2]):
        raise SettingsError(f"--share is one part of several, such as 2/4. Received: --share {text}")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.grid.command"))
