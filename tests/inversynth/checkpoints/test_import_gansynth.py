"""Importing GANSynth: the network of a checkpoint equals the published graph, and what differs is refused by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from inversynth.cli import main
from models.gansynth.inference import load_gansynth
from models.gansynth.representation import PUBLISHED
from models.model_files import read_card
from tests.published_checkpoints import AVERAGE, GENERATOR, gansynth_graph, gansynth_values, save_checkpoint

NOTES = ("--notes", "60:62")
SMALL = {
    **{"num_resolutions": 3, "audio_length": 160, "sample_rate": 8000, "data_type": "mel"},
    **{"stable_stage_num_images": 32, "transition_stage_num_images": 32, "total_num_images": 320},
    **{"train_progressive": True, "scale_mode": "ALL", "scale_base": 2, "to_rgb_activation": "tanh"},
    **{"data_normalizer": "specgrams_prespecified_normalizer", "train_root_dir": "/home/someone/train"},
    **{"mag_normalizer_a": 0.0661371661726, "mag_normalizer_b": 0.113718730221},
    **{"p_normalizer_a": 0.8, "p_normalizer_b": 0.0, "batch_size_schedule": [16, 8], "tfds_data_dir": None},
}
"""What a training of Magenta's code leaves in experiment.json, for a network of the size `smoke`."""

LATENTS = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
LABELS = np.array([0, 1, 2, 1, 0])


def write_training(folder: Path, values=None, options=None, stage: int = 4) -> Path:
    """Write what a training leaves: a folder for the stage with its checkpoint, and the options."""
    values = gansynth_values() if values is None else values
    step = int(values.get("global_step", 0))
    save_checkpoint(folder / f"stage_{stage:05d}" / f"model.ckpt-{step}", values)
    (folder / "experiment.json").write_text(json.dumps(SMALL | (options or {})))
    return folder


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training(tmp_path_factory.mktemp("trained") / "small_instruments")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run an import that must be refused in one line; returns it."""
    assert main(["import", "gansynth", *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("loading ")]
    assert len(lines) == 1
    return lines[0]


def test_imported_network_equals_the_published_graph(training, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", "gansynth", str(training), *NOTES]) == 0
    said = capsys.readouterr().out
    assert "model.ckpt-320 -> small_instruments.keras" in said
    assert "mel spectrograms as experiment.json says" in said
    model = load_gansynth(tmp_path / "small_instruments.keras")
    values = gansynth_values()
    graph = PUBLISHED.undo(gansynth_graph(values, LATENTS, LABELS, 3))
    made = model.spectrograms(LATENTS, 60 + LABELS)
    assert made.shape == (5, 8, 32, 2)
    assert np.abs(made - graph).max() < 1e-4
    plain = {
        name.removesuffix(AVERAGE) + AVERAGE: values[name.removesuffix(AVERAGE)] for name in values if AVERAGE in name
    }
    other = PUBLISHED.undo(gansynth_graph(plain, LATENTS, LABELS, 3))
    assert np.abs(made - other).max() > 0.1  # it is the averages that are played


def test_card_holds_what_the_training_said(training, tmp_path) -> None:
    output = tmp_path / "models" / "mine.keras"
    assert main(["import", "gansynth", str(training), *NOTES, "--output", str(output)]) == 0
    card = read_card(output)
    assert (card.model, card.sample_rate, card.samples) == ("gansynth", 8000, 160)
    assert card.features["notes"] == [60, 61, 62]
    assert card.features["picture"] == {
        **{"kind": "mel", "frames": 8, "bins": 32, "samples": 160, "sample_rate": 8000, "aliased": True}
    }
    assert (card.features["scale"], card.features["offset"]) == (list(PUBLISHED.scale), list(PUBLISHED.offset))
    assert card.training["imported"] == "model.ckpt-320"
    assert load_gansynth(output).progress == 2.0


@pytest.mark.parametrize(
    "end", ["", "/stage_00004", "/stage_00004/model.ckpt-320", "/stage_00004/model.ckpt-320.index"]
)
def test_every_way_to_name_a_checkpoint_gives_the_same_file(training, tmp_path, end) -> None:
    first, second = tmp_path / "a.keras", tmp_path / "b.keras"
    for path, output in ((str(training), first), (f"{training}{end}", second)):
        assert main(["import", "gansynth", path, *NOTES, "--output", str(output)]) == 0
    assert first.read_bytes() == second.read_bytes()


def test_a_stage_in_which_a_block_fades_in_is_blended_as_it_was(tmp_path) -> None:
    values = gansynth_values(step=240)  # halfway from two blocks to three
    folder = write_training(
        tmp_path / "growing",
        values,
        {"total_num_images": 3200, "stable_stage_num_images": 64, "transition_stage_num_images": 64},
        stage=3,
    )
    output = tmp_path / "growing.keras"
    assert main(["import", "gansynth", str(folder), *NOTES, "--output", str(output)]) == 0
    model = load_gansynth(output)
    share = (240 - 128 - 64) / 64  # of the third block, by the published schedule
    assert model.progress == pytest.approx(1 + share, abs=1 / 64)
    share = model.progress - 1
    two = gansynth_graph(values, LATENTS, LABELS, 2).repeat(2, axis=1).repeat(2, axis=2)
    blended = (1 - share) * two + share * gansynth_graph(values, LATENTS, LABELS, 3)
    assert np.abs(model.spectrograms(LATENTS, 60 + LABELS) - PUBLISHED.undo(blended)).max() < 1e-4


def test_a_stage_of_fewer_blocks_is_repeated_to_full_size(tmp_path) -> None:
    values = gansynth_values(widths=(16, 16), step=96)
    folder = write_training(tmp_path / "early", values, stage=2)
    output = tmp_path / "early.keras"
    assert main(["import", "gansynth", str(folder), *NOTES, "--output", str(output)]) == 0
    graph = gansynth_graph(values, LATENTS, LABELS, 2).repeat(2, axis=1).repeat(2, axis=2)
    made = load_gansynth(output).spectrograms(LATENTS, 60 + LABELS)
    assert np.abs(made - PUBLISHED.undo(graph)).max() < 1e-4


def test_a_measured_normalisation_is_read_from_its_file(training, tmp_path) -> None:
    folder = shutil.copytree(training, tmp_path / "measured")
    (folder / "experiment.json").write_text(json.dumps(SMALL | {"data_normalizer": "specgrams_simple_normalizer"}))
    (folder / "assets").mkdir()
    np.savez(folder / "assets" / "specgrams_simple_normalizer.npz", normalizer=np.array([0.05, 0.2, 0.8, 0.1]))
    output = tmp_path / "measured.keras"
    assert main(["import", "gansynth", str(folder), *NOTES, "--output", str(output)]) == 0
    features = read_card(output).features
    assert (features["scale"], features["offset"]) == ([0.05, 0.8], [0.2, 0.1])


def test_names_that_differ_are_told(tmp_path, capsys) -> None:
    values = gansynth_values()
    lost = GENERATOR.format(2, "conv1") + "/bias" + AVERAGE
    wide = GENERATOR.format(3, "to_rgb") + "/conv2d/kernel" + AVERAGE
    values["Generator/extra/bias" + AVERAGE] = values.pop(lost)
    values[wide] = np.zeros((1, 1, 8, 3), np.float32)
    folder = write_training(tmp_path / "other", values)
    line = refused(capsys, str(folder), *NOTES, "--output", str(tmp_path / "other.keras"))
    assert line.endswith(
        f"must hold the variables of a generator of 3 blocks. Received: no {lost}; {wide} of shape (1, 1, 8, 3), not "
        f"(1, 1, 8, 2); in addition Generator/extra/bias{AVERAGE}"
    )
    assert not (tmp_path / "other.keras").exists()


def test_other_widths_are_told_with_both_shapes(tmp_path, capsys) -> None:
    folder = write_training(tmp_path / "wide", gansynth_values(widths=(16, 12, 8)))
    line = refused(capsys, str(folder), *NOTES)
    assert "progressive_gan_block_2/conv0/bias/ExponentialMovingAverage of shape (12,), not (16,)" in line
    assert " more" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale_mode": "H"}, "scale_mode of {} must be ALL. Received: 'H'"),
        ({"to_rgb_activation": "linear"}, "to_rgb_activation of {} must be tanh. Received: 'linear'"),
        ({"data_type": "wave"}, "data_type of {} must be mel, linear, phase. Received: 'wave'"),
        ({"num_resolutions": 7}, "num_resolutions of {} must be 3, as smoke has. Received: 7"),
        ({"sample_rate": "16000"}, "sample_rate of {} must be a whole number. Received: '16000'"),
        ({"audio_length": True}, "audio_length of {} must be a whole number. Received: True"),
        ({"sample_rate": 0}, "sample_rate of {} must be from 1 to 1,000,000,000,000. Received: 0"),
        ({"sample_rate": 999}, "sample_rate of {} must be 1,000 to "),
        ({"total_num_images": 100}, "growing to 3 blocks takes 129 images at least. Received: a total of 100"),
        ({"p_normalizer_a": 0}, "a normalisation has a finite scale other than 0"),
        ({"data_normalizer": "specgrams_freq_normalizer"}, "data_normalizer must be specgrams_prespecified_normalizer"),
        ({"data_normalizer": "specgrams_simple_normalizer"}, "no such file of a normalisation"),
    ],
)  # fmt: skip
def test_options_that_no_network_here_has_are_refused(training, tmp_path, capsys, options, said) -> None:
    folder = shutil.copytree(training, tmp_path / "odd")
    (folder / "experiment.json").write_text(json.dumps(SMALL | options))
    assert said.format(folder / "experiment.json") in refused(capsys, str(folder), *NOTES)


def test_other_notes_than_it_has_are_refused(training, capsys) -> None:
    line = refused(capsys, str(training))
    assert "was trained on 3 notes. Received: 61, 24:84. Name its notes with --notes" in line


def test_another_checkpoint_is_refused(tmp_path, capsys) -> None:
    save_checkpoint(tmp_path / "model.ckpt-1", {"a/kernel": np.zeros((2, 3), np.float32)})
    assert "must hold GANSynth, as Generator/progressive_gan_generator" in refused(capsys, str(tmp_path))


def test_a_generator_without_averages_is_refused(tmp_path, capsys) -> None:
    values = {name: value for name, value in gansynth_values().items() if not name.endswith(AVERAGE)}
    folder = write_training(tmp_path / "plain", values)
    assert "block_1/conv0/conv2d/kernel without its average" in refused(capsys, str(folder), *NOTES)


def test_weights_must_be_finite(tmp_path, capsys) -> None:
    values = gansynth_values()
    values[GENERATOR.format(1, "conv1") + "/bias" + AVERAGE][3] = np.nan
    folder = write_training(tmp_path / "broken", values)
    assert "weights must be finite. Received: NaN or infinity in Generator" in refused(capsys, str(folder), *NOTES)


def test_the_published_size_plays_notes_of_four_seconds_in_batches(tmp_path) -> None:
    """Random weights under all published names, without experiment.json; a minute on a busy core."""
    widths = (256, 256, 256, 256, 128, 64, 32)
    values = gansynth_values((2, 16), widths, 256, 61, 11_000_000)
    values = {name: value for name, value in values.items() if not name.startswith(("Disc", "G")) or AVERAGE in name}
    save_checkpoint(tmp_path / "all_instruments" / "stage_00012" / "model.ckpt-11000000", values)
    output = tmp_path / "all_instruments.keras"
    assert main(["import", "gansynth", str(tmp_path / "all_instruments"), "--output", str(output)]) == 0
    model = load_gansynth(output)
    assert (model.loaded.model.count_params(), model.latent, model.notes) == (7_311_246, 256, tuple(range(24, 85)))
    assert (model.format.kind, model.format.aliased, model.normaliser, model.progress) == ("mel", True, PUBLISHED, 6.0)
    assert sum(model.counts) == 60_788
    latents = model.draw_latents(3)
    audio = model.decode(latents, [24, 60, 84], batch_size=2)
    assert audio.shape == (3, 64_000)
    assert np.isfinite(audio).all()
