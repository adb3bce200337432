"""Partials of a known note: their levels, estimated from mel magnitudes, and a bank of sines at their frequencies.

It complements MCNN, in which equal frames can only yield equal hops, while oscillators have a continuous phase. All of
it is matrix products, sines and sums over frames, so that it can be exported to any runtime.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from generators.analysis.mel import mel_filters
from generators.analysis.spectrogram import bin_count
from generators.errors import ModelError

UPPERMOST = 0.96
"""Of half the sample rate: partials above it are silent, for they would fold back."""

GUARD = 0.03
"""Of half the sample rate: the band below that in which partials fade, so that none is switched."""

ITSELF, BESIDE = 0.5413, -4.0
"""What softplus turns into 1 and into 0.02."""

_TINY = 1e-6
"""Added to a mel magnitude where it divides: 1e-6 is far below the range of a spectrogram."""


def hertz_of(notes: Any) -> Any:
    """Return frequencies of MIDI notes. Shapes: any -> the same."""
    return 440.0 * ops.exp((ops.cast(notes, "float32") - 69.0) * float(np.log(2.0) / 12.0))


def is_known(notes: Any) -> Any:
    """Return 1 for MIDI notes above 0, and 0 for those that stand for an unknown one. Shapes: any -> the same."""
    return ops.cast(ops.cast(notes, "float32") > 0.0, "float32")


@lru_cache(maxsize=4)
def tone_mels(bands: int, fft_length: int, sample_rate: int) -> NDArray[np.float32]:
    """Return the mel magnitudes of a full-scale sine at the middle of each bin. Shapes: (bins, bands)."""
    lobe = np.zeros(bin_count(fft_length))
    lobe[:2] = fft_length / 4.0, fft_length / 8.0  # of a Hann window, on a bin and beside it
    places = np.arange(bin_count(fft_length))
    spectra = lobe[np.minimum(np.abs(places[:, None] - places), len(lobe) - 1)]
    return np.asarray(spectra @ mel_filters(bands, fft_length, sample_rate), np.float32)


@keras.saving.register_keras_serializable("inversynth")
class PartialLevels(keras.layers.Layer):
    """Find amplitudes of a note's partials whose mels, added up, come nearest to those given.

    Multiplicative steps (Lee and Seung 2001) from equal amplitudes on: none is negative, and partials that share a band
    share its magnitude. They are homogeneous: silence gives 0, and twice the mels twice the amplitudes.

    Args:
        partials: how many. rounds: of the search.
    Shapes: [mels (batch, frames, bands), MIDI notes (batch, 1)] -> (batch, frames, partials); 0 for a note of 0 or
        less, which stands for an unknown one, and for partials above half the sample rate.
    """

    def __init__(self, partials: int, fft_length: int, sample_rate: int, rounds: int = 12, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.partials, self.fft_length, self.sample_rate, self.rounds = partials, fft_length, sample_rate, rounds

    def call(self, inputs: Sequence[Any]) -> Any:
        mels, notes = ops.cast(inputs[0], "float32"), ops.cast(inputs[1], "float32")
        table = tone_mels(mels.shape[-1], self.fft_length, self.sample_rate)
        hertz = hertz_of(notes) * _numbers(self.partials)
        audible = audible_share(hertz, self.sample_rate) * is_known(notes)
        place = ops.minimum(hertz * (self.fft_length / self.sample_rate), float(len(table)) - 1.001)
        whole = ops.floor(place)
        index, rest = ops.cast(whole, "int32"), (place - whole)[..., None]
        rows = ops.take(table, index, axis=0) * (1.0 - rest) + ops.take(table, index + 1, axis=0) * rest
        rows = rows * audible[..., None]
        across = ops.transpose(rows, (0, 2, 1))
        seen, shared = ops.matmul(mels, across), ops.matmul(rows, across)
        total = ops.sum(shared, axis=-1)[:, None, :] + _TINY
        levels = seen / total
        for _ in range(self.rounds):
            levels = levels * (seen + _TINY) / (ops.matmul(levels, shared) + _TINY)
        return levels * audible[:, None, :]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0][0], input_shape[0][1], self.partials)

    def get_config(self) -> dict[str, Any]:
        own = {"partials": self.partials, "fft_length": self.fft_length, "sample_rate": self.sample_rate}
        return {**super().get_config(), **own, "rounds": self.rounds}


def audible_share(hertz: Any, sample_rate: int) -> Any:
    """Return 1 for frequencies below half the sample rate, and 0 from a little below it on, with a slope between."""
    half = sample_rate / 2.0
    return ops.clip((UPPERMOST * half - hertz) / (GUARD * half), 0.0, 1.0)


@keras.saving.register_keras_serializable("inversynth")
class LevelLogarithm(keras.layers.Layer):
    """Return log(1 + x / floor), which is 1 at full scale. Shapes: any -> the same.

    Args:
        floor: below it, magnitudes count as they are; above, by their ratios. full: what is called full scale.
    """

    def __init__(self, floor: float, full: float, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.floor, self.full = floor, full

    def call(self, levels: Any) -> Any:
        scale = 1.0 / float(np.log1p(self.full / self.floor))
        return ops.cast(ops.log1p(ops.cast(levels, "float32") / self.floor) * scale, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "floor": self.floor, "full": self.full}


@keras.saving.register_keras_serializable("inversynth")
class NeighbourMixture(keras.layers.Layer):
    """Mix levels of a frame with those of frames around it, by weights that are not negative.

    Weights are softplus(given + offset), where the offset gives 1 to the frame itself and nearly 0 to others, so that
    what comes in goes out while nothing is learned.

    Args:
        reach: frames on either side.
    Shapes: [levels (batch, frames, n), weights (batch, frames, (2 reach + 1) n)] -> (batch, frames, n).
    """

    def __init__(self, reach: int, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.reach = reach

    def call(self, inputs: Sequence[Any]) -> Any:
        levels, given = (ops.cast(part, "float32") for part in inputs)
        parts, places = [], range(2 * self.reach + 1)
        padded = ops.pad(levels, ((0, 0), (self.reach, self.reach), (0, 0)))
        for place, one in zip(places, ops.split(given, len(places), axis=-1), strict=True):
            offset = ITSELF if place == self.reach else BESIDE
            parts.append(padded[:, place : place - 2 * self.reach or None] * ops.softplus(one + offset))
        return sum(parts)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reach": self.reach}


@keras.saving.register_keras_serializable("inversynth")
class PartialBank(keras.layers.Layer):
    """Add up sines at the partials of a note, each carrying its phase on through all frames.

    Amplitudes and the fundamental run straight from the middle of one hop to that of the next. The phase within a hop
    is the exact integral of that; from hop to hop whole cycles are dropped, so that float32 is enough.

    Args:
        hop_length: samples of a frame. cents: by which the fundamental may be off, at most. stretch: by which partial k
            may be too high by k^2, at most: k f sqrt(1 + stretch k^2), as in stiff strings.
    Shapes: [amplitudes (batch, frames, partials), detuning (batch, frames, 1) in -1..1, stiffness (batch, 1) in 0..1,
        MIDI notes (batch, 1)] -> (batch, frames x hop_length).
    """

    def __init__(
        self, hop_length: int, sample_rate: int, cents: float = 50.0, stretch: float = 2e-3, **options: Any
    ) -> None:
        super().__init__(**{"autocast": False, **options})
        if hop_length < 2 or hop_length % 2:
            raise ModelError(f"a hop must have an even number of samples. Received: {hop_length}")
        self.hop_length, self.sample_rate, self.cents, self.stretch = hop_length, sample_rate, cents, stretch

    def call(self, inputs: Sequence[Any]) -> Any:
        levels, detuning, stiffness, notes = (ops.cast(part, "float32") for part in inputs)
        hop, partials = self.hop_length, levels.shape[-1]
        number = _numbers(partials)
        multiple = number * ops.sqrt(1.0 + self.stretch * stiffness * number**2)
        hertz = hertz_of(notes) * ops.exp(detuning[..., 0] * float(self.cents * np.log(2.0) / 1200.0))
        levels = levels * audible_share(hertz[..., None] * multiple[:, None], self.sample_rate)
        cycles = _held(hertz[..., None], 1)[..., 0] / self.sample_rate  # a sample, at the middle of each hop
        now, then = cycles[:, :-1], cycles[:, 1:]
        across = 0.5 * hop * (now + then)[..., None] * multiple[:, None]
        across = across - ops.stop_gradient(ops.floor(across))
        start = ops.cumsum(across, axis=1) - across + ops.convert_to_tensor(_first_phases(partials))
        start = start - ops.stop_gradient(ops.floor(start))
        sample = ops.convert_to_tensor((np.arange(hop, dtype=np.float32) + 0.5)[None, None])
        along = now[..., None] * sample + (then - now)[..., None] * (0.5 / hop * sample**2)
        one = ops.stack([ops.ones_like(along), along], axis=-1)
        other = ops.stack([start, start * 0.0 + multiple[:, None]], axis=-2)
        waves = ops.sin(float(2.0 * np.pi) * ops.matmul(one, other))
        kept = _held(levels * is_known(notes)[..., None], 1)
        ends = ops.matmul(waves, ops.stack([kept[:, :-1], kept[:, 1:]], axis=-1))
        share = sample[..., None] / hop
        sound = ends[..., :1] * (1.0 - share) + ends[..., 1:] * share
        sound = ops.reshape(sound, (-1, sound.shape[1] * hop))
        return sound[:, hop // 2 : -(hop // 2)]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        frames = input_shape[0][1]
        return (input_shape[0][0], None if frames is None else frames * self.hop_length)

    def get_config(self) -> dict[str, Any]:
        own = {"hop_length": self.hop_length, "sample_rate": self.sample_rate}
        return {**super().get_config(), **own, "cents": self.cents, "stretch": self.stretch}


def _numbers(partials: int) -> Any:
    """Return 1, 2, … as a tensor, for PyTorch multiplies no array from the right."""
    return ops.convert_to_tensor(np.arange(1, partials + 1, dtype=np.float32))


def _held(values: Any, count: int) -> Any:
    """Repeat the first and the last frame. Shapes: (batch, frames, n) -> (batch, frames + 2 count, n)."""
    first, last = values[:, :1], values[:, -1:]
    return ops.concatenate([*[first] * count, values, *[last] * count], axis=1)


def _first_phases(partials: int) -> NDArray[np.float32]:
    """Return phases, in cycles, that keep the peak of many equal partials low (Schroeder 1970)."""
    number = np.arange(partials)
    return (0.5 * number * (number + 1) / partials % 1.0).astype(np.float32)
