"""NeuroSynth: a GAN that applies an amplitude envelope, given by three classes, to a waveform.

Two recipes: `neurosynth-published` follows eoin-og/NeuroSynth (2018; it has no paper), `neurosynth` corrects it: a
linear critic with one loss, the penalty on the candidate alone, five critic steps, residual blocks, classes after the
normalisation, time in -1..1. As targets are known, the error may be a term of the loss: `l1_weight`, 0 for the critic
alone.
"""

from contextlib import ExitStack
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from generators.envelope_generator import DIVISOR, EnvelopeOptions
from generators.errors import ModelError
from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.neurosynth.metrics import ATTRIBUTES
from models.training.recipe import AdversarialTraining, Recipe, check_channels_last, cosine_adam, defaults_of
from models.training.settings import EarlyStopping, MixedPrecision, RunSettings, StreamSettings

if TYPE_CHECKING:
    import keras

    from models.neurosynth.system import NeuroSynth
    from models.training.data import Source

SOURCE = "eoin-og/NeuroSynth 2018 (no paper); WGAN-GP: Gulrajani et al. 2017, arXiv 1704.00028"

NEUROSYNTH = "neurosynth"

NEUROSYNTH_PUBLISHED = "neurosynth-published"
"""The version that this project corrects."""

WIDTH = 8
"""Filters of the first convolutions (published)."""


def sizes_of(space: ParameterSpace) -> tuple[int, ...]:
    """Return how many levels attack, sustain and release have. Raises ModelError for a space without them."""
    if not set(ATTRIBUTES) <= set(space.names):
        raise ModelError(
            "NeuroSynth needs attack, sustain and release, as synth envelope has them. "
            f"Received: synth {space.synth} with {', '.join(space.names[:4])}, …. "
            "Train it on: inversynth generate envelope"
        )
    return tuple(len(space.levels(name)) for name in ATTRIBUTES)


def build_neurosynth(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    conv_dim: int = WIDTH,
    critic_steps: int = 5,
    l1_weight: float = 10.0,
    class_weight: float = 1.0,
    penalty_weight: float = 10.0,
    output_head: str = "none",
    loss: str = "wasserstein",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "NeuroSynth":
    """Build generator and critic, untrained.

    Args:
        conv_dim: width of both. The weights are those of the loss terms.
        output_head: `none`, or `gate` for waveform x gate + residual, which makes the task nearly trivial.
    Raises: ModelError for a space without an envelope, or a length that is no multiple of four samples.
    """
    from models.neurosynth import networks
    from models.neurosynth.system import NeuroSynth

    sizes = _checked(space, samples, data_format)
    return NeuroSynth(
        networks.generator(sizes, conv_dim, output_head, seed),
        networks.critic(samples, sizes, conv_dim, None if seed is None else seed + 1),
        sizes=sizes,
        critic_steps=critic_steps,
        weights={"penalty": penalty_weight, "classes": class_weight, "l1": l1_weight},
        seed=seed,
        name="neurosynth",
    )


def build_published(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    conv_dim: int = WIDTH,
    critic_steps: int = 1,
    loss: str = "wasserstein",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "NeuroSynth":
    """Build the published pair, untrained; its critic takes one optimiser step for each of three losses.

    Raises: ModelError as `build_neurosynth` does.
    """
    from models.neurosynth import networks
    from models.neurosynth.system import PublishedNeuroSynth

    sizes = _checked(space, samples, data_format)
    return PublishedNeuroSynth(
        networks.published_generator(samples, sizes, conv_dim, seed),
        networks.published_critic(samples, sizes, conv_dim, None if seed is None else seed + 1),
        sizes=sizes,
        critic_steps=critic_steps,
        weights={"penalty": 1.0, "l1": 0.0},
        schedule=[["real", "classes"], ["fake"], ["penalty"]],
        seed=seed,
        name="neurosynth_published",
    )


def _checked(space: ParameterSpace, samples: int, data_format: str) -> tuple[int, ...]:
    sizes = sizes_of(space)
    if samples % DIVISOR or samples < 3 * DIVISOR:
        raise ModelError(
            f"the length must be a multiple of {DIVISOR} samples, 12 or more. Received: {samples}. Set --seq_length"
        )
    check_channels_last("NeuroSynth", data_format)
    return sizes


def _published_adam(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    import keras

    return keras.optimizers.Adam(learning_rate)


def _wasserstein_adam(average: float | None) -> Any:
    """Return the factory of one network's optimiser: the moments of WGAN-GP, cosine decay."""
    return partial(cosine_adam, beta_1=0.0, beta_2=0.9, average=average)


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.neurosynth.data import open_data

    return open_data(settings, stack)


def _measure(loaded: Any, source: "Source") -> dict[str, Any]:
    from models.neurosynth.inference import measure

    return measure(loaded, source)


def _draw(model: "keras.Model", source: "Source", path: Any) -> None:
    from models.neurosynth.inference import draw_examples

    draw_examples(model, source, path)


class EnvelopeTrainingSettings(EnvelopeOptions, StreamSettings, EarlyStopping, MixedPrecision, RunSettings):
    """What both versions of NeuroSynth have."""

    other_flags: ClassVar = {"epochs": ("num_epoch",)}

    stream: bool = Field(True, description="train on generated waveforms, unless dataset_file names others")
    dataset_name: str = Field("envelope", description="with --no-stream: trains on <dataset_dir>/<dataset_name>.hdf5")
    epochs: int = Field(300, ge=1, description="passes over dsize examples")
    patience: int | None = Field(
        None, ge=1, description="stop after so many epochs without a lower validation error; by default never"
    )
    batch_size: int = Field(64, ge=1, description="examples per step, of the critic and of the generator")
    learning_rate: float = Field(1e-3, gt=0, description="step size of both optimisers")
    print_interval: int = Field(20, ge=1, description="epochs between two plots and checkpoints")
    dsize: int = Field(2048, ge=1, description="with stream: examples in an epoch, unless steps_per_epoch is set")
    fresh: bool = Field(True, description="with stream: new examples in every epoch; else the same dsize of them")
    conv_dim: int = Field(WIDTH, ge=1, description="width of the networks")
    critic_steps: int = Field(5, ge=1, description="steps of the critic for one of the generator")


class NeuroSynthSettings(EnvelopeTrainingSettings):
    """Train NeuroSynth, which applies an envelope to a waveform, on fresh waveforms or on a dataset of them."""

    model: str = Field(NEUROSYNTH, description=f"{NEUROSYNTH}, or {NEUROSYNTH_PUBLISHED} as it was published")
    l1_weight: float = Field(10.0, ge=0, description="of the mean absolute error in the generator's loss; 0: none")
    class_weight: float = Field(1.0, ge=0, description="of the cross-entropy of the classes in both losses")
    penalty_weight: float = Field(10.0, ge=0, description="of the gradient penalty in the critic's loss")
    output_head: Literal["none", "gate"] = Field(
        "none", description="gate: the waveform times a gate plus a residual, which makes the task nearly trivial"
    )
    random_pitch: bool = Field(True, description="periods of 5 to 32 samples, not just one")
    random_phase: bool = Field(True, description="waveforms begin anywhere in their cycle")


class PublishedSettings(EnvelopeTrainingSettings):
    """Train NeuroSynth as it was published: 2,048 examples made once, one pitch, the original's ramps and losses."""

    model: str = Field(NEUROSYNTH_PUBLISHED, description=NEUROSYNTH_PUBLISHED)
    epochs: int = Field(1000, ge=1, description="passes over dsize examples")
    print_interval: int = Field(200, ge=1, description="epochs between two plots and checkpoints")
    critic_steps: int = Field(1, ge=1, description="rounds of three critic steps for one of the generator")
    fresh: bool = Field(False, description="with stream: new examples in every epoch; else the same dsize of them")
    random_pitch: bool = Field(False, description="periods of 5 to 32 samples, not just one")
    random_phase: bool = Field(False, description="waveforms begin anywhere in their cycle")
    legacy: bool = Field(True, description="the ramps of the original, to the sample")


OPTIONS: dict[str, tuple[str, ...]] = {
    NEUROSYNTH: ("conv_dim", "critic_steps", "l1_weight", "class_weight", "penalty_weight", "output_head"),
    NEUROSYNTH_PUBLISHED: ("conv_dim", "critic_steps"),
}
"""Settings that the networks and losses of each recipe take; those of the published version are mostly fixed."""


RECIPES: tuple[Recipe, ...] = tuple(
    Recipe(
        name,
        summary,
        SOURCE,
        build,
        parameters=parameters,
        optimizer=optimizer,
        adversarial=AdversarialTraining(critic_optimizer),
        scheduled=name == NEUROSYNTH,
        features={"input": "envelope"},
        settings=settings,
        open_data=_open,
        options=MappingProxyType({option: settings.model_fields[option].default for option in OPTIONS[name]}),
        measure=_measure,
        draw=_draw,
        inference="models.neurosynth.inference:load_envelope_shaper",
        report_format=(
            "mean absolute error {mae:.4f}",
            "envelope RMS error {env_rms:.4f}",
            "all three classes {joint:.1%}",
        ),
        defaults=defaults_of(settings, "wasserstein", *OPTIONS[name]),
    )
    for name, summary, build, parameters, optimizer, critic_optimizer, settings in (
        (
            NEUROSYNTH,
            "a GAN that applies an envelope to a waveform: WGAN-GP, residual blocks, classes as scales and shifts",
            build_neurosynth,
            18_515,
            _wasserstein_adam(0.999),
            _wasserstein_adam(None),
            NeuroSynthSettings,
        ),
        (
            NEUROSYNTH_PUBLISHED,
            "the same as it was published, for comparison",
            build_published,
            12_649,
            _published_adam,
            _published_adam,
            PublishedSettings,
        ),
    )
)
