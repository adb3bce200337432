"""Pictures made larger and smaller, and blended as a progressive network grows.

Progress p counts blocks: at p = b - 1 block b speaks alone, on the way there it is blended in with the one before.
Source: Karras et al. 2018, arXiv 1710.10196; formulas as in GANSynth (Engel et al. 2019, arXiv 1902.08710).
"""

from typing import Any

import keras
from keras import ops


def upscaled(spectrograms: Any, factor: int) -> Any:
    """Repeat every point. Shapes: (batch, frames, bins, channels) -> (batch, factor frames, factor bins, channels)."""
    if factor == 1:
        return spectrograms
    return ops.repeat(ops.repeat(spectrograms, factor, axis=1), factor, axis=2)


def downscaled(spectrograms: Any, factor: int) -> Any:
    """Take the mean of factor x factor points. Shapes: (batch, frames, bins, channels) -> sides over the factor."""
    if factor == 1:
        return spectrograms
    return ops.average_pool(spectrograms, factor, factor, "valid", data_format="channels_last")


def loudness_of(block: int, progress: Any) -> Any:
    """Return alpha, the share of a block's output in the sum: a triangle over progress, 1 at block - 1."""
    return ops.maximum(0.0, ops.minimum(progress - (block - 2), block - progress))


@keras.saving.register_keras_serializable("inversynth")
class Upscale(keras.layers.Layer):
    """Repeat every point of a spectrogram. Shapes: as `upscaled`."""

    def __init__(self, factor: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        return upscaled(inputs, self.factor)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, frames, bins, channels = input_shape
        return (batch, frames * self.factor, bins * self.factor, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("inversynth")
class Downscale(keras.layers.Layer):
    """Take the mean of every factor x factor points. Shapes: as `downscaled`."""

    def __init__(self, factor: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        return downscaled(inputs, self.factor)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, frames, bins, channels = input_shape
        return (batch, frames // self.factor, bins // self.factor, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("inversynth")
class FadeIn(keras.layers.Layer):
    """Blend the outputs of all blocks, each upscaled to the size of the last, by the progress of training.

    Inputs: [progress (batch, 1), spectrogram of block 1, spectrogram of block 2, …]. Shapes: -> that of the last.
    """

    def call(self, inputs: Any) -> Any:
        progress, *spectrograms = inputs
        total = 0.0
        for block, spectrogram in enumerate(spectrograms, 1):
            share = loudness_of(block, ops.cast(progress, spectrogram.dtype))[:, :, None, None]
            total = total + share * upscaled(spectrogram, spectrograms[-1].shape[2] // spectrogram.shape[2])
        return total

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[-1]


@keras.saving.register_keras_serializable("inversynth")
class FadeOver(keras.layers.Layer):
    """Blend from the features of a smaller spectrogram to those that come from the larger one.

    Args:
        block: that of the smaller spectrogram; beta = min(max(block - progress, 0), 1) of it is taken.
    Inputs: [progress (batch, 1), from the smaller spectrogram, from above]. Shapes: -> those of either.
    """

    def __init__(self, block: int, **options: Any) -> None:
        super().__init__(**options)
        self.block = block

    def call(self, inputs: Any) -> Any:
        progress, smaller, above = inputs
        beta = ops.clip(self.block - ops.cast(progress, above.dtype), 0.0, 1.0)[:, :, None, None]
        return beta * smaller + (1.0 - beta) * above

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block": self.block}
