"""`log_mel_distance`: how far two sounds are apart to the ear, in dB, whatever their levels and phases.

Both sounds are scaled to -20 dBFS RMS; powers by Hann windows of 10, 25 and 100 ms are gathered in 32, 64 and 128 HTK
mel bands up to half the rate; the mean absolute difference of their levels is averaged over the three. 0 dB is the
power of a full-scale sine in its bin (a band sums the main lobe: up to 3 dB more). Levels below a floor count as the
floor: -80 dB, or the background noise of the target plus 6 dB in the bands where that is higher, since no patch can or
should reproduce the noise of a recording.

The figure depends on the rate, which belongs beside it. Yardsticks at 16,384 Hz by the fixed floor: the same DX7 voice
by two emulators 3.7, one semitone off 4.1, a random algorithm 7.7, an unrelated voice 15.8.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import mel_filters
from generators.analysis.noise_floor import noise_density
from generators.analysis.spectrogram import frame_count, hann_window
from generators.dsp.compiler import compile_kernel
from generators.errors import AudioError

RESOLUTIONS = ((0.010, 0.005, 32), (0.025, 0.010, 64), (0.100, 0.050, 128))
"""Window and hop in seconds, and bands: the short one follows attacks, the long one parts the partials of a C2."""

LEVEL = 0.1
"""RMS to which sounds are scaled before they are compared (-20 dBFS)."""

FLOOR_DB = -80.0
"""Level of a band below which nothing counts: 60 dB below a sound's RMS, the range of a quiet room."""

ABOVE_NOISE = 6.0
"""Decibels by which the floor lies above the mean level of the noise: cells of noise exceed it in 2 % of cases."""

_DECIBELS = float(10.0 / np.log(10.0))
_CHUNK = 4
"""Sounds whose spectra are held at once; more leave the cache."""


@dataclass(frozen=True)
class _Analysis:
    """One resolution: window and hop in samples; first bin, last bin + 1 and weights of each band.

    Weights stand one band after another and carry the scale that makes the bin of a full-scale sine 0 dB.
    """

    window: NDArray[np.float32]
    hop: int
    fft_length: int
    matrix: NDArray[np.float64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    weights: NDArray[np.float32]


@lru_cache(maxsize=16)
def _analyses(sample_rate: int) -> tuple[_Analysis, ...]:
    """Prepare the three resolutions; transforms are padded until each band holds a bin."""
    found = []
    for seconds, step, bands in RESOLUTIONS:
        length, hop = round(seconds * sample_rate), round(step * sample_rate)
        fft_length = 1 << (length - 1).bit_length()
        while not (matrix := mel_filters(bands, fft_length, sample_rate, htk=True)).any(axis=0).all():
            fft_length *= 2
        window = hann_window(length)
        matrix = matrix * (4.0 / float(window.sum(dtype=np.float64)) ** 2)
        starts = (matrix > 0).argmax(axis=0)
        ends = len(matrix) - (matrix[::-1] > 0).argmax(axis=0)
        weights = np.concatenate(
            [matrix[start:end, k] for k, (start, end) in enumerate(zip(starts, ends, strict=True))]
        )
        found.append(_Analysis(window, hop, fft_length, matrix, starts, ends, weights.astype(np.float32)))
    return tuple(found)


class LogMelDistance:
    """Distances of many sounds from one target, which is analysed once; see the module for the measure.

    Args:
        target: (samples,), not silent. sample_rate: Hz of the target and of all that is compared with it.
        floor_db: a fixed floor in dB; None estimates the target's noise, with -80 dB as the lowest.
    Raises: AudioError for a target that is silent, not finite, or no single sound.
    """

    def __init__(self, target: ArrayLike, sample_rate: int, floor_db: float | None = None) -> None:
        sound = np.asarray(target, np.float32)
        if sound.ndim != 1 or not len(sound) or not np.isfinite(sound).all() or not sound.any():
            raise AudioError(
                f"a target must be one audible and finite sound, (samples,). Received: an array of shape {sound.shape}"
                + (", silent or not finite" if sound.ndim == 1 else "")
            )
        self.samples, self.sample_rate = len(sound), int(sample_rate)
        self._analyses = _analyses(self.sample_rate)
        spectra = [_spectra(_scaled(sound[None]), each) for each in self._analyses]
        powers = [np.square(s[0].real, dtype=np.float64) + np.square(s[0].imag, dtype=np.float64) for s in spectra]
        lowest = FLOOR_DB if floor_db is None else floor_db
        self.floors = [np.full(len(each.starts), lowest) for each in self._analyses]
        """The floor of each band in dB, for each resolution, at the level of -20 dBFS RMS."""
        if floor_db is None:
            self.floors = [np.maximum(lowest, floor) for floor in self._noise_levels(powers)]
        self._floor_powers = [(10.0 ** (floor / 10.0)).astype(np.float32) for floor in self.floors]
        self._levels = [
            (_DECIBELS * np.log(np.maximum(power @ each.matrix, floor))).astype(np.float32)
            for power, each, floor in zip(powers, self._analyses, self._floor_powers, strict=True)
        ]

    def distance(self, audio: ArrayLike) -> NDArray[np.float64]:
        """Measure sounds as long as the target; silence is as far as its floor is from the target's levels.

        Shapes: (n, samples) -> (n,) dB; (samples,) -> (). Releases the interpreter lock for most of its time.
        Raises: AudioError for another length.
        """
        sounds = np.asarray(audio, np.float32)
        if sounds.shape[-1] != self.samples:
            raise AudioError(f"sounds must be as long as the target, {self.samples} samples. Received: {sounds.shape}")
        if sounds.ndim == 1:
            return np.asarray(self.distance(sounds[None])[0])
        found = np.zeros(len(sounds))
        for first in range(0, len(sounds), _CHUNK):
            part = _scaled(sounds[first : first + _CHUNK])
            for each, levels, floor in zip(self._analyses, self._levels, self._floor_powers, strict=True):
                _accumulate(
                    _spectra(part, each),
                    each.starts,
                    each.ends,
                    each.weights,
                    levels,
                    floor,
                    found[first : first + _CHUNK],
                )
        return found / len(RESOLUTIONS)

    def differences(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Return by how many dB the levels of sounds are above those of the target: what `distance` averages.

        `weights @ abs(differences)` is the distance. Shapes: (n, samples) -> (n, numbers).
        """
        sounds = np.asarray(audio, np.float32)
        lowest = 10.0 ** (min(float(floor.min()) for floor in self.floors) / 10.0)
        found = np.empty((len(sounds), sum(levels.size for levels in self._levels)), np.float32)
        for first in range(0, len(sounds), _CHUNK):
            part, place = _scaled(sounds[first : first + _CHUNK]), 0
            for each, wanted, floor in zip(self._analyses, self._levels, self.floors, strict=True):
                levels = np.empty((len(part), *wanted.shape), np.float32)
                _fill_levels(_spectra(part, each), each.starts, each.ends, each.weights, np.float32(lowest), levels)
                over = np.maximum(levels, floor.astype(np.float32)) - wanted
                found[first : first + len(part), place : place + wanted.size] = over.reshape(len(part), -1)
                place += wanted.size
        return found

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """The weight of each of `differences` in the distance, (numbers,); their sum is 1."""
        sizes = [levels.size for levels in self._levels]
        return np.concatenate([np.full(size, 1.0 / (len(sizes) * size), np.float32) for size in sizes])

    def _noise_levels(self, powers: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Estimate the level of the background in each band plus `ABOVE_NOISE`, dB."""
        hertz = [
            np.arange(power.shape[1]) * (self.sample_rate / each.fft_length)
            for power, each in zip(powers, self._analyses, strict=True)
        ]
        energies = [float(np.square(each.window, dtype=np.float64).sum()) for each in self._analyses]
        centres, density = noise_density(powers, hertz, energies)
        return [
            10.0 * np.log10(np.maximum((np.interp(bins, centres, density) * energy) @ each.matrix, 1e-30)) + ABOVE_NOISE
            for bins, energy, each in zip(hertz, energies, self._analyses, strict=True)
        ]


def log_mel_distance(
    target: ArrayLike, match: ArrayLike, sample_rate: int, floor_db: float | None = None
) -> NDArray[np.float64]:
    """Return how far sounds are from a target, in dB; 0 is equal up to level and phase.

    Args:
        sample_rate: Hz of both; resample before, and name it beside the figure. floor_db: see `LogMelDistance`.
    Shapes: target (samples,), match (n, samples) or (samples,) -> (n,) or ().
    Raises: AudioError for a silent target and for sounds of another length.
    """
    return LogMelDistance(target, sample_rate, floor_db).distance(match)


def log_mel_levels(
    audio: ArrayLike, sample_rate: int, floor_db: float = FLOOR_DB
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the levels that `LogMelDistance` compares by a fixed floor, for many sounds against many.

    The distance of two sounds is the mean over the three of their mean absolute difference.

    Shapes: (n, samples) -> (n, frames, bands) dB for each of `RESOLUTIONS`.
    """
    sounds = np.asarray(audio, np.float32)
    lowest = np.float32(10.0 ** (floor_db / 10.0))
    analyses = _analyses(int(sample_rate))
    short, middle, long = (
        np.empty((len(sounds), frame_count(sounds.shape[1], each.hop), len(each.starts)), np.float32)
        for each in analyses
    )
    for first in range(0, len(sounds), _CHUNK):
        part = _scaled(sounds[first : first + _CHUNK])
        for each, levels in zip(analyses, (short, middle, long), strict=True):
            spectra = _spectra(part, each)
            _fill_levels(spectra, each.starts, each.ends, each.weights, lowest, levels[first : first + _CHUNK])
    return short, middle, long


def _scaled(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale sounds (n, samples) to an RMS of `LEVEL`; silence stays silent."""
    power = np.einsum("ij,ij->i", audio, audio, dtype=np.float64) / max(audio.shape[1], 1)
    return audio * (LEVEL / np.sqrt(np.maximum(power, 1e-30))).astype(np.float32)[:, None]


def _spectra(audio: NDArray[np.float32], analysis: _Analysis) -> NDArray[np.complex64]:
    """Transform frames, one for each hop, centred on it. Shapes: (n, samples) -> (n, frames, bins)."""
    from scipy.fft import rfft

    length, hop = len(analysis.window), analysis.hop
    frames = frame_count(audio.shape[1], hop)
    left = (length - hop) // 2
    padded = np.pad(audio, ((0, 0), (left, (frames - 1) * hop + length - left - audio.shape[1])))
    views = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, ::hop]
    windowed = np.empty((len(audio), frames, analysis.fft_length), np.float32)
    np.multiply(views, analysis.window, out=windowed[..., :length])
    windowed[..., length:] = 0.0  # SciPy would pad a copy, which takes twice as long
    spectra: NDArray[np.complex64] = rfft(windowed, axis=-1, overwrite_x=True)
    return spectra


@compile_kernel
def _accumulate(spectra: Any, starts: Any, ends: Any, weights: Any, levels: Any, floor: Any, found: Any) -> None:
    """Add to `found` the mean absolute difference from `levels` (frames, bands) in dB of spectra (n, frames, bins)."""
    count, frames, bins = spectra.shape
    bands = len(starts)
    power = np.empty(bins, np.float32)
    for sound in range(count):
        total = 0.0
        for frame in range(frames):
            row = spectra[sound, frame]
            for i in range(bins):
                power[i] = row[i].real * row[i].real + row[i].imag * row[i].imag
            place = 0
            for band in range(bands):
                first, last = starts[band], ends[band]
                value = np.float32(0.0)
                for i in range(last - first):
                    value += weights[place + i] * power[first + i]
                place += last - first
                level = np.float32(_DECIBELS) * np.log(max(value, floor[band]))
                total += abs(level - levels[frame, band])
        found[sound] += total / (frames * bands)


@compile_kernel
def _fill_levels(spectra: Any, starts: Any, ends: Any, weights: Any, floor: Any, found: Any) -> None:
    """Fill `found` (n, frames, bands) with the levels in dB of spectra (n, frames, bins)."""
    count, frames, bins = spectra.shape
    power = np.empty(bins, np.float32)
    for sound in range(count):
        for frame in range(frames):
            row = spectra[sound, frame]
            for i in range(bins):
                power[i] = row[i].real * row[i].real + row[i].imag * row[i].imag
            place = 0
            for band in range(len(starts)):
                first, last = starts[band], ends[band]
                value = np.float32(0.0)
                for i in range(last - first):
                    value += weights[place + i] * power[first + i]
                place += last - first
                found[sound, frame, band] = np.float32(_DECIBELS) * np.log(max(value, floor))
