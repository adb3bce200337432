"""The six variants that are compared, one row each: what the decoder is conditioned on, and what shapes the latent.

Their networks are the same. Source: Esling et al. 2019, arXiv 1904.06215; `ae` and `vae` are added by us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from generators.errors import ModelError, look_up
from models.wae.conditions import NOTE_WIDTH

Latent = Literal["none", "kl", "mmd"]
"""Regularisation towards a standard normal prior: none, the KL divergence of each note's posterior, or the MMD of the
aggregate posterior."""

STORED_NAMES: Mapping[str, str] = {"variant": "kind", "adversary_weight": "alpha", "adversary_loss": "form"}
"""Options of a training, and the names under which runs, model cards and system configurations store them."""


@dataclass(frozen=True)
class Variant:
    """One of the models.

    Attributes:
        name: as in `--variant`. note, style: whether the decoder is conditioned on semitone and octave, and on style.
        latent: see `Latent`. adversary: whether a discriminator removes the style from the latent. beta: weight of the
            latent term.
    """

    name: str
    note: bool
    style: bool
    latent: Latent
    adversary: bool
    beta: float

    def condition_mask(self, styles: int) -> list[float]:
        """Return 1 for each condition that the decoder uses and 0 for each that it ignores: (21 + styles,)."""
        return [float(self.note)] * NOTE_WIDTH + [float(self.style)] * styles


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("ae", note=False, style=False, latent="none", adversary=False, beta=0.0),
        Variant("vae", note=False, style=False, latent="kl", adversary=False, beta=0.01),
        Variant("wae-mmd", note=False, style=False, latent="mmd", adversary=False, beta=10.0),
        Variant("wae-note", note=True, style=False, latent="mmd", adversary=False, beta=10.0),
        Variant("wae-style", note=True, style=True, latent="mmd", adversary=False, beta=10.0),
        Variant("wae-fader", note=True, style=True, latent="mmd", adversary=True, beta=10.0),
    )
}
"""A beta of 10 keeps the latent from collapsing under an adversary of weight 4, where 1 did not (our trials on small
spectrograms). Of `vae` it is small because the KL divergence counts each note's nats, some ten of them, against a
squared error of a few tenths."""


def find_variant(name: str) -> Variant:
    """Return a variant by its name. Raises ModelError for an unknown one."""
    return look_up("variant", name, VARIANTS, ModelError)
