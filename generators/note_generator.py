"""Datasets of notes, and the command `inversynth generate notes`.

A row is a note: its sound, its pitch and velocity as a point of the parameter space `notes`, and its labels, one number
each. Notes are listed, not drawn, so the seed decides the split alone.
"""

import logging
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import normalise_peak, write_audio
from generators.command import run_command
from generators.dataset import Card, Dataset, dataset_path, parse_shard
from generators.errors import AudioError
from generators.files import check_writable
from generators.generate import Progress, begun_dataset, fill_rows
from generators.notes.labels import SPACE, NoteTable, options_of
from generators.notes.pitches import describe_notes
from generators.notes.settings import NoteSettings
from generators.notes.source import NoteSource
from generators.parallel import ordered_map

log = logging.getLogger(__name__)

NAME = "notes"
"""The word after `inversynth generate`, the synth that a card names, and the name of a dataset by default."""

LONGEST_FOLDER = 200
"""Bytes in the name of an instrument's folder, which leaves its files room for a velocity, a row and a pitch."""

LISTED = "listed"
"""The sampling method of a card whose rows are listed."""


def generate_notes(
    path: Path,
    source: NoteSource,
    *,
    seed: int = 0,
    normalise: bool = False,
    workers: int | None = None,
    regenerate_samples: bool = False,
    resume: bool = True,
    progress: bool = False,
    shard: tuple[int, int] = (1, 1),
) -> Progress:
    """Make, finish or check a dataset file of notes.

    Args:
        shard: (k, n) for the rows of part k of n alone; `path` is that of the shard.
        seed: what the split was drawn with. normalise: scale every sound to a peak of 1.
    Raises: DatasetError where the file holds other data than requested.
    """
    table = source.table
    card = Card(
        NAME,
        SPACE.to_json(),
        source.sample_rate,
        source.samples / source.sample_rate,
        seed,
        LISTED,
        normalise,
        len(table),
        options_of(table, **source.facts),
        (),
        table.kinds,
    )
    classes = table.classes

    def columns(rows: slice) -> dict[str, NDArray[Any]]:
        labels = {label: column[rows] for label, column in table.labels.items()}
        values, audio = classes[rows].astype(np.float32), source.audio(rows)
        audio = normalise_peak(audio) if normalise else audio
        return {"audio": audio, "classes": classes[rows], "values": values, **labels}

    started = time.perf_counter()
    with begun_dataset(path, card, regenerate_samples, shard) as dataset:
        if not resume:
            dataset.forget()
        offset, count = dataset.first_row, len(dataset)
        todo = np.flatnonzero(~dataset.done[:])
        fill_rows(
            dataset, lambda rows: columns(slice(rows.start + offset, rows.stop + offset)), todo, workers, progress
        )
    return Progress(path, count, len(todo), time.perf_counter() - started)


def write_note_files(dataset: Dataset, directory: Path, workers: int | None = None) -> int:
    """Write every note as a 16-bit WAV file `<instrument>/<instrument>_<pitch>.wav`, and return how many were missing.

    Where notes share both, the velocity follows the instrument, and where they share that too the number of the row.
    """
    instruments, velocities = (dataset.labels["instrument"][:], dataset.classes[:, 1])
    names = dataset.card.names_of("instrument")
    folders = [_folder_name(names[number]) for number in instruments]
    names = [folder.replace("_", "-") for folder in folders]
    pitches = dataset.classes[:, 0]
    for more in (velocities, np.arange(len(dataset))):
        often = Counter(zip(names, pitches, strict=True))
        shared = [often[pair] > 1 for pair in zip(names, pitches, strict=True)]
        names = [f"{name}-{extra}" if twice else name for name, extra, twice in zip(names, more, shared, strict=True)]
    paths = [
        directory / folder / f"{name}_{pitch}.wav" for folder, name, pitch in zip(folders, names, pitches, strict=True)
    ]
    missing = [(row, path) for row, path in enumerate(paths) if not path.is_file()]

    def write(job: tuple[Path, NDArray[np.float32]]) -> None:
        write_audio(*job, dataset.card.sample_rate, bits=16)

    with closing(ordered_map(write, ((path, dataset.audio[row]) for row, path in missing), workers)) as jobs:
        for _ in jobs:
            pass
    return len(missing)


def _folder_name(instrument: str) -> str:
    """Return the name of an instrument as one of a folder here, whatever a file calls it: `../x` becomes `x`."""
    plain = re.sub(r"[\x00-\x1f/\\]+", "-", instrument).strip(" .-")
    while len(os.fsencode(plain)) > LONGEST_FOLDER:
        plain = plain[:-1]
    return plain or "instrument"


def main(argv: Sequence[str] | None = None, prog: str = "python -m generators.note_generator") -> int:
    """Generate a dataset of notes; returns the exit code."""

    def action(settings: NoteSettings) -> None:
        source = settings.note_source()
        shard = parse_shard(settings.shard)
        path = dataset_path(settings.dataset_directory, settings.name or NAME, shard)
        directory = settings.wavefile_directory / path.stem
        if settings.wavefiles:
            check_writable(directory / path.name, AudioError)
        done = generate_notes(
            path,
            source,
            seed=settings.seed,
            normalise=settings.normalise,
            workers=settings.workers,
            regenerate_samples=settings.regenerate_samples,
            resume=settings.resume,
            progress=True,
            shard=shard,
        )
        speed = f", {done.rendered / done.seconds:,.0f} a second" if done.rendered else ""
        log.info(
            "%s: %d notes of %s at %s, %g s at %d Hz; %s; %d made now in %.1f s%s",
            *(
                path,
                done.examples,
                _count(source.table),
                describe_notes(source.table.pitch.tolist(), settings.note_names),
            ),
            *(source.samples / source.sample_rate, source.sample_rate),
            *(_splits(source.table), done.rendered, done.seconds, speed),
        )
        if settings.wavefiles:
            try:
                with Dataset(path) as dataset:
                    write_note_files(dataset, directory, settings.workers)
            except AudioError as error:
                raise AudioError(f"{error}. The dataset is finished and kept in {path}") from None
            log.info("WAV files: %s", directory)

    return run_command(NoteSettings, action, argv, prog)


def _count(table: NoteTable) -> str:
    count = len(table.names["instrument"])
    return f"{count} instrument{'s' if count != 1 else ''}"


def _splits(table: NoteTable) -> str:
    counts = np.bincount(table.labels["split"], minlength=len(table.names["split"]))
    return ", ".join(f"{count} {name}" for name, count in zip(table.names["split"], counts, strict=True))


if __name__ == "__main__":
    sys.exit(main())
