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


@keras.saving.register_keras_serializable("inversynth")
class CropBins(_Layout):
    """Keep the lowest bins. Shapes: (batch, frames, bins, channels) -> (batch, frames, count, channels)."""

    def __init__(self, count: int, data_format: str = "channels_last", **options: Any) -> None:
        super().__init__(data_format, **options)
        self.count = count

    def call(self, inputs: Any) -> Any:
        kept = inputs[..., : self.count] if self.data_format == "channels_first" else inputs[:, :, : self.count]
        return ops.cast(kept, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        axis = 3 if self.data_format == "channels_first" else 2
        return (*input_shape[:axis], self.count, *input_shape[axis + 1 :])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


def for_prediction(model: keras.Model) -> keras.Model:
    """Return a model with the same weights that computes channels_last and in float32: what any CPU can run.

    A model that already does is returned as it is.
    """
    if not any(_changed(layer.get_config()) for layer in model.layers):
        return model

    def rewrite(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, **_changed(config)})

    twin = keras.models.clone_model(model, clone_function=rewrite)
    twin.set_weights(model.get_weights())
    return twin


def _changed(config: dict[str, Any]) -> dict[str, Any]:
    """Return what of a layer's config must be another for prediction."""
    found: dict[str, Any] = {}
    if config.get("data_format") == "channels_first":
        found["data_format"] = "channels_last"
    if keras.dtype_policies.get(config.get("dtype", "float32")).compute_dtype in ("float16", "bfloat16"):
        found["dtype"] = "float32"
    return found
