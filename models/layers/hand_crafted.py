"""Hand-crafted features of a sound, after Itoyama and Okuno 2014: 32 measures a frame and their statistics over time.

Smaller than the original, and computed inside the model: one time derivative (there several, 224 series in all, here
64), 8 segments of the clip with mean and deviation (there 25), and over the whole clip mean, deviation, skewness,
extremes, median, tenth and ninetieth percentile and the ten lowest DCT coefficients (there also the positions of the
last five).
"""

from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from generators.analysis.spectrogram import (
    FFT_LENGTH,
    FLOOR,
    HOP_LENGTH,
    bin_count,
    check_window,
    frame_audio,
    power_of_frames,
)

Floats = NDArray[np.floating[Any]]

BANDS = 8
"""Octaves below half the sample rate, the lowest reaching down to 0 Hz."""

MEL_BANDS = 26
MFCC = 13
"""The customary numbers for speech (HTK); more mel bands than 26 would be narrower than a bin of 32 Hz."""

SEGMENTS = 8
DCT = 10

FRAME_FEATURES: tuple[str, ...] = (
    *(f"band_{band}" for band in range(BANDS)),
    *(f"mfcc_{coefficient}" for coefficient in range(MFCC)),
    "level",
    "zero_crossing_rate",
    "centroid",
    "width",
    "rolloff",
    "flux",
    "flatness",
    "peak",
    "valley",
    "contrast",
    "harmonicity",
)
"""What is measured of each frame: energies and peaks in dB, places as a fraction of half the sample rate."""

STATISTICS = ("mean", "deviation", "skewness", "minimum", "maximum", "median", "percentile_10", "percentile_90")

WIDTH = 2 * len(FRAME_FEATURES) * (len(STATISTICS) + 2 * SEGMENTS + DCT)
"""Numbers a sound: 32 measures and their derivatives, each with 34 statistics."""


@keras.saving.register_keras_serializable("inversynth")
class HandCraftedFeatures(keras.layers.Layer):
    """Measures of each frame and their derivatives, with statistics over time. The layer has no weights.

    Args:
        sample_rate: hertz, for the mel scale and the range of pitches.
    Shapes: (batch, samples) -> (batch, WIDTH).
    """

    def __init__(
        self, sample_rate: int, fft_length: int = FFT_LENGTH, hop_length: int = HOP_LENGTH, **options: Any
    ) -> None:
        super().__init__(**{"autocast": False, **options})
        check_window(fft_length, hop_length)
        self.sample_rate = sample_rate
        self.fft_length = fft_length
        self.hop_length = hop_length

    def call(self, audio: Any) -> Any:
        series = self.frame_features(ops.cast(audio, "float32"))
        slopes = ops.pad(series[:, 1:] - series[:, :-1], ((0, 0), (1, 0), (0, 0)))
        return ops.cast(_statistics(ops.concatenate([series, slopes], axis=-1)), self.compute_dtype)

    def frame_features(self, audio: Any) -> Any:
        """Measure each frame. Shapes: (batch, samples) -> (batch, frames, 32), in the order of FRAME_FEATURES."""
        frames = frame_audio(audio, self.fft_length, self.hop_length, ops)
        power = ops.maximum(power_of_frames(frames, ops), FLOOR**2)
        decibels = _decibels(power)
        magnitude = ops.sqrt(power)
        share = magnitude / ops.sum(magnitude, axis=-1, keepdims=True)
        place = ops.linspace(0.0, 1.0, power.shape[-1], dtype="float32")
        centroid = ops.sum(share * place, axis=-1, keepdims=True)
        width = ops.sqrt(ops.sum(share * ops.square(place - centroid), axis=-1, keepdims=True))
        below = ops.cumsum(power, axis=-1) < 0.85 * ops.sum(power, axis=-1, keepdims=True)
        change = ops.mean(ops.abs(decibels[:, 1:] - decibels[:, :-1]), axis=-1, keepdims=True)
        positive = ops.cast(frames >= 0.0, "float32")
        crossings = ops.mean(ops.abs(positive[..., 1:] - positive[..., :-1]), axis=-1, keepdims=True)
        bands = [slice(start, stop) for start, stop in _octaves(power.shape[-1])]
        peak = sum(ops.max(decibels[..., band], axis=-1, keepdims=True) for band in bands) / len(bands)
        valley = sum(ops.min(decibels[..., band], axis=-1, keepdims=True) for band in bands) / len(bands)
        mel = _decibels(ops.matmul(power, mel_weights(self.sample_rate, self.fft_length)))
        return ops.concatenate(
            [
                *(_decibels(ops.mean(power[..., band], axis=-1, keepdims=True)) for band in bands),
                ops.matmul(mel, _dct(MEL_BANDS, MFCC)),
                _decibels(ops.maximum(ops.mean(ops.square(frames), axis=-1, keepdims=True), FLOOR**2)),
                crossings,
                centroid,
                width,
                ops.mean(ops.cast(below, "float32"), axis=-1, keepdims=True),
                ops.pad(change, ((0, 0), (1, 0), (0, 0))),
                ops.mean(decibels, axis=-1, keepdims=True) - _decibels(ops.mean(power, axis=-1, keepdims=True)),
                peak,
                valley,
                peak - valley,
                self._harmonicity(power),
            ],
            axis=-1,
        )

    def _harmonicity(self, power: Any) -> Any:
        """Take the highest peak of the normalised autocorrelation between 50 Hz and 2 kHz: 1 for a steady pitch."""
        half = self.fft_length // 2
        lowest, highest = max(self.sample_rate // 2000, 1), min(self.sample_rate // 50, half)
        lags = np.arange(lowest, max(highest, lowest + 1))
        bins = np.arange(half + 1)
        twice = np.where((bins == 0) | (bins == half), 1.0, 2.0)  # a real signal's negative frequencies
        waves = twice[:, None] * np.cos(2.0 * np.pi * bins[:, None] * lags / self.fft_length)
        correlation = ops.matmul(power, waves.astype(np.float32))
        energy = ops.sum(power * twice.astype(np.float32), axis=-1, keepdims=True)
        return ops.max(correlation, axis=-1, keepdims=True) / energy

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], WIDTH)

    def get_config(self) -> dict[str, Any]:
        own = {"sample_rate": self.sample_rate, "fft_length": self.fft_length, "hop_length": self.hop_length}
        return {**super().get_config(), **own}


def mel_weights(sample_rate: int, fft_length: int) -> NDArray[np.float32]:
    """Return triangular bands evenly spaced in mel, 2595 log10(1 + f / 700), each at least one bin wide.

    Unlike `generators.analysis.mel.mel_filters`, which follows librosa: its lowest bands lie between two bins at this
    window, so that they are empty and their logarithm has no meaning. Saved models depend on these weights.
    Shapes: (bins, MEL_BANDS), columns summing to one.
    """
    bins = bin_count(fft_length)
    top = 2595.0 * np.log10(1.0 + sample_rate / 2.0 / 700.0)
    corners = 700.0 * (10.0 ** (np.linspace(0.0, top, MEL_BANDS + 2) / 2595.0) - 1.0)
    corners *= fft_length / sample_rate  # in bins
    middle = corners[1:-1]
    left, right = np.maximum(middle - corners[:-2], 1.0), np.maximum(corners[2:] - middle, 1.0)
    distance = np.arange(bins)[:, None] - middle
    weights = np.maximum(1.0 - np.where(distance < 0.0, -distance / left, distance / right), 0.0)
    return (weights / weights.sum(axis=0)).astype(np.float32)


def _octaves(bins: int) -> list[tuple[int, int]]:
    """Cut the bins into BANDS octaves from the top; where there are too few bins the low bands share the lowest."""
    edges = [0, *(max(round((bins - 1) / 2**octave), 1) for octave in reversed(range(1, BANDS))), bins]
    return [(min(start, stop - 1), stop) for start, stop in pairwise(edges)]


def _dct(length: int, count: int) -> NDArray[np.float32]:
    """Return the lowest `count` cosines of the DCT-II over `length` points, scaled to a mean.

    `scipy.fft.dct` of an identity matrix would compute all `length` of them, squared in memory for a long sound.
    Shapes: (length, count).
    """
    waves = np.cos(np.pi * (np.arange(length)[:, None] + 0.5) * np.arange(count) / length)
    return (waves / length).astype(np.float32)


def _decibels(power: Any) -> Any:
    return ops.log(power) * float(10.0 / np.log(10.0))


def _statistics(series: Any) -> Any:
    """Sum up (batch, frames, series) over time, (batch, statistics * series)."""
    frames = series.shape[1]
    mean = ops.mean(series, axis=1)
    centred = series - mean[:, None]
    deviation = ops.sqrt(ops.mean(ops.square(centred), axis=1))
    skewness = ops.mean(centred**3, axis=1) / (deviation**3 + 1e-6)
    ordered = ops.sort(series, axis=1)
    low, middle, high = (ordered[:, round(part * (frames - 1))] for part in (0.1, 0.5, 0.9))
    parts = [mean, deviation, skewness, ordered[:, 0], ordered[:, -1], middle, low, high]
    for segment in range(SEGMENTS):
        start = segment * frames // SEGMENTS
        part = series[:, start : max((segment + 1) * frames // SEGMENTS, start + 1)]
        parts += [ops.mean(part, axis=1), ops.std(part, axis=1)]
    parts += list(ops.unstack(ops.matmul(np.ascontiguousarray(_dct(frames, DCT).T), series), axis=1))
    return ops.concatenate(parts, axis=-1)
