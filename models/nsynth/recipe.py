"""NSynth: a WaveNet autoencoder that encodes a note to a short code sequence and decodes it autoregressively.

Engel et al. 2017, arXiv 1704.01279, as in the published code; pitch as a further condition, which only the paper has,
is an option. Three sizes: that of the paper, and two for a computer without a GPU. The published crops of 6,144 samples
are taken from anywhere in a note; ours come from its first three seconds by default, since most notes are silent after
them, and silence is learned first.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.notes.settings import NoteTrainingSettings
from models.notes.spectral_encoder import SOURCE
from models.nsynth.presets import NSYNTH, PRESETS, NSynthPreset, find_preset
from models.training.recipe import Recipe, check_channels_last, defaults_of
from models.training.settings import EarlyStopping, EpochLength, MixedPrecision

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

STEPS_PER_EPOCH = 200
"""Steps between two validations and checkpoints: about a minute of the tiny size on two cores."""


def build_nsynth(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    size: str = "tiny",
    pitch_conditioning: bool = False,
    sine_conditioning: bool = False,
    loss: str = "nll",
    data_format: str = "channels_last",
    seed: int | None = None,
    notes: Sequence[int] = (),
    counts: Sequence[int] = (),
) -> "keras.Model":
    """Build encoder and decoder as one network, untrained.

    Args:
        size: a key of `models.nsynth.presets.PRESETS`. pitch_conditioning: condition the decoder on the MIDI note as
            well. sine_conditioning: condition it on sines at the note's frequency.
        notes, counts: MIDI notes of the training and how often each occurs; for the card alone.
    Raises: ModelError for an unknown size, or another layout than channels_last.
    """
    from models.nsynth.networks import autoencoder

    check_channels_last("nsynth", data_format)
    sine_rate = sample_rate if sine_conditioning else None
    return autoencoder(find_preset(size), pitch=pitch_conditioning, sine_rate=sine_rate, seed=seed)


class NSynthSettings(EpochLength, EarlyStopping, MixedPrecision, NoteTrainingSettings):
    """Train the WaveNet autoencoder of NSynth on a dataset of notes."""

    presets: ClassVar = PRESETS

    model: str = Field(NSYNTH, description=NSYNTH)
    size: Literal["full", "medium", "tiny", "shallow", "smoke"] = Field(
        "tiny",
        description="how large it is; crop, batch_size, epochs, learning_rate and jitter follow, if they are not set",
    )
    pitch_conditioning: bool = Field(False, description="condition the decoder on the MIDI note, as in the paper")
    sine_conditioning: bool = Field(
        False, description="condition the decoder on sines at the frequency of the MIDI note, which give it the period"
    )
    epochs: int = Field(
        PRESETS["tiny"].steps // STEPS_PER_EPOCH, ge=1, description="of steps_per_epoch; 1000 for full, 20 for medium"
    )
    steps_per_epoch: int | None = Field(STEPS_PER_EPOCH, ge=1, description="batches in an epoch")
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=1, description="crops per step; 32 for full, 4 for medium")
    learning_rate: float = Field(
        PRESETS["tiny"].learning_rate, gt=0, description="initial learning rate; 2e-4 for full, 5e-4 for medium"
    )
    crop: int = Field(
        PRESETS["tiny"].crop, ge=1, description="samples of a training example; 6144 for full, 4096 for medium"
    )
    crop_seconds: float = Field(
        3.0, ge=0, description="crops come from the first so many seconds of a note; 0: from all of it"
    )
    jitter: float = Field(
        PRESETS["tiny"].jitter,
        ge=0,
        le=64,
        description="noise on the inputs of training, in mu-law classes, up to this standard deviation; 0 for others",
    )

    def of_preset(self, preset: NSynthPreset) -> dict[str, Any]:
        return super().of_preset(preset) | {
            "crop": preset.crop,
            "jitter": preset.jitter,
            "epochs": max(1, preset.steps // (self.steps_per_epoch or STEPS_PER_EPOCH)),
        }


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.notes.data import open_crops

    return open_crops(settings, stack, hop=find_preset(settings.size).hop)


def _loss(space: ParameterSpace, loss: str) -> "keras.losses.Loss":
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    from models.training.optimizers import falling_adam

    return falling_adam(learning_rate, steps)


def _measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    from models.nsynth.metrics import measure

    return measure(loaded, source)


OPTIONS = ("size", "pitch_conditioning", "sine_conditioning")

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        NSYNTH,
        "WaveNet autoencoder of notes: codes of 32 ms, decoded autoregressively sample by sample",
        SOURCE,
        build_nsynth,
        parameters=180_808,
        loss=_loss,
        metrics=lambda space: [],
        optimizer=_optimizer,
        scheduled=True,
        features={"input": "notes"},
        settings=NSynthSettings,
        open_data=_open,
        options=MappingProxyType({name: NSynthSettings.model_fields[name].default for name in OPTIONS}),
        measure=_measure,
        inference="models.nsynth.inference:load_nsynth",
        report_format=("{nll:.3f} bits per sample", "{gain:.3f} below the unigram entropy of {unigram:.3f}"),
        defaults=defaults_of(NSynthSettings, "nll"),
    ),
)
