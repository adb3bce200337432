"""Heads of MCNN: many stacks of transposed convolutions over one input, computed together, and their sum.

A transposed convolution of stride s is an ordinary one that makes s samples from each place; so all heads at once are
one batched product of matrices, where `Conv1DTranspose` knows no groups. A test holds it to the plain sum.
Source: Arik, Jun and Diamos 2019, arXiv 1808.06719.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def upsample(hidden: Any, kernel: Any, stride: int) -> Any:
    """Convolve each head by its own kernel, transposed, with the edges of `same` (those of TensorFlow and Keras).

    Shapes: (heads or 1, batch, steps, in), kernel (heads, width, in, filters), of a width of `stride` or more ->
        (heads, batch, steps x stride, filters).
    """
    heads, width, channels, filters = kernel.shape
    before = -((width - stride) // 2) % stride
    rows = -(-(width + before) // stride)
    ahead = ((width - stride) // 2 + before) // stride
    kernel = ops.pad(kernel, ((0, 0), (before, rows * stride - width - before), (0, 0), (0, 0)))
    kernel = ops.flip(ops.reshape(kernel, (heads, rows, stride, channels, filters)), axis=1)
    kernel = ops.reshape(ops.transpose(kernel, (0, 1, 3, 2, 4)), (heads, rows * channels, stride * filters))
    batch, steps = ops.shape(hidden)[1], ops.shape(hidden)[2]
    padded = ops.pad(hidden, ((0, 0), (0, 0), (rows - 1 - ahead, ahead), (0, 0)))
    windows = ops.concatenate([padded[:, :, row : row - rows + 1 or None] for row in range(rows)], axis=-1)
    windows = ops.reshape(windows, (hidden.shape[0], -1, rows * channels))
    return ops.reshape(ops.matmul(windows, kernel), (heads, batch, steps * stride, filters))


@keras.saving.register_keras_serializable("inversynth")
class ParallelHeads(keras.layers.Layer):
    """Upsample spectra to sound by several stacks of transposed convolutions, each scaled by a weight, and add them.

    Every convolution is followed by ELU, the last one, of one filter, too.

    Args:
        filters: of each convolution; the last is 1. width: of all kernels. stride: by which each lengthens its input,
            one for all or one each.
        biased: False leaves biases out, so that silence stays silence whatever is learned.
    Shapes: (batch, frames, bins) -> (batch, frames x the product of all strides).
    """

    def __init__(
        self,
        heads: int,
        filters: Sequence[int],
        width: int = 13,
        stride: int | Sequence[int] = 2,
        biased: bool = True,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.heads, self.filters, self.width = heads, tuple(filters), width
        self.stride = stride if isinstance(stride, int) else tuple(stride)
        self.strides = (stride,) * len(self.filters) if isinstance(stride, int) else tuple(stride)
        self.biased, self.seed = biased, seed
        fitting = len(self.strides) == len(self.filters) and all(1 <= one <= width for one in self.strides)
        if heads < 1 or not self.filters or self.filters[-1] != 1 or not fitting:
            raise ValueError(
                "there must be a head or more, whose last convolution has 1 filter, and kernels as wide as the stride. "
                f"Received: heads {heads}, filters {self.filters}, width {width}, stride {stride}"
            )

    def build(self, input_shape: Any) -> None:
        rng = None if self.seed is None else np.random.default_rng(self.seed)
        self.kernels: list[Any] = []
        self.biases: list[Any] = []
        channels = input_shape[-1]
        for number, filters in enumerate(self.filters, start=1):
            bound = float(np.sqrt(6.0 / (self.width * (channels + filters))))  # Xavier, of one head
            start = keras.initializers.RandomUniform(-bound, bound, None if rng is None else int(rng.integers(2**31)))
            shape = (self.heads, self.width, channels, filters)
            self.kernels.append(self.add_weight(shape=shape, initializer=start, name=f"kernel{number}"))
            if self.biased:
                shape = (self.heads, 1, 1, filters)
                self.biases.append(self.add_weight(shape=shape, initializer="zeros", name=f"bias{number}"))
            channels = filters
        self.scales = self.add_weight(shape=(self.heads,), initializer="ones", name="scales")

    def call(self, spectra: Any) -> Any:
        hidden = ops.expand_dims(spectra, 0)
        for number, kernel in enumerate(self.kernels):
            hidden = upsample(hidden, ops.convert_to_tensor(kernel), self.strides[number])
            hidden = ops.elu(hidden + self.biases[number] if self.biased else hidden)
        return ops.sum(hidden[..., 0] * ops.reshape(self.scales, (-1, 1, 1)), axis=0)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        frames = input_shape[1]
        return (input_shape[0], None if frames is None else frames * int(np.prod(self.strides)))

    def get_config(self) -> dict[str, Any]:
        stride = self.stride if isinstance(self.stride, int) else list(self.stride)
        own = {"heads": self.heads, "filters": list(self.filters), "width": self.width, "stride": stride}
        return {**super().get_config(), **own, "biased": self.biased, "seed": self.seed}


@keras.saving.register_keras_serializable("inversynth")
class ScaledSoftsign(keras.layers.Layer):
    """Return a x / (1 + |b x|), with a and b learned; it never leaves -a/b to a/b. Shapes: any -> the same.

    Args:
        gain, bend: a and b to start from, those of WAE-Fader's group.
    """

    def __init__(self, gain: float = 1.0, bend: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        self.gain, self.bend = gain, bend

    def build(self, input_shape: Any) -> None:
        for name in ("gain", "bend"):
            start = keras.initializers.Constant(getattr(self, name))
            setattr(self, f"{name}_weight", self.add_weight(shape=(), initializer=start, name=name))

    def call(self, inputs: Any) -> Any:
        return self.gain_weight * inputs / (1.0 + ops.abs(self.bend_weight * inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain, "bend": self.bend}


@keras.saving.register_keras_serializable("inversynth")
class FrameSigns(keras.layers.Layer):
    """Turn the signs of features over from frame to frame, as a fixed draw has it.

    The heads after it can map equal frames to different hops: noise, in place of a tone of one period per hop.

    Args:
        seed: of the draw, which comes round again after `PERIOD` frames.
    Shapes: (batch, frames, features) -> the same.
    """

    PERIOD = 256

    def __init__(self, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed

    def call(self, features: Any) -> Any:
        rng = np.random.default_rng(self.seed)
        signs = rng.choice(np.asarray([-1.0, 1.0], np.float32), (self.PERIOD, features.shape[-1]))
        if features.shape[1] is not None:
            table = np.resize(signs, features.shape[1:])
        else:
            table = ops.take(signs, ops.arange(ops.shape(features)[1]) % self.PERIOD, axis=0)
        return features * ops.cast(table, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
