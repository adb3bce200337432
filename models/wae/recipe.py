"""WAE-Fader and five variants: autoencoders of whole notes with a small latent space, conditioned on pitch and style.

Esling et al. 2019, arXiv 1904.06215. The paper gives neither the layers nor the weights of its losses; what is ours is
marked where it stands.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.notes.settings import NoteTrainingSettings
from models.training.recipe import AdversarialTraining, Recipe, check_channels_last, defaults_of
from models.training.settings import EpochLength, MixedPrecision
from models.wae.presets import PRESETS, WAE, WaePreset, find_preset
from models.wae.schedule import ADVERSARY_WEIGHT, discriminator_adam, halving_adam
from models.wae.variants import STORED_NAMES, find_variant

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
    latent: int = PRESETS["tiny"].latent,
    alpha: float = ADVERSARY_WEIGHT,
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
    """Build an autoencoder and its adversary, untrained, from options by the names that runs and cards store.

    Args:
        kind: the variant, a key of `models.wae.variants.VARIANTS`. size: a key of `models.wae.presets.PRESETS`.
        latent: width of the latent. alpha: weight of the adversary. form: loss of the adversary.
        beta, reduction, kernel, critic_steps: as `NoteAutoencoder` takes them.
        styles: their names; by default twelve.
        others: further options that describe the data.
    Raises: ModelError for an unknown variant or size, or another layout than channels_last.
    """
    from models.wae.networks import build_decoder, build_discriminator, build_encoder
    from models.wae.system import NoteAutoencoder

    check_channels_last(WAE, data_format)
    preset, variant = replace(find_preset(size), latent=latent), find_variant(kind)
    count = len(styles) or PUBLISHED_STYLES
    seeds = [None if seed is None else 3 * seed + part for part in range(3)]
    return NoteAutoencoder(
        build_encoder(preset, variational=variant.latent == "kl", seed=seeds[0]),
        build_decoder(preset, count, condition_mask=variant.condition_mask(count), seed=seeds[1]),
        build_discriminator(preset, count, seed=seeds[2]) if variant.adversary else None,
        variant=kind,
        adversary_weight=alpha,
        beta=beta,
        reduction=reduction,
        kernel=kernel,
        adversary_loss=form,
        critic_steps=critic_steps,
        seed=seed,
        name=WAE,
    )


PUBLISHED_STYLES = 12
"""Instruments of the paper's model of timbres."""


class WaeSettings(EpochLength, MixedPrecision, NoteTrainingSettings):
    """Train a Wasserstein autoencoder of notes on a dataset of them."""

    renamed_flags: ClassVar = {"kind": "variant"}
    renamed_variables: ClassVar = {"wae_kind": "variant"}
    renamed: ClassVar = {"alpha": "adversary_weight", "form": "adversary_loss"}
    presets: ClassVar = PRESETS

    model: str = Field(WAE, description=WAE)
    variant: Literal["ae", "vae", "wae-mmd", "wae-note", "wae-style", "wae-fader"] = Field(
        "wae-fader", description="what the decoder is conditioned on, and what regularises the latent"
    )
    size: Literal["paper", "tiny", "smoke"] = Field(
        "tiny", description="size of spectrograms and networks; epochs, batch_size and learning_rate follow"
    )
    style_label: str = Field("instrument", description="which label is the style: instrument, style, family or a tag")
    latent: int = Field(PRESETS["tiny"].latent, ge=1, description="width of the latent; 3 as published")
    adversary_weight: float = Field(
        ADVERSARY_WEIGHT, ge=0, description="final weight of the adversarial loss, of wae-fader"
    )
    beta: float | None = Field(None, ge=0, description="weight of the MMD or KL term; by default that of the variant")
    reduction: Literal["mel", "sum", "mean"] = Field(
        "mel", description="squared errors: summed over bands and averaged over frames, summed, or averaged"
    )
    kernel: Literal["rbf", "gaussian", "multiquadric"] = Field("rbf", description="of the MMD; rbf: five Gaussians")
    adversary_loss: Literal["uniform", "reverse", "complement"] = Field(
        "uniform", description="the encoder's loss for a style that can be predicted from the latent"
    )
    critic_steps: int = Field(
        5, ge=1, description="steps of the discriminator for each of the autoencoder; 1 published"
    )
    epochs: int = Field(PRESETS["tiny"].epochs, ge=1, description="passes over the notes; 400 for paper")
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=2, description="notes per step; the MMD needs many")
    learning_rate: float = Field(
        PRESETS["tiny"].learning_rate, gt=0, description="of both optimisers, halved three times; 5e-4 for paper"
    )
    print_interval: int = Field(5, ge=1, description="epochs between two validations, checkpoints and plots")

    def of_preset(self, preset: WaePreset) -> dict[str, Any]:
        return super().of_preset(preset) | {"latent": preset.latent, "epochs": preset.epochs}

    @property
    def kind(self) -> str:
        """The variant, by the name under which runs and model cards store it."""
        return self.variant

    @property
    def alpha(self) -> float:
        """The weight of the adversary, by its stored name."""
        return self.adversary_weight

    @property
    def form(self) -> str:
        """The loss of the adversary, by its stored name."""
        return self.adversary_loss


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.wae.data import open_notes

    return open_notes(settings, stack)


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure reconstructions of the test notes, and the distance of their latents from the prior.

    Returns: `n` notes; root mean square errors of log-mel spectrograms, `rmse`, and `mean`, that of the mean training
        spectrogram; `mmd`, the squared MMD between latents and prior.
    """
    from models.wae.inference import WaeModel
    from models.wae.losses import mmd

    model, rows = WaeModel(loaded), source.rows("test")  # type: ignore[attr-defined]
    spectrograms, conditions = source.examples().read(rows)  # type: ignore[attr-defined]
    latents = model.encode_spectrograms(spectrograms[..., 0])
    weights = conditions[:, -len(model.styles) :]
    found = model.decode_spectrograms(latents, source.pitch[rows], weights)  # type: ignore[attr-defined]
    average = np.mean(source.spectrograms(source.rows("training")), axis=0)  # type: ignore[attr-defined]
    prior = np.random.default_rng(0).normal(size=latents.shape).astype(np.float32)
    return {
        "n": len(rows),
        "rmse": {"All": float(np.sqrt(np.mean((found - spectrograms[..., 0]) ** 2)))},
        "mean": {"All": float(np.sqrt(np.mean((average - spectrograms[..., 0]) ** 2)))},
        "mmd": {"All": float(mmd(latents, prior))},
    }


def _draw(model: Any, source: "Source", path: Path) -> None:
    from models.wae.plots import draw_space

    draw_space(model, source, path)


OPTIONS = (
    *("variant", "size", "style_label", "latent", "adversary_weight"),
    *("beta", "reduction", "kernel", "adversary_loss", "critic_steps"),
)

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        WAE,
        "autoencoder of whole notes with a small latent space, conditioned on pitch and style; six variants",
        SOURCE,
        build_wae,
        parameters=931_455,
        optimizer=halving_adam,
        adversarial=AdversarialTraining(discriminator_adam, needs_total_steps=True),
        scheduled=True,
        features={"input": "pictures"},
        settings=WaeSettings,
        open_data=_open,
        options=MappingProxyType(
            {STORED_NAMES.get(name, name): WaeSettings.model_fields[name].default for name in OPTIONS}
        ),
        measure=measure,
        draw=_draw,
        inference="models.wae.inference:load_wae",
        report_format=("spectrogram error {rmse:.4f} (mean spectrogram: {mean:.4f})", "MMD² of the latents {mmd:.3f}"),
        renamed_measures=MappingProxyType(
            {
                "evasion": "adversarial_loss",
                "alpha": "adversary_weight",
                "guess": "discriminator_loss",
                "guessed": "discriminator_accuracy",
            }
        ),
        defaults=defaults_of(WaeSettings, "wasserstein", "size", "variant"),
    ),
)
