"""What all commands of `inversynth gansynth` share: their settings, opening a model, and notes with a bar."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from inversynth.report.audio_page import ShowingSettings, with_bar

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

MAKER = "GANSynth"
"""What their pages are headed with."""


class GansynthSettings(ShowingSettings):
    """What the commands of the group share."""

    model: str = Field("gansynth", description="a bundled model, a run folder, or a .keras file")


def open_player(name: str) -> "GanSynthModel":
    """Find and load a model by the name a user gave. Raises ModelError."""
    from inversynth.pretrained import find_model

    path = find_model(name)

    from models.gansynth.inference import load_gansynth

    return load_gansynth(path)


def make_sounds(
    player: "GanSynthModel", latents: ArrayLike, notes: ArrayLike, batch_size: int = 8
) -> NDArray[np.float32]:
    """Make sounds with a bar on a terminal. Shapes: (n, latent), (n,) MIDI notes -> (n, samples). Raises ModelError."""
    make = partial(player.sounds, latents, notes, batch_size=batch_size)
    return with_bar(make, len(np.atleast_1d(notes)), player.name)
