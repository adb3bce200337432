"""The six models that are compared, as rows of one table: what the decoder is told, and what shapes the latent.

Networks are the same in all of them. Source: Esling et al. 2019, arXiv 1904.06215; `ae` and `vae` are added by us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from generators.errors import ModelError, look_up
from models.wae.conditions import NOTE_WIDTH

Latent = Literal["none", "kl", "mmd"]
"""What holds the latent to a standard normal law: nothing, a kl_divergence of each note's own law, or one of them all."""


@dataclass(frozen=True)
class Kind:
    """One of the models.

    Attributes:
        note, style: whether the decoder is told semitone and octave, and style. latent: see `Latent`.
        adversary: whether a discriminator drives the style out of the latent. beta: what the latent term counts for.
    """

    note: bool
    style: bool
    latent: Latent
    adversary: bool
    beta: float

    def seen(self, styles: int) -> list[float]:
        """Return 1 for each label that the decoder is told and 0 for each that is kept from it: (21 + styles,)."""
        return [float(self.note)] * NOTE_WIDTH + [float(self.style)] * styles


KINDS: Mapping[str, Kind] = {
    "ae": Kind(note=False, style=False, latent="none", adversary=False, beta=0.0),
    "vae": Kind(note=False, style=False, latent="kl", adversary=False, beta=0.01),
    "wae-mmd": Kind(note=False, style=False, latent="mmd", adversary=False, beta=10.0),
    "wae-note": Kind(note=True, style=False, latent="mmd", adversary=False, beta=10.0),
    "wae-style": Kind(note=True, style=True, latent="mmd", adversary=False, beta=10.0),
    "wae-fader": Kind(note=True, style=True, latent="mmd", adversary=True, beta=10.0),
}
"""A beta of 10 keeps the latent from collapsing under an adversary of weight 4, where 1 did not (our trials on small
pictures). Of `vae` it is small because a kl_divergence counts each note's nats, some ten of them, against a squared error
of a few tenths."""


def find_variant(name: str) -> Kind:
    """Return a model by its name. Raises ModelError for an unknown one."""
    return look_up("kind", name, KINDS, ModelError)
