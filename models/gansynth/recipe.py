"""GANSynth: a progressive, pitch-conditional GAN that generates all samples of a note at once from a latent.

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

from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.gansynth.presets import GANSYNTH, PRESETS, GanSynthPreset, find_size, growth_of
from models.gansynth.schedule import blocks_of
from models.notes.settings import NoteTrainingSettings
from models.training.recipe import (
    AdversarialTraining,
    ProgressiveGrowth,
    Recipe,
    TrainingStage,
    check_channels_last,
    defaults_of,
)

if TYPE_CHECKING:
    import keras

    from models.gansynth.system import GanSynth
    from models.model_files import LoadedModel
    from models.training.data import Source

SOURCE = "Engel et al.: GANSynth: Adversarial Neural Audio Synthesis, ICLR 2019, arXiv 1902.08710"

LONG = 100_000
"""Steps from which on weights are averaged as slowly as published; in shorter trainings a stage would end before the
averages have converged."""

MEASURED = 256
"""Notes on which a finished training is measured."""


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
    """Build generator and critic of a stage, untrained, from options by the names that runs and cards store.

    Args:
        stage: of the growth; by default the last. size: a key of `models.gansynth.presets.SIZES`.
        latent: width of the latent. notes: MIDI notes of the data; by default as many as the size was published with.
        scale: of the normalised spectrograms. alike: the minibatch_std_group of `GanSynthSize`.
        pitch_weight, penalty_weight: of loss terms. others: further options that describe the data.
    Raises: ModelError for an unknown size, or another layout than channels_last.
    """
    from models.gansynth.networks import build_critic, build_generator
    from models.gansynth.system import GanSynth

    check_channels_last(GANSYNTH, data_format)
    shape = replace(find_size(size), latent=latent, minibatch_std_group=alike)
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


class GanSynthSettings(NoteTrainingSettings):
    """Train GANSynth on a dataset of notes, which all have one length."""

    renamed: ClassVar = {"alike": "minibatch_std_group"}
    presets: ClassVar = PRESETS

    model: str = Field(GANSYNTH, description=GANSYNTH)
    size: Literal["release", "release-low", "tiny", "smoke"] = Field(
        "tiny",
        description="size of spectrograms and networks; latent, images, batch_size and epochs follow, where not set",
    )
    kind: Literal["mel", "linear", "phase"] = Field(
        "mel", description="kind of spectrogram: mel bands, linear bins, or linear bins with the phase itself"
    )
    aliased: bool = Field(False, description="mel bands with the overlaps of the published code, for its weights")
    normaliser: Literal["measured", "published"] = Field(
        "measured", description="range that magnitudes are scaled from: that of the data, or of the release"
    )
    latent: int = Field(
        PRESETS["tiny"].latent, ge=1, description="width of the latent; 256 for release (512 is another model's)"
    )
    progressive: bool = Field(True, description="grow the networks (else train the last stage alone, from scratch)")
    stable_images: int = Field(PRESETS["tiny"].growth.stable, ge=1, description="images of a stage; 800000 for release")
    transition_images: int = Field(
        PRESETS["tiny"].growth.transition, ge=1, description="images between two stages; 800000 for release"
    )
    total_images: int = Field(PRESETS["tiny"].growth.total, ge=1, description="images altogether; 11000000 for release")
    epoch_images: int = Field(
        PRESETS["tiny"].epoch_images, ge=1, description="images between two checkpoints; 8000 for release"
    )
    epochs: int = Field(
        PRESETS["tiny"].epochs, ge=1, description="of epoch_images, at most; by default as many as total_images are"
    )
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=2, description="images per step; 8 for release, too")
    learning_rate: float = Field(PRESETS["tiny"].learning_rate, gt=0, description="of both optimisers")
    minibatch_std_group: int = Field(
        0,
        ge=0,
        description="notes of one pitch over which the critic takes the standard deviation, for more varied timbres; "
        "0: the whole batch",
    )
    pitch_weight: float = Field(10.0, ge=0, description="weight of the pitch cross-entropy in both losses")
    penalty_weight: float = Field(10.0, ge=0, description="weight of the gradient penalty in the critic's loss")

    def of_preset(self, preset: GanSynthPreset) -> dict[str, Any]:
        return super().of_preset(preset) | {
            "latent": preset.latent,
            "stable_images": preset.growth.stable,
            "transition_images": preset.growth.transition,
            "total_images": preset.growth.total if self.progressive else preset.single_images,
            "epoch_images": preset.epoch_images,
        }

    @model_validator(mode="after")
    def _follow_the_images(self) -> Self:
        self.follow(epochs=max(1, self.total_images // self.epoch_images))
        return self

    @property
    def alike(self) -> int:
        """The minibatch_std_group, by the name under which runs and model cards store it."""
        return self.minibatch_std_group


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.gansynth.data import open_spectrograms

    return open_spectrograms(settings, stack)


def stages_of(options: Mapping[str, Any]) -> tuple[TrainingStage, ...]:
    """Return the stages of a training in epochs, from its options."""
    return tuple(
        TrainingStage(one.number, one.end // int(options["epoch_images"])) for one in growth_of(options).stages()
    )


def _grow(younger: Any, older: Any) -> None:
    from models.gansynth.progressive import grow

    grow(younger, older)


def _adam(averages: bool, learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    """Return the optimiser of the generator, which averages weights, or of the critic."""
    import keras

    from models.gansynth.progressive import SteadyAdam

    numbers = {"beta_1": 0.0, "beta_2": 0.99, "epsilon": 1e-8}
    if averages:
        return SteadyAdam(learning_rate, **numbers, ema_momentum=0.999 if steps >= LONG else 0.99)
    return keras.optimizers.Adam(learning_rate, **numbers)


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure the pitch accuracy of generated notes, within a semitone by a pitch tracker, and of the test notes.

    Returns: `n` generated notes; pitch accuracies `tracked`, of generated notes, and `real`, of held-out ones.
    """
    from generators.analysis.pitch import estimate_pitch, pitch_accuracy
    from models.gansynth.inference import GanSynthModel

    model = GanSynthModel(loaded)
    notes = model.draw_notes(MEASURED)
    made = model.decode(model.draw_latents(MEASURED), notes, batch_size=16)
    (audio, pitch) = source.held_out(MEASURED)  # type: ignore[attr-defined]
    near = {
        "tracked": pitch_accuracy(estimate_pitch(made, loaded.sample_rate), notes.astype(float))[0],
        "real": pitch_accuracy(estimate_pitch(audio, loaded.sample_rate), pitch.astype(float))[0],
    }
    return {"n": MEASURED, **{name: {"All": share} for name, share in near.items()}}


def _draw(model: "keras.Model", source: "Source", path: Path) -> None:
    from models.gansynth.plots import draw_notes

    draw_notes(model, source, path)


STORED_NAMES: Mapping[str, str] = {"minibatch_std_group": "alike"}
"""Options, and the names under which runs and model cards store them."""

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
    "minibatch_std_group",
    "pitch_weight",
    "penalty_weight",
)

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        GANSYNTH,
        "progressive GAN of notes: spectrograms of magnitude and instantaneous frequency, all samples at once",
        SOURCE,
        build_gansynth,
        parameters=601_365,
        optimizer=partial(_adam, True),
        adversarial=AdversarialTraining(partial(_adam, False)),
        growth=ProgressiveGrowth(stages_of, _grow),
        features={"input": "latents"},
        settings=GanSynthSettings,
        open_data=_open,
        options=MappingProxyType(
            {STORED_NAMES.get(name, name): GanSynthSettings.model_fields[name].default for name in OPTIONS}
        ),
        measure=measure,
        draw=_draw,
        inference="models.gansynth.inference:load_gansynth",
        report_format=("pitch within a semitone {tracked:.1%} (real notes: {real:.1%})",),
        defaults=defaults_of(GanSynthSettings, "wasserstein", "size"),
    ),
)
