"""Growing from one stage to the next: networks with one block more, initialised with the trained weights.

Weights and their averages are carried over, the state of the optimisers is not. Source: the published code of GANSynth.
"""

from typing import Any

import keras

from models.gansynth.system import GanSynth
from models.training.optimizers import AveragingAdam


@keras.saving.register_keras_serializable("inversynth")
class SteadyAdam(AveragingAdam):
    """Adam whose weight averages start at the weights it is built with, and decay by a constant factor at every step.

    Other averages start at the weights after the first step, which would discard the averages of earlier stages.
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
    """Copy weights and their averages into the compiled system of the next stage; new blocks keep their own."""
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
    """Return the trainable weights of a network in order, each with the name of its layer."""
    return [(layer.name, weight) for layer in network.layers for weight in layer.trainable_weights]
