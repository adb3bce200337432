"""Networks out to ONNX, SavedModel and LiteRT: what is written runs, gives the same, and is described beside it."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generators.errors import ModelError
from inversynth.cli import main
from inversynth.export import writer as writing
from inversynth.export.formats import FORMATS
from inversynth.export.models import ROWS, exportable
from inversynth.export.operations import plain_operations
from inversynth.export.signature import Exportable, Port
from inversynth.export.writer import compare, export
from inversynth.pretrained import find_model
from models.gansynth.inference import load_gansynth
from models.mcnn.inference import load_mcnn
from models.model_files import load_model, read_card
from models.neurosynth.inference import load_envelope_shaper
from models.wae.inference import load_wae
from tests.gansynth_models import write_untrained
from tests.styled_notes import write_notes
from tests.wae_models import write_untrained_pair

NOTES = (60, 62, 65)


@pytest.fixture(scope="module")
def gansynth(tmp_path_factory) -> Path:
    return write_untrained(tmp_path_factory.mktemp("models") / "small.keras", notes=NOTES)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    return write_untrained_pair(write_notes(folder / "notes.hdf5"), folder)


@pytest.fixture(scope="module")
def exported(gansynth, tmp_path_factory) -> tuple[Exportable, dict[str, writing.Written]]:
    """A network of all that must be put in other words, and what it was written as."""
    import keras
    from keras import ops

    dense = keras.Sequential([keras.Input((64,)), keras.layers.Dense(4, "gelu", name="louder")])

    def run(given):
        real, imaginary = ops.rfft(given["sound"])
        sound = ops.irfft((real * 0.5, imaginary * ops.expm1(given["weight"])), 64)
        return {"filtered": sound, "loudness": ops.log1p(ops.abs(dense(sound, training=False)))}

    def draw(width: int):
        return lambda rng, count: rng.normal(size=(count, width))

    what = Exportable(
        "small",
        (dense,),
        run,
        (Port("sound", (64,), "full scale", "a sound", draw(64)), Port("weight", (1,), "1", "a factor", draw(1))),
        (Port("filtered", (64,), "full scale", "another"), Port("loudness", (4,), "1", "of it")),
        {"notes": [60, 62]},
    )
    folder, card = tmp_path_factory.mktemp("exported"), read_card(gansynth)
    with printed_nothing(tmp_path_factory.mktemp("printed") / "stderr"):
        return what, {name: export(what, card, name, folder / f"small{form.suffix}") for name, form in FORMATS.items()}


@contextlib.contextmanager
def printed_nothing(path: Path) -> Iterator[None]:
    """Assert that no library writes to standard error; LiteRT does so once in a process, as it first runs."""
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    assert path.read_text() == ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_runs_by_itself_gives_what_keras_does(exported, name):
    what, written = exported
    given = what.draw(4, seed=5)
    made = FORMATS[name].open(written[name].path)(given)
    spectrum = np.fft.rfft(given["sound"])
    wanted = np.fft.irfft(0.5 * spectrum.real + 1j * spectrum.imag * np.expm1(given["weight"]))
    np.testing.assert_allclose(made["filtered"], wanted, atol=1e-4)
    np.testing.assert_allclose(made["loudness"], what.network(given)["loudness"], atol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_what_lies_beside_a_network_describes_all_of_it(exported, name):
    written = exported[1][name]
    printed = json.loads(written.description.read_text())
    batch = 1 if name == "litert" else "batch"
    assert written.description.name == f"{written.path.name}.json"
    assert [(one["name"], one["shape"]) for one in printed["inputs"]] == [
        ("sound", [batch, 64]),
        ("weight", [batch, 1]),
    ]
    assert [one["name"] for one in printed["outputs"]] == ["filtered", "loudness"]
    assert (printed["format"], printed["sample_rate"], printed["notes"]) == (name, 8000, [60, 62])
    assert 0 < printed["largest_difference"] == written.difference <= written.tolerance


def test_onnx_names_its_free_lengths(exported):
    import onnx

    graph = onnx.load(exported[1]["onnx"].path).graph
    shapes = [[size.dim_param or size.dim_value for size in port.type.tensor_type.shape.dim] for port in graph.input]
    assert [port.name for port in (*graph.input, *graph.output)] == ["sound", "weight", "filtered", "loudness"]
    assert shapes == [["batch", 64], ["batch", 1]]


def test_only_results_are_left_in_their_folder(exported):
    folder = exported[1]["onnx"].path.parent
    files = {f"small{form.suffix}" for form in FORMATS.values()}
    assert {path.name for path in folder.iterdir()} == files | {f"{name}.json" for name in files}


# --- rows ------------------------------------------------------------------------------------------------------------


def agree(path: Path, mcnn: Path | None = None):
    """Run what would be exported, in plain operations and without; returns it, its examples and what they make."""
    what = exportable(path, mcnn)
    examples = what.draw(2)
    made = {name: np.asarray(value) for name, value in what.network(examples).items()}
    with plain_operations(what.networks):
        plain = {name: np.asarray(value) for name, value in what.network(examples).items()}
    difference, scale = compare(plain, made)
    assert difference <= what.tolerance * scale
    for port in (*what.inputs, *what.outputs):
        given = (examples | made)[port.name]
        assert given.shape[1:] == tuple(
            size if isinstance(size, int) else given.shape[place] for place, size in enumerate(port.shape, 1)
        )
    return what, examples, made


def test_probabilities_of_a_network_come_out_by_parameter():
    path = find_model("C6XL")
    what, examples, made = agree(path)
    loaded = load_model(path)
    np.testing.assert_allclose(made["probabilities"], loaded.predict(examples["audio"]), atol=1e-5)
    parameters = what.facts["parameters"]
    assert [one["name"] for one in parameters] == list(loaded.space.names)
    for one in parameters:
        assert list(loaded.space.levels(one["name"])) == one["levels"]
        assert len(one["levels"]) == one["count"]
    column = 3
    classes = loaded.space.probabilities_to_classes(made["probabilities"])[:, column]
    first, last = parameters[column]["first"], parameters[column]["first"] + parameters[column]["count"]
    assert made["probabilities"][:, first:last].argmax(axis=1).tolist() == classes.tolist()


def test_notes_of_a_generator_are_those_of_its_player(gansynth):
    what, examples, made = agree(gansynth)
    wanted = load_gansynth(gansynth).decode(examples["latent"], examples["note"][:, 0])
    np.testing.assert_allclose(made["sound"], wanted, atol=1e-4 * np.abs(wanted).max())
    assert (what.facts["notes"], what.outputs[0].shape) == (list(NOTES), (160,))


def test_waveforms_are_shaped_as_by_the_shaper():
    path = find_model("neurosynth")
    what, examples, made = agree(path)
    shaper, classes = load_envelope_shaper(path), []
    for one in what.facts["attributes"]:
        classes.append(examples["classes"][:, one["first"] : one["first"] + one["count"]].argmax(axis=1))
    wanted = shaper.shape(examples["basic"], np.stack(classes, axis=1))
    np.testing.assert_allclose(made["shaped"], wanted, atol=1e-5)
    assert what.inputs[0].shape == ("samples",)


def test_notes_of_an_autoencoder_are_rendered_as_by_its_maker(pair):
    what, examples, made = agree(*pair)
    maker, renderer = load_wae(pair[0]), load_mcnn(pair[1])
    asked = (examples["latent"], examples["note"][:, 0], examples["styles"])
    wanted = maker.decode(*asked, renderer.decode)
    np.testing.assert_allclose(made["sound"], wanted, atol=1e-3 * np.abs(wanted).max())
    assert what.facts["styles"] == list(maker.styles)
    pictures = exportable(pair[0]).network(examples)["picture"]
    np.testing.assert_allclose(pictures, maker.decode_spectrograms(*asked), atol=1e-5)


def test_a_renderer_is_exported_by_itself(pair):
    _, examples, made = agree(pair[1])
    wanted = load_mcnn(pair[1]).decode(examples["mels"], examples["note"][:, 0])
    np.testing.assert_allclose(made["sound"], wanted, atol=1e-4 * np.abs(wanted).max())


def test_gelu_is_the_same_in_plain_operations():
    import keras

    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "gelu")])
    given = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    before, activation = np.asarray(network(given)), network.layers[0].activation
    with plain_operations([keras.Sequential([network])]):
        assert network.layers[0].activation is not activation
        np.testing.assert_allclose(network(given), before, atol=1e-6)
    assert network.layers[0].activation is activation


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_that_differs_is_not_kept(exported, gansynth, tmp_path, monkeypatch, name):
    what = exported[0]

    def write(what: Exportable, path: Path) -> None:
        (path.mkdir if FORMATS[name].folder else path.touch)()

    def opened(path: Path):
        assert path.exists()
        return lambda given: {key: 0.9 * np.asarray(value) for key, value in what.network(given).items()}

    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], write=write, open=opened))
    with pytest.raises(ModelError, match=r"must differ from Keras by .* at most.* nothing was written"):
        export(what, read_card(gansynth), name, tmp_path / f"a{FORMATS[name].suffix}")
    assert not list(tmp_path.iterdir())


def test_no_number_differs_by_infinity():
    one = {"sound": np.ones((1, 2), np.float32)}
    assert compare({"sound": np.asarray([[1, np.nan]])}, one)[0] == np.inf
    assert compare({"sound": np.asarray([[1, 0.5]])}, one) == (0.5, 1.0)
    with pytest.raises(ModelError, match="must have the outputs of Keras"):
        compare({"sound": np.ones((2, 2))}, one)


def test_a_converter_that_gives_up_is_one_line(exported, gansynth, tmp_path, monkeypatch):
    def write(what: Exportable, path: Path) -> None:
        path.touch()
        raise RuntimeError("no such operation\nand more")

    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], write=write))
    with pytest.raises(ModelError, match=r"small cannot be written as ONNX: no such operation\. Use another"):
        export(exported[0], read_card(gansynth), "onnx", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inverter", "SettingsError: a model is written with --format onnx, saved_model, litert. Received: inverter"),
        (
            "p.json --format onnx",
            "SettingsError: a patch is written with --format json, csv, midi-cc, syx. Received: p.json",
        ),
        ("nothing --format onnx", "ModelError: no such model: nothing. Name a run folder"),
        ("wae --format onnx --mcnn=", "ModelError: . holds no best.keras."),
        ("nsynth --format onnx", "in one pass can be exported: "),
        ("C6XL --format litert --output a.onnx", "SettingsError: --output must end in .tflite for --format litert."),
        ("C6XL --format saved_model --output full", "SettingsError: --output must be a new folder, an empty one or a"),
        ("C6XL --format onnx --mcnn nsynth", "SettingsError: --mcnn goes with a model of inversynth wae. Received: "),
        ("p.json --format csv --mcnn nsynth", "SettingsError: --mcnn goes with a model of inversynth wae. Received: p"),
        ("C6XL --format ogg", "'saved_model' or 'litert'. Received: --format ogg"),
        ("C6XL --format wav", "with --format onnx, saved_model, litert. Received: C6XL and --format wav"),
    ],
)
def test_what_cannot_be_exported_is_one_line(line, message, capsys):
    Path("p.json").write_text("{}")
    Path("full").mkdir()
    Path("full/kept.txt").touch()
    assert main(["export", *line.split()]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert Path("full/kept.txt").exists()


def test_a_missing_package_is_named(monkeypatch, capsys):
    form = replace(FORMATS["onnx"], packages=("onnx", "no_such_package"))
    monkeypatch.setitem(FORMATS, "onnx", form)
    assert main(["export", "C6XL", "--format", "onnx"]) == 2
    assert "Received: an environment without no_such_package. Install what is missing: pip" in capsys.readouterr().err


def test_the_command_writes_a_network_and_states_how_near_it_is(gansynth, capsys, monkeypatch):
    written = []

    def write(what: Exportable, path: Path) -> None:
        path.write_bytes(b"12")
        written.append(what)

    form = replace(FORMATS["litert"], write=write, open=lambda path: lambda given: _as_arrays(written[0], given))
    monkeypatch.setitem(FORMATS, "litert", form)
    assert main(["export", str(gansynth), "--format", "litert"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "small.tflite: 0.0 MB, 1 example at once"
    assert lines[-1].startswith("largest difference from Keras: 0.0e+00 (at most ")
    assert json.loads(Path("small.tflite.json").read_text())["kind"] == "gansynth"


def _as_arrays(what: Exportable, given):
    return {name: np.asarray(value) for name, value in what.network(given).items()}


def test_every_row_stands_in_the_documentation():
    page = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    for row in ROWS.values():
        assert f"| {row.title} | {row.inputs} | {row.outputs} |" in page
    for name in FORMATS:
        assert f"`{name}`" in page
