"""WAE-Fader and its kin: autoencoders of whole notes with a small latent space, told note and style in six ways.

Esling et al. 2019, arXiv 1904.06215. The paper gives neither the layers nor the weights of its losses; what is ours is
said where it stands.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from generators.parameters import ParameterSpace
from models.estimation.architectures import WAE
from models.nsynth.recipe import prepare
from models.training.recipe import Recipe, check_channels_last, defaults_of
from models.training.settings import TrainingSettings
from models.wae.presets import SIZES, find_size
from models.wae.schedule import ALPHA, discriminator_adam, halving_adam
from models.wae.variants import find_variant

if TYPE_CHECKING:
    from models.model_files import LoadedModel
    from models.training.data import Source
    from models.wae.system import NoteAutoencoder

SOURCE = "Esling, Chemla–Romeu-Santos, Bitton: Generative timbre spaces / WAE-Fader, 2019, arXiv 1904.06215"


def build_wae(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    kind: str = "wae-fader",
    size: str = "tiny",
    latent: int = SIZES["tiny"].latent,
    alpha: float = ALPHA,
    beta: float | None = None,
    reduction: str = "mel",
    kernel: str = "rbf",
    form: str = "uniform",
    critic_steps: int = 5,
    styles: Sequence[str] = (),
    loss: str = "wasserstein",
    data_format: str = "channels_last",
    seed: int | None = None,
    **others: Any,
) -> "NoteAutoencoder":
    """Build an autoencoder and what it is trained against, untrained.

    Args:
        kind: a key of `models.wae.variants.KINDS`. size: a key of `models.wae.presets.SIZES`. latent: numbers of a note.
        alpha, beta, reduction, kernel, form, critic_steps: as `NoteAutoencoder` takes them.
        styles: their names; by default twelve.
        others: what the data is known by besides.
    Raises: ModelError for an unknown kind or size, or another layout than channels_last.
    """
    from models.wae.networks import build_decoder, build_discriminator, build_encoder
    from models.wae.system import NoteAutoencoder

    check_channels_last(WAE, data_format)
    shape, traits, count = replace(find_size(size), latent=latent), find_variant(kind), len(styles) or PUBLISHED_STYLES
    seeds = [None if seed is None else 3 * seed + part for part in range(3)]
    return NoteAutoencoder(
        build_encoder(shape, spread=traits.latent == "kl", seed=seeds[0]),
        build_decoder(shape, count, seen=traits.seen(count), seed=seeds[1]),
        build_discriminator(shape, count, seed=seeds[2]) if traits.adversary else None,
        kind=kind,
        alpha=alpha,
        beta=beta,
        reduction=reduction,
        kernel=kernel,
        form=form,
        critic_steps=critic_steps,
        seed=seed,
        name=WAE,
    )


PUBLISHED_STYLES = 12
"""Instruments of the paper's model of timbres."""


class WaeSettings(TrainingSettings):
    """Train a Wasserstein autoencoder of notes on a dataset of them."""

    other_flags: ClassVar = {"size": ("preset",)}
    other_variables: ClassVar = {"kind": "wae_kind"}

    model: str = Field(WAE, description=WAE)
    kind: Literal["ae", "vae", "wae-mmd", "wae-note", "wae-style", "wae-fader"] = Field(
        "wae-fader", description="what the decoder is told, and what shapes the latent"
    )
    size: Literal["paper", "tiny", "smoke"] = Field(
        "tiny", description="how large pictures and networks are; epochs, batch_size and learning_rate follow"
    )
    style_label: str = Field("instrument", description="which label is the style: instrument, style, family or a tag")
    latent: int = Field(SIZES["tiny"].latent, ge=1, description="numbers that stand for a note; 3 as published")
    alpha: float = Field(ALPHA, ge=0, description="what the adversary weighs in the end, of wae-fader")
    beta: float | None = Field(None, ge=0, description="what the law of the latent weighs; by default that of the kind")
    reduction: Literal["mel", "sum", "mean"] = Field(
        "mel", description="squared errors: added up over bands and averaged over frames, added up, or averaged"
    )
    kernel: Literal["rbf", "gaussian", "multiquadric"] = Field("rbf", description="of the mmd: five Gaussians")
    form: Literal["uniform", "reverse", "complement"] = Field(
        "uniform", description="what the encoder pays for a style that can be guessed"
    )
    critic_steps: int = Field(5, ge=1, description="steps of the discriminator for one of the autoencoder; 1 published")
    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    epochs: int = Field(SIZES["tiny"].epochs, ge=1, description="passes over the notes; 400 for paper")
    patience: int = Field(100_000, ge=1, description="has no meaning here: the newest epoch counts as the best")
    batch_size: int = Field(SIZES["tiny"].batch_size, ge=2, description="notes per step; the mmd wants many")
    learning_rate: float = Field(
        SIZES["tiny"].learning_rate, gt=0, description="of both optimisers, halved three times; 5e-4 for paper"
    )
    print_interval: int = Field(5, ge=1, description="epochs between two validations, checkpoints and pictures")

    @model_validator(mode="after")
    def _follow_the_size(self) -> Self:
        size = SIZES[self.size]
        self.follow(
            latent=size.latent, epochs=size.epochs, batch_size=size.batch_size, learning_rate=size.learning_rate
        )
        return self


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    prepare(settings)
    from models.wae.data import open_notes

    return open_notes(settings, stack)


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure how well notes of the test come back, and how far their latents are from the prior.

    Returns: `n` notes; root mean square errors of pictures, `rmse`, and `mean`, of the mean picture of the training;
        `mmd`, the mmd of latents and prior.
    """
    from models.wae.inference import WaeModel
    from models.wae.losses import mmd

    maker, rows = WaeModel(loaded), source.rows("test")  # type: ignore[attr-defined]
    pictures, told = source.examples().read(rows)  # type: ignore[attr-defined]
    latents = maker.latents_of(pictures[..., 0])
    found = maker.pictures(latents, source.pitch[rows], told[:, -len(maker.styles) :])  # type: ignore[attr-defined]
    average = np.mean(source.pictures(source.rows("training")), axis=0)  # type: ignore[attr-defined]
    prior = np.random.default_rng(0).normal(size=latents.shape).astype(np.float32)
    return {
        "n": len(rows),
        "rmse": {"All": float(np.sqrt(np.mean((found - pictures[..., 0]) ** 2)))},
        "mean": {"All": float(np.sqrt(np.mean((average - pictures[..., 0]) ** 2)))},
        "mmd": {"All": float(mmd(latents, prior))},
    }


def _draw(model: Any, source: "Source", path: Path) -> None:
    from models.wae.plots import draw_space

    draw_space(model, source, path)


OPTIONS = ("kind", "size", "style_label", "latent", "alpha", "beta", "reduction", "kernel", "form", "critic_steps")

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        WAE,
        "an autoencoder of whole notes with a small latent space, told note and style; WAE-Fader and five others",
        SOURCE,
        build_wae,
        optimizer=halving_adam,
        critic_optimizer=discriminator_adam,
        counted=True,
        scheduled=True,
        features={"input": "pictures"},
        inputs="pictures",
        settings=WaeSettings,
        open_data=_open,
        options=MappingProxyType({name: WaeSettings.model_fields[name].default for name in OPTIONS}),
        measure=measure,
        draw=_draw,
        told=("error of pictures {rmse:.4f} (the mean picture: {mean:.4f})", "latents {mmd:.3f} from the prior"),
        defaults=defaults_of(WaeSettings, "wasserstein", "size", "kind"),
    ),
)
