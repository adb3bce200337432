"""NSynth: an autoencoder that hears a note in a few codes and says it again sample by sample.

Engel et al. 2017, arXiv 1704.01279, as in the published code; the pitch as a further condition, which only the paper
has, is an option. Three sizes: that of the paper, and two for a computer without a GPU. Where the published crops of
6,144 samples come from anywhere in a note, ours keep to its first three seconds by default: behind them most notes are
silent, and silence is learned first.
"""

from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from generators.parameters import ParameterSpace
from models.estimation.architectures import NSYNTH
from models.nsynth.presets import SIZES, find_size
from models.training.recipe import Recipe, check_channels_last, defaults_of
from models.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

SOURCE = "Engel et al.: Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders, ICML 2017, arXiv 1704.01279"

STEPS_PER_EPOCH = 200
"""Between two validations and checkpoints: about a minute of the tiny size on two cores."""

NAT = float(np.log(2.0))


def build_nsynth(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    size: str = "tiny",
    pitch_conditioning: bool = False,
    loss: str = "nll",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build encoder and decoder as one network, untrained.

    Args:
        size: a key of `models.nsynth.presets.SIZES`. pitch_conditioning: tell the decoder the MIDI note, too.
    Raises: ModelError for an unknown size, or another layout than channels_last.
    """
    from models.nsynth.networks import autoencoder

    check_channels_last("nsynth", data_format)
    return autoencoder(find_size(size), pitch=pitch_conditioning, seed=seed)


class NSynthSettings(TrainingSettings):
    """Train the WaveNet autoencoder of NSynth on a dataset of notes."""

    other_flags: ClassVar = {"size": ("preset",)}

    model: str = Field(NSYNTH, description=NSYNTH)
    size: Literal["full", "medium", "tiny", "smoke"] = Field(
        "tiny",
        description="how large it is; crop, batch_size, epochs, learning_rate and jitter follow, if they are not set",
    )
    pitch_conditioning: bool = Field(False, description="tell the decoder the MIDI note, as in the paper")
    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    epochs: int = Field(
        SIZES["tiny"].steps // STEPS_PER_EPOCH, ge=1, description="of steps_per_epoch; 1000 for full, 20 for medium"
    )
    steps_per_epoch: int | None = Field(STEPS_PER_EPOCH, ge=1, description="batches in an epoch")
    patience: int = Field(100_000, ge=1, description="stop after so many epochs without a lower validation loss")
    batch_size: int = Field(SIZES["tiny"].batch_size, ge=1, description="crops per step; 32 for full, 4 for medium")
    learning_rate: float = Field(
        SIZES["tiny"].learning_rate, gt=0, description="at the beginning; 2e-4 for full, 5e-4 for medium"
    )
    crop: int = Field(
        SIZES["tiny"].crop, ge=1, description="samples of a training example; 6144 for full, 4096 for medium"
    )
    crop_seconds: float = Field(
        3.0, ge=0, description="crops come from so many seconds at the beginning of a note; 0: from all of it"
    )
    jitter: float = Field(
        SIZES["tiny"].jitter,
        ge=0,
        le=64,
        description="classes by which training shows samples wrong, up to this standard deviation; 0 for others",
    )

    @model_validator(mode="after")
    def _follow_the_size(self) -> Self:
        size = SIZES[self.size]
        self.follow(
            crop=size.crop,
            batch_size=size.batch_size,
            learning_rate=size.learning_rate,
            jitter=size.jitter,
            epochs=max(1, size.steps // (self.steps_per_epoch or STEPS_PER_EPOCH)),
        )
        return self


def prepare(settings: TrainingSettings) -> None:
    """Refuse what means nothing to a model of notes, then start Keras. Raises SettingsError."""
    settings.refuse_all_but(folds=1, loss=None, patches=None, stream=False, normalise=False)
    from models.training.backend import start_keras

    start_keras()


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    prepare(settings)
    from models.notes.data import open_crops

    return open_crops(settings, stack, hop=find_size(settings.size).hop)


def _loss(space: ParameterSpace, loss: str) -> "keras.losses.Loss":
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    from models.training.optimizers import falling_adam

    return falling_adam(learning_rate, steps)


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure how well the next sample is known, on the notes of the test: in bits a sample, over all samples.

    Returns: `n` notes; `nll` of the model; `unigram`, the entropy of these very classes, which is the least that could
        be had without hearing anything; and `gain`, how far the one lies below the other.
    """
    import keras

    total, counts, notes = 0.0, np.zeros(256), 0
    with source.test(64) as batches:
        for number in range(batches.num_batches):
            heard, said = batches[number]
            logits = loaded.model(heard, training=False)
            each = keras.losses.sparse_categorical_crossentropy(said, logits, from_logits=True)
            total += float(keras.ops.sum(each))
            counts += np.bincount(said.ravel(), minlength=256)
            notes += len(said)
    nll, unigram = total / counts.sum() / NAT, entropy(counts)
    return {
        "n": notes,
        **{name: {"All": v} for name, v in (("nll", nll), ("unigram", unigram), ("gain", unigram - nll))},
    }


def entropy(counts: Any) -> float:
    """Return the entropy of a distribution in bits, from how often each class occurred."""
    shares = np.asarray(counts, float)[np.asarray(counts) > 0] / np.sum(counts)
    return float(-(shares * np.log2(shares)).sum())


OPTIONS = ("size", "pitch_conditioning")

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        NSYNTH,
        "a WaveNet autoencoder of notes: codes of 32 ms, and a decoder that says the note again sample by sample",
        SOURCE,
        build_nsynth,
        loss=_loss,
        metrics=lambda space: [],
        optimizer=_optimizer,
        scheduled=True,
        features={"input": "notes"},
        inputs="notes",
        settings=NSynthSettings,
        open_data=_open,
        options=MappingProxyType({name: NSynthSettings.model_fields[name].default for name in OPTIONS}),
        measure=measure,
        told=("{nll:.3f} bits a sample", "{gain:.3f} below the unigram entropy of {unigram:.3f}"),
        defaults=defaults_of(NSynthSettings, "nll"),
    ),
)
