"""Schedules of the Wasserstein autoencoder: the weight of the adversary, and the learning rate.

Both are functions of the share of the training that is over, so that a short training passes through the same schedule.
Source: Esling et al. 2019, arXiv 1904.06215, read off its animations: of 400 epochs the adversary waits for 40, gains
weight until 200, and keeps a weight of 4. Learning rates are ours, after the steps of a precursor.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

WAIT, FULL = 0.1, 0.5
"""Shares of the training at which the weight of the adversary begins to rise, and at which it is reached."""

ADVERSARY_WEIGHT = 4.0
"""The final weight of the adversary."""

HALVINGS = (0.5, 0.75, 0.9)
"""Shares of the training at which the learning rate is halved."""

CLIP = 50.0
"""Global norm to which gradients are clipped."""


def adversary_weight_at(progress: Any, weight: float = ADVERSARY_WEIGHT) -> Any:
    """Return the weight of the adversary at a share of the training, from 0 to 1. Shapes: any -> the same."""
    from keras import ops

    return weight * ops.minimum(1.0, ops.maximum(0.0, (progress - WAIT) / (FULL - WAIT)))


def halving_adam(learning_rate: float, steps: int, beta_1: float = 0.9) -> "keras.optimizers.Optimizer":
    """Return Adam with gradient clipping and a learning rate that is halved three times in so many steps."""
    import keras

    rates = [learning_rate * 0.5**halved for halved in range(len(HALVINGS) + 1)]
    last = [round(share * steps) - 1 for share in HALVINGS]  # a boundary still belongs to the rate before it
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(last, rates)
    return keras.optimizers.Adam(schedule, beta_1=beta_1, global_clipnorm=CLIP)


def discriminator_adam(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    """Return the optimiser of a discriminator, with less momentum, because its opponent changes."""
    return halving_adam(learning_rate, steps, beta_1=0.5)
