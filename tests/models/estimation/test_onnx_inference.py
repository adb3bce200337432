"""ONNX Runtime in place of Keras: the same classes, from weights that are stored once."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from generators.errors import ModelError
from generators.fm_generator import FmSynth
from generators.generate import render_rows
from inversynth.pretrained import bundled, find_graph, load_estimator
from models.estimation.inverter import build_inverter
from models.estimation.onnx_graph import strip_graph
from models.estimation.onnx_inference import (
    OnnxNetwork,
    load_onnx,
    read_config,
    read_graph,
    structure_sha256,
    write_graph,
)
from models.estimation.spectrogram_cnn import build_spectrogram_cnn
from models.model_files import ModelCard, load_model, save_model
from models.network_files import CONFIG_MEMBER

FM = FmSynth(16384, 1.0)
NAMES = ("inverter", "C6XL")


def untrained_inverter(folder: Path, seed: int) -> Path:
    """Write an inverter as a run of one's own would: other names, other weights, no graph beside it."""
    model = build_inverter(FM.space, FM.sample_rate, FM.samples, seed=seed)
    rng = np.random.default_rng(seed)
    model.set_weights([weight + 0.02 * rng.normal(size=weight.shape) for weight in model.get_weights()])
    path = folder / "best.keras"
    save_model(model, path, ModelCard("inverter", "fm", FM.space.to_json(), FM.sample_rate, FM.length))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_onnx_runtime_chooses_the_classes_of_keras_on_60_sounds(name: str) -> None:
    path = bundled()[name]
    loaded = load_estimator(path)
    assert isinstance(loaded.model, OnnxNetwork)
    audio, _, _ = render_rows(FM, 0, 60, 31415)
    received, expected = loaded.predict(audio), load_model(path).predict(audio)
    np.testing.assert_allclose(received, expected, atol=1e-3)
    to_classes = FM.space.probabilities_to_classes
    np.testing.assert_array_equal(to_classes(received), to_classes(expected))
    assert len(np.unique(to_classes(received), axis=0)) > 45  # sounds are told apart, not given one answer


def test_the_bundled_graph_serves_an_inverter_of_ones_own(tmp_path: Path) -> None:
    path = untrained_inverter(tmp_path, seed=3)
    loaded = load_estimator(path)
    assert isinstance(loaded.model, OnnxNetwork)
    audio, _, _ = render_rows(FM, 0, 8, 2)
    np.testing.assert_allclose(loaded.predict(audio), load_model(path).predict(audio), atol=1e-4)


def test_another_structure_is_left_to_keras_and_refused_by_a_foreign_graph(tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    model = build_spectrogram_cnn("C1", FM.space.sizes, FM.samples, seed=0)
    save_model(model, path, ModelCard("C1", "fm", FM.space.to_json(), FM.sample_rate, FM.length))
    assert find_graph(path) is None
    assert not isinstance(load_estimator(path).model, OnnxNetwork)
    graph = find_graph(bundled()["inverter"])
    assert graph is not None
    with pytest.raises(ModelError, match=r"the graph must be that of the network in .*best\.keras"):
        load_onnx(path, graph)


def test_structure_depends_on_settings_and_not_on_names_or_seeds(tmp_path: Path) -> None:
    bundled_config = read_config(bundled()["inverter"])
    assert structure_sha256(read_config(untrained_inverter(tmp_path, seed=5))) == structure_sha256(bundled_config)
    changed = json.loads(json.dumps(bundled_config))
    dense = next(layer for layer in changed["config"]["layers"] if layer["class_name"] == "Dense")
    dense["config"]["activation"] = "tanh"
    assert structure_sha256(changed) != structure_sha256(bundled_config)
    rewired = json.loads(json.dumps(bundled_config))
    rewired["config"]["output_layers"] = rewired["config"]["input_layers"]
    assert structure_sha256(rewired) != structure_sha256(bundled_config)


@pytest.mark.parametrize("name", NAMES)
def test_graph_files_hold_no_weights_and_are_small(name: str) -> None:
    file = bundled()[name].with_name(f"{name}.onnx.zip")
    assert file.stat().st_size < 250_000
    graph = read_graph(file)
    with zipfile.ZipFile(bundled()[name]) as archive:
        layers = json.loads(archive.read(CONFIG_MEMBER))["config"]["layers"]
    weighted = ("Conv1D", "Conv2D", "Dense", "LayerNormalization")
    assert len(graph.weights) == 2 * sum(layer["class_name"] in weighted for layer in layers)  # a kernel and a bias


def test_a_graph_file_is_read_back_and_a_damaged_one_refused(tmp_path: Path) -> None:
    graph = find_graph(bundled()["C6XL"])
    assert graph is not None
    write_graph(tmp_path / "a.onnx.zip", graph)
    assert read_graph(tmp_path / "a.onnx.zip") == graph
    content = (tmp_path / "a.onnx.zip").read_bytes()
    (tmp_path / "cut.onnx.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut\.onnx\.zip is no graph file, or a damaged one"):
        read_graph(tmp_path / "cut.onnx.zip")


def test_a_changed_model_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "C6XL.keras"
    with zipfile.ZipFile(bundled()["C6XL"]) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            data = bytearray(old.read(member))
            if member == "model.weights.h5":
                data[len(data) // 2] ^= 1
            new.writestr(member, bytes(data))
    with pytest.raises(ModelError, match="its weights do not match their hash"):
        load_estimator(path)


def test_an_export_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    """The graph would else keep a number of one model for all."""
    path, graph = bundled()["C6XL"], find_graph(bundled()["C6XL"])
    assert graph is not None
    network = onnx.load_from_string(graph.network)
    for initializer in network.graph.initializer:
        if initializer.name in graph.weights:
            shape = graph.weights[initializer.name][2]
            initializer.CopyFrom(numpy_helper.from_array(np.zeros(shape, np.float32), initializer.name))
    onnx.save(network, tmp_path / "zeros.onnx")
    with pytest.raises(ModelError, match=r"must hold every weight of .*C6XL\.keras"):
        strip_graph(tmp_path / "zeros.onnx", path)


def test_a_network_in_onnx_runtime_refuses_to_train() -> None:
    loaded = load_estimator(bundled()["C6XL"])
    with pytest.raises(ModelError, match="cannot train a network"):
        loaded.model(np.zeros((1, FM.samples), np.float32), training=True)
    with pytest.raises(ModelError, match=r"takes sounds of shape \(n, 16384\)"):
        replace(loaded).predict(np.zeros((1, 100), np.float32))


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = bundled()["C6XL"]
    graph = find_graph(path)
    name, (key, axes, shape) = next(iter(graph.weights.items()))
    for place in ((key, axes, (*shape, 2)), ("nowhere", axes, shape)):
        odd = replace(graph, weights=dict(graph.weights) | {name: place})
        with pytest.raises(ModelError, match="must have the shape"):
            load_onnx(path, odd)


@pytest.mark.parametrize("config", [{"config": []}, {"config": {"layers": [{}]}}, {"config": {"layers": [1]}}])
def test_what_is_no_network_has_no_structure(config: dict) -> None:
    assert structure_sha256(config) == ""


def test_a_model_file_whose_network_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    for text, message in (("[" * 60_000, "at most 64 levels"), ('{"a": 1e999}', "finite"), ("[]", "must describe")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(CONFIG_MEMBER, text)
        with pytest.raises(ModelError, match=message):
            find_graph(path)


def test_a_graph_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx.zip"
    for members in ({}, {"network.json": "[" * 60_000, "network.onnx": ""}, {"network.json": "[]", "network.onnx": ""}):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        with pytest.raises(ModelError, match="is no graph file, or a damaged one"):
            read_graph(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("network.onnx", bytes(65 << 20))
    with pytest.raises(ModelError, match="must hold at most 67,108,864 bytes unpacked"):
        read_graph(path)
