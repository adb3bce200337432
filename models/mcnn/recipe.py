"""MCNN, trained alone: audio from mel magnitudes of notes, in one pass.

Arik, Jun and Diamos 2019, arXiv 1808.06719, as `paper`; and smaller ones with a harmonic head, which take the note as
input.
"""

from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from generators.errors import ModelError
from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.mcnn.presets import MCNN, PRESETS, McnnPreset, find_preset, find_size
from models.notes.settings import NoteTrainingSettings
from models.training.recipe import Recipe, check_channels_last, cosine_adam, defaults_of
from models.training.settings import EarlyStopping, EpochLength, MixedPrecision

if TYPE_CHECKING:
    import keras

    from models.training.data import Source

SOURCE = "Arik, Jun, Diamos: Fast Spectrogram Inversion using Multi-head CNNs, IEEE SPL 2019, arXiv 1808.06719"

LONG = 100_000
"""Steps from which on the learning rate decays as published; in shorter trainings it would hardly decay."""

PUBLISHED_DECAY = (0.94, 5_000)
"""Factor on the learning rate, and steps after which it is applied each time."""

CLIP = 5.0
"""Global norm to which gradients are clipped: those of a bank of sines are steep near the right frequency."""

WEIGHTS = ("convergence", "log_magnitude", "frequency", "phase")


def build_from_preset(
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
        size: a key of `models.mcnn.presets.SIZES`. others: further options, of the loss and the data.
    Raises: ModelError for an unknown size, or another layout than channels_last.
    """
    from models.mcnn.networks import build_mcnn

    check_channels_last(MCNN, data_format)
    preset, shape = find_preset(size), find_size(size)
    return build_mcnn(shape, preset.bands, seed=seed, fft_length=preset.fft_length, sample_rate=sample_rate)


class McnnSettings(EpochLength, EarlyStopping, MixedPrecision, NoteTrainingSettings):
    """Train MCNN, which renders mel magnitudes, on a dataset of notes."""

    presets: ClassVar = PRESETS

    model: str = Field(MCNN, description=MCNN)
    size: Literal["paper", "small", "tiny", "smoke"] = Field(
        "tiny", description="size of network and mel magnitudes; segment, weights, batch_size, epochs and rate follow"
    )
    segment: int = Field(0, ge=0, description="frames of a training example; 64 for paper; 0: whole notes")
    convergence_weight: float = Field(1.0, ge=0, description="weight of the distance of magnitudes, over their norm")
    log_magnitude_weight: float = Field(
        PRESETS["tiny"].log_magnitude, ge=0, description="weight of the distance of log magnitudes; 6 for paper"
    )
    frequency_weight: float = Field(
        PRESETS["tiny"].frequency, ge=0, description="weight of the distance of instantaneous frequencies; 10 for paper"
    )
    phase_weight: float = Field(
        PRESETS["tiny"].phase, ge=0, description="weight of the distance of phases; 1 for paper"
    )
    epochs: int = Field(PRESETS["tiny"].epochs, ge=1, description="passes over the notes; 400 for paper")
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=1, description="notes per step; 32 for paper")
    learning_rate: float = Field(
        PRESETS["tiny"].learning_rate,
        gt=0,
        description="of Adam, with cosine decay; from 100,000 steps on as published",
    )

    def of_preset(self, preset: McnnPreset) -> dict[str, Any]:
        weights = {f"{name}_weight": getattr(preset, name) for name in WEIGHTS}
        return super().of_preset(preset) | {"segment": preset.segment, "epochs": preset.epochs} | weights


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.mcnn.data import open_mels

    return open_mels(settings, stack)


def weighted_loss(space: ParameterSpace, loss: str, *, size: str = "tiny", **weights: float) -> "keras.losses.Loss":
    """Return the loss, each term with its weight; by default those of the preset.

    Raises: ModelError for an unknown size, or where all weights are 0.
    """
    from models.mcnn.losses import WaveformLoss

    preset = find_preset(size)
    terms = {name: weights.get(f"{name}_weight", getattr(preset, name)) for name in WEIGHTS}
    weighted = {name: weight for name, weight in terms.items() if weight}
    if not weighted:
        raise ModelError(
            f"some weight must be above 0. Received: 0 for each of {', '.join(WEIGHTS)}. Set --convergence_weight"
        )
    return WaveformLoss(weighted, preset.fft_length, preset.hop_length)


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
        "vocoder: audio from mel magnitudes in one pass, with many small heads and sines at the partials of the note",
        SOURCE,
        build_from_preset,
        parameters=466_856,
        loss=weighted_loss,
        loss_options=tuple(name for name in OPTIONS if name != "segment"),
        metrics=lambda space: [],
        optimizer=_adam,
        scheduled=True,
        jit_compile=False,
        features={"input": "mels"},
        settings=McnnSettings,
        open_data=_open,
        options=MappingProxyType({name: McnnSettings.model_fields[name].default for name in OPTIONS}),
        measure=_measure,
        inference="models.mcnn.inference:load_mcnn",
        report_format=("spectral convergence {convergence:.1f} dB (Griffin-Lim: {griffin_lim_convergence:.1f})",),
        defaults=defaults_of(McnnSettings, "spectra", "size"),
    ),
)
