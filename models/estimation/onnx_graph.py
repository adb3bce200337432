"""Turning an exported network into a graph file: weights and large constants out, their origin noted.

The exporter of Keras writes every value into the ONNX file, some transposed or reshaped. Each is recognised here by its
content. A weight that is not found again is a fault, for the graph would keep that of one model for all.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from models.estimation.onnx_inference import (
    INVERSE_DFT,
    Graph,
    compute_constants,
    inverse_dft,
    read_config,
    read_weights,
    structure_sha256,
)

if TYPE_CHECKING:
    import onnx

LARGE = 1 << 16
"""Values from which on a constant is looked for among those that can be computed."""

Place = tuple[str, tuple[int, ...], tuple[int, ...]]


def strip_graph(exported: Path, model: Path) -> Graph:
    """Take the weights and the large constants out of an exported network.

    Args:
        exported: ONNX file, as `inversynth export --format onnx` writes it. model: the model file that it came from.
    Raises: ModelError where a weight of the model is not in the network, or cannot be told from another.
    """
    import onnx
    from onnx import numpy_helper

    network, config, weights = onnx.load(exported), read_config(model), read_weights(model)
    computed = compute_constants(config)
    places: dict[str, Place] = {}
    constants: dict[str, str] = {}
    for initializer in network.graph.initializer:
        array = numpy_helper.to_array(initializer)
        place = _find_weight(array, weights)
        kind = _find_constant(array, computed) if place is None and array.size >= LARGE else None
        if place is not None:
            places[initializer.name] = place
        elif kind is not None:
            constants[initializer.name] = kind
        else:
            continue
        _make_external(initializer)
    missing = sorted(set(weights) - {key for key, _, _ in places.values()})
    if missing:
        raise ModelError(f"{exported} must hold every weight of {model}. Received: none that equals {missing[0]}")
    return Graph(structure_sha256(config), network.SerializeToString(), places, constants)


def _find_weight(array: NDArray[Any], weights: Mapping[str, NDArray[np.float32]]) -> Place | None:
    """Return which weight a value is, and how it is arranged. Raises ModelError where it may be two."""
    found = {place[0]: place for place in _arrangements(array, weights)}
    if len(found) > 1:
        raise ModelError(f"weights must differ to be told apart. Received: {' and '.join(found)} alike")
    return next(iter(found.values()), None)


def _arrangements(array: NDArray[Any], weights: Mapping[str, NDArray[np.float32]]) -> Iterator[Place]:
    if array.dtype != np.float32:
        return
    for key, weight in weights.items():
        if weight.size != array.size or not np.array_equal(np.sort(weight, None), np.sort(array, None)):
            continue
        for axes in itertools.permutations(range(weight.ndim)):
            if np.array_equal(weight.transpose(axes).ravel(), array.ravel()):
                yield key, axes, array.shape
                break


def _find_constant(array: NDArray[Any], computed: Mapping[str, NDArray[Any]]) -> str | None:
    """Return as what a value is computed."""
    for kind, other in computed.items():
        if other.dtype == array.dtype and np.array_equal(other, array):
            return kind
    size = array.shape[-1]
    if array.shape == (2 * size, size) and np.allclose(inverse_dft(size), array, atol=1e-6):
        return f"{INVERSE_DFT}{size}"
    return None


def _make_external(initializer: "onnx.TensorProto") -> None:
    """Drop the content of a value; whoever opens the network brings it."""
    import onnx

    initializer.ClearField("raw_data")
    initializer.data_location = onnx.TensorProto.EXTERNAL
    initializer.external_data.add(key="location", value="model")
