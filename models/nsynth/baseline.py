"""The baseline of NSynth: an autoencoder of whole spectrograms of notes, conditioned on pitch.

Engel et al. 2017, arXiv 1704.01279: the baseline of the WaveNet autoencoder. A reconstruction is a magnitude
spectrogram, whose phases are found by Griffin-Lim. In two sizes: the published one, and `tiny` for two cores.
"""

from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.notes.settings import SpectralTrainingSettings
from models.notes.spectral_encoder import SOURCE, find_preset
from models.nsynth.presets import NSYNTH_BASELINE
from models.training.recipe import Recipe, check_channels_last, defaults_of

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

LOUD = 0.5
"""Level of a spectrogram above which a point is audible: 60 dB below the loudest."""


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
    return build_spectral_autoencoder(find_preset(size), samples, sample_rate, seed)


class BaselineSettings(SpectralTrainingSettings):
    """Train the spectral baseline of NSynth on a dataset of notes."""

    model: str = Field(NSYNTH_BASELINE, description=NSYNTH_BASELINE)


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.notes.data import open_whole

    return open_whole(settings, stack)


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    import keras

    return keras.optimizers.Adam(learning_rate, beta_1=0.5)  # published


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure reconstructed spectrograms of the test notes.

    Returns: `n` notes; `db_error`, the mean absolute error in decibels where a note is within 60 dB of its loudest
        point; `blind_db_error`, that of the mean spectrogram of these notes, for comparison.
    """
    import keras

    from models.layers.note_spectrograms import RANGE_DB

    spectrogram = keras.Model(loaded.model.inputs, loaded.model.get_layer("picture").output)
    wanted, found = [], []
    with source.test(16) as batches:
        for number in range(batches.num_batches):
            inputs, _ = batches[number]
            wanted.append(np.asarray(spectrogram.predict_on_batch(list(inputs)))[..., 0])
            found.append(np.asarray(loaded.model.predict_on_batch(list(inputs))))
    notes, outputs = np.concatenate(wanted), np.concatenate(found)
    loud = notes > LOUD
    errors = {"db_error": outputs - notes, "blind_db_error": notes.mean(axis=0) - notes}
    return {
        "n": len(notes),
        **{name: {"All": float(np.abs(one)[loud].mean() * RANGE_DB)} for name, one in errors.items()},
    }


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        NSYNTH_BASELINE,
        "autoencoder of note spectrograms conditioned on pitch, the baseline of NSynth",
        SOURCE,
        build_baseline,
        parameters=574_349,
        loss=lambda space, name: None,  # the network has its own
        metrics=lambda space: [],
        optimizer=_optimizer,
        features={"input": "notes"},
        settings=BaselineSettings,
        open_data=_open,
        options=MappingProxyType({"size": "tiny"}),
        measure=measure,
        report_format=("error {db_error:.1f} dB (mean spectrogram: {blind_db_error:.1f})",),
        defaults=defaults_of(BaselineSettings, "mse", "size"),
    ),
)
