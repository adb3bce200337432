"""Overlap-add sounds into one WAV, in memory bounded by the longest sound instead of the whole length."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from generators.audio import clear_write_time, system_path, writing_audio
from generators.files import written_whole

Audio = NDArray[np.float32]

BLOCK = 1 << 16
"""Samples (4 s at the paper's rate, 256 KB) written at once."""

LONGEST = (1 << 30) - 1024
"""Samples: a WAV file counts its bytes in 32 bits, and a sample has four."""


def mix(sounds: Iterable[tuple[int, Audio]]) -> Iterator[Audio]:
    """Overlap-add sounds and yield the sum in pieces, with the silence between them.

    Args:
        sounds: the first sample and the sound (samples,), in order of their start.
    """
    begin, end = 0, 0
    pending = np.zeros(BLOCK, np.float32)
    for start, audio in sounds:
        while start - begin >= BLOCK:
            yield pending[:BLOCK]
            pending = _grown(pending[BLOCK:], BLOCK)
            begin += BLOCK
        pending = _grown(pending, start - begin + len(audio))
        pending[start - begin : start - begin + len(audio)] += audio
        end = max(end, start + len(audio))
    yield from np.split(pending[: end - begin], range(BLOCK, end - begin, BLOCK))


def write_mix(
    path: str | os.PathLike[str],
    pieces: Iterable[Audio],
    sample_rate: int,
    *,
    peak: float | None = None,
    keep_level: bool = False,
) -> float:
    """Write pieces in sequence as a mono 32-bit float WAV, whole or not at all.

    A sum above full scale is normalised to it, since players would clip. With a `peak`, any sum but silence is scaled
    to that peak; `keep_level` leaves the level as it is.

    Returns: the gain applied. Raises: AudioError where it cannot be written.
    """
    path = Path(path)
    with writing_audio(path, "an --output"), written_whole(path) as partial:
        loudest = 0.0
        with _float_wav(partial, sample_rate) as file:
            for piece in pieces:
                file.write(piece)
                loudest = max(loudest, float(np.abs(piece).max(initial=0.0)))
        clear_write_time(partial)
        if keep_level or not loudest or (peak is None and loudest <= 1.0):
            return 1.0
        divisor = loudest / (peak or 1.0)
        with written_whole(partial) as scaled, _float_wav(scaled, sample_rate) as file:
            for piece in soundfile.blocks(system_path(partial), BLOCK, dtype="float32"):
                file.write(piece / np.float32(divisor))
            file.close()
            clear_write_time(scaled)
        return 1.0 / divisor


def _float_wav(path: Path, sample_rate: int) -> Any:
    return soundfile.SoundFile(system_path(path), "w", sample_rate, 1, subtype="FLOAT", format="WAV")


def _grown(audio: Audio, samples: int) -> Audio:
    """Return the audio with zeros behind it where it is shorter than `samples`."""
    return audio if len(audio) >= samples else np.pad(audio, (0, samples - len(audio)))
