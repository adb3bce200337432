"""Tokens of several classes each, as vectors."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("inversynth")
class TokenEmbedding(keras.layers.Layer):
    """Embed tokens that have several classes each, -1 for unknown ones: the sum of their embeddings, and of the place.

    Args:
        groups: (name, tokens, classes of each field of a token) of tokens that share a table, in the order of columns.
        depth: numbers of a vector. seed: of the starting weights.
    Shapes: (batch, columns) -> (batch, tokens, depth).
    """

    def __init__(
        self, groups: Sequence[tuple[str, int, Sequence[int]]], depth: int, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.groups = [(str(name), int(tokens), [int(size) for size in sizes]) for name, tokens, sizes in groups]
        self.depth, self.seed = int(depth), seed

    @property
    def tokens(self) -> int:
        """Tokens of all groups."""
        return sum(tokens for _, tokens, _ in self.groups)

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=0.1, seed=self.seed)
        self.tables, self.offsets = [], []
        for name, _, sizes in self.groups:
            rows = np.array(sizes) + 1  # the first row of each field is that of the unknown class
            self.tables.append(
                self.add_weight(shape=(int(rows.sum()), self.depth), initializer=start, name=f"{name}_table")
            )
            self.offsets.append((np.cumsum(rows) - rows + 1).astype(np.int32))
        self.places = self.add_weight(shape=(self.tokens, self.depth), initializer=start, name="places")

    def call(self, classes: Any) -> Any:
        parts, first = [], 0
        for table, offsets, (_, tokens, sizes) in zip(self.tables, self.offsets, self.groups, strict=True):
            own = ops.reshape(classes[:, first : first + tokens * len(sizes)], (-1, tokens, len(sizes)))
            parts.append(ops.sum(ops.take(table, ops.cast(own, "int32") + offsets, axis=0), axis=-2))
            first += tokens * len(sizes)
        return ops.concatenate(parts, axis=1) + self.places

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.tokens, self.depth)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "depth": self.depth, "seed": self.seed}
