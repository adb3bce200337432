"""Measures after training: of the best model, on sounds held out."""

import pytest

from models.model_files import load_model
from models.training.evaluate import measure


def test_measures_are_those_of_the_best_model_on_sounds_held_out(go, source, tiny_dataset):
    run = go()
    metrics = run.metrics()
    assert metrics["splits"] == {"training": 48, "validation": 6, "test": 6}
    assert (metrics["epochs"], metrics["test"]["n"]) == (3, 6)
    assert set(metrics["test"]) == {"n", "mpr", "top1", "top2", "top3", "top4", "top5", "mae", "parameters"}
    assert set(metrics["test"]["mpr"]) == {"Notes", "Amplitudes", "All"}
    assert set(metrics["test"]["parameters"]["f1"]) == {"mpr", "top1", "top2", "top3", "top4", "top5", "mae"}
    audio, classes = tiny_dataset.read(source.rows("test"))
    loaded = load_model(run.path)
    right = loaded.space.probabilities_to_classes(loaded.predict(audio)) == classes
    assert metrics["test"]["top1"]["All"] == pytest.approx(right.mean())
    assert loaded.card.scores["test"] == metrics["test"]
    with source.test(4) as batches:
        again = measure(loaded, batches)
    for name in ("mpr", "top5", "mae"):
        assert again[name] == pytest.approx(metrics["test"][name])
