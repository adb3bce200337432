"""Model files: they carry their meaning, any Keras can load them, and whatever does not fit is refused in one line."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from generators.audio import normalise_peak
from generators.errors import ModelError
from generators.fm_generator import FmSynth
from generators.sine_generator import SineSynth
from models.model_files import CARD_MEMBER, WEIGHTS_MEMBER, ModelCard, load_model, read_card, save_model, write_card

from .conftest import SYNTH, build_tiny

CARD = ModelCard("tiny", "sine", SYNTH.space.to_json(), SYNTH.sample_rate, SYNTH.length, {"input": "audio"})


@pytest.fixture
def sounds():
    return SYNTH.render_classes(np.random.default_rng(0).integers(0, 3, (5, 4)))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tiny.keras"
    model = build_tiny(SYNTH.space, SYNTH.sample_rate, SYNTH.samples, seed=1)
    model.compile("adam", "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    save_model(model, path, CARD)
    return path, model


def rewrite(path, **members):
    """Replace members of the archive, with checksums that are right."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | members
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)


def test_a_loaded_model_predicts_what_the_saved_one_did_and_knows_what_it_means(saved, sounds):
    path, model = saved
    loaded = load_model(path)
    probabilities = loaded.predict(sounds, batch_size=2)
    np.testing.assert_allclose(probabilities, model.predict_on_batch(sounds), rtol=1e-5)  # in batches of another size
    assert (probabilities.shape, probabilities.dtype) == ((5, 12), np.float32)
    assert (loaded.name, loaded.sample_rate, loaded.samples, loaded.path) == ("tiny", 4000, 256, path)
    assert loaded.space == SYNTH.space
    assert loaded.predict(sounds[:0]).shape == (0, 12)


def test_a_model_trained_channels_first_on_a_gpu_predicts_on_a_cpu(tmp_path, sounds):
    from models.registry import find_recipe

    first, last = (
        find_recipe("C1").build(SYNTH.space, SYNTH.sample_rate, SYNTH.samples, data_format=layout, seed=1)
        for layout in ("channels_first", "channels_last")
    )
    path = tmp_path / "first.keras"
    save_model(first, path, replace(CARD, model="C1"))
    np.testing.assert_allclose(load_model(path).predict(sounds), last.predict_on_batch(sounds), atol=1e-6)


def test_plain_keras_loads_the_file(saved, sounds):
    import keras

    path, model = saved
    plain = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(plain.predict_on_batch(sounds), model.predict_on_batch(sounds))


def test_only_asked_for_is_the_optimiser_saved(saved, tmp_path):
    path, model = saved
    save_model(model, tmp_path / "whole.keras", CARD, optimizer=True)
    assert (tmp_path / "whole.keras").stat().st_size > 2 * path.stat().st_size
    assert model.optimizer is not None  # the model itself goes on training


def test_a_card_is_read_without_keras(saved):
    code = "import sys; from models.model_files import read_card; card = read_card(sys.argv[1])\n"
    code += "assert not {'keras', 'tensorflow', 'h5py'} & {*sys.modules}, sorted(sys.modules)\n"
    code += "print(card.model, card.parameter_space.size, card.samples)"
    done = subprocess.run([sys.executable, "-c", code, saved[0]], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("tiny 12 256\n", "")


def test_a_card_can_be_replaced_and_the_weights_stay(saved, sounds):
    path, model = saved
    write_card(path, replace(read_card(path), scores={"mpr": 77.9}))
    loaded = load_model(path)
    assert loaded.card.scores == {"mpr": 77.9}
    np.testing.assert_array_equal(loaded.predict(sounds), model.predict_on_batch(sounds))


def test_a_model_of_normalised_sounds_normalises_what_it_is_given(tmp_path, saved, sounds):
    path = tmp_path / "normalised.keras"
    save_model(saved[1], path, replace(CARD, features={"normalise": True}))
    expected = saved[1].predict_on_batch(normalise_peak(sounds))
    np.testing.assert_array_equal(load_model(path).predict(0.5 * sounds), expected)


def test_sounds_of_another_length_are_refused(saved, sounds):
    with pytest.raises(ModelError, match=r"takes sounds of shape \(n, 256\), 0.064 s at 4000 Hz. Received: \(5, 250\)"):
        load_model(saved[0]).predict(sounds[:, :250])


def test_another_parameter_space_is_refused_by_name(saved):
    loaded = load_model(saved[0])
    loaded.check_space(SineSynth.space)
    with pytest.raises(ModelError, match="another parameter space: synth 'sine' against 'fm'"):
        loaded.check_space(FmSynth.space)


def build_with_a_shared_object():
    import keras

    shared = keras.initializers.GlorotUniform(seed=3)
    sound = keras.Input((SYNTH.samples,), name="sound")
    hidden = keras.layers.Dense(8, kernel_initializer=shared, name="first")(sound)
    output = keras.layers.Dense(SYNTH.space.size, kernel_initializer=shared, name="second")(hidden)
    model = keras.Model(sound, output, name="tiny")
    model.compile(keras.optimizers.Adam(1e-3, name="adam"), "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("optimizer", [False, True])
def test_equal_models_give_equal_files(tmp_path, optimizer):
    models = [build_with_a_shared_object() for _ in range(2)]  # both alive: their objects have different addresses
    for number, model in enumerate(models):
        path = tmp_path / f"{number}.keras"
        card = save_model(model, path, CARD, optimizer=optimizer)
        write_card(path, replace(card, scores={"mpr": 50.0}))
    first, second = tmp_path / "0.keras", tmp_path / "1.keras"
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]
    with zipfile.ZipFile(first) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"
        assert '"shared_object_id": 0' in archive.read("config.json").decode()
    sounds = np.eye(4, SYNTH.samples, dtype=np.float32)
    np.testing.assert_allclose(load_model(first).predict(sounds), models[1].predict_on_batch(sounds), rtol=1e-5)


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    path, model = saved
    before = path.read_bytes()
    monkeypatch.setattr(ModelCard, "to_json", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(model, path, CARD)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# --- what does not fit ------------------------------------------------------------------------------------------------


def test_missing_files_and_folders_without_a_model_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match=r"no such model: .*nowhere\. Train one"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"holds no best.keras"):
        load_model(tmp_path)
    (tmp_path / "fold_01").mkdir()
    (tmp_path / "fold_01" / "best.keras").touch()
    with pytest.raises(ModelError, match=r"holds one model a fold. Name one of them, e.g. .*fold_01"):
        load_model(tmp_path)


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"RIFF" * 99, "no model file, or a truncated")])
def test_foreign_files_are_refused(tmp_path, content, message):
    path = tmp_path / "x.keras"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_a_truncated_file_is_refused(saved):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ModelError, match="truncated"):
        load_model(path)


def test_a_keras_model_of_someone_else_is_refused(saved):
    saved[1].save(saved[0])
    with pytest.raises(ModelError, match="Received: a Keras model without the card that says what its outputs mean"):
        load_model(saved[0])


def test_changed_weights_are_noticed(saved):
    path = saved[0]
    with zipfile.ZipFile(path) as archive:
        weights = bytearray(archive.read(WEIGHTS_MEMBER))
    weights[len(weights) // 2] ^= 1
    rewrite(path, **{WEIGHTS_MEMBER: bytes(weights)})
    with pytest.raises(ModelError, match="weights do not match their hash"):
        load_model(path)


def test_a_flipped_bit_on_the_disk_is_noticed(saved):
    path = saved[0]
    content = bytearray(path.read_bytes())
    content[content.index(b"model.weights.h5") + 5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="weights do not match their hash"):
        load_model(path)


@pytest.mark.parametrize(
    "change", [{"sample_rate": 8000}, {"features": {}}, {"space": json.loads(FmSynth.space.to_json())}]
)
def test_a_changed_card_is_noticed(saved, change):
    path = saved[0]
    with zipfile.ZipFile(path) as archive:
        card = json.loads(archive.read(CARD_MEMBER)) | change
    rewrite(path, **{CARD_MEMBER: json.dumps(card)})
    with pytest.raises(ModelError, match="its card does not match its hash"):
        read_card(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "inversynth-model/1"}'])
def test_a_broken_card_is_refused(saved, text):
    rewrite(saved[0], **{CARD_MEMBER: text})
    with pytest.raises(ModelError, match="has a card that cannot be read"):
        read_card(saved[0])


def test_a_card_of_a_later_schema_is_refused(saved):
    rewrite(saved[0], **{CARD_MEMBER: '{"schema": "inversynth-model/9"}'})
    with pytest.raises(ModelError, match=r"must follow schema 'inversynth-model/1'. Received: 'inversynth-model/9'"):
        read_card(saved[0])


def test_code_in_a_model_file_is_not_executed(tmp_path):
    import keras

    audio = keras.Input((SYNTH.samples,))
    hidden = keras.layers.Lambda(lambda x: x * 2)(audio)
    model = keras.Model(audio, keras.layers.Dense(12)(hidden))
    save_model(model, tmp_path / "x.keras", CARD)
    with pytest.raises(ModelError, match=r"must consist of layers .* that only compute. Received: keras.layers.Lambda"):
        load_model(tmp_path / "x.keras")


def test_a_network_that_contradicts_its_card_is_refused(saved):
    path = saved[0]
    save_model(saved[1], path, replace(CARD, length=0.128))
    with pytest.raises(
        ModelError, match=r"must take 512 samples and give 12 probabilities.* Received: .* from 256 to 12"
    ):
        load_model(path)
