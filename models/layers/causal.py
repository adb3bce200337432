"""Layers of causal networks: what is predicted at a sample must follow from earlier ones alone.

Source: van den Oord et al. 2016 (WaveNet), arXiv 1609.03499; Engel et al. 2017 (NSynth), arXiv 1704.01279.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("inversynth")
class ShiftRight(keras.layers.Layer):
    """Delay by one sample: zero comes first, the last is lost. Shapes: (batch, samples, channels) -> the same."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def call(self, features: Any) -> Any:
        return ops.pad(features, ((0, 0), (1, 0), (0, 0)))[:, :-1]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("inversynth")
class GatedTanh(keras.layers.Layer):
    """Let one half of the channels open for the other: sigmoid(first half) tanh(second half).

    Shapes: (…, 2 channels) -> (…, channels).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def call(self, features: Any) -> Any:
        gate, value = ops.split(features, 2, axis=-1)
        return ops.sigmoid(gate) * ops.tanh(value)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], input_shape[-1] // 2)  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("inversynth")
class AddHeld(keras.layers.Layer):
    """Add values that are given once for each `hop` samples to features, held until the next.

    The same as repeating it `hop` times and adding, without the copy.

    Shapes: [(batch, hop n, channels), (batch, n, channels)] -> (batch, hop n, channels).
    """

    def __init__(self, hop: int, **options: Any) -> None:
        super().__init__(**options)
        self.hop = hop

    def call(self, inputs: Any) -> Any:
        features, held = inputs
        channels = features.shape[-1]
        stretches = ops.reshape(features, (-1, ops.shape(held)[1], self.hop, channels))
        return ops.reshape(stretches + held[:, :, None, :], ops.shape(features))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hop": self.hop}


@keras.saving.register_keras_serializable("inversynth")
class FirstOf(keras.layers.Layer):
    """Give back the first of several, so that a network owns layers whose outcome nothing follows from.

    Shapes: [(…), …] -> the first of them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def call(self, inputs: Any) -> Any:
        return inputs[0]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return super().get_config()
