"""Heads: the last layer, which turns logits into probabilities of each parameter's classes."""

from collections.abc import Sequence
from typing import Any

import keras

from models.head_layout import join_head, split_head


@keras.saving.register_keras_serializable("inversynth")
class ParameterSoftmax(keras.layers.Layer):
    """A softmax over the classes of each parameter by itself, so that they sum to one.

    Args:
        sizes: class count of each parameter, in the order of the head.
    Shapes: (batch, size) -> (batch, size).
    """

    def __init__(self, sizes: Sequence[int], **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.sizes = tuple(int(size) for size in sizes)

    def call(self, logits: Any) -> Any:
        scores = split_head(keras.ops.cast(logits, "float32"), self.sizes, -1e9, keras.ops)
        return keras.ops.cast(join_head(keras.ops.softmax(scores, axis=-1), self.sizes, keras.ops), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": list(self.sizes)}
