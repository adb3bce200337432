"""The benchmark of made notes: every set beside real ones and controls, on the page and in JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gansynth as benchmark
from benchmarks.gansynth import PUBLISHED, Data, Row, section
from benchmarks.gansynth_protocol import Notes, SetEvaluator
from benchmarks.gansynth_speed import BATCHES, Speed, time_batches
from generators.errors import ModelError
from generators.notes.labels import SPACE
from inversynth.evaluation.bootstrap import Estimate
from models.gansynth.inference import load_gansynth
from models.model_files import ModelCard, save_model
from models.notes import spectral_encoder
from models.notes.classifier import NOTE_CLASSIFIER, Classification, build_classifier
from tests.gansynth_models import write_untrained
from tests.models.notes.test_classifier import NOTES, RATE, SMALL, write_labelled_notes

SAMPLES = 160


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An untrained generator and an untrained classifier, and the notes that they are measured beside."""
    folder = tmp_path_factory.mktemp("benchmark")
    write_untrained(folder / "made.keras", notes=NOTES, sample_rate=RATE)
    write_untrained(folder / "other.keras", notes=NOTES, sample_rate=8000)
    write_labelled_notes(folder / "notes.hdf5", samples=SAMPLES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spectral_encoder.PRESETS, "tiny", SMALL)
        card = ModelCard(
            NOTE_CLASSIFIER, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes", "size": "tiny"}
        )
        save_model(build_classifier(SPACE, RATE, SAMPLES, seed=0), folder / "classifier.keras", card)
        yield folder


def arguments(files, model):
    return [
        *("--classifier", str(files / "classifier.keras"), "--models", str(files / f"{model}.keras")),
        *("--dataset", str(files / "notes.hdf5"), "--count", "24", "--cells", "4", "--no-speed"),
        *("--output", "found.json", "--dry"),
    ]


def test_models_stand_beside_real_notes_and_controls(files, capsys):
    page = benchmark.publish.__globals__["PAGE"].read_text(encoding="utf-8")
    assert benchmark.main(arguments(files, "made")) == 0
    text = capsys.readouterr().out
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    found = json.loads(Path("found.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in found["rows"]}
    real, made, heart, one = "real notes", "made: mel, 192 images", "control: memorised", "control: one timbre of made"
    assert list(rows) == [real, "real notes, mel spectrograms inverted", made, heart, one]
    assert set(rows) < set(lines)
    assert [row["n"] for row in rows.values()] == [16, 16, 24, 24, 24]
    assert found["data"] | {"nearest": 0, "spread": 0} == {
        **{"name": "notes.hdf5", "training": 24, "together": 16, "cells": 4, "nearest": 0, "spread": 0},
        **{"best_inception": pytest.approx(4.0)},
    }
    assert rows[real]["nearest"]["value"] == pytest.approx(1.0)
    assert rows[made]["nearest"]["value"] > 1.0
    assert rows[one]["spread"]["value"] == pytest.approx(0.0, abs=1e-3)
    assert rows[made]["spread"]["value"] > 0.1
    assert rows[made]["frechet"]["value"] > rows[real]["frechet"]["value"]
    for row in rows.values():
        assert all(one["low"] <= one["value"] <= one["high"] for one in row.values() if isinstance(one, dict))
    assert benchmark.publish.__globals__["PAGE"].read_text(encoding="utf-8") == page


def test_models_of_something_else_or_of_other_notes_are_refused(files, capsys):
    assert benchmark.main(arguments(files, "classifier")) == 2
    assert "made by a model 'gansynth'. Received: note-classifier in" in capsys.readouterr().err
    assert benchmark.main(arguments(files, "other")) == 2
    error = capsys.readouterr().err
    assert "makes 160 samples at 8000 Hz. Received: " in error
    assert f"with 160 at {RATE} Hz" in error
    assert not Path("found.json").exists()


class Hears:
    """A classifier that takes the loudest of 128 bins for the pitch, with certainty."""

    def __init__(self, rate):
        self.loaded = type("Loaded", (), {"sample_rate": rate, "path": "classifier"})

    def classify(self, audio):
        spectrum = np.abs(np.fft.rfft(audio))[:, :128]
        return Classification(np.eye(128)[spectrum.argmax(axis=1)], spectrum[:, :40])


def sines(pitch, seed):
    time, rng = np.arange(1024) / 1024, np.random.default_rng(seed)
    phase = 2 * np.pi * (pitch[:, None] * time + rng.uniform(size=(len(pitch), 1)))
    return Notes(np.sin(phase) * np.exp(-time * rng.uniform(0, 8, (len(pitch), 1))), pitch)


def test_sets_with_known_answers_are_measured():
    training, held_out = sines(np.tile([20, 30], 40), 0), sines(np.tile([20, 30], 20), 1)
    evaluator = SetEvaluator(Hears(1024), 1024, training, held_out, together=30, cells=4, resamples=20)
    real = evaluator.measure(held_out)
    assert (real["pitch"].value, real["near"].value, real["entropy"].value) == (1.0, 1.0, 0.0)
    assert real["inception"].value == pytest.approx(2.0)
    assert real["nearest"].value == pytest.approx(1.0)
    assert real["spread"].value == pytest.approx(1.0, abs=0.3)
    heart = evaluator.measure(training.drawn(40, seed=2))
    assert heart["nearest"].value < 0.01
    collapsed = evaluator.measure(Notes(np.repeat(training.audio[:1], 40, axis=0), np.full(40, 21)))
    assert (collapsed["pitch"].value, collapsed["near"].value) == (0.0, 1.0)
    assert collapsed["inception"].value == pytest.approx(1.0)
    assert (collapsed["bins"].value, collapsed["spread"].value) == (4, pytest.approx(0.0, abs=1e-3))
    assert real["frechet"].value < collapsed["frechet"].value
    with pytest.raises(ModelError, match=r"takes notes of 1024 Hz\. Received: notes of 2048 Hz"):
        SetEvaluator(Hears(1024), 2048, training, held_out, 30)


def test_batches_are_timed(files):
    player = load_gansynth(files / "made.keras")
    played = []

    def play(batch):
        played.append(len(player.decode(player.draw_latents(batch), player.draw_notes(batch), batch_size=batch)))

    found = json.loads(time_batches(play, player.seconds, rounds=1))
    assert found["note_seconds"] == SAMPLES / RATE
    assert list(found["seconds"]) == [str(batch) for batch in BATCHES]
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert played == [batch for batch in BATCHES for _ in range(3)]  # two of each to warm up


def test_section_tells_figures_goals_and_what_was_not_checked():
    data = Data("notes.hdf5", 1200, 300, 23.9, 7.0, 9.0)
    scores = {"near": Estimate(0.5, 0.4, 0.6), "bins": Estimate(12.0, 9.0, 15.0)}
    speeds = [Speed("small", 1, 1, 0.08, 1.0), Speed("small", 2, 1, 0.04, 1.0), Speed("small", 2, 8, 0.16, 1.0)]
    markdown = section([Row("x", 1000, scores)], speeds, data).to_markdown()
    cells = [cell.strip() for cell in next(line for line in markdown.splitlines() if "| x " in line).split("|")]
    assert cells == ["", "x", "1,000", "", "50.0 % (40.0–60.0)", "", "", "", "", "12 (9–15)", "", "", "", ""]
    assert speeds[2].cells() == ["small", "2", "8", "160.0", "20.0", "50"]
    assert "50 ms for one note is met" in markdown
    slow = section([], speeds[:1], data).to_markdown()
    assert "is missed: small takes 80 ms" in slow
    assert "How fast" not in section([], [], data).to_markdown()
    assert "97.9 %" in slow
    assert "recalled and were not checked" in slow
    assert len(PUBLISHED) == 6
