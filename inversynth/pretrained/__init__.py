"""Models that come with the package: the inverter, C6XL as its paper describes it, two that shape envelopes, and six
of notes: two NSynths and the classifier that measures them, a GANSynth, and a WAE-Fader with the MCNN that renders it.

Each is a `.keras` file with its card: parameter space, features, settings it was trained with, scores and a hash of its
weights, which loading checks; `python -m inversynth.pretrained.bundle` makes it from a run. With the graph files
(`.onnx.zip`, by `python -m inversynth.pretrained.bundle_graph`) inverter and C6XL run without TensorFlow.
"""

from pathlib import Path

from generators.errors import ModelError
from models.estimation.onnx_inference import GRAPH_SUFFIX, Graph, load_onnx, read_config, read_graph, structure_sha256
from models.model_files import SUFFIX, LoadedModel, find_model_file, fold_name, load_model

FOLDER = Path(__file__).parent

DEFAULT = "inverter"
"""The model that inverts sounds where none is named."""


def bundled() -> dict[str, Path]:
    """Return the bundled models by name."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def find_model(name: str | Path) -> Path:
    """Return the model file that a name means: a run folder, a `.keras` file, or a bundled model.

    A path that exists goes before a bundled name. Raises: ModelError.
    """
    if Path(name).exists():
        return find_model_file(name)
    models = bundled()
    found = next((path for model, path in models.items() if fold_name(model) == fold_name(str(name))), None)
    if found is not None:
        return found
    raise ModelError(
        f"no such model: {name}. Name a run folder, a {SUFFIX} file, or a bundled model: {', '.join(models) or 'none'}"
    )


def load_estimator(path: Path) -> LoadedModel:
    """Load a network that estimates settings from sounds, without TensorFlow where a bundled graph fits it.

    A bundled graph fits every model of the same structure, runs of one's own among them.
    Raises: ModelError for a file that is no model, damaged or changed.
    """
    graph = find_graph(path)
    return load_model(path) if graph is None else load_onnx(path, graph)


def find_graph(path: Path) -> Graph | None:
    """Return the bundled graph that has the structure of the network in a model file, None where there is none."""
    structure = structure_sha256(read_config(path))
    graphs = (read_graph(file) for file in sorted(FOLDER.glob(f"*{GRAPH_SUFFIX}")))
    return next((graph for graph in graphs if graph.structure == structure), None)
