"""The benchmark of reconstructed notes: every system beside the notes themselves, and what was published."""

import json
from pathlib import Path

import pytest

from benchmarks import nsynth as benchmark
from benchmarks.nsynth import PUBLISHED, Row, name_of, section
from generators.notes.labels import SPACE
from models.model_files import ModelCard, save_model
from models.notes import spectral_encoder
from models.notes.classifier import NOTE_CLASSIFIER, build_classifier
from models.nsynth.baseline_networks import build_spectral_autoencoder
from models.nsynth.presets import NSYNTH, NSYNTH_BASELINE
from models.nsynth.recipe import build_nsynth
from tests.models.notes.test_classifier import RATE, SAMPLES, SMALL, write_labelled_notes


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spectral_encoder.PRESETS, "tiny", SMALL)
        yield


@pytest.fixture(scope="module")
def files(small, tmp_path_factory):
    """Untrained models of all three kinds, and a dataset."""
    folder = tmp_path_factory.mktemp("benchmark")
    shape = SPACE, RATE, SAMPLES
    models = {
        NSYNTH: build_nsynth(*shape, size="smoke", seed=0),
        NSYNTH_BASELINE: build_spectral_autoencoder(SMALL, SAMPLES, RATE, seed=0),
        NOTE_CLASSIFIER: build_classifier(*shape, seed=0),
    }
    for name, model in models.items():
        features = {"input": "notes", "size": "smoke" if name == NSYNTH else "tiny"}
        card = ModelCard(name, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, features)
        save_model(model, folder / f"{name}.keras", card)
    write_labelled_notes(folder / "notes.hdf5")
    return folder


def arguments(files, *models):
    names = ",".join(str(files / f"{model}.keras") for model in models)
    return [
        *("--classifier", str(files / f"{NOTE_CLASSIFIER}.keras"), "--models", names),
        *("--dataset", str(files / "notes.hdf5"), "--count", "3", "--output", "found.json", "--dry"),
    ]


def test_systems_are_measured_on_the_same_notes_and_nothing_is_published(files, capsys):
    page = benchmark.publish.__globals__["PAGE"].read_text(encoding="utf-8")
    assert benchmark.main(arguments(files, NSYNTH, NSYNTH_BASELINE)) == 0
    text = capsys.readouterr().out
    assert "3 notes of notes.hdf5" in text
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert {"the notes", "WaveNet, smoke, temperature 1", "spectral baseline, tiny", "published: WaveNet"} < set(rows)
    assert "100.0 %" in rows["the notes"]  # the tracker hears sines
    found = {row["name"]: row["scores"] for row in json.loads(Path("found.json").read_text(encoding="utf-8"))}
    assert list(found) == ["the notes", "WaveNet, smoke, temperature 1", "spectral baseline, tiny"]
    wavenet = found["WaveNet, smoke, temperature 1"]
    assert wavenet["gain"] < wavenet["unigram"]
    assert "nll" not in found["spectral baseline, tiny"]
    assert benchmark.publish.__globals__["PAGE"].read_text(encoding="utf-8") == page


def test_each_temperature_is_a_row(files, capsys):
    assert benchmark.main([*arguments(files, NSYNTH), "--temperatures", "0.5,2"]) == 0
    text = capsys.readouterr().out
    rows = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| WaveNet")]
    assert rows == ["WaveNet, smoke, temperature 0.5", "WaveNet, smoke, temperature 2"]


def test_models_of_something_else_are_refused_before_anything_is_decoded(files, capsys):
    assert benchmark.main(arguments(files, NSYNTH, NOTE_CLASSIFIER)) == 2
    assert "reconstructed by nsynth or nsynth-baseline. Received: note-classifier in" in capsys.readouterr().err
    assert not Path("found.json").exists()


@pytest.mark.parametrize(
    ("model", "features", "training", "name"),
    [
        (
            NSYNTH,
            {"pitch_conditioning": True},
            {"epoch": 12, "steps_per_epoch": 200},
            "pitch conditioning, 2,400 steps",
        ),
        (NSYNTH, {"pitch_conditioning": False}, {}, "WaveNet, tiny"),
        (
            NSYNTH,
            {"sine_conditioning": True},
            {"epoch": 2, "steps_per_epoch": 500},
            "WaveNet, tiny, sines, 1,000 steps",
        ),
        (NSYNTH_BASELINE, {}, {"epoch": 7, "steps_per_epoch": None}, "spectral baseline, tiny, 7 epochs"),
    ],
)
def test_rows_say_which_system_and_how_long_it_has_learned(model, features, training, name):
    card = ModelCard(model, "notes", SPACE.to_json(), RATE, 1.0, {**features, "size": "tiny"}, training)
    assert name_of(card).endswith(name)


def test_section_tells_what_was_published_and_that_it_was_not_checked():
    markdown = section([Row("x", {"pitch": 0.5, "near": 0.75, "nll": 3.0})], 7, "notes.hdf5").to_markdown()
    cells = [cell.strip() for cell in next(line for line in markdown.splitlines() if "| x " in line).split("|")]
    assert cells == ["", "x", "50.0 %", "75.0 %", "", "", "", "", "", "3.00", "", "", ""]
    assert "79.6 %" in markdown
    assert "recalled and were not checked" in markdown
    assert len(PUBLISHED) == 3
