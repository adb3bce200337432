"""Mix down and resample a sound of any length block by block, to the samples that resampling the whole would give."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.audio import open_audio, resample_blocks

Audio = NDArray[np.float32]

BLOCK = 1 << 18
"""Samples of the sound, over all channels, that are read at once."""


def resampled_blocks(path: Path, sample_rate: int) -> Iterator[Audio]:
    """Yield a sound as mono at another rate, in blocks.

    Shapes: ceil(samples * sample_rate / its own rate) samples in all. Raises: AudioError for an unreadable sound.
    """
    with open_audio(path) as file:
        blocks = file.blocks(max(1, BLOCK // file.header.channels))
        mono = (block.mean(axis=1, dtype=np.float32) for block in blocks)
        yield from resample_blocks(mono, file.header.sample_rate, sample_rate)
