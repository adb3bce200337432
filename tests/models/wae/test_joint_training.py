"""Joint training: decoder and vocoder are trained, the encoder is not, and both become models of their own."""

import numpy as np
import pytest

from generators.errors import ModelError
from models.mcnn.inference import load_mcnn
from models.model_files import ModelCard, save_model
from models.wae.inference import load_wae
from models.wae.joint_training import JointTrainingSettings, main, train_jointly
from tests.styled_notes import write_notes
from tests.wae_models import write_untrained_pair


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "notes.hdf5")


@pytest.fixture(scope="module")
def models(path, tmp_path_factory):
    """An autoencoder and an MCNN that learned nothing."""
    return write_untrained_pair(path, tmp_path_factory.mktemp("models"))


def weights(network):
    return [np.asarray(weight) for weight in network.get_weights()]


def moved(one, other):
    return [not np.array_equal(before, after) for before, after in zip(one, other, strict=True)]


def test_decoder_and_renderer_learn_together_and_the_encoder_does_not(models, path, tmp_path):
    flags = [f"--wae={models[0]}", f"--mcnn={models[1]}", f"--dataset_file={path}", f"--output_dir={tmp_path}"]
    chosen = JointTrainingSettings.parse([*flags, "--epochs", "1", "--learning_rate", "0.003"])
    paired = train_jointly(chosen)
    test = paired.run.metrics()["test"]
    assert test["n"] == 12
    assert test["convergence"]["All"] < test["before_convergence"]["All"]
    assert (paired.wae.path.name, paired.mcnn.path.name) == ("wae_paired", "mcnn_paired")
    before, after = load_wae(models[0]), load_wae(paired.wae.path)
    assert not any(moved(weights(before.encoder), weights(after.encoder)))
    assert all(moved(weights(before.decoder), weights(after.decoder)))
    rendered = [load_mcnn(path).loaded for path in (models[1], paired.mcnn.path)]
    assert sum(moved(*(weights(one.model) for one in rendered))) > 15
    assert after.loaded.card.features == before.loaded.card.features
    assert rendered[1].card.training["pairing"]["epoch"] == paired.run.metrics()["best_epoch"]
    assert rendered[1].card.scores["test"]["n"] == 12
    sounds = after.decode(after.draw_latents(1), [60], [[1.0, 0.0, 0.0]], load_mcnn(paired.mcnn.path).decode)
    assert sounds.shape == (1, after.samples)
    assert np.all(np.isfinite(sounds))


def test_models_that_do_not_fit_are_refused(models, path, tmp_path, capsys):
    renderer = load_mcnn(models[1])
    card = renderer.loaded.card
    features = {**card.features, "analysis": {**card.features["analysis"], "sample_rate": 9000}}
    other = tmp_path / "other.keras"
    condition = ModelCard(card.model, card.synth, card.space, card.sample_rate, card.length, features)
    save_model(renderer.loaded.model, other, condition)
    flags = [f"--wae={models[0]}", f"--mcnn={other}", f"--dataset_file={path}", f"--output_dir={tmp_path}"]
    with pytest.raises(ModelError, match="must render the spectrograms of the model"):
        train_jointly(JointTrainingSettings.parse(flags))
    assert main([f"--wae={models[1]}", *flags[1:]]) == 2
    assert "notes are made by a model 'wae'" in capsys.readouterr().err
