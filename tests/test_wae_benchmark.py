"""The benchmark of note autoencoders: their evaluation, and the report of goals."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import wae as benchmark
from benchmarks import wae_protocol
from benchmarks.gansynth_speed import Speed
from benchmarks.wae import Data, Group, section
from benchmarks.wae_protocol import ModelScores, accuracy, macro_f1
from inversynth.evaluation.bootstrap import Estimate
from tests.styled_notes import write_notes
from tests.wae_models import write_untrained_pair


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    write_untrained_pair(write_notes(folder / "notes.hdf5"), folder)
    return folder


def test_an_untrained_model_scores_at_chance(files, capsys, monkeypatch):
    monkeypatch.setattr(wae_protocol, "SHARED", range(60, 64))
    monkeypatch.setattr(wae_protocol, "GRIFFIN_LIM", (50,))
    monkeypatch.setattr(wae_protocol, "RENDERED", 2)
    monkeypatch.setattr(wae_protocol, "train_classifiers", partial(wae_protocol.train_classifiers, epochs=2))
    monkeypatch.setattr(benchmark, "measure", lambda *given: [Speed(given[1], 1, 1, 0.01, 0.12)])
    page = benchmark.publish.__globals__["PAGE"].read_text(encoding="utf-8")
    arguments = [
        *("--models", str(files / "wae.keras"), "--mcnn", str(files / "mcnn.keras")),
        *(
            "--dataset",
            str(files / "notes.hdf5"),
            "--draws",
            "4",
            "--classifiers",
            "kept",
            "--output",
            "found.json",
            "--dry",
        ),
    ]
    assert benchmark.main(arguments) == 0
    text = capsys.readouterr().out
    found = json.loads(Path("found.json").read_text(encoding="utf-8"))
    (scores,) = found["models"]
    assert {"rmse", "probe_style", "purity_octave", "mmd", "mix_rank", "shared_f1", "back_style"} <= set(scores)
    assert found["data"]["chance"]["style"] == pytest.approx(1 / 3)
    shares = found["groups"]["wae: wae-fader, 3"]
    assert shares["shared_style"]["value"] == pytest.approx(1 / 3)  # all styles are equal: one of three is predicted
    assert list(found["rendered"]) == ["MCNN", "Griffin-Lim, 50 iterations", "through wae, MCNN"]
    assert "12 x faster than real time on one core (goal 20: missed)" in text
    assert len(list(Path("kept").iterdir())) == 1
    assert benchmark.publish.__globals__["PAGE"].read_text(encoding="utf-8") == page


def test_models_of_something_else_are_refused(files, capsys):
    arguments = ["--models", str(files / "mcnn.keras"), "--dataset", str(files / "notes.hdf5"), "--dry"]
    assert benchmark.main(arguments) == 2
    assert "made by a model 'wae'. Received: mcnn in" in capsys.readouterr().err


def test_macro_f1_weights_all_styles_equally():
    assert macro_f1(np.asarray([0, 0, 0, 1]), np.asarray([0, 0, 0, 0]), 2) == pytest.approx((6 / 7) / 2)


def group(name, style, probe):
    draws = {key: np.full(50, 1.0) for key in benchmark.GENERATED} | {"shared_style": np.repeat([1.0, 0.0], 25)}
    results = ModelScores(
        name, f"wae-{name}", 3, scores={"probe_style": probe, "close": 1.0, "shared_f1": 0.5}, draws=draws
    )
    estimates = {key: accuracy([results], key, 0) for key in draws}
    return Group(results.group, [results], {**estimates, "shared_style": Estimate(*style)})


def test_goals_are_met_or_missed_by_what_was_measured():
    shares = {"style": 0.1, "semitone": 0.1, "octave": 0.3, "purity": 0.08}
    data = Data("notes.hdf5", 900, 200, 50, "instrument", 10, shares, shares, {3: 0.02})
    note = group("note", (0.1, 0.1, 0.1), 0.5)
    rendered = [("MCNN", {"convergence": -10.0, "log_magnitude": 0.2, "lsd": 6.0})]
    rendered += [("Griffin-Lim, 50 iterations", {"convergence": -14.0, "log_magnitude": 0.2, "lsd": 6.0})]
    fader, style = group("fader", (0.95, 0.93, 0.97), 0.12), group("style", (0.7, 0.65, 0.75), 0.3)
    text = section([fader, style, note], data, rendered, []).to_markdown()
    assert "+25.0 points more often than WAE-style's, intervals disjoint (goal 15: met)" in text
    assert "38.0 points below WAE-note's, at 12.0 % with 10.0 % by chance (goal 15: met)" in text
    assert "+4.0 dB from that of 50 iterations of Griffin-Lim (goal: at most +3, missed)" in text
    near = section([fader, group("style", (0.9, 0.85, 0.95), 0.3)], data, [], []).to_markdown()
    assert "+5.0 points more often than WAE-style's, intervals overlap (goal 15: missed)" in near
