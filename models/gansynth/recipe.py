"""GANSynth: a progressive GAN that makes a note of a given pitch in one go, timbre by timbre out of a latent.

Engel et al. 2019, arXiv 1902.08710, as in the published code; three sizes, that of the release, the same with half as
many bins, and one for a computer without a GPU.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from generators.errors import SettingsError
from generators.parameters import ParameterSpace
from models.estimation.architectures import GANSYNTH
from models.gansynth.presets import PRESETS
from models.gansynth.schedule import blocks_of, growth_of
from models.gansynth.sizes import find_size
from models.nsynth.recipe import prepare
from models.training.recipe import Recipe, TrainingStage, check_channels_last, defaults_of
from models.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.gansynth.system import GanSynth
    from models.model_files import LoadedModel
    from models.training.data import Source

SOURCE = "Engel et al.: GANSynth: Adversarial Neural Audio Synthesis, ICLR 2019, arXiv 1902.08710"

LONG = 100_000
"""Steps from which on the averages of weights are as slow as published; in shorter trainings a stage is over before
they have come to rest."""

MEASURED = 256
"""Notes that a finished training is measured on."""


def build_gansynth(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    stage: int | None = None,
    size: str = "tiny",
    latent: int = 64,
    notes: Sequence[int] = (),
    scale: Sequence[float] = (1.0, 1.0),
    alike: int = 0,
    pitch_weight: float = 10.0,
    penalty_weight: float = 10.0,
    loss: str = "wasserstein",
    data_format: str = "channels_last",
    seed: int | None = None,
    **others: Any,
) -> "GanSynth":
    """Build generator and critic as they are in a stage, untrained.

    Args:
        stage: of the course; by default the last. size: a key of `models.gansynth.sizes.SIZES`.
        latent: numbers that stand for a timbre. notes: MIDI notes of the data; by default as many as the size was
            published with. scale: by which pictures were normalised. alike: how many pictures of one note the critic
            compares; 0 for whole batches. The weights are those of loss terms.
        others: what the data is known by besides.
    Raises: ModelError for an unknown size, or another layout than channels_last.
    """
    from models.gansynth.networks import build_critic, build_generator
    from models.gansynth.system import GanSynth

    check_channels_last(GANSYNTH, data_format)
    shape = replace(find_size(size), latent=latent, group=alike)
    shape = replace(shape, pitches=len(notes) or shape.pitches)
    blocks = shape.blocks if stage is None else blocks_of(stage)
    return GanSynth(
        build_generator(shape, blocks, seed),
        build_critic(shape, blocks, None if seed is None else seed + 1),
        units=scale,
        repeats=1 << (shape.blocks - blocks),
        weights={"pitch": pitch_weight, "penalty": penalty_weight},
        seed=seed,
        name=GANSYNTH,
    )


class GanSynthSettings(TrainingSettings):
    """Train GANSynth on a dataset of notes, which all have one length."""

    other_flags: ClassVar = {"size": ("preset",)}

    model: str = Field(GANSYNTH, description=GANSYNTH)
    size: Literal["release", "release-low", "tiny", "smoke"] = Field(
        "tiny",
        description="how large pictures and networks are; latent, images, batch_size and epochs follow, where not set",
    )
    kind: Literal["mel", "linear", "phase"] = Field(
        "mel", description="what pictures show: mel bands, plain bins, or the phase itself"
    )
    aliased: bool = Field(False, description="mel bands with the overlaps of the published code, for its weights")
    normaliser: Literal["measured", "published"] = Field(
        "measured", description="which range of magnitudes pictures are laid into: of the data, or of the release"
    )
    latent: int = Field(
        PRESETS["tiny"].latent, ge=1, description="numbers of a timbre; 256 for release (512 is another model's)"
    )
    progressive: bool = Field(True, description="grow the networks (else train the last stage alone, from nothing)")
    stable_images: int = Field(PRESETS["tiny"].growth.stable, ge=1, description="images of a stage; 800000 for release")
    transition_images: int = Field(
        PRESETS["tiny"].growth.transition, ge=1, description="images between two stages; 800000 for release"
    )
    total_images: int = Field(PRESETS["tiny"].growth.total, ge=1, description="images altogether; 11000000 for release")
    epoch_images: int = Field(
        PRESETS["tiny"].epoch_images, ge=1, description="images between two checkpoints; 8000 for release"
    )
    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    epochs: int = Field(
        PRESETS["tiny"].epochs, ge=1, description="of epoch_images, at most; by default as many as total_images are"
    )
    patience: int = Field(100_000, ge=1, description="has no meaning here: the newest epoch counts as the best")
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=2, description="images per step; 8 for release, too")
    learning_rate: float = Field(PRESETS["tiny"].learning_rate, gt=0, description="of both optimisers")
    alike: int = Field(
        0,
        ge=0,
        description="pictures of one note that the critic compares, for more timbres; 0: all of a batch",
    )
    pitch_weight: float = Field(10.0, ge=0, description="of the cross-entropy of the pitch in both losses")
    penalty_weight: float = Field(10.0, ge=0, description="of the gradient penalty in the critic's loss")

    @model_validator(mode="after")
    def _follow_the_size(self) -> Self:
        preset = PRESETS[self.size]
        self.follow(
            latent=preset.latent,
            stable_images=preset.growth.stable,
            transition_images=preset.growth.transition,
            total_images=preset.growth.total if self.progressive else preset.single_images,
            epoch_images=preset.epoch_images,
            batch_size=preset.batch_size,
            learning_rate=preset.learning_rate,
        )
        self.follow(epochs=max(1, self.total_images // self.epoch_images))
        return self


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    settings.refuse_all_but(steps_per_epoch=None)
    if settings.precision != "float32":
        raise SettingsError(
            f"{GANSYNTH} trains in float32: its penalty and its phases need the digits. "
            f"Received: --precision {settings.precision}. Leave it out"
        )
    prepare(settings)
    from models.gansynth.data import open_pictures

    return open_pictures(settings, stack)


def stages_of(options: Mapping[str, Any]) -> tuple[TrainingStage, ...]:
    """Return the stages of a training in epochs, from its options."""
    return tuple(
        TrainingStage(one.number, one.end // int(options["epoch_images"])) for one in growth_of(options).stages()
    )


def _grow(younger: Any, older: Any) -> None:
    from models.gansynth.progressive import grow

    grow(younger, older)


def _adam(averages: bool, learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    """Return the optimiser of the generator, whose weights are averaged, or of the critic."""
    import keras

    from models.gansynth.progressive import SteadyAdam

    numbers = {"beta_1": 0.0, "beta_2": 0.99, "epsilon": 1e-8}
    if averages:
        return SteadyAdam(learning_rate, **numbers, ema_momentum=0.999 if steps >= LONG else 0.99)
    return keras.optimizers.Adam(learning_rate, **numbers)


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure how many new notes a tracker hears within a semitone of what was asked for, beside those of the test.

    Returns: `n` notes made; shares `tracked` of them, and `real` of the held-out ones.
    """
    from models.gansynth.inference import GanSynthModel
    from models.notes.metrics import shares, track

    player = GanSynthModel(loaded)
    notes = player.draw_notes(MEASURED)
    made = player.sounds(player.draw_latents(MEASURED), notes, batch_size=16)
    (audio, pitch) = source.held_out(MEASURED)  # type: ignore[attr-defined]
    near = {
        "tracked": shares(track(made, loaded.sample_rate), notes.astype(float))[0],
        "real": shares(track(audio, loaded.sample_rate), pitch.astype(float))[0],
    }
    return {"n": MEASURED, **{name: {"All": share} for name, share in near.items()}}


def _draw(model: "keras.Model", source: "Source", path: Path) -> None:
    from models.gansynth.plots import draw_notes

    draw_notes(model, source, path)


OPTIONS = (
    "size",
    "kind",
    "aliased",
    "normaliser",
    "latent",
    "progressive",
    "stable_images",
    "transition_images",
    "total_images",
    "epoch_images",
    "alike",
    "pitch_weight",
    "penalty_weight",
)

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        GANSYNTH,
        "a progressive GAN of notes: pictures of magnitude and instantaneous frequency, all samples at once",
        SOURCE,
        build_gansynth,
        optimizer=partial(_adam, True),
        critic_optimizer=partial(_adam, False),
        stages=stages_of,
        grow=_grow,
        features={"input": "latents"},
        inputs="latents",
        settings=GanSynthSettings,
        open_data=_open,
        options=MappingProxyType({name: GanSynthSettings.model_fields[name].default for name in OPTIONS}),
        measure=measure,
        draw=_draw,
        told=("pitch within a semitone {tracked:.1%} (real notes: {real:.1%})",),
        defaults=defaults_of(GanSynthSettings, "wasserstein", "size"),
    ),
)
