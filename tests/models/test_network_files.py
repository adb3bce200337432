"""A model file that somebody made to do harm is refused in one line, before anything grows with a number in it."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest

from generators.errors import ModelError
from inversynth.pretrained import bundled
from models.model_files import CARD_MEMBER, CONFIG_MEMBER, WEIGHTS_MEMBER, ModelCard, load_model, read_card, save_model
from models.network_files import check_config, open_model_file, read_network_config
from models.registry import RECIPES
from tests.hostile.corpus.arrays import ZIP_FAULTS, bomb, patched_zip, zipped
from tests.hostile.corpus.member import Place
from tests.hostile.corpus.models import LAYERS

from .conftest import SYNTH, build_tiny

CARD = ModelCard("tiny", "sine", SYNTH.space.to_json(), SYNTH.sample_rate, SYNTH.length, {"input": "audio"})


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The members of a small model file."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    save_model(build_tiny(SYNTH.space, SYNTH.sample_rate, SYNTH.samples, seed=1), path, CARD)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write(tmp_path, members):
    """Write the model file with some members changed, and a card whose hashes are right again."""

    def written(**changes):
        held = members | {name.replace("__", "."): content for name, content in changes.items()}
        card = json.loads(held[CARD_MEMBER])
        card["weights_sha256"] = hashlib.sha256(held[WEIGHTS_MEMBER]).hexdigest()
        card["config_sha256"] = hashlib.sha256(held[CONFIG_MEMBER] + held["metadata.json"]).hexdigest()
        known = {name: value for name, value in card.items() if name not in ("schema", "meaning_sha256", "space")}
        path = tmp_path / "x.keras"
        path.write_bytes(zipped(held | {CARD_MEMBER: ModelCard(**known, space=CARD.space).to_json().encode()}))
        return path

    return written


def with_config(members, change):
    config = json.loads(members[CONFIG_MEMBER])
    changed = change(config)
    return {"config__json": json.dumps(config if changed is None else changed).encode()}


def with_weights(members, change):
    file = io.BytesIO(members[WEIGHTS_MEMBER])
    with h5py.File(file, "r+") as weights:
        change(weights)
    return {"model__weights__h5": file.getvalue()}


def refused(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=message) as error:
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600 + 3 * len(str(path))


def test_what_is_only_written_again_loads(write):
    assert load_model(write()).predict(np.zeros((2, 256))).shape == (2, 12)


@pytest.mark.parametrize("name", sorted(bundled()))
def test_bundled_models_are_within_the_bounds(name):
    path = bundled()[name]
    with open_model_file(path) as archive:
        assert read_network_config(archive, path)["config"]["layers"]
    kept = read_card(path).config_sha256  # those that were written before it was kept have none
    assert bool(kept) == (name == "nsynth-sines")


@pytest.mark.parametrize("name", ["C1", "C6XL", "e2e", "inverter"])
def test_networks_of_recipes_are_within_the_bounds(name, tmp_path):
    model = RECIPES[name].build(SYNTH.space, SYNTH.sample_rate, 2048)
    check_config(json.loads(model.to_json()), tmp_path)


# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"dense-1e9", "dense-1e30"}))
def test_a_layer_that_does_more_than_compute_is_refused(write, members, name):
    def put(config):
        config["config"]["layers"][-1] |= LAYERS[name]

    refused(write(**with_config(members, put)), "must consist of layers of inversynth and of Keras that only compute")
    alone = {"config__json": json.dumps(LAYERS[name]).encode()}
    refused(write(**alone), "must consist of layers of inversynth and of Keras that only compute")


@pytest.mark.parametrize("registered", ["inversynth>Nothing", "inversynth>../x", "Custom>Dense"])
def test_a_class_that_nobody_registered_is_refused(write, members, registered):
    def put(config):
        config["config"]["layers"][-1] |= {"module": "builtins", "class_name": "Nothing", "registered_name": registered}

    refused(write(**with_config(members, put)), "must consist of")


@pytest.mark.parametrize("units", [10**9, 65_537, 1e30])
def test_a_layer_of_a_thousand_million_units_is_refused(write, members, units):
    def put(config):
        config["config"]["layers"][-1]["config"]["units"] = units

    refused(write(**with_config(members, put)), "'units' in the network of .* must be at most 65536. Received: ")


def test_more_weights_than_the_file_holds_are_not_allocated(write, members):
    def put(config):
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Dense":
                layer["config"]["units"] = 60_000
            layer.pop("build_config", None)

    refused(write(**with_config(members, put)), "must not need more than the weights in the file. Received: 'dense")


def test_layers_without_end_are_refused(write, members):
    def repeat(config):
        config["config"]["layers"].extend(config["config"]["layers"][:1] * 30_000)

    refused(write(**with_config(members, repeat)), "must have at most 10,000 parts|must have names of their own")

    def number(config):
        first = config["config"]["layers"][0]
        config["config"]["layers"].extend(first | {"name": f"a{number}"} for number in range(10_000))

    refused(write(**with_config(members, number)), "must have at most 10,000 parts. Received: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fft_length": 2**15, "hop_length": 2**14}, "'fft_length' in the network of .* must be at most 16384"),
        ({"rounds": 10**4}, "'rounds' in the network of .* must be at most 256"),
        ({"batch_shape": [None, 2**25]}, "'batch_shape' in the network of .* must be at most 16777216"),
    ],
)
def test_numbers_from_which_tables_or_loops_grow_are_bounded(write, members, settings, message):
    def put(config):
        config["config"]["layers"][0]["config"] |= settings

    refused(write(**with_config(members, put)), message)


def test_weights_can_be_added_again_after_a_refusal(write, members):
    import keras

    before = keras.Layer.add_weight
    test_more_weights_than_the_file_holds_are_not_allocated(write, members)
    assert keras.Layer.add_weight is before
    assert keras.layers.Dense(3, name="later")(np.zeros((1, 2), np.float32)).shape == (1, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 60_000, "config.json of .* must be JSON of at most 64 levels"),
        (b"[]", "config.json of .* must describe a network. Received: list"),
        (b"", "config.json of .* must be JSON"),
        (b"{}", "cannot be rebuilt by Keras|must hold a network"),
        (b'{"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}', "must hold a network"),
        (b'{"module": "keras", "class_name": "Functional", "config": {"layers": []}}', "cannot be rebuilt by Keras"),
    ],
)
def test_what_describes_no_network_is_refused(write, text, message):
    refused(write(config__json=text), message)


def test_a_description_changed_by_hand_is_noticed(write, members):
    path = write()
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    path.write_bytes(zipped(held | {CONFIG_MEMBER: held[CONFIG_MEMBER].replace(b"sigmoid", b"softmax")}))
    refused(path, "its network does not match its hash")
    card = json.loads(held[CARD_MEMBER])
    del card["config_sha256"]
    path.write_bytes(zipped(held | {CARD_MEMBER: json.dumps(card).encode()}))
    refused(path, "its card does not match its hash")


def test_a_file_from_before_descriptions_were_hashed_loads(tmp_path, members):
    card = replace(ModelCard.from_json(members[CARD_MEMBER], tmp_path), config_sha256="")
    assert "config_sha256" not in card.to_json()
    path = tmp_path / "old.keras"
    path.write_bytes(zipped(members | {CARD_MEMBER: card.to_json().encode()}))
    assert load_model(path).card == card


# --- archives ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("fault", [name for name in ZIP_FAULTS if name != "date"])
def test_headers_that_lie_are_refused(tmp_path, members, fault, number):
    path = tmp_path / "x.keras"
    path.write_bytes(patched_zip(zipped(members), *ZIP_FAULTS[fault], number))
    refused(path, "damaged|was changed|cannot be read|must hold")


@pytest.mark.parametrize("name", [WEIGHTS_MEMBER, CONFIG_MEMBER, "metadata.json", CARD_MEMBER])
def test_a_member_that_unpacks_to_gigabytes_is_refused(tmp_path, members, name):
    (tmp_path / "valid.keras").write_bytes(zipped(members))
    path = tmp_path / "x.keras"
    path.write_bytes(bomb(name, b"", 1 << 27)(Place(tmp_path, tmp_path / "valid.keras")))
    refused(path, "must hold at most|must pack weights at most 20 times")


def test_further_members_are_refused(tmp_path, members):
    path = tmp_path / "x.keras"
    path.write_bytes(zipped({**members, "assets/evil": b"x", "more": b""}))
    refused(path, r"must hold metadata.json, .* Received: also 'assets/evil' and 1 more")


# --- weights ----------------------------------------------------------------------------------------------------------


def first_array(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found[0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (h5py.SoftLink("/layers"), "must not contain links"),
        (h5py.ExternalLink("/etc/passwd", "/a"), "must not contain links"),
        (np.asarray(["text"], object), "must be numbers in the file"),
        (np.zeros(3, "S4"), "must be numbers in the file"),
        (np.zeros(3, [("a", "<f4")]), "must be numbers in the file"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(write, members, value, message):
    def put(file):
        name = first_array(file)
        del file[name]
        if isinstance(value, np.ndarray) and value.dtype == object:
            file.create_dataset(name, data=value, dtype=h5py.string_dtype())
        else:
            file[name] = value

    refused(write(**with_weights(members, put)), message)


def test_weights_that_promise_more_than_they_hold_are_refused(write, members):
    def put(file):
        name = first_array(file)
        del file[name]
        file.create_dataset(name, (10**4, 10**5), "f4", chunks=(64, 64))

    refused(write(**with_weights(members, put)), r"must fit its [\d,]+ bytes. Received: .* of shape \(10000, 100000\)")


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(100), b"text" * 999])
def test_weights_that_are_no_hdf5_file_are_refused(write, content):
    refused(write(model__weights__h5=content), "has weights that cannot be read")


def test_weights_of_another_network_are_refused(write, members):
    refused(write(**with_weights(members, lambda file: file.clear())), "cannot be rebuilt by Keras")


# --- cards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in ("training", "features", "scores") for value in (None, True, 0, "x", [], 1e308)),
        *(("training", {key: value}) for key in ("epoch", "data", "history") for value in (None, True, 0.5, "a\nb")),
        ("model", "\x1b[31m"),
        ("software", "a\nb"),
        ("synth", "s" * 1000),
        ("sample_rate", 0),
        ("sample_rate", 768_001),
        ("sample_rate", 2**63),
        ("length", 0),
        ("length", -1.0),
        ("length", 1e308),
    ],
)
def test_a_card_of_wrong_types_or_sizes_is_refused(tmp_path, members, key, value):
    card = json.loads(members[CARD_MEMBER]) | {key: value}
    path = tmp_path / "x.keras"
    path.write_bytes(zipped(members | {CARD_MEMBER: json.dumps(card).encode()}))
    refused(path, f"has a card that cannot be read: {key} ")
