"""Run our generator on long sounds block by block, with the output that it has for the whole.

A sample of its output depends on the few samples around it, on its place in time, and on the mean and variance of each
normalisation, which are taken over the whole sound. These are found first, in a pass over the blocks for each
normalisation, because each depends on those before it; a last pass gives the output. So N normalisations cost N + 1
passes, of which all but the last end early, and memory is that of a block.
"""

from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.layers import TimeCoordinate

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 16
"""Samples, 1.5 s at 44.1 kHz: a network of the default width takes 1.2 kB of memory for each, 80 MB."""


class _Placed(keras.layers.Layer):
    """A TimeCoordinate of a block. Attributes: its `first` sample; `step` from a sample to the next, where scaled."""

    def __init__(self, source: TimeCoordinate) -> None:
        super().__init__(name=source.name, dtype=source.dtype_policy, autocast=False)
        self.scaled = source.scaled
        self.first = self.add_weight(shape=(), dtype="float32", initializer="zeros", trainable=False)
        self.step = self.add_weight(shape=(), dtype="float32", initializer="ones", trainable=False)

    def call(self, audio: Any) -> Any:
        number = self.first + ops.cumsum(ops.ones_like(audio, dtype="float32"), axis=-1) - 1.0
        place = self.step * number - 1.0 if self.scaled else number
        return ops.cast(place[..., None], self.compute_dtype)


class _Normalised(keras.layers.Layer):
    """A GroupNormalization by channel that is given its moments. Attributes: `scale` and `shift` of each channel."""

    def __init__(self, source: keras.layers.GroupNormalization) -> None:
        super().__init__(name=source.name, dtype=source.dtype_policy)
        self.source = source

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=input_shape[-1:], dtype="float32", initializer="ones", trainable=False)
        self.shift = self.add_weight(shape=input_shape[-1:], dtype="float32", initializer="zeros", trainable=False)

    def call(self, features: Any) -> Any:
        return ops.cast(ops.cast(features, "float32") * self.scale + self.shift, self.compute_dtype)

    def set_moments(self, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> None:
        """Take the moments of the whole sound. Shapes: (channels,) each."""
        source = self.source
        scale = np.asarray(source.gamma if source.scale else 1.0) / np.sqrt(variance + source.epsilon)
        self.scale.assign(scale)
        self.shift.assign(np.asarray(source.beta if source.center else 0.0) - mean * scale)


class BlockwiseGenerator:
    """A generator for sounds of any length, that holds a block of `block` samples at a time."""

    def __init__(self, model: keras.Model, block: int = BLOCK) -> None:
        self.block = block
        self.model = keras.models.clone_model(model, clone_function=_clone)
        for layer in model.layers:
            if not isinstance(layer, TimeCoordinate | keras.layers.GroupNormalization):
                self.model.get_layer(layer.name).set_weights(layer.get_weights())
        self.times = [layer for layer in self.model.layers if isinstance(layer, _Placed)]
        self.norms = [layer for layer in self.model.layers if isinstance(layer, _Normalised)]
        self.parts = [keras.Model(self.model.inputs, layer.input) for layer in self.norms]
        convolutions = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv1D))
        self.margin = sum(layer.kernel_size[0] // 2 for layer in convolutions)

    def shape(self, basic: NDArray[np.float32], one_hot: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network returns for a whole sound. Shapes: (samples,), (sum of sizes,) -> (samples,)."""
        for layer in self.times:
            layer.step.assign(2.0 / max(len(basic) - 1, 1))
        for layer, part in zip(self.norms, self.parts, strict=True):
            sums = [
                (block.sum(0, np.float64), np.square(block, dtype=np.float64).sum(0))
                for _, block in self._outputs(part, basic, one_hot)
            ]
            mean, square = (sum(column) / len(basic) for column in zip(*sums, strict=True))
            layer.set_moments(mean, np.maximum(square - mean**2, 0.0))
        out = np.empty_like(basic)
        for place, block in self._outputs(self.model, basic, one_hot):
            out[place] = block
        return out

    def _outputs(
        self, model: keras.Model, basic: NDArray[np.float32], one_hot: NDArray[np.float32]
    ) -> "Iterator[tuple[slice, NDArray[np.float32]]]":
        """Yield the place of each block and the output of a network for it, free of what its edges would change."""
        size = min(self.block + 2 * self.margin, len(basic))  # of all: a network is compiled for each size
        for start in range(0, len(basic), self.block):
            stop = min(start + self.block, len(basic))
            first = max(0, min(start - self.margin, len(basic) - size))
            for layer in self.times:
                layer.first.assign(first)
            block = model.predict_on_batch([basic[np.newaxis, first : first + size], one_hot[np.newaxis]])
            yield slice(start, stop), cast(NDArray[np.float32], np.asarray(block)[0, start - first : stop - first])


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, TimeCoordinate):
        return _Placed(layer)
    if isinstance(layer, keras.layers.GroupNormalization):
        return _Normalised(layer)
    return cast(keras.layers.Layer, layer.__class__.from_config(layer.get_config()))
