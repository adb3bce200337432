"""Importing NSynth: encoder and decoder of a checkpoint equal the published graph, and what differs is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from inversynth.cli import main
from models.layers.companding import mu_law_classes
from models.model_files import read_card
from models.nsynth.inference import load_nsynth
from models.nsynth.presets import PRESETS
from tests.published_checkpoints import AVERAGE, nsynth_graph, nsynth_values, save_checkpoint

AUDIO = np.random.default_rng(2).uniform(-0.9, 0.9, (3, 128)).astype(np.float32)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    save_checkpoint(folder / "wavenet-ckpt" / "model.ckpt-200000", nsynth_values())
    output = folder / "wavenet.keras"
    assert main(["import", "nsynth", str(folder / "wavenet-ckpt"), "--output", str(output)]) == 0
    return output


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run an import that must be refused in one line; returns it."""
    assert main(["import", "nsynth", *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("loading ")]
    assert len(lines) == 1
    return lines[0]


def test_imported_networks_equal_the_published_graph(imported) -> None:
    codec = load_nsynth(imported)
    codes, logits = nsynth_graph(nsynth_values(), AUDIO, hop=16, cycle=4)
    made = codec.encode(AUDIO)
    assert made.shape == (3, 8, 4)
    assert np.abs(made - codes).max() < 1e-4
    classes = mu_law_classes(AUDIO).astype(np.int32)
    assert np.abs(np.asarray(codec.loaded.model(classes)) - logits).max() < 1e-4
    assert np.abs(codec.decoder.logits(classes, codes) - logits).max() < 1e-4
    averages = {name: nsynth_values().get(name + AVERAGE, value) for name, value in nsynth_values().items()}
    other, _ = nsynth_graph(averages, AUDIO, hop=16, cycle=4)
    assert np.abs(made - other).max() > 0.01  # the weights themselves, as the published code generates with them


def test_card_names_the_checkpoint_and_no_notes(imported) -> None:
    card = read_card(imported)
    assert (card.model, card.sample_rate, card.length) == ("nsynth", 16_000, 4.0)
    assert card.features == {"input": "notes", "size": "smoke", "pitch_conditioning": False, "normalise": False}
    assert card.training == {"imported": "model.ckpt-200000", "steps": 200_000}
    codec = load_nsynth(imported)
    assert (codec.takes_pitch, codec.notes) == (False, ())


def test_a_sound_of_any_name_is_decoded_with_it(imported, tmp_path) -> None:
    soundfile.write(tmp_path / "voice.wav", AUDIO[0], 16_000)
    output = tmp_path / "out"
    assert main(["decode", str(tmp_path / "voice.wav"), "--model", str(imported), "--output_dir", str(output)]) == 0
    audio, rate = soundfile.read(output / "voice_decoded.wav")
    assert (len(audio), rate) == (128, 16_000)


def test_four_seconds_come_out_in_batches(tmp_path) -> None:
    """The published hop and dilations in a narrow network: two sounds of 4 s at once, a minute on a busy core."""
    size = PRESETS["shallow"]
    values = nsynth_values(16, size.encoder_layers, size.code, 32, 32, size.layers)
    save_checkpoint(tmp_path / "narrow" / "model.ckpt-1", values)
    output = tmp_path / "narrow.keras"
    assert main(["import", "nsynth", str(tmp_path / "narrow"), "--output", str(output)]) == 0
    codec = load_nsynth(output)
    time = np.arange(64_000) / 16_000
    audio = np.stack([0.5 * np.sin(2 * np.pi * hertz * time) for hertz in (220, 330)]).astype(np.float32)
    codes = codec.encode(audio)
    assert codes.shape == (2, 125, 16)
    graph, _ = nsynth_graph(values, audio[:1, :4096], hop=512, cycle=10)
    assert np.abs(codec.encode(audio[:1, :4096]) - graph).max() < 1e-4
    made = codec.decode(codes, seeds=[0, 1])
    assert made.shape == (2, 64_000)
    assert np.isfinite(made).all()


def test_names_that_differ_are_told(tmp_path, capsys) -> None:
    values = nsynth_values()
    values["cond_pitch_1/W"] = np.zeros((1, 1, 128, 16), np.float32)
    del values["res_2/biases"]
    values["logits/W"] = np.zeros((1, 1, 8, 128), np.float32)
    save_checkpoint(tmp_path / "other" / "model.ckpt-1", values)
    line = refused(capsys, str(tmp_path / "other"), "--output", str(tmp_path / "other.keras"))
    assert line.endswith(
        "must hold the variables of a WaveNet autoencoder. Received: no res_2/biases; logits/W of shape "
        "(1, 1, 8, 128), not (1, 1, 8, 256); in addition cond_pitch_1/W"
    )
    assert not (tmp_path / "other.keras").exists()


def test_another_size_is_compared_with_the_published_one(tmp_path, capsys) -> None:
    save_checkpoint(tmp_path / "wide" / "model.ckpt-1", nsynth_values(width=12))
    line = refused(capsys, str(tmp_path / "wide"))
    assert "ae_startconv/W of shape (1, 3, 1, 8), not (1, 3, 1, 128)" in line


def test_another_checkpoint_is_refused(tmp_path, capsys) -> None:
    save_checkpoint(tmp_path / "model.ckpt-1", {"a/kernel": np.zeros((2, 3), np.float32)})
    assert "must hold a WaveNet autoencoder, as startconv/W and ae_startconv/W" in refused(capsys, str(tmp_path))
    assert "--output must end in .keras" in refused(capsys, str(tmp_path), "--output", "a.h5")
