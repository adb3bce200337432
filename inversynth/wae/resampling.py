"""Mix down and resample a sound of any length block by block, to the samples that resampling the whole would give."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.audio import open_audio, resample

Audio = NDArray[np.float32]

BLOCK = 1 << 18
"""Samples of the sound, over all channels, that are read at once."""

MARGIN = 32
"""Samples of the lower rate around a block, so that the resampling filter, 20 of them long, meets no edge."""


def resampled_blocks(path: Path, sample_rate: int) -> Iterator[Audio]:
    """Yield a sound as mono at another rate, in blocks.

    Shapes: ceil(samples * sample_rate / its own rate) samples in all. Raises: AudioError for an unreadable sound.
    """
    with open_audio(path) as file:
        rate = file.header.sample_rate
        mono = (block.mean(axis=1, dtype=np.float32) for block in file.blocks(max(1, BLOCK // file.header.channels)))
        yield from mono if rate == sample_rate else _resampled(mono, rate, sample_rate)


def _resampled(blocks: Iterator[Audio], rate: int, target_rate: int) -> Iterator[Audio]:
    """Resample blocks with the samples around them, which overlap; a unit is whole numbers of samples at both rates."""
    divisor = math.gcd(rate, target_rate)
    unit, made = rate // divisor, target_rate // divisor
    margin = math.ceil(MARGIN / min(unit, made))
    span = max(1, BLOCK // unit)
    held = np.zeros(margin * unit, np.float32)
    samples = written = 0
    for block in blocks:
        samples += len(block)
        held = np.concatenate([held, block])
        while len(held) >= (span + 2 * margin) * unit:
            wide = resample(held[: (span + 2 * margin) * unit], rate, target_rate)
            yield wide[margin * made : (margin + span) * made]
            written += span * made
            held = held[span * unit :]
    left = math.ceil(samples * target_rate / rate) - written
    if left > 0:
        wide = resample(np.pad(held, (0, margin * unit)), rate, target_rate)
        yield wide[margin * made :][:left]
