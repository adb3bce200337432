"""Inference through ONNX Runtime: the first estimate in a third of a second, without TensorFlow.

A graph file (`.onnx.zip`) holds the structure of a network alone. Its weights are read from the model file (`.keras`),
after the check of their hash, and its large constants (the bank of oscillators, a matrix of the inverse Fourier
transform) are computed from what the model file says of its layers. So weights are stored once, a graph cannot be out
of date with them, and one graph serves every model of the same structure. `models.estimation.onnx_graph` writes graphs.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.oscillator_bank import OscillatorBank, build_oscillator_bank
from generators.archives import ArchiveError, open_archive, read_member
from generators.errors import ModelError, shown
from generators.json_reader import JsonError, parse_json
from models.model_files import LoadedModel, check_weights
from models.network_files import check_hdf5_arrays, open_model_file, read_network_config, read_weights_member

if TYPE_CHECKING:
    import onnxruntime

GRAPH_SUFFIX = ".onnx.zip"
SCHEMA = "inversynth-graph/1"
NETWORK_MEMBER, DESCRIPTION_MEMBER = "network.onnx", "network.json"

MAX_GRAPH_BYTES = 64 << 20
"""Size of a graph file unpacked; without weights the largest has 0.4 MB."""

BANK_LAYER = "OscillatorCandidates"
INVERSE_DFT = "inverse_dft/"
BANK_ARRAYS = ("carriers", "modulations", "tracks", "one_hot")
"""Fields of an OscillatorBank that are constants of a graph."""

IRRELEVANT = ("name", "trainable", "dtype")
IRRELEVANT_ENDINGS = ("_initializer", "_regularizer", "_constraint")
"""Settings of a layer that change nothing of what a trained network computes: predictions are made in float32."""

BOOKKEEPING = ("module", "registered_name", "shared_object_id")
"""What Keras writes down about a class beside its settings."""


@dataclass(frozen=True)
class Graph:
    """A network without its weights and large constants.

    Attributes:
        structure: `structure_sha256` of the networks that it fits. network: the ONNX model, whose missing values are
            external data. weights: by the name of a value, the dataset of the weights file, the order of its axes and
            the shape it is given. constants: by the name of a value, what it is computed as: a field of the bank of
            oscillators, or `inverse_dft/SIZE`.
    """

    structure: str
    network: bytes
    weights: Mapping[str, tuple[str, tuple[int, ...], tuple[int, ...]]]
    constants: Mapping[str, str]


class OnnxNetwork:
    """A network in ONNX Runtime, called as one of Keras is. Shapes: audio (batch, samples) -> (batch, size)."""

    def __init__(self, session: "onnxruntime.InferenceSession") -> None:
        self._session = session

    def __call__(self, audio: NDArray[np.float32], training: bool = False) -> NDArray[np.float32]:
        if training:
            raise ModelError("ONNX Runtime cannot train a network. Received: training=True. Use the .keras file")
        return np.asarray(self._session.run(None, {"audio": audio})[0], np.float32)

    predict_on_batch = __call__


def load_onnx(path: Path, graph: Graph) -> LoadedModel:
    """Load a model file for prediction by ONNX Runtime.

    Raises: ModelError for a model file that is damaged or changed, and for a graph of another structure.
    """
    import onnxruntime

    card = check_weights(path)
    config = read_config(path)
    if structure_sha256(config) != graph.structure:
        raise ModelError(f"the graph must be that of the network in {path}. Received: one of another structure")
    constants = compute_constants(config)
    values = dict(_arranged_weights(path, graph.weights)) | {
        name: inverse_dft(int(kind.removeprefix(INVERSE_DFT))) if kind.startswith(INVERSE_DFT) else constants[kind]
        for name, kind in graph.constants.items()
    }
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # what it could not optimise is no fault
    owned = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in values.values()]
    options.add_external_initializers(list(values), owned)
    session = onnxruntime.InferenceSession(graph.network, options, providers=["CPUExecutionProvider"])
    return LoadedModel(OnnxNetwork(session), card, path)


# --- graph files -----------------------------------------------------------------------------------------------


def write_graph(path: Path, graph: Graph) -> None:
    """Write a graph file."""
    about = {key: value for key, value in asdict(graph).items() if key != "network"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            (DESCRIPTION_MEMBER, json.dumps({"schema": SCHEMA, **about}, indent=1).encode()),
            (NETWORK_MEMBER, graph.network),
        ):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # no date: equal graphs, equal bytes


def read_graph(path: Path) -> Graph:
    """Read a graph file. Raises: ModelError for anything else."""
    try:
        with open_archive(path, MAX_GRAPH_BYTES) as archive:
            about = parse_json(read_member(archive, DESCRIPTION_MEMBER, MAX_GRAPH_BYTES))
            network = read_member(archive, NETWORK_MEMBER, MAX_GRAPH_BYTES)
        if about["schema"] != SCHEMA:
            raise ModelError(f"{path} must follow schema '{SCHEMA}'. Received: {about['schema']!r:.60}")
        weights = {name: (key, tuple(axes), tuple(shape)) for name, (key, axes, shape) in about["weights"].items()}
        return Graph(about["structure"], network, weights, about["constants"])
    except (ArchiveError, JsonError) as error:
        raise ModelError(f"{path} is no graph file, or a damaged one: it {error}") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = shown(str(error), 200)
        raise ModelError(f"{path} is no graph file, or a damaged one: {type(error).__name__} {reason}") from None


# --- what a model file says of its network ---------------------------------------------------------------------


def read_config(path: Path) -> Mapping[str, Any]:
    """Read how a `.keras` file describes its layers. Raises: ModelError for what is no network within the bounds."""
    with open_model_file(path) as archive:
        return read_network_config(archive, path)


def structure_sha256(config: Mapping[str, Any]) -> str:
    """Hash the structure of a network: its layers, their settings and how they are connected.

    Names of layers, modules of classes, and how weights were initialised do not count: two networks of one hash compute
    the same function of their weights. A description without layers that have names, settings and inputs has no hash,
    and gives "".
    """
    try:
        network = config.get("config", {})
        layers = network.get("layers", [])
        places = {layer["name"]: number for number, layer in enumerate(layers)}
        essence = [
            [layer["class_name"], _plain(_settings(layer["config"]), {}), _plain(layer["inbound_nodes"], places)]
            for layer in layers
        ]
        ends = [_plain(network.get(key), places) for key in ("input_layers", "output_layers")]
    except (LookupError, TypeError, AttributeError):
        return ""
    return hashlib.sha256(json.dumps([config.get("class_name"), essence, ends], sort_keys=True).encode()).hexdigest()


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a layer that decide what it computes."""
    return {
        key: value for key, value in config.items() if key not in IRRELEVANT and not key.endswith(IRRELEVANT_ENDINGS)
    }


def _plain(item: Any, places: Mapping[str, int]) -> Any:
    """Return a description without the bookkeeping of Keras, the names of layers replaced by their places."""
    if isinstance(item, Mapping):
        return {key: _plain(value, places) for key, value in item.items() if key not in BOOKKEEPING}
    if isinstance(item, list):
        return [_plain(value, places) for value in item]
    return places.get(item, item) if isinstance(item, str) else item


def compute_constants(config: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Compute the arrays of the bank of oscillators, where the network has one, by their names."""
    layers = config.get("config", {}).get("layers", [])
    found = [layer for layer in layers if layer["class_name"] == BANK_LAYER]
    if not found:
        return {}
    grid = found[0]["config"]
    samples = found[0]["build_config"]["input_shape"][-1]
    levels = grid["frequencies"], grid["rates"], grid["depths"]
    bank: OscillatorBank = build_oscillator_bank(*levels, grid["sample_rate"], samples, grid["windows"])
    return {name: np.ascontiguousarray(getattr(bank, name)) for name in BANK_ARRAYS}


def inverse_dft(size: int) -> NDArray[np.float32]:
    """Return the matrix that takes complex spectra, real parts beside imaginary ones, to real signals (unscaled).

    Shapes: (2 size, size): cosines above, negative sines below.
    """
    angle = 2.0 * np.pi * (np.outer(np.arange(size), np.arange(size)) % size) / size
    return np.concatenate([np.cos(angle), -np.sin(angle)]).astype(np.float32)


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the weights of a model file by the names of their datasets. Raises: ModelError for what is no weights."""
    import h5py

    with open_model_file(path) as archive:
        content = read_weights_member(archive)
    try:
        with h5py.File(io.BytesIO(content)) as file:
            arrays = check_hdf5_arrays(file, len(content), path)
            return {
                name: array[()].astype(np.float32)
                for name, array in arrays.items()
                if np.issubdtype(array.dtype, np.floating)
            }
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, OverflowError) as error:
        raise ModelError(f"{path} has weights that cannot be read: {shown(str(error), 200)}") from None


def _arranged_weights(
    path: Path, places: Mapping[str, tuple[str, tuple[int, ...], tuple[int, ...]]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    weights = read_weights(path)
    for name, (key, axes, shape) in places.items():
        try:
            arranged = weights[key].transpose(axes).reshape(shape)
        except (KeyError, ValueError):
            held = str(weights[key].shape) if key in weights else "none"
            raise ModelError(f"the weights '{key}' of {path} must have the shape {shape}. Received: {held}") from None
        yield name, np.ascontiguousarray(arranged)
