"""MCNN, trained by itself: sound from mel magnitudes of notes, in one pass.

Arik, Jun and Diamos 2019, arXiv 1808.06719, `paper`; and smaller ones with a harmonic head, which are told the note.
"""

from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from generators.errors import ModelError
from generators.parameters import ParameterSpace
from models.estimation.architectures import MCNN
from models.mcnn.presets import PRESETS, find_preset
from models.nsynth.recipe import prepare
from models.training.recipe import Recipe, check_channels_last, cosine_adam, defaults_of
from models.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.training.data import Source

SOURCE = "Arik, Jun, Diamos: Fast Spectrogram Inversion using Multi-head CNNs, IEEE SPL 2019, arXiv 1808.06719"

LONG = 100_000
"""Steps from which on the rate falls as published; in shorter trainings it would hardly fall."""

PUBLISHED_DECAY = (0.94, 5_000)
"""By which the rate is multiplied, and after how many steps each time."""

CLIP = 5.0
"""Norm of all gradients, at most: a bank of sines has steep ones where its frequencies are nearly right."""

WEIGHTS = ("convergence", "log_magnitude", "frequency", "phase")


def build_trained(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    size: str = "tiny",
    loss: str = "spectra",
    data_format: str = "channels_last",
    seed: int | None = None,
    **others: Any,
) -> "keras.Model":
    """Build the network, untrained: `models.mcnn.networks.build_mcnn` for the mels of a preset.

    Args:
        size: a key of `models.mcnn.sizes.SIZES`. others: what the loss is made of, and what the data is known by.
    Raises: ModelError for an unknown size, or another layout than channels_last.
    """
    from models.mcnn.networks import build_mcnn
    from models.mcnn.sizes import find_size

    check_channels_last(MCNN, data_format)
    preset, shape = find_preset(size), find_size(size)
    return build_mcnn(shape, preset.bands, seed=seed, fft_length=preset.fft_length, sample_rate=sample_rate)


class McnnSettings(TrainingSettings):
    """Train MCNN, which renders mel magnitudes, on a dataset of notes."""

    other_flags: ClassVar = {"size": ("preset",)}

    model: str = Field(MCNN, description=MCNN)
    size: Literal["paper", "small", "tiny", "smoke"] = Field(
        "tiny", description="how large it is and what it hears; segment, weights, batch_size, epochs and rate follow"
    )
    segment: int = Field(0, ge=0, description="frames of a training example; 64 for paper; 0: whole notes")
    convergence_weight: float = Field(1.0, ge=0, description="of the distance of magnitudes, over their norm")
    log_magnitude_weight: float = Field(
        PRESETS["tiny"].log_magnitude, ge=0, description="of the distance of logarithms of magnitudes; 6 for paper"
    )
    frequency_weight: float = Field(
        PRESETS["tiny"].frequency, ge=0, description="of the distance of instantaneous frequencies; 10 for paper"
    )
    phase_weight: float = Field(PRESETS["tiny"].phase, ge=0, description="of the distance of phases; 1 for paper")
    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    epochs: int = Field(PRESETS["tiny"].epochs, ge=1, description="passes over the notes; 400 for paper")
    patience: int = Field(100_000, ge=1, description="stop after so many epochs without a lower validation loss")
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=1, description="notes per step; 32 for paper")
    learning_rate: float = Field(
        PRESETS["tiny"].learning_rate, gt=0, description="of Adam, along a cosine, from 100,000 steps on as published"
    )

    @model_validator(mode="after")
    def _follow_the_size(self) -> Self:
        preset = PRESETS[self.size]
        self.follow(
            segment=preset.segment,
            batch_size=preset.batch_size,
            epochs=preset.epochs,
            learning_rate=preset.learning_rate,
            **{f"{name}_weight": getattr(preset, name) for name in WEIGHTS},
        )
        return self


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    prepare(settings)
    from models.mcnn.data import open_rendered

    return open_rendered(settings, stack)


def weighed_loss(space: ParameterSpace, loss: str, *, size: str = "tiny", **weights: float) -> "keras.losses.Loss":
    """Return the loss, each term with its weight; by default those of the size.

    Raises: ModelError for an unknown size, or where nothing is weighed.
    """
    from models.mcnn.losses import WaveformLoss

    preset = find_preset(size)
    terms = {name: weights.get(f"{name}_weight", getattr(preset, name)) for name in WEIGHTS}
    weighed = {name: weight for name, weight in terms.items() if weight}
    if not weighed:
        raise ModelError(
            f"something must be weighed. Received: 0 for each of {', '.join(WEIGHTS)}. Set --convergence_weight"
        )
    return WaveformLoss(weighed, preset.fft_length, preset.hop_length)


def _adam(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    import keras

    if steps < LONG:
        optimizer = cosine_adam(learning_rate, steps, average=None)
    else:
        factor, every = PUBLISHED_DECAY
        schedule = keras.optimizers.schedules.ExponentialDecay(learning_rate, every, factor, staircase=True)
        optimizer = keras.optimizers.Adam(schedule)
    optimizer.global_clipnorm = CLIP
    return optimizer


def _measure(loaded: Any, source: "Source") -> dict[str, Any]:
    from models.mcnn.metrics import measure

    return measure(loaded, source)


OPTIONS = ("size", "segment", *(f"{name}_weight" for name in WEIGHTS))

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        MCNN,
        "sound from mel magnitudes in one pass: many small heads, and sines at the partials of the note",
        SOURCE,
        build_trained,
        loss=weighed_loss,
        loss_options=tuple(name for name in OPTIONS if name != "segment"),
        metrics=lambda space: [],
        optimizer=_adam,
        scheduled=True,
        compiled=False,
        features={"input": "mels"},
        inputs="mels",
        settings=McnnSettings,
        open_data=_open,
        options=MappingProxyType({name: McnnSettings.model_fields[name].default for name in OPTIONS}),
        measure=_measure,
        told=("{convergence:.1f} dB from the notes (Griffin-Lim: {griffin_lim_convergence:.1f})",),
        defaults=defaults_of(McnnSettings, "spectra", "size"),
    ),
)
