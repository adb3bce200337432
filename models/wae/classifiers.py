"""LabelClassifiers of made notes: three small networks that learned from pictures of real ones which style, semitone and octave
they show.

Each has its own weights; one model file holds all. How often they are right about held-out real notes is the ceiling
for made ones.
Source: Esling et al. 2019, arXiv 1904.06215 judge by classifiers of real notes; these networks and their training are
ours.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from generators.files import written_whole
from models.backend import predict_in_batches, start_keras
from models.training.recipe import cosine_adam, layer_seeds

if TYPE_CHECKING:
    import keras

    from models.training.data import Batch

FILTERS = (16, 32, 48, 64)
DROPOUT = 0.3
EPOCHS, BATCH_SIZE, LEARNING_RATE = 12, 32, 2e-3
"""On 920 notes 97 % or more of held-out ones are then named rightly."""

JUDGES_FILE = "judges.keras"

Pictures = NDArray[np.floating[Any]]
Labels = Mapping[str, NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class LabelClassifiers:
    """Trained judges: one model with an output of logits for each label."""

    model: "keras.Model"

    @property
    def counts(self) -> dict[str, int]:
        """How many names each label has."""
        return {name: int(output.shape[-1]) for name, output in self.model.output.items()}

    def predict(self, pictures: Pictures, batch_size: int = 64) -> dict[str, NDArray[np.float64]]:
        """Return how likely each name of each label is. Shapes: (n, bands, frames) -> (n, count) for each label.

        Raises: ModelError for pictures of another size.
        """
        self._check(pictures)
        logits = predict_in_batches(self.model, [np.asarray(pictures, np.float32)[..., None]], batch_size)
        return {name: _softmax(values) for name, values in logits.items()}

    def name(self, pictures: Pictures, batch_size: int = 64) -> dict[str, NDArray[np.intp]]:
        """Return the likeliest name of each label. Shapes: (n, bands, frames) -> (n,) for each label."""
        return {label: likely.argmax(axis=1) for label, likely in self.predict(pictures, batch_size).items()}

    def accuracy(self, pictures: Pictures, labels: Labels) -> dict[str, float]:
        """Return how often the likeliest name is the true one, for each label given. Shapes: labels (n,) each."""
        named = self.name(pictures)
        return {label: float(np.mean(named[label] == truth)) for label, truth in labels.items()}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write them into a folder; returns the file."""
        path = Path(folder) / JUDGES_FILE
        with written_whole(path) as partial:
            self.model.save(partial)
        return path

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "LabelClassifiers":
        """Read what `save` wrote. Raises ModelError for a folder without it, or a file that is none."""
        start_keras()
        import keras

        path = Path(folder) / JUDGES_FILE
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (ValueError, TypeError, KeyError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{path} holds no judges: {reason}. Remove it, and they are trained again") from None
        return cls(model)

    def _check(self, pictures: Pictures) -> None:
        size = tuple(self.model.input_shape[1:3])
        if np.ndim(pictures) != 3 or np.shape(pictures)[1:] != size:
            raise ModelError(f"judges look at pictures (n, {size[0]}, {size[1]}). Received: {np.shape(pictures)}")


def train_classifiers(
    pictures: Pictures, labels: Labels, counts: Mapping[str, int], seed: int = 0, epochs: int = EPOCHS
) -> LabelClassifiers:
    """Train judges on pictures of real notes.

    Args:
        labels: the true name of each picture as a number, by label. counts: how many names each label has.
    Shapes: pictures (n, bands, frames), log(1 + magnitude); labels (n,) each.
    Raises: ModelError where pictures and labels do not fit.
    """
    for label, count in counts.items():
        truth = labels[label]
        if len(truth) != len(pictures) or np.min(truth) < 0 or np.max(truth) >= count:
            raise ModelError(
                f"every picture has a {label} from 0 to {count - 1}. Received: {len(pictures)} pictures, "
                f"{len(truth)} numbers from {np.min(truth)} to {np.max(truth)}"
            )
    start_keras()
    import keras

    from models.training.data import DatasetBatches

    model = _build(pictures.shape[1:], counts, seed)
    batches = DatasetBatches(
        _Table(pictures, {label: labels[label] for label in counts}), np.arange(len(pictures)), BATCH_SIZE, seed
    )
    model.compile(
        cosine_adam(LEARNING_RATE, epochs * batches.num_batches, average=None),
        {label: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for label in counts},
    )
    shuffling = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.start_epoch(epoch))
    with batches:
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[shuffling])
    return LabelClassifiers(model)


def _build(size: tuple[int, ...], counts: Mapping[str, int], seed: int) -> "keras.Model":
    """Build a network for each label that looks at a picture. Shapes: (batch, bands, frames, 1) -> logits."""
    import keras

    layers, seeds = keras.layers, layer_seeds(seed)
    picture = keras.Input((*size, 1), name="picture")
    outputs = {}
    for label, count in counts.items():
        hidden = picture
        for number, filters in enumerate(FILTERS, start=1):
            start = keras.initializers.HeNormal(next(seeds))
            name = f"{label}_down{number}"
            hidden = layers.Conv2D(filters, 3, 2, "same", kernel_initializer=start, name=name)(hidden)
            hidden = layers.BatchNormalization(momentum=0.9, name=f"{name}_normalisation")(hidden)
            hidden = layers.ReLU(name=f"{name}_relu")(hidden)
        hidden = layers.Flatten(name=f"{label}_flat")(hidden)
        hidden = layers.Dropout(DROPOUT, seed=next(seeds), name=f"{label}_dropout")(hidden)
        start = keras.initializers.GlorotUniform(next(seeds))
        outputs[label] = layers.Dense(count, kernel_initializer=start, name=label)(hidden)
    return keras.Model(picture, outputs, name="judges")


@dataclass(frozen=True)
class _Table:
    pictures: Pictures
    labels: Labels

    def read(self, rows: NDArray[np.integer[Any]]) -> "Batch":
        shown = np.asarray(self.pictures[rows], np.float32)[..., None]
        return shown, {label: truth[rows] for label, truth in self.labels.items()}  # type: ignore[return-value]


def _softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    likely = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))
