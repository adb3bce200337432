"""Renders the notes of a pad, batch by batch, on as many threads as there are cores, or as a share of several machines.

Stopped at any time, the same command goes on: notes that are there are not made again, and a batch that was begun has
its state beside them.
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

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec


class Stopped(BaseException):
    """Ends a thread whose work is no longer wanted; the decoder keeps its state on the way."""


def encode_corners(coder: "NSynthCodec", corners: Sequence[Corner], pitches: Sequence[int]) -> NDArray[np.float32]:
    """Hear all notes of four corners. Shapes: -> (4, pitches, k, width)."""
    audio = np.stack([read_audio(corner.notes[pitch]).audio for corner in corners for pitch in pitches])
    codes = coder.encode(audio)
    return codes.reshape(len(corners), len(pitches), *codes.shape[1:])


def open_batches(
    job: Job, folder: Path, size: int, share: tuple[int, int] = (1, 1)
) -> list[tuple[int, Sequence[GridNote]]]:
    """Return the batches of a share in which a note is missing, with their numbers among all."""
    number, of = share
    batches = list(enumerate(job.batches(size)))[number - 1 :: of]
    return [(place, batch) for place, batch in batches if not all(job.is_rendered(note, folder) for note in batch)]


def render(
    job: Job,
    coder: "NSynthCodec",
    codes: NDArray[np.float32],
    batches: Sequence[tuple[int, Sequence[GridNote]]],
    folder: Path,
    *,
    size: int,
    workers: int = 1,
    on_samples: Callable[[int], None] = lambda samples: None,
) -> None:
    """Say the notes of some batches and write each as a WAV of 16 bits, at one level.

    Args:
        codes: of all corners, (4, pitches, k, width). size: sounds of a batch; the last is filled up by repetition, for
            the decoder is compiled once for each size. on_samples: told how many more samples there are.
    Raises: AudioError where a file cannot be written.
    """
    stopped, telling, faults = threading.Event(), threading.Lock(), list[BaseException]()
    assert coder.hop == job.hop  # and with it the decoder is there, before threads ask for it

    def one(place: int, notes: Sequence[GridNote]) -> None:
        if stopped.is_set():
            return
        try:
            say(place, notes)
        except Stopped:
            pass
        except BaseException as fault:
            faults.append(fault)
            stopped.set()

    def say(place: int, notes: Sequence[GridNote]) -> None:
        filled = [*notes, *[notes[-1]] * (size - len(notes))]
        said = 0

        def on_code(done: int) -> None:
            nonlocal said
            with telling:
                on_samples((done - said) * job.hop * len(notes))
            said = done
            if stopped.is_set():
                raise Stopped

        audio = coder.decode(
            job.mixed(codes, filled),
            seeds=[job.seed_of(note) for note in filled],
            pitch=[note.pitch for note in filled] if coder.takes_pitch else None,
            temperature=job.temperature,
            state_file=folder / f".batch_{place}_of_{size}.npz",
            on_code=on_code,
        )
        for note, sound in zip(notes, audio, strict=False):
            write_audio(job.path_of(note, folder), level_note(sound), job.sample_rate, bits=16)

    pool = ThreadPoolExecutor(workers)
    try:
        wait([pool.submit(one, place, notes) for place, notes in batches])
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
    if faults:
        raise faults[0]
