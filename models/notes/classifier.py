"""A classifier of notes: pitch, family, source and qualities, by which reconstructions are measured.

Engel et al. 2017, arXiv 1704.01279, measure reconstructions with one: the encoder of the spectral baseline, and one
joint output whose losses are summed. Ours is trained with noise added to its notes, since the sounds that it classifies
contain some, and with a cosine learning-rate schedule; in the sizes of the baseline.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.errors import ModelError
from generators.notes.labels import FAMILIES, QUALITIES, SOURCES
from generators.parameters import ParameterSpace
from models.backend import predict_in_batches, start_keras
from models.inference import TrainedModel, load_model_named
from models.model_files import LoadedModel
from models.notes.settings import SpectralTrainingSettings
from models.notes.spectral_encoder import PITCHES, SOURCE, find_preset
from models.training.recipe import Recipe, check_channels_last, cosine_adam, defaults_of, layer_seeds

if TYPE_CHECKING:
    import keras

    from models.training.data import Source

NOTE_CLASSIFIER = "note-classifier"

SOFTMAXES = (PITCHES, len(FAMILIES), len(SOURCES))
"""Classes of each label of which a note has exactly one: pitch, family, source."""

OUTPUTS = sum(SOFTMAXES) + len(QUALITIES)


@dataclass(frozen=True)
class NoteLabels:
    """Predicted labels: `pitch` (n,) MIDI notes, `family`, `source` (n,) indices, `qualities` (n, 10) bool."""

    pitch: NDArray[np.intp]
    family: NDArray[np.intp]
    source: NDArray[np.intp]
    qualities: NDArray[np.bool_]


@dataclass(frozen=True)
class Classification:
    """Pitch probabilities of notes, and the features behind them.

    Attributes:
        pitch: (n, 128), softmax. features: (n, d), the output of the last strided layer before its activation.
    """

    pitch: NDArray[np.float64]
    features: NDArray[np.float64]


class NoteClassifier(TrainedModel):
    """A trained classifier with its card."""

    def predict_labels(self, audio: NDArray[np.floating[Any]], batch_size: int = 32) -> NoteLabels:
        """Predict the labels of notes at the classifier's sample rate; shorter ones are padded with silence.

        Shapes: (n, samples). Raises: ModelError for notes longer than the classifier's.
        """
        return labels_of(self._run(audio, batch_size)[0])

    def classify(self, audio: NDArray[np.floating[Any]], batch_size: int = 32) -> Classification:
        """Return pitch probabilities of notes, and the features by which sets of notes are compared.

        Shapes: (n, samples). Raises: ModelError for notes longer than the classifier's.
        """
        logits, features = self._run(audio, batch_size)
        pitch = logits[:, :PITCHES].astype(np.float64)
        likely = np.exp(pitch - pitch.max(axis=1, keepdims=True))
        return Classification(likely / likely.sum(axis=1, keepdims=True), features.astype(np.float64))

    @cached_property
    def _network(self) -> "keras.Model":
        """The network with two outputs: its logits, and the features of its last strided layer."""
        import keras

        model = self.loaded.model
        last = len(find_preset(str(self.loaded.card.features["size"])).halvings) - 1
        features = keras.layers.Flatten()(model.get_layer(f"down{last}_normalisation").output)
        return keras.Model(model.inputs, [model.output, features])

    def _run(self, audio: NDArray[np.floating[Any]], batch_size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        if audio.shape[1] > self.loaded.samples:
            raise ModelError(
                f"{self.loaded.path} classifies notes of up to {self.loaded.samples} samples. "
                f"Received: {audio.shape[1]}"
            )
        padded = np.pad(np.asarray(audio, np.float32), ((0, 0), (0, self.loaded.samples - audio.shape[1])))
        logits, features = predict_in_batches(self._network, [padded], batch_size)
        return logits, features


def labels_of(logits: NDArray[np.floating[Any]]) -> NoteLabels:
    """Read labels off logits (n, OUTPUTS): the most probable class of each label, and the qualities above zero."""
    pitch, family, source, qualities = np.split(logits, np.cumsum(SOFTMAXES), axis=1)
    return NoteLabels(pitch.argmax(axis=1), family.argmax(axis=1), source.argmax(axis=1), qualities > 0)


def load_classifier(path: str | os.PathLike[str]) -> NoteClassifier:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no classifier."""
    return NoteClassifier(load_model_named(NOTE_CLASSIFIER, path, "notes are classified"))


def build_classifier(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    size: str = "tiny",
    loss: str = "labels",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build the classifier, untrained: audio (batch, samples) -> logits (batch, OUTPUTS).

    Raises: ModelError for an unknown size, and for channels_first.
    """
    import keras

    from models.layers import AddedHiss, RelativeSpectrogram
    from models.notes.spectral_encoder import encode_spectrogram

    check_channels_last(NOTE_CLASSIFIER, data_format)
    preset, seeds = find_preset(size), layer_seeds(seed)
    audio = keras.Input((samples,), name="audio")
    noisy = AddedHiss(seed=next(seeds), name="hiss")(audio)
    spectrogram = RelativeSpectrogram(
        preset.fft_length, preset.hop_length, preset.frames, dtype="float32", name="picture"
    )(noisy)
    start = keras.initializers.GlorotUniform(next(seeds))
    logits = keras.layers.Dense(OUTPUTS, kernel_initializer=start, dtype="float32", name="names")
    return keras.Model(audio, logits(encode_spectrogram(spectrogram, preset, seeds)), name="note_classifier")


class ClassifierSettings(SpectralTrainingSettings):
    """Train a classifier of notes, by which reconstructed notes are measured, on a dataset of notes."""

    model: str = Field(NOTE_CLASSIFIER, description=NOTE_CLASSIFIER)


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.notes.data import LabelledNotes, open_whole

    return open_whole(settings, stack, LabelledNotes)


def _loss(space: ParameterSpace, loss: str) -> "keras.losses.Loss":
    from models.training.losses import LabelCrossentropy

    return LabelCrossentropy(SOFTMAXES, len(QUALITIES))


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    return cosine_adam(learning_rate, steps, beta_1=0.5, average=None)


def measure(loaded: LoadedModel, source: "Source") -> dict[str, Any]:
    """Measure the accuracy of each label on the test notes; unlabelled notes are left out.

    Returns: `n` notes; accuracies `pitch` (the exact note), `near` (within a semitone), `family`, `source` and
        `qualities` (over all ten of all notes); a label that the dataset does not have is absent.
    """
    classifier, found, truth = NoteClassifier(loaded), [], []
    with source.test(32) as batches:
        for number in range(batches.num_batches):
            audio, labels = batches[number]
            found.append(classifier.predict_labels(audio))
            truth.append(labels)
    labels = np.concatenate(truth)
    predicted = {part: np.concatenate([getattr(one, part) for one in found]) for part in ("pitch", "family", "source")}
    off = np.abs(predicted["pitch"] - labels[:, 0])
    accuracies = {"pitch": np.mean(off == 0), "near": np.mean(off <= 1)}
    for column, part in ((1, "family"), (2, "source")):
        known = labels[:, column] >= 0
        if known.any():
            accuracies[part] = np.mean(predicted[part][known] == labels[known, column])
    known = labels[:, 3] >= 0
    if known.any():
        bits = (labels[known, 3:] >> np.arange(len(QUALITIES)) & 1).astype(bool)
        accuracies["qualities"] = np.mean(np.concatenate([one.qualities for one in found])[known] == bits)
    return {"n": len(labels), **{name: {"All": float(share)} for name, share in accuracies.items()}}


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        NOTE_CLASSIFIER,
        "classifies pitch, family, source and qualities of a note; reconstructed notes are measured by it",
        SOURCE,
        build_classifier,
        parameters=257_044,
        loss=_loss,
        metrics=lambda space: [],
        optimizer=_optimizer,
        scheduled=True,
        features={"input": "notes"},
        settings=ClassifierSettings,
        open_data=_open,
        options=MappingProxyType({"size": "tiny"}),
        measure=measure,
        inference="models.notes.classifier:load_classifier",
        report_format=("pitch {pitch:.1%}", "within a semitone {near:.1%}"),
        defaults=defaults_of(ClassifierSettings, "labels", "size"),
    ),
)
