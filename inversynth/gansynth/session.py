"""What the commands of `inversynth gansynth` share: settings, loading a model, and decoding with a progress bar."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from inversynth.audio_command import AudioPageSettings, with_bar
from inversynth.inputs import model_loader

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

MAKER = "GANSynth"
"""Heading of their pages."""


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
