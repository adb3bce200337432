"""Training the network for DX7 voices: from its command to a model file, and on to the weights that are bundled."""

import pytest

from generators.dx7.voice import VOICE_BYTES
from models.dx7 import bundle, source
from models.dx7.inference import VoiceNetwork
from models.train import main
from models.training.runs import Run

SMALL = ("--steps_per_epoch", "2", "--batch_size", "6", "--repeats", "2")


def test_a_trained_network_is_bundled(tmp_path, monkeypatch, capsys):
    """With one block of attention in place of three, whose steps take as long again to trace each."""
    import numpy as np

    from models.dx7 import networks

    monkeypatch.setattr(networks, "LAYERS", 1)
    monkeypatch.setattr(source, "EXAMPLES", 12)
    monkeypatch.chdir(tmp_path)
    assert main(["--epochs", "1", *SMALL], model="dx7") == 0
    run = Run(tmp_path / "runs" / "dx7_stream")
    assert [row["epoch"] for row in run.history()] == [1]
    assert np.isfinite(run.history()[0]["val_loss"])
    assert 0.0 <= run.metrics()["test"]["accuracy"]["All"] <= 1.0
    assert bundle.main(["--model", str(run.path), "--output", "network.npz"]) == 0
    assert f"{networks.build_network().count_params():,} weights" in capsys.readouterr().out
    for layer in networks.build_network().layers:  # the next process knows no others
        assert type(layer).__module__.startswith(("keras.", "models.layers."))
    network = VoiceNetwork.load("network.npz")
    context = network.hear(np.sin(np.arange(22050) * 0.07), 22050, 60.0)
    assert network.draw(context, 2, np.random.default_rng(0)).shape == (2, VOICE_BYTES)


def test_notes_are_played_once_and_heard_again_with_other_settings_hidden():
    stream = source.VoiceStream(seed=1, steps=1, repeats=2)
    with stream.training(4) as batches:
        first, again, later = (batches.make(epoch, 0) for epoch in (0, 1, 2))
    assert (first[0][0] == again[0][0]).all()
    assert (first[0][2] != again[0][2]).any()
    assert (first[0][0] != later[0][0]).any()


def test_another_synth_is_refused():
    from generators.errors import ModelError
    from generators.registry import build_synth
    from models.dx7.recipe import build_from_settings

    with pytest.raises(ModelError, match="names voices of the synth dx7"):
        build_from_settings(build_synth("sine", 16000, 1.0).space, 16000, 16000)
