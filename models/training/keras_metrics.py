"""The measures of `models.training.metrics` as Keras metrics, shown during training.

Each takes classes (batch, parameters) and probabilities (batch, size), and gives the mean over sounds and parameters.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from models.training.metrics import rank_scores, step_errors, top_k_scores


class _HeadMetric(keras.metrics.MeanMetricWrapper):
    def __init__(self, measure: Callable[..., Any], sizes: Sequence[int], name: str, dtype: Any, **extra: Any) -> None:
        self.sizes = tuple(int(size) for size in sizes)

        def scores(classes: Any, probabilities: Any) -> Any:
            classes, probabilities = ops.cast(classes, "int32"), ops.cast(probabilities, "float32")
            return measure(classes, probabilities, self.sizes, xp=ops, **extra)

        super().__init__(scores, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "sizes": list(self.sizes)}


@keras.saving.register_keras_serializable("inversynth")
class MeanPercentileRank(_HeadMetric):
    """Percentile rank of the true class, 100 perfect, 50 chance."""

    def __init__(self, sizes: Sequence[int], name: str = "mpr", dtype: Any = None) -> None:
        super().__init__(rank_scores, sizes, name, dtype)
        self._direction = "up"


@keras.saving.register_keras_serializable("inversynth")
class TopKAccuracy(_HeadMetric):
    """How often the true class is among the k best, 0..1."""

    def __init__(self, sizes: Sequence[int], k: int = 1, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(top_k_scores, sizes, name or f"top{k}", dtype, k=k)
        self.k = k
        self._direction = "up"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


@keras.saving.register_keras_serializable("inversynth")
class ClassMAE(_HeadMetric):
    """Distance of the best class from the true one, in class steps."""

    def __init__(self, sizes: Sequence[int], name: str = "mae", dtype: Any = None) -> None:
        super().__init__(step_errors, sizes, name, dtype)
        self._direction = "down"
