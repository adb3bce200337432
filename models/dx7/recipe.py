"""The network for DX7 voices as a recipe: `python -m models.dx7`.

It learns from voices of the prior, played as it learns; no dataset is needed. `python -m models.dx7.bundle` writes the
weights as they come with the package.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from generators.errors import ModelError
from generators.parameters import ParameterSpace
from models.backend import start_keras
from models.training.recipe import Recipe, check_channels_last, defaults_of
from models.training.settings import EarlyStopping, EpochLength, MixedPrecision, RunSettings

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

DX7 = "dx7"

LOSS = "token_crossentropy"

WEIGHT_DECAY, CLIP, AVERAGE = 0.01, 1.0, 0.998
"""Decay of weights, global norm to which gradients are clipped, share that the averages of weights keep at a step."""

MEASURED = ("algorithm", "feedback", "coarse", "output_level", "level_1", "rate_1")
"""Parameters whose accuracy is measured by name."""


class Dx7Settings(EpochLength, EarlyStopping, MixedPrecision, RunSettings):
    """Train the network that names DX7 voices, on voices of the prior that are played as it learns."""

    model: str = Field(DX7, description=DX7)
    steps_per_epoch: int = Field(100, ge=1, description="batches in an epoch")
    repeats: int = Field(3, ge=1, description="epochs that hear the same notes, with other settings hidden")
    epochs: int = Field(60, ge=1, description="epochs, at most")
    batch_size: int = Field(256, ge=1, description="notes per step")
    learning_rate: float = Field(1.2e-3, gt=0, description="of AdamW, with cosine decay")


def build_from_settings(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    loss: str = LOSS,
    data_format: str = "channels_last",
    seed: int | None = None,
    **others: Any,
) -> "keras.Model":
    """Build the network, untrained (`models.dx7.networks.build_network`).

    Raises: ModelError for another layout or synth.
    """
    from models.dx7.networks import build_network

    check_channels_last(DX7, data_format)
    if space.synth != DX7:
        raise ModelError(f"{DX7} names voices of the synth dx7. Received: {space.synth}")
    return build_network(seed)


def _loss(space: ParameterSpace, loss: str) -> "keras.losses.Loss":
    from models.dx7.networks import TokenCrossentropy

    return TokenCrossentropy()


def _optimizer(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    import keras

    warm = min(200, max(1, steps // 10))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), alpha=0.01, warmup_target=learning_rate, warmup_steps=warm
    )
    return keras.optimizers.AdamW(
        schedule, WEIGHT_DECAY, beta_2=0.99, clipnorm=CLIP, use_ema=True, ema_momentum=AVERAGE
    )


def _open(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    start_keras()
    from models.dx7.source import VoiceStream

    return VoiceStream(settings.seed, settings.steps_per_epoch, settings.repeats), "stream"


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure the likeliest classes of test notes, nothing being given.

    Returns: n; `accuracy` of the parameters in `MEASURED`, numbers within three steps, of operators that are heard.
    """
    from models.dx7.networks import token_accuracies

    rows = []
    with source.test(256) as batches:
        for number in range(batches.num_batches):
            inputs, targets = batches[number]
            rows.append((np.asarray(loaded.model(list(inputs), training=False)), targets))
    logits, targets = (np.concatenate(part) for part in zip(*rows, strict=True))
    accuracy = token_accuracies(logits, targets, MEASURED)
    return {"n": len(targets), "accuracy": {**accuracy, "All": float(np.mean(list(accuracy.values())))}}


RECIPES = (
    Recipe(
        DX7,
        "names the settings of a DX7 voice from a note, some given others",
        "this project; masked tokens after Chang et al. 2022, arXiv 2202.04200",
        build_from_settings,
        parameters=3_347_556,
        loss=_loss,
        metrics=lambda space: [],
        optimizer=_optimizer,
        scheduled=True,
        jit_compile=False,
        features={"input": "voices"},
        settings=Dx7Settings,
        open_data=_open,
        measure=measure,
        report_format=("accuracy {accuracy:.1%}",),
        defaults=defaults_of(Dx7Settings, LOSS),
    ),
)
