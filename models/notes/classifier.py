"""A classifier of notes, which says how well a note was said again: it names pitch, family, source and qualities.

Engel et al. 2017, arXiv 1704.01279, measure reconstructions by one: the encoder of the spectral baseline, and one joint
output whose losses are added up. Ours learns with hiss under its notes, for the sounds that it is to judge have some,
and by a rate that falls along a cosine; in the baseline's two sizes.
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
from models.estimation.architectures import NOTE_CLASSIFIER
from models.model_files import LoadedModel, TrainedModel, load_model_named
from models.nsynth.baseline import BaselineSettings
from models.nsynth.baseline_networks import PITCHES, find_size
from models.nsynth.recipe import SOURCE, prepare
from models.training.recipe import Recipe, check_channels_last, cosine_adam, defaults_of, layer_seeds

if TYPE_CHECKING:
    import keras

    from models.training.data import Source

SOFTMAXES = (PITCHES, len(FAMILIES), len(SOURCES))
"""Names of each label of which a note bears one: pitch, family, source."""

OUTPUTS = sum(SOFTMAXES) + len(QUALITIES)


@dataclass(frozen=True)
class NoteNames:
    """What notes were taken for: `pitch` (n,) MIDI notes, `family`, `source` (n,) numbers, `qualities` (n, 10) bool."""

    pitch: NDArray[np.intp]
    family: NDArray[np.intp]
    source: NDArray[np.intp]
    qualities: NDArray[np.bool_]


@dataclass(frozen=True)
class Judgement:
    """What a classifier makes of notes: how likely each pitch is, and what it goes by.

    Attributes:
        pitch: (n, 128), softmax. features: (n, d), what its last strided layer says before its activation.
    """

    pitch: NDArray[np.float64]
    features: NDArray[np.float64]


class NoteClassifier(TrainedModel):
    """A trained classifier with its meaning."""

    def name(self, audio: NDArray[np.floating[Any]], batch_size: int = 32) -> NoteNames:
        """Name notes at the classifier's sample rate; what is shorter than its notes is followed by silence.

        Shapes: (n, samples). Raises: ModelError for longer ones.
        """
        return named(self._hear(audio, batch_size)[0])

    def judge(self, audio: NDArray[np.floating[Any]], batch_size: int = 32) -> Judgement:
        """Say of notes how likely each pitch is, with the features by which sets of notes are compared.

        Shapes: (n, samples). Raises: ModelError for notes longer than the classifier's.
        """
        logits, features = self._hear(audio, batch_size)
        pitch = logits[:, :PITCHES].astype(np.float64)
        likely = np.exp(pitch - pitch.max(axis=1, keepdims=True))
        return Judgement(likely / likely.sum(axis=1, keepdims=True), features.astype(np.float64))

    @cached_property
    def _ears(self) -> "keras.Model":
        """The network, with what its last strided layer says beside its names."""
        import keras

        model = self.loaded.model
        last = len(find_size(str(self.loaded.card.features["size"])).halvings) - 1
        features = keras.layers.Flatten()(model.get_layer(f"down{last}_normalisation").output)
        return keras.Model(model.inputs, [model.output, features])

    def _hear(self, audio: NDArray[np.floating[Any]], batch_size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        if audio.shape[1] > self.loaded.samples:
            raise ModelError(
                f"{self.loaded.path} names notes of up to {self.loaded.samples} samples. Received: {audio.shape[1]}"
            )
        logits: list[NDArray[Any]] = []
        features: list[NDArray[Any]] = []
        for first in range(0, len(audio), batch_size):
            batch = np.asarray(audio[first : first + batch_size], np.float32)
            whole = np.pad(batch, ((0, batch_size - len(batch)), (0, self.loaded.samples - batch.shape[1])))
            for parts, part in zip((logits, features), self._ears.predict_on_batch(whole), strict=True):
                parts.append(np.asarray(part)[: len(batch)])
        if not logits:
            nothing, neither = (np.empty((0, *output.shape[1:]), np.float32) for output in self._ears.outputs)
            return nothing, neither
        return np.concatenate(logits), np.concatenate(features)


def named(logits: NDArray[np.floating[Any]]) -> NoteNames:
    """Return what logits (n, OUTPUTS) stand for: the likeliest name of each label, and the qualities above zero."""
    pitch, family, source, qualities = np.split(logits, np.cumsum(SOFTMAXES), axis=1)
    return NoteNames(pitch.argmax(axis=1), family.argmax(axis=1), source.argmax(axis=1), qualities > 0)


def load_classifier(path: str | os.PathLike[str]) -> NoteClassifier:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no classifier."""
    return NoteClassifier(load_model_named(NOTE_CLASSIFIER, path, "notes are named"))


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
    from models.nsynth.baseline_networks import encode_picture

    check_channels_last(NOTE_CLASSIFIER, data_format)
    shape, seeds = find_size(size), layer_seeds(seed)
    audio = keras.Input((samples,), name="audio")
    heard = AddedHiss(seed=next(seeds), name="hiss")(audio)
    picture = RelativeSpectrogram(shape.fft_length, shape.hop_length, shape.frames, dtype="float32", name="picture")(
        heard
    )
    start = keras.initializers.GlorotUniform(next(seeds))
    named = keras.layers.Dense(OUTPUTS, kernel_initializer=start, dtype="float32", name="names")
    return keras.Model(audio, named(encode_picture(picture, shape, seeds)), name="note_classifier")


class ClassifierSettings(BaselineSettings):
    """Train a classifier of notes, by which autoencoders of notes are measured, on a dataset of notes."""

    model: str = Field(NOTE_CLASSIFIER, description=NOTE_CLASSIFIER)


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    prepare(settings)
    from models.notes.data import LabelledNotes, open_whole

    return open_whole(settings, stack, LabelledNotes)


def _loss(space: ParameterSpace, loss: str) -> "keras.losses.Loss":
    from models.training.losses import LabelCrossentropy

    return LabelCrossentropy(SOFTMAXES, len(QUALITIES))


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    return cosine_adam(learning_rate, steps, beta_1=0.5, average=None)


def measure(loaded: LoadedModel, source: "Source") -> dict[str, Any]:
    """Measure how often the notes of the test are named as they are labelled; what nobody said is left out.

    Returns: `n` notes; shares `pitch` (the very note), `near` (within a semitone), `family`, `source` and `qualities`
        (of all ten of all notes); a label that the dataset does not have is absent.
    """
    classifier, found, truth = NoteClassifier(loaded), [], []
    with source.test(32) as batches:
        for number in range(batches.num_batches):
            audio, labels = batches[number]
            found.append(classifier.name(audio))
            truth.append(labels)
    labels = np.concatenate(truth)
    names = {part: np.concatenate([getattr(one, part) for one in found]) for part in ("pitch", "family", "source")}
    off = np.abs(names["pitch"] - labels[:, 0])
    shares = {"pitch": np.mean(off == 0), "near": np.mean(off <= 1)}
    for column, part in ((1, "family"), (2, "source")):
        known = labels[:, column] >= 0
        if known.any():
            shares[part] = np.mean(names[part][known] == labels[known, column])
    known = labels[:, 3] >= 0
    if known.any():
        bits = (labels[known, 3:] >> np.arange(len(QUALITIES)) & 1).astype(bool)
        shares["qualities"] = np.mean(np.concatenate([one.qualities for one in found])[known] == bits)
    return {"n": len(labels), **{name: {"All": float(share)} for name, share in shares.items()}}


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        NOTE_CLASSIFIER,
        "names pitch, family, source and qualities of a note: what autoencoders of notes are measured by",
        SOURCE,
        build_classifier,
        loss=_loss,
        metrics=lambda space: [],
        optimizer=_optimizer,
        scheduled=True,
        features={"input": "notes"},
        inputs="notes",
        settings=ClassifierSettings,
        open_data=_open,
        options=MappingProxyType({"size": "tiny"}),
        measure=measure,
        told=("pitch {pitch:.1%}", "within a semitone {near:.1%}"),
        defaults=defaults_of(ClassifierSettings, "labels", "size"),
    ),
)
