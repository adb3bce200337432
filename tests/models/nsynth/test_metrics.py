"""Likelihood and reconstructions of the NSynth autoencoders, on the notes that they were given."""

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import ModelError
from generators.notes.labels import SPACE
from models.model_files import ModelCard, load_model, save_model
from models.notes import spectral_encoder
from models.notes.data import NoteCrops
from models.notes.metrics import HeldOut, held_out
from models.nsynth import metrics
from models.nsynth.baseline_inference import spectrogram_to_audio
from models.nsynth.baseline_networks import build_spectral_autoencoder
from models.nsynth.inference import load_nsynth
from models.nsynth.metrics import likelihood, reconstruct_with_baseline, reconstruct_with_wavenet
from models.nsynth.presets import NSYNTH, NSYNTH_BASELINE
from models.nsynth.recipe import build_nsynth
from tests.models.notes.test_classifier import RATE, SAMPLES, SMALL, write_labelled_notes

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset of notes, and untrained autoencoders of both kinds."""
    path = tmp_path_factory.mktemp("scores")
    write_labelled_notes(path / "notes.hdf5")
    card = ModelCard(NSYNTH, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes"})
    model = build_nsynth(SPACE, RATE, SAMPLES, size="smoke", pitch_conditioning=True, seed=0)
    save_model(model, path / "wavenet.keras", card)
    card = ModelCard(
        NSYNTH_BASELINE, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes", "size": "tiny"}
    )
    save_model(build_spectral_autoencoder(SMALL, SAMPLES, RATE, seed=0), path / "baseline.keras", card)
    return path


@pytest.fixture(scope="module")
def notes(folder):
    with Dataset(folder / "notes.hdf5") as dataset:
        return held_out(dataset, COUNT)


def test_each_note_is_decoded_with_its_own_seed_whatever_the_batch(folder, notes):
    codec = load_nsynth(folder / "wavenet.keras")
    counts = []
    decoded = reconstruct_with_wavenet(codec, notes, batch_size=4, on_samples=counts.append)
    assert decoded.shape == notes.audio.shape
    assert sum(counts) == notes.audio.size
    rows = [4, 5, 0, 1]
    alone = codec.decode(codec.encode(notes.audio[rows]), seeds=rows, pitch=notes.pitch[rows].tolist())
    np.testing.assert_array_equal(decoded[rows], alone)
    assert not np.array_equal(decoded[0], decoded[3])  # one pitch, two seeds


def test_baseline_reconstructs_notes_from_its_spectrograms(folder, notes, monkeypatch):
    monkeypatch.setitem(spectral_encoder.PRESETS, "tiny", SMALL)
    loaded = load_model(folder / "baseline.keras")
    decoded = reconstruct_with_baseline(loaded, notes, rounds=3)
    spectrogram = np.asarray(loaded.model([notes.audio[2:3], notes.pitch[2:3, None]], training=False))[0]
    np.testing.assert_allclose(decoded[2], spectrogram_to_audio(spectrogram, SMALL, SAMPLES, 3, seed=2), atol=1e-3)
    with pytest.raises(ModelError, match=r"made by 'nsynth-baseline'\. Received: nsynth in"):
        reconstruct_with_baseline(load_model(folder / "wavenet.keras"), notes)


def test_likelihood_is_that_of_the_training(folder):
    codec = load_nsynth(folder / "wavenet.keras")
    with Dataset(folder / "notes.hdf5") as dataset:
        found = likelihood(codec, dataset)
        wanted = metrics.measure(codec.loaded, NoteCrops(dataset, crop=512, pitch=True))
    assert found == {name: wanted[name]["All"] for name in ("nll", "unigram", "gain")}
    assert found["gain"] == pytest.approx(found["unigram"] - found["nll"])


def test_notes_of_another_rate_are_refused(folder, notes):
    other = HeldOut(notes.audio, notes.pitch, notes.family, 8000)
    with pytest.raises(ModelError, match=r"wavenet.keras takes notes of 4000 Hz\. Received: notes of 8000 Hz"):
        reconstruct_with_wavenet(load_nsynth(folder / "wavenet.keras"), other)
    assert metrics.MEASURED_CROP % 512 == 0
