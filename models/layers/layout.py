"""Where the channels stand: beside the samples (channels_last) or before them (channels_first, which GPUs may prefer).

Every layer that cares has `data_format` in its config, and the flattened order never depends on it; so a model in one
layout is turned into the other by rewriting that one word, and keeps its weights.
"""

from typing import Any

import keras
from keras import ops


class _Layout(keras.layers.Layer):
    def __init__(self, data_format: str = "channels_last", **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.data_format = data_format

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@keras.saving.register_keras_serializable("inversynth")
class ExpandChannels(_Layout):
    """Add an axis of one channel. Shapes: (batch, …) -> (batch, …, 1), or (batch, 1, …) with channels_first."""

    def call(self, inputs: Any) -> Any:
        axis = 1 if self.data_format == "channels_first" else -1
        return ops.cast(ops.expand_dims(inputs, axis), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *rest = input_shape
        return (batch, 1, *rest) if self.data_format == "channels_first" else (batch, *rest, 1)


@keras.saving.register_keras_serializable("inversynth")
class ChannelsLast(_Layout):
    """Bring the channels to the end. Shapes: (batch, channels, …) -> (batch, …, channels); no change where they are."""

    def call(self, inputs: Any) -> Any:
        moved = ops.moveaxis(inputs, 1, -1) if self.data_format == "channels_first" else inputs
        return ops.cast(moved, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.data_format != "channels_first":
            return tuple(input_shape)
        batch, channels, *rest = input_shape
        return (batch, *rest, channels)


def to_channels_last(model: keras.Model) -> keras.Model:
    """Return a model that computes everything channels_last, with the same weights: what a CPU can run.

    A model that already does is returned as it is.
    """
    if not any(getattr(layer, "data_format", None) == "channels_first" for layer in model.layers):
        return model

    def rewrite(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config(
            {**config, **({"data_format": "channels_last"} if "data_format" in config else {})}
        )

    twin = keras.models.clone_model(model, clone_function=rewrite)
    twin.set_weights(model.get_weights())
    return twin
