"""From one stage to the next: networks with one block more, which begin with all that was learned.

Weights and their averages are carried over, the state of the optimisers is not. Source: the published code of GANSynth.
"""

from typing import Any

import keras

from models.gansynth.system import GanSynth
from models.training.optimizers import AveragingAdam


@keras.saving.register_keras_serializable("inversynth")
class SteadyAdam(AveragingAdam):
    """Adam whose averages begin at the weights it is built for, and keep one share of themselves at every step.

    Others begin at what the first step leaves, which would throw away what earlier stages averaged.
    """

    def build(self, variables: Any) -> None:
        super().build(variables)
        for weight, average in zip(variables, self.averages, strict=True):
            average.assign(weight)

    @property
    def averages(self) -> list[keras.Variable]:
        """The averages, in the order of the weights."""
        return list(self._model_variables_moving_average)

    def kept(self) -> Any:
        return self.ema_momentum


def grow(younger: GanSynth, older: GanSynth) -> None:
    """Give a compiled system the weights of the one before it, and their averages; new blocks keep their own."""
    for network in ("generator", "critic"):
        grown = getattr(older, network)
        for layer in getattr(younger, network).layers:
            if layer.weights:
                grown.get_layer(layer.name).set_weights(layer.get_weights())
    averages = {
        (layer, weight.name): average
        for (layer, weight), average in zip(
            _weights(younger.generator), younger.generator_optimizer.averages, strict=True
        )
    }
    for (layer, weight), average in zip(_weights(older.generator), older.generator_optimizer.averages, strict=True):
        average.assign(averages.get((layer, weight.name), weight))


def _weights(network: keras.Model) -> list[tuple[str, keras.Variable]]:
    """Return the trained weights of a network in its order, each with the name of its layer."""
    return [(layer.name, weight) for layer in network.layers for weight in layer.trainable_weights]
