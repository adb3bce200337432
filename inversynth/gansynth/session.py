"""What the commands of `inversynth gansynth` share: settings, loading a model, and decoding with a progress bar."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from generators.errors import SettingsError
from inversynth.audio_command import AudioPageSettings, with_bar
from inversynth.inputs import model_loader

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

MAKER = "GANSynth"
"""Heading of their pages."""


MOST_SECONDS = 8000.0
"""Of all sounds of one call: half a gigabyte at 16 kHz, that of 2,000 notes of the published model."""

Seconds = Annotated[
    float | None,
    Field(
        gt=0,
        le=60,
        allow_inf_nan=False,
        description="length of each note with its release, by a loop where it is longer than the model's; "
        "default: the model's",
    ),
]


def check_seconds(seconds: float | None, count: int) -> None:
    """Raise SettingsError where so many notes of a length are more than one call makes."""
    if seconds and seconds * count > MOST_SECONDS:
        raise SettingsError(
            f"one call makes {MOST_SECONDS:,.0f} s of sound at most. Received: --seconds {seconds:g} for {count:,} "
            "notes. Take fewer, or shorter ones"
        )


class GansynthSettings(AudioPageSettings):
    """Settings that the commands of the group share."""

    model: str = Field("gansynth", description="a bundled model, a run folder, or a .keras file")


def open_gansynth(name: str) -> "GanSynthModel":
    """Find and load a bundled model, a run or a model file. Raises ModelError."""
    loaded: GanSynthModel = model_loader(name, "models.gansynth.inference:load_gansynth")()
    return loaded


def decode_notes(
    gansynth: "GanSynthModel", latents: ArrayLike, notes: ArrayLike, batch_size: int = 8
) -> NDArray[np.float32]:
    """Decode latents at notes, with a progress bar. Shapes: (n, latent), (n,) -> (n, samples). Raises ModelError."""
    decode = partial(gansynth.decode, latents, notes, batch_size=batch_size)
    return with_bar(decode, len(np.atleast_1d(notes)), gansynth.name)
