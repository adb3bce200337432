"""Layers that tell a network what to do and when: time, conditions, and features scaled and shifted by them.

A plane that is constant in time is wiped out by the next normalisation over time; a scale and a shift behind it are
not. Source: Perez et al. 2018 (FiLM), arXiv 1709.07871; for images Huang and Belongie 2017 (AdaIN), arXiv 1703.06868.
"""

from typing import Any

import keras
from keras import ops

EPSILON = 1e-5
"""Added to the variance of an image's channel, which may be constant (that of Huang and Belongie's code)."""


@keras.saving.register_keras_serializable("inversynth")
class TimeCoordinate(keras.layers.Layer):
    """Say where each sample of a sound lies: from -1 at the first to 1 at the last, or by its number from 0.

    Args:
        scaled: False for numbers, which leave the range of audio far behind (as published NeuroSynth has it).
    Shapes: (batch, samples) -> (batch, samples, 1), whatever the sounds hold.
    """

    def __init__(self, scaled: bool = True, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.scaled = scaled

    def call(self, audio: Any) -> Any:
        number = ops.cumsum(ops.ones_like(audio, dtype="float32"), axis=-1) - 1.0
        if self.scaled:
            last = ops.cast(ops.maximum(ops.shape(audio)[-1] - 1, 1), "float32")
            number = 2.0 * number / last - 1.0
        return ops.cast(number[..., None], self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scaled": self.scaled}


@keras.saving.register_keras_serializable("inversynth")
class RepeatInTime(keras.layers.Layer):
    """Lay conditions beside every sample. Shapes: [(batch, width), (batch, samples)] -> (batch, samples, width)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def call(self, inputs: Any) -> Any:
        condition, audio = inputs
        shape = (ops.shape(condition)[0], ops.shape(audio)[1], condition.shape[-1])
        return ops.broadcast_to(condition[:, None, :], shape)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        condition, audio = input_shape
        return (condition[0], audio[1], condition[-1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("inversynth")
class FeatureModulation(keras.layers.Layer):
    """Scale and shift features by amounts that follow linearly from a condition: y = x (1 + scale) + shift.

    Args:
        seed: of the starting weights. neutral: begin with amounts of zero, whatever the condition.
    Shapes: [(batch, samples, channels), (batch, samples, width)] -> (batch, samples, channels); so without samples.
    """

    def __init__(self, seed: int | None = None, neutral: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.seed, self.neutral = seed, neutral

    def build(self, input_shape: Any) -> None:
        features, condition = input_shape
        start = keras.initializers.Zeros() if self.neutral else keras.initializers.GlorotUniform(self.seed)
        self.amounts = keras.layers.Dense(
            2 * features[-1], kernel_initializer=start, dtype=self.dtype_policy, name="amounts"
        )
        self.amounts.build(condition)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        features, condition = inputs
        scale, shift = ops.split(self.amounts(condition), 2, axis=-1)
        return features * (1.0 + scale) + shift

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed, "neutral": self.neutral}


@keras.saving.register_keras_serializable("inversynth")
class AdaptiveInstanceNormalization(keras.layers.Layer):
    """Normalise each channel of each image, then scale and shift it by amounts that follow from a condition.

    y = (x - mean) / sqrt(variance + EPSILON) (1 + scale) + shift. Both are linear in the condition and begin at zero.
    Shapes: [(batch, rows, columns, channels), (batch, width)] -> (batch, rows, columns, channels); so without rows.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def build(self, input_shape: Any) -> None:
        images, condition = input_shape
        self.amounts = keras.layers.Dense(
            2 * images[-1], kernel_initializer="zeros", dtype=self.dtype_policy, name="amounts"
        )
        self.amounts.build(condition)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        images, condition = inputs
        amounts = ops.cast(self.amounts(condition), "float32")
        places = tuple(range(1, len(images.shape) - 1))
        amounts = ops.expand_dims(amounts, places)
        scale, shift = ops.split(amounts, 2, axis=-1)
        values = ops.cast(images, "float32")  # squares leave the range of float16
        mean, variance = ops.moments(values, axes=places, keepdims=True)
        gain = (1.0 + scale) * ops.rsqrt(variance + EPSILON)
        return ops.cast(values * gain + (shift - mean * gain), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return super().get_config()
