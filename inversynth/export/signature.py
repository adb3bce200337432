"""Inputs and outputs of an exported network, and the Keras model that is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Arrays = dict[str, NDArray[np.float32]]

TOLERANCE = 1e-3
"""-60 dB. Exports so far differ a hundred times less, by another order of summation."""


@dataclass(frozen=True)
class Port:
    """An input or an output, float32.

    Attributes:
        shape: of one example; a word in place of a number is a variable length. unit, meaning: for the description.
        draw: of an input, (Generator, count) -> random examples for the check, (count, *shape).
    """

    name: str
    shape: tuple[int | str, ...]
    unit: str
    meaning: str
    draw: Callable[[np.random.Generator, int], NDArray[Any]] | None = None

    def describe(self, batch: int | str) -> dict[str, Any]:
        """Describe it for the JSON file beside the network."""
        return {
            "name": self.name,
            "type": "float32",
            "shape": [batch, *self.shape],
            "unit": self.unit,
            "meaning": self.meaning,
        }


@dataclass(frozen=True)
class Exportable:
    """A network with named inputs and outputs.

    Attributes:
        name: of the model. run: arrays by name -> arrays by name. networks: hold its weights.
        facts: what else is needed to use it without Python, as JSON can hold it.
        tolerance: largest accepted difference from Keras, relative to the largest value.
    """

    name: str
    networks: "tuple[keras.Model, ...]"
    run: Callable[[Mapping[str, Any]], dict[str, Any]]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    tolerance: float = TOLERANCE

    def draw(self, count: int, seed: int = 0) -> Arrays:
        """Draw examples of all inputs."""
        rng = np.random.default_rng(seed)
        return {port.name: np.asarray(port.draw(rng, count), np.float32) for port in self.inputs if port.draw}

    @cached_property
    def network(self) -> "keras.Model":
        """The model that is written: a dictionary of inputs -> a dictionary of outputs."""
        import keras

        exportable = self

        class Exported(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.parts = list(exportable.networks)

            def call(self, inputs: Any) -> Any:
                return exportable.run(inputs)

        network = Exported()
        network(self.draw(1))  # Keras exports only models that have been called
        return network
