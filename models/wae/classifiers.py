"""Classifiers of generated notes: three small networks, trained on real spectrograms, for style, semitone and octave.

Each has its own weights; one model file holds all three. Their accuracy on held-out real notes is the ceiling for
generated ones.
Source: Esling et al. 2019, arXiv 1904.06215 evaluate with classifiers of real notes; these networks and their training
are ours.
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
from models.network_files import load_network, save_network
from models.training.recipe import cosine_adam, layer_seeds

if TYPE_CHECKING:
    import keras

    from models.training.data import Batch

FILTERS = (16, 32, 48, 64)
DROPOUT = 0.3
EPOCHS, BATCH_SIZE, LEARNING_RATE = 12, 32, 2e-3
"""With 920 notes, the accuracy on held-out ones is then 97 % or more."""

CLASSIFIERS_FILE = "judges.keras"
"""Kept from earlier versions, whose files are read."""

Spectrograms = NDArray[np.floating[Any]]
Labels = Mapping[str, NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class LabelClassifiers:
    """Trained classifiers: one model with an output of logits for each label."""

    model: "keras.Model"

    @property
    def counts(self) -> dict[str, int]:
        """The number of classes of each label."""
        return {name: int(output.shape[-1]) for name, output in self.model.output.items()}

    def predict(self, spectrograms: Spectrograms, batch_size: int = 64) -> dict[str, NDArray[np.float64]]:
        """Return the probability of each class. Shapes: (n, bands, frames) -> (n, classes) for each label.

        Raises: ModelError for spectrograms of another size.
        """
        self._check(spectrograms)
        logits = predict_in_batches(self.model, [np.asarray(spectrograms, np.float32)[..., None]], batch_size)
        return {name: _softmax(values) for name, values in logits.items()}

    def classify(self, spectrograms: Spectrograms, batch_size: int = 64) -> dict[str, NDArray[np.intp]]:
        """Return the most probable class of each label. Shapes: (n, bands, frames) -> (n,) for each label."""
        return {label: likely.argmax(axis=1) for label, likely in self.predict(spectrograms, batch_size).items()}

    def accuracy(self, spectrograms: Spectrograms, labels: Labels) -> dict[str, float]:
        """Return the accuracy for each label given. Shapes: labels (n,) each."""
        predicted = self.classify(spectrograms)
        return {label: float(np.mean(predicted[label] == truth)) for label, truth in labels.items()}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the classifiers into a folder; returns the file."""
        path = Path(folder) / CLASSIFIERS_FILE
        with written_whole(path) as partial:
            save_network(self.model, partial)
        return path

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "LabelClassifiers":
        """Load what `save` wrote. Raises ModelError for a folder without it, or a file that cannot be loaded."""
        path = Path(folder) / CLASSIFIERS_FILE
        try:
            return cls(load_network(path))
        except ModelError as error:
            raise ModelError(f"{path} holds no classifiers: {error}. Remove it, and they are trained again") from None

    def _check(self, spectrograms: Spectrograms) -> None:
        size = tuple(self.model.input_shape[1:3])
        if np.ndim(spectrograms) != 3 or np.shape(spectrograms)[1:] != size:
            raise ModelError(
                f"the classifiers take spectrograms (n, {size[0]}, {size[1]}). Received: {np.shape(spectrograms)}"
            )


def train_classifiers(
    spectrograms: Spectrograms, labels: Labels, counts: Mapping[str, int], seed: int = 0, epochs: int = EPOCHS
) -> LabelClassifiers:
    """Train classifiers on spectrograms of real notes.

    Args:
        labels: the true class of each spectrogram, by label. counts: the number of classes of each label.
    Shapes: spectrograms (n, bands, frames), log(1 + magnitude); labels (n,) each.
    Raises: ModelError where spectrograms and labels do not fit.
    """
    for label, count in counts.items():
        truth = labels[label]
        if len(truth) != len(spectrograms) or np.min(truth) < 0 or np.max(truth) >= count:
            raise ModelError(
                f"every spectrogram has a {label} from 0 to {count - 1}. Received: {len(spectrograms)} spectrograms, "
                f"{len(truth)} numbers from {np.min(truth)} to {np.max(truth)}"
            )
    start_keras()
    import keras

    from models.training.data import DatasetBatches

    model = _build(spectrograms.shape[1:], counts, seed)
    batches = DatasetBatches(
        _Table(spectrograms, {label: labels[label] for label in counts}), np.arange(len(spectrograms)), BATCH_SIZE, seed
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
    """Build one model with a network for each label. Shapes: (batch, bands, frames, 1) -> logits by label."""
    import keras

    layers, seeds = keras.layers, layer_seeds(seed)
    spectrogram = keras.Input((*size, 1), name="picture")
    outputs = {}
    for label, count in counts.items():
        hidden = spectrogram
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
    return keras.Model(spectrogram, outputs, name="judges")


@dataclass(frozen=True)
class _Table:
    spectrograms: Spectrograms
    labels: Labels

    def read(self, rows: NDArray[np.integer[Any]]) -> "Batch":
        shown = np.asarray(self.spectrograms[rows], np.float32)[..., None]
        return shown, {label: truth[rows] for label, truth in self.labels.items()}  # type: ignore[return-value]


def _softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    likely = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))
