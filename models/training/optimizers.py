"""The Adam of NSynth's training: a learning rate that falls in steps, and averages of the weights with a warm-up.

Keras averages with one momentum from the first step on, so that the weights at the start, which are random, count for a
thousand steps. TensorFlow's own rule, which the published training used, keeps (1 + n) / (10 + n) in step n until that
exceeds the momentum.
"""

from typing import Any

import keras
from keras import ops

FALLS: tuple[tuple[float, float], ...] = ((0.45, 2 / 3), (0.6, 0.3), (0.75, 0.2), (0.9, 0.1))
"""(part of the training, factor): from then on the rate is so much of the first (published: 200,000 steps, 2e-4)."""

LONG = 100_000
"""Steps from which on the momentum is that of the published training; in shorter ones averages would not converge."""


@keras.saving.register_keras_serializable("inversynth")
class AveragingAdam(keras.optimizers.Adam):
    """Adam whose averages keep min(momentum, (1 + n) / (10 + n)) of themselves in step n, counted from 0.

    In step 0 there is nothing yet to keep.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"use_ema": True, **options})

    def kept(self) -> Any:
        """Return the share that averages keep of themselves in this step."""
        step = ops.cast(self.iterations, "float32")
        return ops.minimum(self.ema_momentum, (1.0 + step) / (10.0 + step)) * ops.cast(step > 0, "float32")

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        """Replace the rule of Keras, which calls this method after each step."""
        kept = self.kept()
        for weight, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            share = ops.cast(kept, weight.dtype)
            average.assign(share * average + (1 - share) * weight)


def falling_adam(learning_rate: float, steps: int) -> AveragingAdam:
    """Return the optimiser of a training of so many steps: Adam 0.9/0.999, epsilon 1e-8, averages of the weights."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [max(1, round(part * steps)) - 1 for part, _ in FALLS],  # the rate of a boundary is that before it
        [learning_rate, *(learning_rate * share for _, share in FALLS)],
    )
    return AveragingAdam(schedule, epsilon=1e-8, ema_momentum=0.9999 if steps >= LONG else 0.999)
