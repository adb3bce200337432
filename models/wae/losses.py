"""Losses of the Wasserstein autoencoder of notes: of pictures, of the law of latents, and of an adversary.

Each is a function of tensors that gives one number.
Source: Esling et al. 2019, arXiv 1904.06215 (which terms there are); Tolstikhin et al. 2018, arXiv 1711.01558 (MMD);
Lample et al. 2017, arXiv 1706.00409 (Fader). Widths of kernels are those of the group's own code.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
from keras import ops

from generators.errors import ModelError, unknown

WIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Standard deviations of the kernels that `rbf` adds up."""

FAR = 1e9
"""Subtracted from logits that should not count; its exponential is 0 in float32."""

Reduction = Literal["mel", "sum", "mean"]
Kernel = Literal["rbf", "gaussian", "multiquadric"]
Form = Literal["uniform", "reverse", "complement"]


def reconstruction(pictures: Any, found: Any, reduction: str = "mel") -> Any:
    """Return the squared error between pictures.

    Args:
        reduction: added up over bands and averaged over frames (`mel`), added up over both (`sum`), or averaged
            (`mean`). The paper does not say; beside the other terms `mel` is neither drowned nor drowns them.
    Shapes: (batch, bands, frames, 1) both.
    Raises: ModelError for an unknown reduction.
    """
    _check("reduction", reduction, REDUCTIONS)
    squares = ops.square(ops.cast(found, "float32") - ops.cast(pictures, "float32"))
    return REDUCTIONS[reduction](ops.squeeze(squares, axis=-1))


@keras.saving.register_keras_serializable("inversynth")
class PictureLoss(keras.losses.Loss):
    """`reconstruction` as a loss of Keras, with a weight. Shapes: (batch, bands, frames, 1) both -> one number."""

    def __init__(self, reduction_of: str = "mel", weight: float = 1.0, name: str = "picture", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.reduction_of, self.weight = reduction_of, weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.weight * reconstruction(y_true, y_pred, self.reduction_of)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reduction_of": self.reduction_of, "weight": self.weight}


REDUCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "mel": lambda squares: ops.mean(ops.sum(squares, axis=1)),
    "sum": lambda squares: ops.mean(ops.sum(squares, axis=(1, 2))),
    "mean": ops.mean,
}
"""From squared errors (batch, bands, frames)."""


def mmd(latent: Any, prior: Any, kernel: str = "rbf") -> Any:
    """Return the squared maximum mean mmd between two sets of points, biased: diagonals count.

    Args:
        kernel: `rbf`, five Gaussians added up; `gaussian`, a single one; `multiquadric`, an inverse one.
    Shapes: (batch, width), (any, width).
    Raises: ModelError for an unknown kernel.
    """
    _check("kernel", kernel, KERNELS)
    latent, prior = ops.cast(latent, "float32"), ops.cast(prior, "float32")
    likeness = KERNELS[kernel]

    def mean_likeness(one: Any, other: Any) -> Any:
        squares = ops.sum(ops.square(one[:, None, :] - other[None, :, :]), axis=-1)
        return ops.mean(likeness(squares, int(one.shape[-1])))

    return mean_likeness(latent, latent) + mean_likeness(prior, prior) - 2.0 * mean_likeness(latent, prior)


KERNELS: Mapping[str, Callable[[Any, int], Any]] = {
    "rbf": lambda squares, width: sum(ops.exp(-squares / (2.0 * one**2)) for one in WIDTHS),
    "gaussian": lambda squares, width: ops.exp(-squares / width**2),
    "multiquadric": lambda squares, width: 2.0 * width / (2.0 * width + squares),
}
"""From squared distances and the width of the space."""


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """Return the Kullback-Leibler kl_divergence of normal laws from the standard one, in nats a note.

    Shapes: (batch, latent) both.
    Source: Kingma and Welling 2014, arXiv 1312.6114.
    """
    each = ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance
    return ops.mean(0.5 * ops.sum(each, axis=-1))


def guess_loss(logits: Any, style: Any) -> Any:
    """Return the cross-entropy of a discriminator's guess. Shapes: (batch, styles), one-hot (batch, styles)."""
    return ops.mean(keras.losses.categorical_crossentropy(style, logits, from_logits=True))


def evasion(logits: Any, style: Any, form: str = "uniform") -> Any:
    """Return what an encoder pays for a style that can be guessed from its latents.

    Args:
        form: `uniform`, how far the guess is from undecided, never below 0; `reverse`, the guesser's own loss with the
            other sign, without a bound; `complement`, how unlikely the guess holds every other style. The paper does
            not say which.
    Shapes: (batch, styles), one-hot (batch, styles).
    Raises: ModelError for an unknown form.
    """
    _check("form", form, FORMS)
    return ops.mean(FORMS[form](ops.log_softmax(ops.cast(logits, "float32"), axis=-1), ops.cast(style, "float32")))


FORMS: Mapping[str, Callable[[Any, Any], Any]] = {
    "uniform": lambda guess, style: -ops.mean(guess, axis=-1) - math.log(guess.shape[-1]),
    "reverse": lambda guess, style: ops.sum(guess * style, axis=-1),
    "complement": lambda guess, style: -ops.logsumexp(guess - FAR * style, axis=-1),
}
"""From logarithms of guessed probabilities and the styles; one number a note."""


def _check(what: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ModelError(unknown(what, name, known))
