"""How the training of a Wasserstein autoencoder goes on: the adversary's weight, and the rate of learning.

All is told as a share of the whole training, so that a short one passes through the same course.
Source: Esling et al. 2019, arXiv 1904.06215, read off its animations: of 400 epochs the adversary waits for 40, gains
weight until 200, and keeps a weight of 4. Rates of learning are ours, after the steps of a precursor.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

WAIT, FULL = 0.1, 0.5
"""Shares of the training from which on the adversary weighs anything, and all it will."""

ALPHA = 4.0
"""What it weighs then."""

HALVINGS = (0.5, 0.75, 0.9)
"""Shares of the training at which the rate of learning is halved."""

CLIP = 50.0
"""Norm that all gradients together are cut down to."""


def alpha_at(progress: Any, alpha: float = ALPHA) -> Any:
    """Return the weight of the adversary, from the share of the training that is over. Shapes: any -> the same."""
    from keras import ops

    return alpha * ops.minimum(1.0, ops.maximum(0.0, (progress - WAIT) / (FULL - WAIT)))


def halving_adam(learning_rate: float, steps: int, beta_1: float = 0.9) -> "keras.optimizers.Optimizer":
    """Return Adam with a rate that is halved three times in so many steps, and gradients of bounded length."""
    import keras

    rates = [learning_rate * 0.5**halved for halved in range(len(HALVINGS) + 1)]
    last = [round(share * steps) - 1 for share in HALVINGS]  # a boundary still belongs to the rate before it
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(last, rates)
    return keras.optimizers.Adam(schedule, beta_1=beta_1, global_clipnorm=CLIP)


def discriminator_adam(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    """Return the optimiser of a discriminator, which forgets sooner: its opponent moves."""
    return halving_adam(learning_rate, steps, beta_1=0.5)
