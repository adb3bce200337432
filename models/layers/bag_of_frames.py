"""A sound as a bag of spectral frames: which of 1000 typical frames it consists of, in any order.

The FC baselines of InverSynth: principal components of the frequency axis, k-means, and a histogram. We take the
components of the scaled log spectrogram.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from generators.errors import ModelError
from models.layers.components import Moments, principal_axes

Floats = NDArray[np.floating[Any]]

FRAMES_PER_CENTROID = 100
"""How many frames k-means sees for each centroid: enough for stable centroids, and 100 MB for 1000 of them."""

FAR_AWAY = 1e3
"""Coordinate of a centroid that no frame is nearest to; frames lie within some tens of the origin."""


@keras.saving.register_keras_serializable("inversynth")
class BagOfFrames(keras.layers.Layer):
    """Histogram of the nearest centroid of each frame, normalised to probabilities.

    `adapt` fits components and centroids; before that every frame counts as the first centroid. From fewer distinct
    frames than centroids each frame becomes one, and the rest of the histogram stays zero.

    Args:
        centroids: length of the histogram. components: numbers kept of each frame.
    Shapes: (batch, frames, bins, 1) -> (batch, centroids), each row summing to one.
    """

    def __init__(self, centroids: int = 1000, components: int = 64, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.centroid_count = centroids
        self.component_count = components

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        bins = input_shape[-2]
        fixed: dict[str, Any] = {"initializer": "zeros", "trainable": False, "dtype": "float32", "autocast": False}
        self.mean = self.add_weight(name="mean", shape=(bins,), **fixed)
        self.axes = self.add_weight(name="axes", shape=(bins, self.component_count), **fixed)
        shape = (self.centroid_count, self.component_count)
        self.centroids = self.add_weight(name="centroids", shape=shape, **fixed)

    def adapt(self, batches: Iterable[Floats], *, seed: int = 0) -> None:
        """Fit to batches of spectrograms (n, frames, bins, 1), in one pass over them."""
        rng = np.random.default_rng(seed)
        bins = self.mean.shape[0]
        moments = Moments(bins)
        limit = FRAMES_PER_CENTROID * self.centroid_count
        sample, keys = np.empty((0, bins), np.float32), np.empty(0)
        for batch in batches:
            frames = np.asarray(batch, np.float32).reshape(-1, bins)
            moments.add(frames)
            sample, keys = np.concatenate([sample, frames]), np.concatenate([keys, rng.random(len(frames))])
            if len(keys) > limit:  # the smallest keys of all are a uniform sample of all
                kept = np.sort(np.argpartition(keys, limit)[:limit])
                sample, keys = sample[kept], keys[kept]
        if not moments.count:
            raise ModelError("a bag of frames is fitted to one or more sounds. Received: none")
        axes, _ = principal_axes(moments.covariance, self.component_count)
        axes, mean = axes.astype(np.float32), moments.mean.astype(np.float32)
        self.mean.assign(mean)
        self.axes.assign(axes)
        self.centroids.assign(_centroids((sample - mean) @ axes, self.centroid_count, seed))

    def call(self, spectrograms: Any) -> Any:
        frames = ops.squeeze(ops.cast(spectrograms, "float32"), -1)
        points = ops.matmul(frames - self.mean, self.axes)
        # The squared distance without the part that is the same for every centroid.
        distances = ops.sum(ops.square(self.centroids), -1) - 2.0 * ops.matmul(points, ops.transpose(self.centroids))
        nearest = ops.one_hot(ops.argmin(distances, axis=-1), self.centroid_count, dtype="float32")
        return ops.cast(ops.mean(nearest, axis=1), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.centroid_count)

    def get_config(self) -> dict[str, Any]:
        own = {"centroids": self.centroid_count, "components": self.component_count}
        return {**super().get_config(), **own}


def _centroids(points: Floats, count: int, seed: int) -> Floats:
    """Cluster (n, components) points into (count, components) centroids."""
    from sklearn.cluster import MiniBatchKMeans  # an import of one second, needed only here

    distinct = np.unique(points, axis=0)
    if len(distinct) > count:
        means = MiniBatchKMeans(count, random_state=seed, batch_size=4096, n_init=1, max_iter=20).fit(points)
        return np.asarray(means.cluster_centers_, np.float32)
    unused = np.full((count - len(distinct), points.shape[1]), FAR_AWAY, np.float32)
    return np.concatenate([distinct, unused])
