"""The baseline of NSynth: an autoencoder of pictures of notes, which hears all of a note at once and is told its pitch.

Engel et al. 2017, arXiv 1704.01279: what the WaveNet autoencoder is measured against. A reconstruction is a picture of
magnitudes, and becomes a sound by Griffin-Lim. In two sizes: the published one, and `tiny` for two cores.
"""

from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from generators.parameters import ParameterSpace
from models.estimation.architectures import NSYNTH_BASELINE
from models.nsynth.baseline_networks import SIZES, find_size
from models.nsynth.recipe import SOURCE, prepare
from models.training.recipe import Recipe, check_channels_last, defaults_of
from models.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

LOUD = 0.5
"""Brightness above which a point of a picture is heard: 60 dB below the loudest."""


def build_baseline(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    size: str = "tiny",
    loss: str = "mse",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build the autoencoder, untrained. Raises: ModelError for an unknown size, and for channels_first."""
    from models.nsynth.baseline_networks import build_spectral_autoencoder

    check_channels_last(NSYNTH_BASELINE, data_format)
    return build_spectral_autoencoder(find_size(size), samples, sample_rate, seed)


class BaselineSettings(TrainingSettings):
    """Train the spectral baseline of NSynth on a dataset of notes."""

    other_flags: ClassVar = {"size": ("preset",)}

    model: str = Field(NSYNTH_BASELINE, description=NSYNTH_BASELINE)
    size: Literal["full", "tiny", "short"] = Field(
        "tiny", description="how large it is; batch_size and learning_rate follow, where they are not set"
    )
    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    epochs: int = Field(20, ge=1, description="passes over the notes")
    patience: int = Field(100_000, ge=1, description="stop after so many epochs without a lower validation loss")
    batch_size: int = Field(SIZES["tiny"].batch_size, ge=1, description="notes per step; 8 for full")
    learning_rate: float = Field(SIZES["tiny"].learning_rate, gt=0, description="of Adam; 1e-4 for full")

    @model_validator(mode="after")
    def _follow_the_size(self) -> Self:
        size = SIZES[self.size]
        self.follow(batch_size=size.batch_size, learning_rate=size.learning_rate)
        return self


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    prepare(settings)
    from models.notes.data import open_whole

    return open_whole(settings, stack)


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    import keras

    return keras.optimizers.Adam(learning_rate, beta_1=0.5)  # published


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure reconstructions of the test notes, as pictures.

    Returns: `n` notes; `db_error`, the mean absolute error in decibels where a note is within 60 dB of its loudest
        point; `blind_db_error`, that of the mean picture of these very notes, for comparison.
    """
    import keras

    from models.layers.note_spectrograms import RANGE_DB

    picture = keras.Model(loaded.model.inputs, loaded.model.get_layer("picture").output)
    wanted, found = [], []
    with source.test(16) as batches:
        for number in range(batches.num_batches):
            inputs, _ = batches[number]
            wanted.append(np.asarray(picture.predict_on_batch(list(inputs)))[..., 0])
            found.append(np.asarray(loaded.model.predict_on_batch(list(inputs))))
    notes, guesses = np.concatenate(wanted), np.concatenate(found)
    loud = notes > LOUD
    errors = {"db_error": guesses - notes, "blind_db_error": notes.mean(axis=0) - notes}
    return {
        "n": len(notes),
        **{name: {"All": float(np.abs(one)[loud].mean() * RANGE_DB)} for name, one in errors.items()},
    }


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        NSYNTH_BASELINE,
        "an autoencoder of pictures of notes that is told their pitch, the baseline of NSynth",
        SOURCE,
        build_baseline,
        loss=lambda space, name: None,  # the network carries its own
        metrics=lambda space: [],
        optimizer=_optimizer,
        features={"input": "notes"},
        inputs="notes",
        settings=BaselineSettings,
        open_data=_open,
        options=MappingProxyType({"size": "tiny"}),
        measure=measure,
        told=("error {db_error:.1f} dB (the mean picture: {blind_db_error:.1f})",),
        defaults=defaults_of(BaselineSettings, "mse", "size"),
    ),
)
