"""Detection of frequency-modulated oscillators: a fixed bank of all their shapes, and a head that points into it.

A synth that declares oscillators has one grid of shapes: carrier frequency x modulation rate x depth. Rendered at full
amplitude and phase zero, each shape is an atom exp(i phi(t)); the product of a sound with all of them is one matrix
product, since phi is a carrier term plus a modulation term. Of the oscillators of 1,000 random `fm` sounds 81 % are
among the 48 best local maxima of that product, whatever envelope, filter and gater were. What remains to be
learned is which waveform a candidate has, and what to do without one.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from generators.analysis.oscillator_bank import HARMONICS, TRACK_HOP, TRACK_WINDOW, build_oscillator_bank
from generators.analysis.spectrogram import log_spectrogram
from generators.errors import ModelError

STRETCHES = 16
"""Parts of the sound over which the level of a harmonic is averaged."""


@keras.saving.register_keras_serializable("inversynth")
class OscillatorCandidates(keras.layers.Layer):
    """Find the most probable oscillators of a sound. The layer has no trained weights.

    The pre-emphasised sound is divided into windows of equal level and multiplied with every atom; coherent sums
    over the windows are compared, local maxima first. Each candidate is described by its shape (one-hot), its complex
    product and magnitude in each window, its strength relative to the best, and the level of its first harmonics
    along its course, relative to the sound's.

    Args:
        frequencies, rates, depths: the grid, in hertz. sample_rate: hertz. candidates: how many are kept.
        windows: parts of the sound. emphasis: c of y[t] - c y[t-1], against the low-pass of the synth.
    Shapes: (batch, samples) -> descriptions (batch, candidates, features), and shapes (batch, candidates, levels)
        as three one-hot parts side by side.
    """

    def __init__(
        self,
        frequencies: Sequence[float],
        rates: Sequence[float],
        depths: Sequence[float],
        sample_rate: int,
        candidates: int = 48,
        windows: int = 8,
        emphasis: float = 0.97,
        **options: Any,
    ) -> None:
        super().__init__(**{"autocast": False, "trainable": False, **options})
        self.frequencies, self.rates, self.depths = (
            tuple(float(level) for level in levels) for levels in (frequencies, rates, depths)
        )
        self.sizes = len(self.frequencies), len(self.rates), len(self.depths)
        if min(self.rates) <= 0:
            raise ModelError(f"modulation rates must be positive. Received: {min(self.rates):g} Hz")
        self.sample_rate, self.windows, self.emphasis = int(sample_rate), windows, emphasis
        self.candidates = min(candidates, int(np.prod(self.sizes)))

    @property
    def feature_count(self) -> int:
        """Width of a description."""
        return sum(self.sizes) + 3 * self.windows + 2 + HARMONICS * STRETCHES

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        grid = self.frequencies, self.rates, self.depths
        self._bank = build_oscillator_bank(*grid, self.sample_rate, int(input_shape[-1] or 0), self.windows)

    def call(self, audio: Any) -> tuple[Any, Any]:
        audio = ops.cast(audio, "float32")
        products = self._products(audio)
        real, imaginary = products[..., : self.windows], products[..., self.windows : 2 * self.windows]
        strength = ops.sqrt(ops.square(ops.sum(real, -1)) + ops.square(ops.sum(imaginary, -1)) + 1e-9)
        count = int(np.prod(self.sizes))
        scores = ops.reshape(ops.where(strength >= _neighbours(strength), strength, 0.5 * strength), (-1, count))
        _, best = ops.top_k(scores, self.candidates)
        best = ops.cast(best, "int32")
        chosen = ops.take_along_axis(ops.reshape(strength, (-1, count)), best, axis=1)[:, :, None] / self.windows
        relative = ops.log(chosen / (ops.max(chosen, axis=1, keepdims=True) + 1e-9) + 1e-3)
        shapes = ops.take(self._bank.one_hot, best, axis=0)
        described = ops.take_along_axis(ops.reshape(products, (-1, count, 3 * self.windows)), best[:, :, None], axis=1)
        parts = [shapes, described, chosen, relative, self._levels(audio, best)]
        features = ops.cast(ops.concatenate(parts, axis=-1), self.compute_dtype)
        return ops.stop_gradient(features), ops.stop_gradient(shapes)

    def _products(self, audio: Any) -> Any:
        """Multiply with every atom, (batch, carriers, rates, depths, (real, imaginary, magnitude) x windows)."""
        samples = audio.shape[-1]
        raised = ops.concatenate([audio[:, :1], audio[:, 1:] - self.emphasis * audio[:, :-1]], axis=-1)
        real, imaginary = ops.rfft(raised)
        bins = self._bank.points // 2 + 1
        slow = ops.irfft((real[:, :bins], imaginary[:, :bins]), self._bank.points) * (self._bank.points / samples)
        slow = ops.reshape(slow, (-1, self.windows, self._bank.points // self.windows))
        power = ops.sum(ops.square(slow), axis=-1, keepdims=True)
        power = power + 1e-4 * ops.max(power, axis=1, keepdims=True) + 1e-9
        level = (slow / ops.sqrt(power))[:, :, None, None, :]
        carried = ops.cast(level, self.compute_dtype) * ops.cast(self._bank.carriers, self.compute_dtype)
        carried = ops.reshape(carried, (-1, self.windows, self.sizes[0], 2 * self._bank.points // self.windows))
        products = ops.cast(ops.matmul(carried, ops.cast(self._bank.modulations, self.compute_dtype)), "float32")
        products = ops.reshape(products, (-1, self.windows, self.sizes[0], 2, self.sizes[1], self.sizes[2]))
        products = ops.transpose(products, (0, 2, 4, 5, 3, 1))
        magnitude = ops.sqrt(ops.sum(ops.square(products), axis=-2) + 1e-6)
        products = ops.reshape(products, (-1, *self.sizes, 2 * self.windows))
        return 4.0 * ops.concatenate([products, magnitude], axis=-1)

    def _levels(self, audio: Any, best: Any) -> Any:
        """Follow the harmonics of candidates, (batch, candidates, harmonics * stretches), in units of 30 dB."""
        bins, frames = TRACK_WINDOW // 2 + 1, self._bank.frames
        level = ops.reshape(log_spectrogram(audio, TRACK_WINDOW, TRACK_HOP, ops), (-1, frames * bins)) / 30.0
        places = ops.reshape(ops.take(self._bank.tracks, best, axis=0), (-1, self.candidates * HARMONICS * frames))
        tracks = ops.take_along_axis(level, places, axis=1)
        tracks = _stretched(ops.reshape(tracks, (-1, self.candidates, HARMONICS, frames)), frames)
        around = ops.reshape(ops.mean(ops.reshape(level, (-1, frames, bins)), axis=-1), (-1, 1, 1, frames))
        tracks = tracks - _stretched(around, frames)
        return ops.reshape(tracks, (-1, self.candidates, HARMONICS * STRETCHES))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        batch = input_shape[0]
        return (batch, self.candidates, self.feature_count), (batch, self.candidates, sum(self.sizes))

    def compute_output_spec(self, audio: Any) -> Any:
        features, shapes = self.compute_output_shape(audio.shape)
        return keras.KerasTensor(features, self.compute_dtype), keras.KerasTensor(shapes, "float32")

    def get_config(self) -> dict[str, Any]:
        own = {
            "frequencies": list(self.frequencies),
            "rates": list(self.rates),
            "depths": list(self.depths),
            "sample_rate": self.sample_rate,
            "candidates": self.candidates,
            "windows": self.windows,
            "emphasis": self.emphasis,
        }
        return {**super().get_config(), **own}


def _neighbours(strength: Any) -> Any:
    """Return the greatest of each shape and those one step away along one axis."""
    greatest = strength
    for axis in (1, 2, 3):
        size = strength.shape[axis]
        margin = [[0, 0]] * 4
        margin[axis] = [1, 1]
        padded = ops.pad(strength, margin)
        for first in (0, 2):
            greatest = ops.maximum(greatest, ops.take(padded, np.arange(first, first + size), axis=axis))
    return greatest


def _stretched(levels: Any, frames: int) -> Any:
    """Average over `STRETCHES` parts of the last axis, equal but for the last."""
    edges = np.linspace(0, frames, STRETCHES + 1).round().astype(int)
    part = np.zeros((frames, STRETCHES), np.float32)
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        part[first:last, number] = 1.0 / max(last - first, 1)
    return ops.matmul(levels, part)


@keras.saving.register_keras_serializable("inversynth")
class DotProductAttention(keras.layers.Layer):
    """Let items look at each other, in several heads. Shapes: query, key, value (batch, items, width) -> the same."""

    def __init__(self, heads: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, inputs: Sequence[Any]) -> Any:
        items, width = inputs[0].shape[1:]
        query, key, value = (ops.reshape(part, (-1, items, self.heads, width // self.heads)) for part in inputs)
        return ops.reshape(ops.dot_product_attention(query, key, value), (-1, items, width))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("inversynth")
class Pointer(keras.layers.Layer):
    """Point from each oscillator to the candidates, or to none of them.

    Shapes: scores of candidates (batch, candidates, oscillators) and of none (batch, oscillators) -> probabilities
    (batch, candidates + 1, oscillators) that sum to one over the second axis, none last.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"autocast": False, "dtype": "float32", **options})

    def call(self, inputs: Sequence[Any]) -> Any:
        candidates, none = (ops.cast(part, "float32") for part in inputs)
        return ops.softmax(ops.concatenate([candidates, none[:, None]], axis=1), axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, candidates, oscillators = input_shape[0]
        return batch, candidates + 1, oscillators

    def get_config(self) -> dict[str, Any]:
        return super().get_config()  # without it Keras would write down the arguments named above, and drop the name


@keras.saving.register_keras_serializable("inversynth")
class PointedItems(keras.layers.Layer):
    """Gather what each oscillator points at.

    Shapes: pointer (batch, candidates + 1, oscillators), items (batch, candidates, width)
        -> (batch, oscillators * width).
    """

    def call(self, inputs: Sequence[Any]) -> Any:
        pointer, items = inputs
        pointed = ops.einsum("bko,bkw->bow", ops.cast(pointer[:, :-1], self.compute_dtype), items)
        return ops.reshape(pointed, (-1, pointer.shape[2] * items.shape[2]))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        (batch, _, oscillators), (_, _, width) = input_shape
        return batch, oscillators * width


@keras.saving.register_keras_serializable("inversynth")
class PointerMixture(keras.layers.Layer):
    """Mix, for the shape of each oscillator, what it points at with what is thought where it points at nothing.

    Args:
        sizes: class count of each parameter. columns: for each oscillator the columns of its frequency, rate and depth.
    Shapes: pointer (batch, candidates + 1, oscillators), shapes (batch, candidates, levels) and probabilities
        (batch, size), summing to one per parameter -> probabilities (batch, size) that do so, too.
    """

    def __init__(self, sizes: Sequence[int], columns: Sequence[Sequence[int]], **options: Any) -> None:
        super().__init__(**{"autocast": False, "dtype": "float32", **options})
        self.sizes = tuple(int(size) for size in sizes)
        self.columns = tuple(tuple(int(column) for column in triple) for triple in columns)

    def call(self, inputs: Sequence[Any]) -> Any:
        pointer, shapes, probabilities = (ops.cast(part, "float32") for part in inputs)
        pointed = ops.einsum("bko,bkc->boc", pointer[:, :-1], shapes)
        ends = np.cumsum(self.sizes)
        parts = [probabilities[:, int(end) - size : int(end)] for end, size in zip(ends, self.sizes, strict=True)]
        for oscillator, triple in enumerate(self.columns):
            first = 0
            for column in triple:
                last = first + self.sizes[column]
                parts[column] = pointed[:, oscillator, first:last] + pointer[:, -1, oscillator, None] * parts[column]
                first = last
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": list(self.sizes), "columns": [list(triple) for triple in self.columns]}
