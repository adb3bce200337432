"""The bank of frequency-modulated sinusoids that a sound is compared with: one atom for every point of a grid.

An atom has a carrier frequency, a modulation rate and a modulation depth. Its complex product with a sound factors
into a carrier and the phase of its modulation, so that the whole grid is two small arrays and one matrix product.
Nothing here is learned: whoever runs a network with such a bank computes it from the grid, so that no model file needs
to hold it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError

HARMONICS = 5
"""Harmonics whose level is followed along the course of a candidate."""

MAX_TABLE = 1 << 28
"""Numbers in the largest array of a bank, 1 GiB: that of the inverter for FM has 8 million."""

TRACK_WINDOW, TRACK_HOP = 256, 128
"""Samples of the spectrogram that levels are read from: a frame each 8 ms at 16,384 Hz; modulation reaches 30 Hz."""


@dataclass(frozen=True)
class OscillatorBank:
    """The atoms of a grid of frequencies, rates and depths, for sounds of one length.

    Shapes, of (F, R, D) levels, `windows` parts of the sound and T points in each:
        points: windows * T, the samples at which the product is taken, at a lower rate than the sound's.
        carriers (1, windows, F, 2, T): cosine and sine of the carrier, float32.
        modulations (windows, 2 T, 2 R D): (cosine, sine) x time by (real, imaginary) x atom, float32.
        tracks (F R D, HARMONICS * frames): where in a flattened spectrogram the harmonics of each atom lie, int32.
        one_hot (F R D, F + R + D): the levels of each atom, three one-hot parts side by side, float32.
    """

    points: int
    frames: int
    carriers: NDArray[np.float32]
    modulations: NDArray[np.float32]
    tracks: NDArray[np.int32]
    one_hot: NDArray[np.float32]


def build_oscillator_bank(
    frequencies: Sequence[float],
    rates: Sequence[float],
    depths: Sequence[float],
    sample_rate: int,
    samples: int,
    windows: int,
) -> OscillatorBank:
    """Compute the bank of a grid.

    Args:
        frequencies, rates, depths: levels in hertz; rates above 0. sample_rate: hertz. samples: length of the sounds.
        windows: equal parts of a sound, within which products are coherent.
    Raises: ModelError for a grid without levels, and for one whose tables would exceed MAX_TABLE numbers.
    """
    carrier, rate, depth = (np.asarray(levels, np.float64) for levels in (frequencies, rates, depths))
    _check_size(len(carrier), len(rate), len(depth), samples, windows, sample_rate)
    # The fundamentals need no more than their own band: the product is taken at a lower rate.
    top = min(1.1 * (carrier.max() + depth.max()), sample_rate / 2)
    points = -(-round(2 * top * samples / sample_rate) // windows) * windows
    points = min(points, samples // windows * windows)
    width = points // windows
    time = np.arange(points) * (samples / points / sample_rate)
    angle = 2.0 * np.pi * np.outer(carrier, time)
    carriers = np.stack([np.cos(angle), np.sin(angle)]).reshape(2, len(carrier), windows, width)
    slow = 1.0 - np.cos(2.0 * np.pi * np.outer(rate, time))
    ratios, scale = depth / rate[:, None], np.sqrt(2.0 / width)
    modulations = np.empty((windows, 2, width, 2, ratios.size), np.float32)
    for table, part in zip(modulations, slow.T.reshape(windows, width, -1, 1), strict=True):
        angles = (part * ratios).reshape(width, -1)
        cosine, sine = np.cos(angles) * scale, np.sin(angles) * scale
        table[0, :, 0], table[0, :, 1] = cosine, sine
        table[1, :, 0], table[1, :, 1] = -sine, cosine
    tracks, frames = _harmonic_tracks(carrier, rate, depth, sample_rate, samples)
    sizes = len(carrier), len(rate), len(depth)
    which = np.indices(sizes).reshape(3, -1)
    return OscillatorBank(
        points,
        frames,
        carriers.transpose(2, 1, 0, 3)[None].astype(np.float32),
        modulations.reshape(windows, 2 * width, -1),
        tracks,
        np.concatenate([np.eye(n, dtype=np.float32)[i] for n, i in zip(sizes, which, strict=True)], 1),
    )


def _check_size(carriers: int, rates: int, depths: int, samples: int, windows: int, sample_rate: int) -> None:
    if min(carriers, rates, depths, samples, windows, sample_rate) < 1:
        raise ModelError("a bank of oscillators needs levels of frequency, rate and depth, and samples. Received: none")
    atoms = carriers * rates * depths
    tables = (
        2 * carriers * samples,
        4 * rates * depths * samples,
        atoms * HARMONICS * -(-samples // TRACK_HOP),
        atoms * (carriers + rates + depths),
    )
    if max(tables) > MAX_TABLE:
        raise ModelError(
            f"a bank of oscillators must have tables of at most {MAX_TABLE:,} numbers. "
            f"Received: {carriers} x {rates} x {depths} atoms for {samples:,} samples, which need {max(tables):,}"
        )


def _harmonic_tracks(
    carrier: NDArray[np.float64], rate: NDArray[np.float64], depth: NDArray[np.float64], sample_rate: int, samples: int
) -> tuple[NDArray[np.int32], int]:
    """Return where in a flattened spectrogram the harmonics of each atom lie, and its number of frames."""
    frames = -(-samples // TRACK_HOP)
    bins = TRACK_WINDOW // 2 + 1
    time = (np.arange(frames) + 0.5) * TRACK_HOP / sample_rate
    sway = depth[:, None] * np.sin(2.0 * np.pi * np.outer(rate, time))[:, None, :]
    harmonics = np.arange(1, HARMONICS + 1)[:, None]
    half = TRACK_WINDOW // 2  # the window is a power of two, so that & is a modulo
    tracks = np.empty((len(carrier), len(rate) * len(depth), HARMONICS, frames), np.int32)
    for track, frequency in zip(tracks, carrier, strict=True):
        course = np.abs(frequency + sway).reshape(-1, 1, frames)
        places = np.rint(course * harmonics * TRACK_WINDOW / sample_rate).astype(np.int32)
        places = np.abs(((places + half) & (TRACK_WINDOW - 1)) - half)  # what lies above half the rate is folded
        track[:] = np.arange(frames, dtype=np.int32) * bins + places
    return tracks.reshape(-1, HARMONICS * frames), frames
