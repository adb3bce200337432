"""Renders the notes of a pad in batches: on one thread per core, or as one shard among several machines.

Interrupted at any time, the same command resumes: rendered notes are kept, and a started batch has its state beside
them.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.audio import read_audio, write_audio
from inversynth.nsynth.grid.corners import Corner
from inversynth.nsynth.grid.job import GridNote, Job
from inversynth.nsynth.grid.trim import level_note
from inversynth.nsynth.transpose import codes_to_make, encode_by_way_of, restored

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s of sound, {rate_fmt} [{elapsed}<{remaining}]"
"""Progress in seconds of sound; their rate is the speed relative to real time."""


class Stopped(BaseException):
    """Ends a thread whose result is no longer needed; the decoder saves its state on the way."""


def encode_corners(
    codec: "NSynthCodec", corners: Sequence[Corner], pitches: Sequence[int], made: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Encode all notes of the corners, each by way of the note at which it is made. Shapes: -> (corners, pitches, k,
    width).
    """
    ways = list(zip(pitches, made or pitches, strict=True))
    sounds = [(read_audio(corner.notes[pitch]).audio, pitch, way) for corner in corners for pitch, way in ways]
    if all(pitch == way for pitch, way in ways):
        codes = codec.encode(np.stack([audio for audio, _, _ in sounds]))
    else:
        codes = np.stack([encode_by_way_of(codec, *each) for each in sounds])
    return codes.reshape(len(corners), len(pitches), *codes.shape[1:])


def missing_batches(
    job: Job, folder: Path, size: int, shard: tuple[int, int] = (1, 1)
) -> list[tuple[int, Sequence[GridNote]]]:
    """Return the batches of a shard that miss a note, with their numbers among all batches."""
    number, count = shard
    batches = list(enumerate(job.batches(size)))[number - 1 :: count]
    return [(place, batch) for place, batch in batches if not all(job.is_rendered(note, folder) for note in batch)]


def render_shard(
    job: Job,
    codec: "NSynthCodec",
    corners: Sequence[Corner],
    folder: Path,
    shard: tuple[int, int] = (1, 1),
    *,
    batch_size: int = 16,
    workers: int = 1,
) -> int:
    """Render the missing notes of a shard, with a progress bar; returns how many notes the pad still lacks.

    Raises: DatasetError where the folder holds another grid; AudioError where a note cannot be written.
    """
    from tqdm import tqdm

    job.claim(folder)
    size = job.even_size(batch_size)
    batches = missing_batches(job, folder, size, shard)
    if batches:
        codes = encode_corners(codec, corners, job.pitches, job.made)
        total = sum(len(notes) for _, notes in batches) * job.samples / job.sample_rate
        with tqdm(total=round(total, 1), desc="rendering", unit="s", bar_format=BAR, disable=None) as bar:

            def on_samples(samples: int) -> None:
                bar.update(samples / job.sample_rate)

            render(job, codec, codes, batches, folder, size=size, workers=workers, on_samples=on_samples)
    return sum(not job.is_rendered(note, folder) for note in job.mixtures)


def render(
    job: Job,
    codec: "NSynthCodec",
    codes: NDArray[np.float32],
    batches: Sequence[tuple[int, Sequence[GridNote]]],
    folder: Path,
    *,
    size: int,
    workers: int = 1,
    on_samples: Callable[[int], None] = lambda samples: None,
) -> None:
    """Decode the notes of some batches and write each as a 16-bit WAV at one peak level.

    Args:
        codes: of all corners, (corners, pitches, k, width). size: of a batch; the last is filled up by repetition,
            since the decoder is compiled once per size. on_samples: takes the number of newly decoded samples.
    Raises: AudioError where a file cannot be written.
    """
    stopped, counting, errors = threading.Event(), threading.Lock(), list[BaseException]()
    assert codec.hop == job.hop  # which also builds the decoder, before threads share it

    def run_batch(place: int, notes: Sequence[GridNote]) -> None:
        if stopped.is_set():
            return
        try:
            decode_batch(place, notes)
        except Stopped:
            pass
        except BaseException as error:
            errors.append(error)
            stopped.set()

    def decode_batch(place: int, notes: Sequence[GridNote]) -> None:
        filled = [*notes, *[notes[-1]] * (size - len(notes))]
        ways = [(note.pitch, job.made_at(note.pitch)) for note in filled]
        mixed = [
            codes_to_make(each, job.samples, job.hop, *way)[0]
            for each, way in zip(job.mixed(codes, filled), ways, strict=True)
        ]
        longest, before = max(map(len, mixed)), 0

        def on_code(done: int) -> None:
            nonlocal before
            samples = done * job.samples // longest
            with counting:
                on_samples((samples - before) * len(notes))
            before = samples
            if stopped.is_set():
                raise Stopped

        audio = codec.decode(
            np.stack([np.pad(each, ((0, longest - len(each)), (0, 0)), mode="edge") for each in mixed]),
            seeds=[job.seed_of(note) for note in filled],
            pitch=[made for _, made in ways] if codec.takes_pitch else None,
            temperature=job.temperature,
            state_file=folder / f".batch_{place}_of_{size}.npz",
            on_code=on_code,
        )
        for note, sound, way in zip(notes, audio, ways, strict=False):
            whole = restored(sound, job.samples, job.sample_rate, *way)
            write_audio(job.path_of(note, folder), level_note(whole), job.sample_rate, bits=16)

    pool = ThreadPoolExecutor(workers)
    try:
        wait([pool.submit(run_batch, place, notes) for place, notes in batches])
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
    if errors:
        raise errors[0]
