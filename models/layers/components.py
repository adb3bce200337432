"""Principal components as a layer: fitted once to training data, then fixed weights saved with the model."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from generators.errors import ModelError

Floats = NDArray[np.floating[Any]]

ROUNDING = 1e-4
"""Deviation, relative to the mean where that is above one, below which a number is constant but for float32 rounding,
which standardising must not blow up."""


class Moments:
    """Mean and covariance of rows that come in batches: one pass, and no more memory than the covariance."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self._first = np.zeros(width)
        self._sum = np.zeros(width)
        self._products = np.zeros((width, width))

    def add(self, rows: Floats) -> None:
        """Take in (n, width)."""
        if not self.count and len(rows):  # sums about a typical row keep their precision
            self._first = rows.mean(axis=0, dtype=np.float64)
        rows = rows - self._first
        self.count += len(rows)
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    @property
    def mean(self) -> Floats:
        return self._first + self._sum / self.count

    @property
    def covariance(self) -> Floats:
        shift = self._sum / self.count
        return self._products / self.count - np.outer(shift, shift)


def principal_axes(covariance: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the axes of greatest variance and these variances, in falling order.

    Shapes: (width, width) -> (width, count) and (count,). Axes that the data do not span, and those beyond `width`,
    are zero, so that fewer sounds than components give zeros and never noise.
    """
    variances, axes = np.linalg.eigh(covariance)
    variances, axes = variances[::-1][:count], axes[:, ::-1][:, :count]
    spanned = variances > 1e-9 * max(variances[0], 1e-30)
    short = count - len(variances)
    axes = np.pad(np.where(spanned, axes, 0.0), ((0, 0), (0, short)))
    return axes, np.pad(np.where(spanned, variances, 0.0), (0, short))


@keras.saving.register_keras_serializable("inversynth")
class PrincipalComponents(keras.layers.Layer):
    """Standardise each number, then keep the `count` components of greatest variance, scaled to a mean variance of one.

    One scale serves all components: whitening each of them raised the noise of the last ones with it (HC on 6,000
    `fm` sounds: MPR 63.8 whitened, 67.0 so). `adapt` fits it; before that it gives zeros. From fewer than `count` rows
    come fewer components; the rest of the output stays zero.

    Shapes: (batch, width) -> (batch, count).
    """

    def __init__(self, count: int, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.count = count

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = input_shape[-1]
        fixed: dict[str, Any] = {"initializer": "zeros", "trainable": False, "dtype": "float32", "autocast": False}
        self.mean = self.add_weight(name="mean", shape=(width,), **fixed)
        self.axes = self.add_weight(name="axes", shape=(width, self.count), **fixed)

    def adapt(self, batches: Iterable[Floats], *, seed: int = 0) -> None:
        """Fit to batches (n, width), in one pass. `seed` is not needed: the result is exact."""
        moments = Moments(self.mean.shape[0])
        for batch in batches:
            moments.add(np.asarray(batch, np.float64))
        if not moments.count:
            raise ModelError("principal components are fitted to one or more sounds. Received: none")
        covariance = moments.covariance
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        distinct = deviation > ROUNDING * np.maximum(np.abs(moments.mean), 1.0)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=distinct)
        axes, variances = principal_axes(covariance * np.outer(scale, scale), self.count)
        self.mean.assign(moments.mean)
        self.axes.assign(scale[:, None] * axes / np.sqrt(max(variances.mean(), 1e-30)))

    def call(self, inputs: Any) -> Any:
        components = ops.matmul(ops.cast(inputs, "float32") - self.mean, self.axes)
        return ops.cast(components, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.count)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}
