"""Dataset generation: the machinery and its command. It knows no concrete synthesizer; each passes itself in.

Row i depends on (seed, i) alone and is marked done only after its data are written, so any number of workers and any
number of interruptions, kill -9 included, give the same bytes.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag

from generators.audio import normalise_peak, read_audio, write_audio
from generators.command import run_command
from generators.dataset import Card, Dataset, dataset_path, parse_shard
from generators.errors import AudioError, DatasetError, InversynthError, ParameterError, shown
from generators.files import check_writable, made_folders, writing
from generators.parallel import available_cores, ordered_map
from generators.sampling import sample_classes
from generators.settings import DatasetName, Settings, Shard
from generators.synth import DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE, Synth

log = logging.getLogger(__name__)

BLOCK_SECONDS = 128.0
"""Sound per job: a few megabytes, long enough that a job's overhead vanishes beside its rendering."""


class DatasetSettings(Settings):
    """Where the dataset of a synth is written, how large it is, and how long its sounds are."""

    other_names: ClassVar = {"name": ("dataset_name",), "dataset_directory": ("dataset_dir",)}
    flags_only: ClassVar = frozenset({"regenerate_samples", "regenerate_audio", "shard"})

    num_examples: int = Field(150, ge=1, description="number of sounds")
    name: DatasetName | None = Field(
        None, description="name of the dataset; by default InverSynth for fm, else the synth's name"
    )
    dataset_directory: Path = Field(Path("test_datasets"), description="where <name>.hdf5 is written")
    wavefile_directory: Path = Field(Path("test_waves"), description="where <name>/<name>_00000.wav are written")
    wavefiles: bool = Field(True, description="also write every sound as a WAV file")
    length: float = Field(DEFAULT_LENGTH, gt=0, description="seconds per sound")
    sample_rate: int = Field(DEFAULT_SAMPLE_RATE, ge=1000, description="hertz")
    regenerate_samples: CliToggleFlag[bool] = Field(
        False, description="replace a dataset of that name: new patches and new audio"
    )
    regenerate_audio: CliToggleFlag[bool] = Field(False, description="render the patches of an existing dataset again")
    normalise: CliToggleFlag[bool] = Field(False, description="scale every sound to a peak of 1")
    seed: int = Field(0, ge=0, description="the dataset is a pure function of it")
    shard: Shard | None = Field(
        None, description="k/n: make part k of n alone, in <name>.<k>of<n>.hdf5, so that machines can share the work"
    )
    workers: int | None = Field(None, ge=1, description="threads; by default one per core")
    resume: bool = Field(True, description="go on with an unfinished dataset (else begin it again)")


class GeneratorSettings(DatasetSettings):
    """Generate a dataset of sounds with known parameters into one HDF5 file."""

    sampling_method: Literal["random", "sobol", "complete"] = Field(
        "random", description="how patches are drawn; complete is the whole grid"
    )


@dataclass(frozen=True)
class Progress:
    """What a finished call did: rows in the file, rows rendered now, and the seconds that took."""

    path: Path
    examples: int
    rendered: int
    seconds: float


def generate_dataset(
    path: Path,
    synth: Synth,
    num_examples: int,
    *,
    seed: int = 0,
    sampling_method: str = "random",
    normalise: bool = False,
    workers: int | None = None,
    wavefile_directory: Path | None = None,
    regenerate_samples: bool = False,
    regenerate_audio: bool = False,
    resume: bool = True,
    progress: bool = False,
    shard: tuple[int, int] = (1, 1),
) -> Progress:
    """Make, finish or check a dataset file (and its WAV files, where a directory for them is given).

    Args:
        shard: (k, n) for the rows of part k of n alone; `path` is that of the shard.
    Raises: DatasetError where the file holds other data than requested; ParameterError where the complete
    grid exceeds `num_examples`, or where sounds that belong to companions would be normalised.
    """
    _check_normalise(synth, normalise)
    if sampling_method == "complete":
        if synth.space.combinations > num_examples:
            raise ParameterError(
                f"the complete grid of '{synth.name}' has {synth.space.combinations} patches. Received: --num_examples "
                f"{num_examples}. Raise it to that count, or sample with random or sobol"
            )
        num_examples = synth.space.combinations
    card = Card(
        synth.name,
        synth.space.to_json(),
        synth.sample_rate,
        synth.length,
        seed,
        sampling_method,
        normalise,
        num_examples,
        json.dumps(synth.options),
        synth.companions,
        synth.labels,
    )
    started = time.perf_counter()
    sounds = wavefile_folder(wavefile_directory, path, shard) if wavefile_directory is not None else None
    with ExitStack() as stack:
        if sounds is not None:
            with writing(sounds, AudioError):
                stack.enter_context(made_folders(sounds))
            check_writable(_wavefile(sounds, max(num_examples - 1, 0)), AudioError)
        dataset = stack.enter_context(begun_dataset(path, card, regenerate_samples, shard))
        if regenerate_audio or not resume:
            dataset.forget()
        todo = np.flatnonzero(~dataset.done[:])
        _render_rows(dataset, synth, todo, workers, sounds, progress)
        if sounds is not None:
            _write_missing_wavefiles(dataset, todo, sounds, workers)
        count = len(dataset)
    return Progress(path, count, len(todo), time.perf_counter() - started)


def render_rows(
    synth: Synth, start: int, stop: int, seed: int, method: str = "random", normalise: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Render rows start..stop-1 of the dataset that (synth, seed, method) define.

    Returns: audio (rows, samples) float32, classes (rows, parameters) uint8, values (rows, parameters) float32.
    """
    columns = render_columns(synth, start, stop, seed, method, normalise)
    return columns["audio"], columns["classes"], columns["values"]


def render_columns(
    synth: Synth, start: int, stop: int, seed: int, method: str = "random", normalise: bool = False
) -> dict[str, NDArray[Any]]:
    """Render rows start..stop-1 of a dataset with all its columns: what `render_rows` returns, and the companions.

    Returns: `audio`, `classes` and `values` as `render_rows`, and each of the synth's companions by its name, (rows,
    samples) float32.
    Raises: ParameterError where sounds that belong to companions would be normalised.
    """
    _check_normalise(synth, normalise)
    if synth.own_sampling:
        classes = synth.draw_classes(start, stop, seed)
    else:
        classes = sample_classes(synth.space, start, stop, seed, method)
    values = synth.space.classes_to_values(classes)
    audio, others = synth.render_rows(values, start, seed)
    audio = normalise_peak(audio) if normalise else audio
    return {"audio": audio, "classes": classes, "values": values.astype(np.float32), **others}


def wavefile_path(directory: Path, name: str, row: int) -> Path:
    """Return where the WAV file of a row is written."""
    return _wavefile(directory / name, row)


def wavefile_folder(directory: Path, path: Path, shard: tuple[int, int] = (1, 1)) -> Path:
    """Return the folder of the WAV files of a dataset file; shards share one."""
    return directory / (path.stem.removesuffix(".{}of{}".format(*shard)) if shard[1] > 1 else path.stem)


def _wavefile(folder: Path, row: int) -> Path:
    return folder / f"{folder.name}_{row:05d}.wav"


def generator_command(synth_class: type[Synth], argv: Sequence[str] | None, prog: str) -> int:
    """Run the command of one synthesizer with the settings of flags, environment and `.env`; returns the exit code."""

    def action(settings: GeneratorSettings) -> None:
        synth = synth_class(settings.sample_rate, settings.length)
        generate_from_settings(synth, settings, settings.sampling_method)

    return run_command(GeneratorSettings, action, argv, prog)


def generate_from_settings(synth: Synth, settings: DatasetSettings, sampling_method: str) -> Progress:
    """Do what settings ask for, with a synth of their sample rate and length, and log one line about it.

    Args:
        sampling_method: how patches are drawn: one of `generators.sampling`, or the synth's own.
    """
    shard = parse_shard(settings.shard)
    path = dataset_path(settings.dataset_directory, settings.name or synth.dataset_name or synth.short_name, shard)
    done = generate_dataset(
        path,
        synth,
        settings.num_examples,
        seed=settings.seed,
        sampling_method=sampling_method,
        normalise=settings.normalise,
        workers=settings.workers,
        wavefile_directory=settings.wavefile_directory if settings.wavefiles else None,
        regenerate_samples=settings.regenerate_samples,
        regenerate_audio=settings.regenerate_audio,
        resume=settings.resume,
        progress=True,
        shard=shard,
    )
    speed = f", {done.rendered * synth.length / done.seconds:,.0f} x real time" if done.rendered else ""
    log.info(
        "%s: %d sounds of %s, %g s at %d Hz, seed %d; %d rendered now in %.1f s%s",
        path,
        done.examples,
        synth.name,
        synth.length,
        synth.sample_rate,
        settings.seed,
        done.rendered,
        done.seconds,
        speed,
    )
    if settings.wavefiles:
        log.info("WAV files: %s", wavefile_folder(settings.wavefile_directory, path, shard))
    return done


def _check_normalise(synth: Synth, normalise: bool) -> None:
    if normalise and synth.companions:
        raise ParameterError(
            f"normalise would part the sounds of '{synth.name}' from their {', '.join(synth.companions)}. Received: "
            "normalise on. Turn it off"
        )


def open_dataset(path: Path, card: Card, replace: bool, shard: tuple[int, int] = (1, 1)) -> Dataset:
    """Open a dataset for writing, made new where there is none yet or it is to be replaced.

    Raises: DatasetError where the file holds other data than the card describes.
    """
    if not os.path.exists(path):  # noqa: PTH110 (which also answers for names that cannot be)
        return Dataset.create(path, card, shard)
    dataset = Dataset(path, writable=True)
    if replace:
        dataset.close()
        return Dataset.create(path, card, shard)
    difference = dataset.card.difference(card)
    if not difference and dataset.shard != shard:
        difference = "shard {}/{} against {}/{}".format(*dataset.shard, *shard)
    if difference:
        dataset.close()
        raise DatasetError(
            f"{path} holds another dataset: {difference}. Choose another --name, or replace it with "
            "--regenerate_samples"
        )
    return dataset


@contextmanager
def begun_dataset(path: Path, card: Card, replace: bool, shard: tuple[int, int] = (1, 1)) -> Iterator[Dataset]:
    """Open a dataset as `open_dataset` does.

    A file made here, and folders made for it, are removed again where an error ends the block before a row is finished;
    later, the error says how many rows are kept.
    """
    is_new = not os.path.lexists(path)
    with ExitStack() as stack:
        stack.enter_context(writing(path, DatasetError))
        stack.enter_context(made_folders(path.parent))
        dataset = stack.enter_context(open_dataset(path, card, replace, shard))
        try:
            yield dataset
        except (InversynthError, OSError) as error:
            finished = len(dataset.finished())
            if is_new and not finished:
                path.unlink(missing_ok=True)
            if finished and isinstance(error, InversynthError):
                kept = f"{finished} of {len(dataset)} rows are finished and kept in {path}"
                raise type(error)(f"{error}. {kept}") from None
            raise


def _render_rows(
    dataset: Dataset,
    synth: Synth,
    todo: NDArray[np.intp],
    workers: int | None,
    wavefile_folder: Path | None,
    progress: bool,
) -> None:
    card, offset = dataset.card, dataset.first_row
    begun: list[slice] = []

    def render(rows: slice) -> dict[str, NDArray[Any]]:
        first, last = rows.start + offset, rows.stop + offset
        columns = render_columns(synth, first, last, card.seed, card.sampling_method, card.normalise)
        if wavefile_folder is not None:
            begun.append(rows)
            for row, sound in zip(range(first, last), columns["audio"], strict=True):
                write_audio(_wavefile(wavefile_folder, row), sound, card.sample_rate)
        return columns

    try:
        fill_rows(dataset, render, todo, workers, progress)
    except (InversynthError, OSError):
        for row in (row for rows in begun for row in range(rows.start, rows.stop) if not dataset.done[row]):
            assert wavefile_folder is not None
            _wavefile(wavefile_folder, row + offset).unlink(missing_ok=True)  # no row of the dataset goes with it
        raise


def fill_rows(
    dataset: Dataset,
    render: Callable[[slice], dict[str, NDArray[Any]]],
    todo: NDArray[np.intp],
    workers: int | None,
    progress: bool,
) -> None:
    """Render rows in blocks, several at a time, and write each block with all its columns as it comes.

    Args:
        render: what gives the columns of some rows, from any thread. todo: sorted row numbers.
    """
    from tqdm import tqdm

    def job(rows: slice) -> tuple[slice, dict[str, NDArray[Any]]]:
        return rows, render(rows)

    block = max(1, round(BLOCK_SECONDS * 16384 / dataset.samples))
    block = max(1, min(block, -(-len(todo) // (workers or available_cores()))))
    bar = tqdm(
        total=len(dataset),
        initial=len(dataset) - len(todo),
        unit="examples",
        desc=shown(dataset.path.stem, 40),
        disable=not progress,
    )
    with bar, closing(ordered_map(job, _runs(todo, block), workers)) as blocks:
        for rows, columns in blocks:
            dataset.write(rows, **columns)
            bar.update(rows.stop - rows.start)


def _runs(rows: NDArray[np.intp], longest: int) -> Iterator[slice]:
    """Split sorted row numbers into slices of consecutive rows, none longer than `longest`."""
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        for first in range(0, len(run), longest):
            part = run[first : first + longest]
            yield slice(int(part[0]), int(part[-1]) + 1)


def _write_missing_wavefiles(dataset: Dataset, written: NDArray[np.intp], folder: Path, workers: int | None) -> None:
    """Write the WAV files that a finished row lacks, or that belong to another sound, from the audio in the file."""
    rows = np.setdiff1d(np.arange(len(dataset)), written)

    def check(job: tuple[int, NDArray[np.float32]]) -> None:
        row, audio = job
        path = _wavefile(folder, row + dataset.first_row)
        if not _holds(path, audio, dataset.card.sample_rate):
            write_audio(path, audio, dataset.card.sample_rate)

    with closing(ordered_map(check, ((int(row), dataset.audio[int(row)]) for row in rows), workers)) as jobs:
        for _ in jobs:
            pass


def _holds(path: Path, audio: NDArray[np.float32], sample_rate: int) -> bool:
    if not path.is_file():
        return False
    try:
        sound = read_audio(path)
    except AudioError:
        return False
    return sound.sample_rate == sample_rate and np.array_equal(sound.audio, audio)
