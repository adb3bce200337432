"""Layers whose learning rate is equalised: weights are drawn from N(0, 1) and scaled where they are used.

So Adam, which moves every weight by about the learning rate, moves all layers by the same part of their range; and two
normalisations that hold progressive GANs in check.
Source: Karras et al. 2018, Progressive Growing of GANs, arXiv 1710.10196; scales as in GANSynth (Engel et al. 2019).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

RELU_GAIN = 2.0
"""Variance that a layer before a rectifier is scaled to; 1 where none follows."""

DEVIATION = 1e-6
"""Added to a variance under its root."""


class _Equalised(keras.layers.Layer):
    """Holds a kernel of unit variance, its scale and a bias of zeros."""

    def __init__(self, units: int, gain: float = RELU_GAIN, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.gain, self.seed = units, gain, seed

    def _make(self, shape: Sequence[int]) -> None:
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        self.kernel = self.add_weight(shape=tuple(shape), initializer=normal, name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.scale = float(np.sqrt(self.gain / np.prod(shape[:-1])))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "gain": self.gain, "seed": self.seed}


@keras.saving.register_keras_serializable("inversynth")
class EqualisedDense(_Equalised):
    """A dense layer. Shapes: (batch, in) -> (batch, units)."""

    def build(self, input_shape: Any) -> None:
        self._make((input_shape[-1], self.units))

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, self.scale * self.kernel) + self.bias

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)


@keras.saving.register_keras_serializable("inversynth")
class EqualisedConv2D(_Equalised):
    """A convolution of stride 1.

    Args:
        kernel_size: over time and frequency. padding: `same` or `valid`.
    Shapes: (batch, frames, bins, in) -> (batch, frames, bins, units), or less at the edges where `valid`.
    """

    def __init__(self, units: int, kernel_size: Sequence[int] = (3, 3), padding: str = "same", **options: Any) -> None:
        super().__init__(units, **options)
        self.kernel_size, self.padding = tuple(kernel_size), padding

    def build(self, input_shape: Any) -> None:
        self._make((*self.kernel_size, input_shape[-1], self.units))

    def call(self, inputs: Any) -> Any:
        return ops.conv(inputs, self.scale * self.kernel, 1, self.padding, data_format="channels_last") + self.bias

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, *sides, _ = input_shape
        if self.padding == "valid":
            sides = [side - size + 1 for side, size in zip(sides, self.kernel_size, strict=True)]
        return (batch, *sides, self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": list(self.kernel_size), "padding": self.padding}


@keras.saving.register_keras_serializable("inversynth")
class EqualisedSpread(_Equalised):
    """Project a latent to the first small feature map: each position has a kernel of its own, all share one bias.

    It is the convolution of a map that is zero except at its centre, which the published code computes, without the
    products with zero; the scale is that of the convolution, whose fan-in counts them.

    Shapes: (batch, in) -> (batch, *size, units).
    """

    def __init__(self, units: int, size: Sequence[int], **options: Any) -> None:
        super().__init__(units, **options)
        self.size = tuple(size)

    def build(self, input_shape: Any) -> None:
        self._make((*self.size, input_shape[-1], self.units))

    def call(self, inputs: Any) -> Any:
        return ops.einsum("bi,hwio->bhwo", inputs, self.scale * self.kernel) + self.bias

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], *self.size, self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size)}


@keras.saving.register_keras_serializable("inversynth")
class PixelNormalization(keras.layers.Layer):
    """Divide each point by the root mean square of its channels. Shapes: any -> the same."""

    def call(self, inputs: Any) -> Any:
        return inputs * ops.rsqrt(ops.mean(ops.square(inputs), axis=-1, keepdims=True) + 1e-8)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable("inversynth")
class MinibatchDeviation(keras.layers.Layer):
    """Append one channel with the standard deviation of the minibatch, constant over all points.

    It is taken over the batch and averaged over points and channels, so that a critic can detect mode collapse. Real
    and generated examples must not share a batch.

    Args:
        group: in training, the size of groups of neighbours in the batch, each with a deviation of its own; 0 for the
            whole batch, which must be a multiple of it. Where each group has one pitch, the critic can detect mode
            collapse within a pitch.
    Shapes: (batch, frames, bins, channels) -> (batch, frames, bins, channels + 1).
    """

    def __init__(self, group: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.group = group

    def call(self, inputs: Any, training: bool = False) -> Any:
        count = self.group if self.group and training else ops.shape(inputs)[0]
        groups = ops.reshape(inputs, (-1, count, *inputs.shape[1:]))
        centred = groups - ops.mean(groups, axis=1, keepdims=True)
        apart = ops.mean(ops.sqrt(ops.mean(ops.square(centred), axis=1) + DEVIATION), axis=(1, 2, 3))
        apart = ops.reshape(ops.repeat(apart, count), (-1, 1, 1, 1))
        return ops.concatenate([inputs, apart * ops.ones_like(inputs[..., :1])], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group}

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], input_shape[-1] + 1)
