"""A trained autoencoder: codes, sounds, and a batch that is interrupted and resumed."""

import numpy as np
import pytest

from generators.errors import ModelError
from generators.notes.labels import SPACE
from models.layers.companding import mu_law_audio, mu_law_classes
from models.model_files import ModelCard, save_model
from models.nsynth import inference as module
from models.nsynth.inference import load_nsynth
from models.nsynth.presets import NSYNTH
from models.nsynth.recipe import build_nsynth

HOP = 16
SEEDS = [3, 4]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("coder") / "smoke.keras"
    model = build_nsynth(SPACE, 4000, 160, size="smoke", seed=0)
    save_model(model, path, ModelCard(NSYNTH, "notes", SPACE.to_json(), 4000, 0.04, {"input": "notes"}))
    return path


@pytest.fixture(scope="module")
def coder(path):
    return load_nsynth(path)


@pytest.fixture(scope="module")
def codes(coder):
    return coder.encode(np.random.default_rng(0).uniform(-1, 1, (2, 5 * HOP)))


@pytest.fixture(scope="module")
def said(coder, codes):
    return coder.decode(codes, seeds=SEEDS)


def test_a_coder_tells_what_it_takes(coder):
    assert (coder.sample_rate, coder.samples, coder.hop, coder.width, coder.takes_pitch) == (4000, 160, HOP, 4, False)
    assert len(coder.fingerprint) == 16


def test_codes_are_those_of_the_encoder_of_the_sound_and_silence_behind_it(coder):
    audio = np.random.default_rng(1).uniform(-1, 1, (3, 41))
    network = coder.loaded.model.get_layer("encoder")
    whole = np.pad(audio, ((0, 0), (0, 7)))
    expected = np.asarray(network(mu_law_classes(whole).astype(np.int32)))
    np.testing.assert_allclose(coder.encode(audio, batch_size=2), expected, atol=1e-5)
    assert expected.shape == (3, 3, 4)


def test_a_sound_follows_from_its_codes_and_its_seed(coder, codes, said):
    assert said.shape == (2, 5 * HOP)
    np.testing.assert_array_equal(mu_law_audio(mu_law_classes(said)), said)
    np.testing.assert_array_equal(coder.decode(codes[::-1], seeds=SEEDS[::-1])[::-1], said)
    assert not np.array_equal(coder.decode(codes, seeds=[5, 6]), said)


def keep(state, kept):
    """Gather what a state file holds after each code."""
    return lambda done: kept.append(state.read_bytes() if state.is_file() else b"")


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_an_interrupted_batch_goes_on_to_the_same_samples(coder, codes, said, tmp_path, stop):
    state = tmp_path / "state.npz"

    def interrupt(done):
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        coder.decode(codes, seeds=SEEDS, state_file=state, on_code=interrupt)
    told = []
    np.testing.assert_array_equal(coder.decode(codes, seeds=SEEDS, state_file=state, on_code=told.append), said)
    assert told == list(range(stop, 6))
    assert not state.exists()


def test_the_state_is_kept_every_minute(coder, codes, said, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    state, kept = tmp_path / "state.npz", []
    coder.decode(codes, seeds=SEEDS, state_file=state, on_code=keep(state, kept))
    state.write_bytes(kept[3])
    told = []
    np.testing.assert_array_equal(coder.decode(codes, seeds=SEEDS, state_file=state, on_code=told.append), said)
    assert told == [3, 4, 5]


@pytest.mark.parametrize("length", [0, 3, 100])
def test_states_of_something_else_and_damaged_ones_are_begun_anew(coder, codes, said, tmp_path, length, monkeypatch):
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    state, kept = tmp_path / "state.npz", []
    coder.decode(codes, seeds=[8, 9], state_file=state, on_code=keep(state, kept))
    for content in (kept[2], kept[2][:length]):
        state.write_bytes(content)
        np.testing.assert_array_equal(coder.decode(codes, seeds=SEEDS, state_file=state), said)


def test_other_models_and_codes_are_refused(coder, codes, tmp_path):
    import keras

    other = tmp_path / "other.keras"
    model = keras.Sequential([keras.Input((160,)), keras.layers.Dense(256, activation="sigmoid")])
    save_model(model, other, ModelCard("C1", "notes", SPACE.to_json(), 4000, 0.04))
    with pytest.raises(ModelError, match=r"by a model 'nsynth'\. Received: C1 in .*other\.keras"):
        load_nsynth(other)
    with pytest.raises(ModelError, match=r"codes must have shape \(sounds, n, 4\)"):
        coder.decode(codes[:, :, :3], seeds=SEEDS)
    with pytest.raises(ModelError, match="this decoder has no pitch"):
        coder.decode(codes, seeds=SEEDS, pitch=[60, 62])
