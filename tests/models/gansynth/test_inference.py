import numpy as np
import pytest

from generators.errors import ModelError
from models.gansynth.inference import load_gansynth
from models.gansynth.networks import build_generator
from models.gansynth.presets import find_size
from models.model_files import ModelCard, save_model
from tests.gansynth_models import SPACE, write_untrained

NOTES = (60, 61, 62)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_gansynth(write_untrained(tmp_path_factory.mktemp("model") / "untrained.keras"))


def test_a_note_is_as_long_as_those_of_the_training_and_finite(model):
    sounds = model.decode(model.draw_latents(3), NOTES)
    assert sounds.shape == (3, 160)
    assert np.isfinite(sounds).all()
    assert sounds.std(axis=1).min() > 0
    assert model.spectrograms(model.draw_latents(2), NOTES[:2]).shape == (2, 8, 32, 2)


def test_a_sound_follows_from_its_latent_and_note_alone(model):
    latents, heard = model.draw_latents(5, seed=3), []
    together = model.decode(latents, [60, 61, 62, 60, 61], batch_size=4, on_notes=heard.append)
    alone = model.decode(latents[4:], [61])
    np.testing.assert_allclose(together[4:], alone, atol=1e-4 * np.abs(alone).max())
    assert heard == [4, 1]
    assert not np.allclose(model.decode(latents[4:], [62]), alone)


def test_latents_follow_from_seed_and_number(model):
    np.testing.assert_array_equal(model.draw_latents(7, seed=1)[2], model.draw_latents(3, seed=1)[2])
    assert not np.allclose(model.draw_latents(3, seed=2), model.draw_latents(3, seed=1))
    many = model.draw_latents(500)
    assert abs(many.mean()) < 0.05
    assert abs(many.std() - 1) < 0.05


def test_notes_are_drawn_as_they_occurred(tmp_path):
    model = load_gansynth(write_untrained(tmp_path / "one.keras"))
    model.loaded.card.features.update(counts=[3, 0, 1])
    drawn = model.draw_notes(4000)
    assert np.mean(drawn == 60) == pytest.approx(0.75, abs=0.03)
    assert not (drawn == 61).any()


def test_a_sample_is_latents_and_notes_to_decode(model):
    latents, notes = model.sample(4, seed=2)
    np.testing.assert_array_equal(latents, model.draw_latents(4, seed=2))
    np.testing.assert_array_equal(notes, model.draw_notes(4, seed=2))
    assert model.decode(latents, notes).shape == (4, 160)


def test_the_first_block_can_be_taken_apart_and_put_together(model):
    latents = model.draw_latents(3)
    activations = model.first_block(latents, NOTES)
    assert activations.shape == (3, 2, 8, 16)
    np.testing.assert_array_equal(model.decode_first_block(activations), model.decode(latents, NOTES))


@pytest.mark.parametrize(
    ("latents", "notes", "message"),
    [
        (np.zeros((1, 8)), [59], "plays 3 notes of 60 to 62. Received: note 59"),
        (np.zeros((1, 9)), [60], r"must have shape \(n, 8\). Received: \(1, 9\)"),
        (np.full((1, 8), np.nan), [60], "latents must be finite"),
        (np.zeros((2, 8)), [60], "Received: 2 latents, 1 notes"),
    ],
)
def test_bad_input_is_named(model, latents, notes, message):
    with pytest.raises(ModelError, match=message):
        model.decode(latents, notes)


def test_another_model_is_refused(tmp_path):
    path = tmp_path / "other.keras"
    card = ModelCard("nsynth", "notes", SPACE.to_json(), 8000, 0.02, {"input": "notes"})
    save_model(build_generator(find_size("smoke")), path, card)
    with pytest.raises(ModelError, match="notes are made by a model 'gansynth'"):
        load_gansynth(path)
