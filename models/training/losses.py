"""Losses between true classes and predicted probabilities, along a head of many parameters.

Targets are `classes` (batch, parameters), as a dataset stores them; the one-hot form is made on the way.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from models.head_layout import split_head

EPSILON = 1e-7
"""Keras' own bound on probabilities, which keeps logarithms finite."""


class _HeadLoss(keras.losses.Loss):
    def __init__(self, sizes: Sequence[int], name: str, **options: Any) -> None:
        super().__init__(name=name, **options)
        self.sizes = tuple(int(size) for size in sizes)

    def _one_hot(self, classes: Any) -> Any:
        """Shapes: (batch, parameters) -> (batch, parameters, most levels)."""
        return ops.one_hot(ops.cast(classes, "int32"), max(self.sizes), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": list(self.sizes)}


@keras.saving.register_keras_serializable("inversynth")
class BinaryCrossentropy(_HeadLoss):
    """Binary cross-entropy of each output by itself, averaged over the head: the paper's loss, for a sigmoid head.

    Shapes: classes (batch, parameters), probabilities (batch, size) -> one number.
    """

    def __init__(self, sizes: Sequence[int], name: str = "binary_crossentropy", **options: Any) -> None:
        super().__init__(sizes, name, **options)
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self._parameter = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self._level = np.arange(sum(self.sizes)) - starts[self._parameter]

    def call(self, classes: Any, probabilities: Any) -> Any:
        spread = ops.take(ops.cast(classes, "int32"), self._parameter, axis=-1)
        one_hot = ops.cast(ops.equal(spread, self._level), "float32")
        # Keras finds the logits behind a sigmoid where its backend keeps them, and so loses no precision near 0 and 1.
        return ops.mean(ops.binary_crossentropy(one_hot, probabilities), axis=-1)


@keras.saving.register_keras_serializable("inversynth")
class CategoricalCrossentropy(_HeadLoss):
    """Negative log likelihood of the true class, averaged over parameters: for a head of one softmax a parameter.

    Shapes: classes (batch, parameters), probabilities (batch, size) -> one number.
    """

    def __init__(self, sizes: Sequence[int], name: str = "categorical_crossentropy", **options: Any) -> None:
        super().__init__(sizes, name, **options)

    def call(self, classes: Any, probabilities: Any) -> Any:
        scores = split_head(ops.cast(probabilities, "float32"), self.sizes, 0.0, ops)
        true = ops.sum(scores * self._one_hot(classes), axis=-1)
        return ops.mean(-ops.log(ops.clip(true, EPSILON, 1.0)), axis=-1)


@keras.saving.register_keras_serializable("inversynth")
class LabelCrossentropy(keras.losses.Loss):
    """Sum of the cross-entropies of several labels: a softmax for each, and sigmoids for a last one of bits.

    Args:
        sizes: names that each label may bear. bits: further outputs, each by itself; they are the bits of a last label.
    Shapes: labels (batch, len(sizes) + 1) integers, -1 where unlabelled; logits (batch, sum(sizes) + bits) -> number.
    """

    def __init__(self, sizes: Sequence[int], bits: int, name: str = "label_crossentropy", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.sizes, self.bits = tuple(int(size) for size in sizes), int(bits)

    def call(self, labels: Any, logits: Any) -> Any:
        labels, logits = ops.cast(labels, "int32"), ops.cast(logits, "float32")
        total, first = 0.0, 0
        for number, size in enumerate(self.sizes):
            label, scores = labels[:, number], logits[:, first : first + size]
            missing = ops.sparse_categorical_crossentropy(ops.maximum(label, 0), scores, from_logits=True)
            total += ops.where(label >= 0, missing, 0.0)
            first += size
        mask = labels[:, -1]
        truth = ops.bitwise_and(ops.right_shift(ops.maximum(mask, 0)[:, None], ops.arange(self.bits)[None]), 1)
        wrong = ops.binary_crossentropy(ops.cast(truth, "float32"), logits[:, first:], from_logits=True)
        return total + ops.where(mask >= 0, ops.sum(wrong, axis=-1), 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": list(self.sizes), "bits": self.bits}
