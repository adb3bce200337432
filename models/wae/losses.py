"""Losses of the Wasserstein autoencoder of notes: reconstruction, regularisation of the latent, and an adversary.

Each is a function of tensors that returns a scalar.
Source: Esling et al. 2019, arXiv 1904.06215 (which terms there are); Tolstikhin et al. 2018, arXiv 1711.01558 (MMD);
Lample et al. 2017, arXiv 1706.00409 (Fader). Kernel widths are those of the group's own code.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
from keras import ops

from generators.errors import ModelError, unknown

WIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Standard deviations of the kernels that `rbf` sums."""

MASKED = 1e9
"""Subtracted from logits that are left out; their exponentials are then 0 in float32."""

Reduction = Literal["mel", "sum", "mean"]
Kernel = Literal["rbf", "gaussian", "multiquadric"]
AdversaryLoss = Literal["uniform", "reverse", "complement"]


def reconstruction_loss(spectrograms: Any, found: Any, reduction: str = "mel") -> Any:
    """Return the squared error between spectrograms.

    Args:
        reduction: summed over bands and averaged over frames (`mel`), summed over both (`sum`), or averaged (`mean`).
            The paper does not say; `mel` is of the same magnitude as the other terms.
    Shapes: (batch, bands, frames, 1) both.
    Raises: ModelError for an unknown reduction.
    """
    _check("reduction", reduction, REDUCTIONS)
    squares = ops.square(ops.cast(found, "float32") - ops.cast(spectrograms, "float32"))
    return REDUCTIONS[reduction](ops.squeeze(squares, axis=-1))


@keras.saving.register_keras_serializable("inversynth", name="PictureLoss")  # the name that saved models contain
class SpectrogramLoss(keras.losses.Loss):
    """`reconstruction_loss` as a Keras loss with a weight. Shapes: (batch, bands, frames, 1) both -> a scalar."""

    def __init__(self, reduction_of: str = "mel", weight: float = 1.0, name: str = "picture", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.reduction_of, self.weight = reduction_of, weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.weight * reconstruction_loss(y_true, y_pred, self.reduction_of)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reduction_of": self.reduction_of, "weight": self.weight}


REDUCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "mel": lambda squares: ops.mean(ops.sum(squares, axis=1)),
    "sum": lambda squares: ops.mean(ops.sum(squares, axis=(1, 2))),
    "mean": ops.mean,
}
"""From squared errors (batch, bands, frames)."""


def mmd(latent: Any, prior: Any, kernel: str = "rbf") -> Any:
    """Return the squared maximum mean discrepancy between two sets of points, biased: diagonals are included.

    Args:
        kernel: `rbf`, the sum of five Gaussians; `gaussian`, a single one; `multiquadric`, an inverse multiquadric.
    Shapes: (batch, width), (any, width).
    Raises: ModelError for an unknown kernel.
    """
    _check("kernel", kernel, KERNELS)
    latent, prior = ops.cast(latent, "float32"), ops.cast(prior, "float32")
    similarity = KERNELS[kernel]

    def mean_similarity(one: Any, other: Any) -> Any:
        squares = ops.sum(ops.square(one[:, None, :] - other[None, :, :]), axis=-1)
        return ops.mean(similarity(squares, int(one.shape[-1])))

    return mean_similarity(latent, latent) + mean_similarity(prior, prior) - 2.0 * mean_similarity(latent, prior)


KERNELS: Mapping[str, Callable[[Any, int], Any]] = {
    "rbf": lambda squares, width: sum(ops.exp(-squares / (2.0 * one**2)) for one in WIDTHS),
    "gaussian": lambda squares, width: ops.exp(-squares / width**2),
    "multiquadric": lambda squares, width: 2.0 * width / (2.0 * width + squares),
}
"""From squared distances and the width of the space."""


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """Return the Kullback-Leibler divergence of normal distributions from the standard one, in nats per note.

    Shapes: (batch, latent) both.
    Source: Kingma and Welling 2014, arXiv 1312.6114.
    """
    each = ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance
    return ops.mean(0.5 * ops.sum(each, axis=-1))


def discriminator_loss(logits: Any, style: Any) -> Any:
    """Return the cross-entropy of a discriminator. Shapes: logits (batch, styles), one-hot (batch, styles)."""
    return ops.mean(keras.losses.categorical_crossentropy(style, logits, from_logits=True))


def adversarial_loss(logits: Any, style: Any, form: str = "uniform") -> Any:
    """Return the encoder's loss for latents from which a discriminator can predict the style.

    Args:
        form: `uniform`, the distance of the prediction from the uniform distribution, never below 0; `reverse`, the
            discriminator's loss with the other sign, unbounded; `complement`, how improbable all other styles are.
            The paper does not say which.
    Shapes: (batch, styles), one-hot (batch, styles).
    Raises: ModelError for an unknown form.
    """
    _check("adversary_loss", form, ADVERSARIAL_LOSSES)
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    return ops.mean(ADVERSARIAL_LOSSES[form](log_probabilities, ops.cast(style, "float32")))


ADVERSARIAL_LOSSES: Mapping[str, Callable[[Any, Any], Any]] = {
    "uniform": lambda predicted, style: -ops.mean(predicted, axis=-1) - math.log(predicted.shape[-1]),
    "reverse": lambda predicted, style: ops.sum(predicted * style, axis=-1),
    "complement": lambda predicted, style: -ops.logsumexp(predicted - MASKED * style, axis=-1),
}
"""From logarithms of predicted probabilities and one-hot styles; a scalar for each note."""


def _check(what: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ModelError(unknown(what, name, known))
