"""The NeuroSynth protocol: our inputs give the baselines that were printed for the original's, digit by digit."""

import functools
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import neurosynth
from benchmarks.neurosynth import Variant, group, shaped
from benchmarks.neurosynth_protocol import BASELINES, GOALS, ORDER, PUBLISHED, SETS, input_sets, published
from generators.errors import ModelError
from models.neurosynth.metrics import MEASURES

INPUTS = functools.cache(input_sets)

UNCHANGED, BLIND, SILENCE = "input unchanged", "input x mean of the 27 envelopes", "silence"
COLUMNS = ("mae", "rmse", "nrmse", "r_mean", "env_peak", "env_rms", "env_gain", "joint")
PRINTED = [
    (UNCHANGED, "sin", "0.262 0.358 0.77 0.928 0.360 0.270 0.385 0.037"),
    (UNCHANGED, "saw", "0.208 0.298 0.79 0.924 0.360 0.222 0.387 0.037"),
    (UNCHANGED, "square", "0.414 0.509 0.77 0.928 0.361 0.383 0.386 0.037"),
    (UNCHANGED, "seen", "0.2947 0.3983 0.775 0.927 0.3602 0.2914 0.3858 0.037"),
    (UNCHANGED, "invsaw", "0.209 0.298 0.79 0.924 0.359 0.222 0.387 0.037"),
    (UNCHANGED, "triangle", "0.209 0.299 0.79 0.926 0.352 0.223 0.388 0.037"),
    (UNCHANGED, "sin_noise3x", "0.263 0.360 0.76 0.930 0.382 0.272 0.385 0.037"),
    (UNCHANGED, "sin_noise6x", "0.268 0.373 0.78 0.927 0.416 0.278 0.386 0.037"),
    (UNCHANGED, "unseen", "0.2370 0.3339 0.776 0.927 0.3772 0.2486 0.3862 0.037"),
    (BLIND, "seen", "0.1476 0.1966 0.382 0.962 0.2013 0.1511 0.1991 0.037"),
    (BLIND, "unseen", "0.1181 0.1641 0.382 0.963 0.2033 0.1287 0.1990 0.037"),
    (SILENCE, "seen", "0.4182 0.5143 1.000 0 0.6404 0.4708 0.6142 0.037"),
    *(("input x ideal envelope", name, "0 0 0 1 0 0 0 1.000") for name in ORDER),
]
"""Baselines of the original's inputs, as printed with its measurement; three digits were rounded from four."""


@functools.cache
def baseline(name):
    return INPUTS().scores(BASELINES[name](INPUTS()))


@pytest.mark.parametrize(("name", "inputs", "figures"), PRINTED)
def test_baselines_are_the_printed_ones_digit_by_digit(name, inputs, figures):
    for measure, figure in zip(COLUMNS, figures.split(), strict=True):
        found = round(baseline(name)[inputs][measure], 4)
        digits = len(figure.partition(".")[2]) if "." in figure else 4
        assert abs(found - float(figure)) <= (0.5 * 10.0**-digits if digits < 4 else 0.0) + 1e-9, measure


def test_other_noise_gives_other_baselines():
    other = input_sets(1)
    found = other.scores(BASELINES[UNCHANGED](other))["seen"]["mae"]
    assert 5e-5 < abs(found - baseline(UNCHANGED)["seen"]["mae"]) < 5e-3


def test_inputs_are_laid_out_as_the_protocol_says():
    inputs = INPUTS()
    assert inputs.basic.shape == inputs.target.shape == (3780, 128)
    assert inputs.label[:4].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 0]]
    assert list(dict.fromkeys(inputs.sets)) == list(SETS)
    assert {int(np.sum(inputs.sets == name)) for name in SETS} == {540}
    np.testing.assert_array_equal(inputs.basic[:27], np.repeat(inputs.basic[:1], 27, axis=0))
    assert not np.array_equal(inputs.basic[26], inputs.basic[27])
    np.testing.assert_array_equal(inputs.draw[[0, 26, 27, 539, 540]], [0, 0, 1, 19, 0])
    assert inputs.ideals[0, 0] == 0.0  # the original silences the first sample even without an attack
    np.testing.assert_allclose(inputs.levels[[0, -1]], [[0.0, 1.0, 0.0], [0.4, 0.4, 0.4]])


def test_exact_ramps_would_cost_next_to_nothing_on_targets_of_the_original():
    found = baseline("input x exact ramps")
    for pool, measure, goal in GOALS:
        assert Variant("", [found]).reaches(pool, measure, goal)
    assert 0.001 < found["seen"]["mae"] < 0.005


def test_published_figures_are_whole_and_miss_the_goals():
    assert tuple(PUBLISHED) == ORDER
    assert all(len(row) == len(MEASURES) for row in PUBLISHED.values())
    pooled = np.mean([published()[name]["mae"] for name in ("sin", "saw", "square")])
    assert pooled == pytest.approx(published()["seen"]["mae"], abs=1e-4)
    original = Variant("", [published()])
    assert not any(original.reaches(*goal) for goal in GOALS)


class Ideal:
    """A network that does what is asked of it, with classes in an order of its own."""

    def __init__(self, gain=1.0, **options):
        training = {"seed": int(100 * gain), "data": {"synth": "envelope", "seed": int(100 * gain)}}
        card = SimpleNamespace(model="neurosynth", features=options, training=training)
        self.gain, self.loaded = gain, SimpleNamespace(card=card)

    def classes_of(self, attack, sustain, release):
        orders = ((0.4, 0.2, 0.0), (0.4, 0.7, 1.0), (0.0, 0.4, 0.2))
        return np.array([order.index(level) for order, level in zip(orders, (attack, sustain, release), strict=True)])

    def shape(self, basic, classes):
        there = np.ravel_multi_index(np.transpose([self.classes_of(*row) for row in INPUTS().levels]), (3, 3, 3))
        cls = there.argsort()[np.ravel_multi_index(classes.T, (3, 3, 3))]
        return (self.gain * basic * INPUTS().ideals[cls]).astype(np.float32)


def test_a_network_is_asked_for_levels_and_not_for_class_numbers():
    found = INPUTS().scores(shaped(Ideal(), INPUTS()))
    assert found["seen"]["mae"] < 1e-6
    assert [found[name]["joint"] for name in ORDER] == [1.0] * 9


def test_runs_that_differ_in_their_seed_alone_are_one_variant():
    runs = [INPUTS().scores(shaped(Ideal(gain), INPUTS()), ["seen"]) for gain in (1.0, 0.9, 0.96)]
    l1, adversarial = {"l1": 10.0, "width": 8}, {"l1": 0.0, "width": 8}
    variants = group([("neurosynth", l1, runs[0]), ("x", {}, runs[1]), ("neurosynth", adversarial, runs[1])])
    assert [variant.name for variant in variants] == ["neurosynth, l1 10", "x", "neurosynth, l1 0"]
    (whole,) = group([("neurosynth", l1, run) for run in runs])
    assert whole.name == "neurosynth"
    low, middle, high = (f"{gap * 0.4182:.4f}" for gap in (0.0, 0.04, 0.1))
    assert whole.cell("seen", "mae") == f"{middle} ({low}–{high})"
    assert whole.cell("seen", "mae", spread=False) == middle


def test_networks_are_measured_by_name_and_written_whole(tmp_path, monkeypatch, capsys):
    runs = {"a": Ideal(1.0, l1=10), "b": Ideal(0.98, l1=10), "c": Ideal(0.5, l1=0)}
    monkeypatch.setattr("inversynth.pretrained.find_model", lambda name: name)
    monkeypatch.setitem(sys.modules, "models.neurosynth.inference", SimpleNamespace(load_envelope_shaper=runs.get))
    page = neurosynth.publish.__globals__["PAGE"].read_text(encoding="utf-8")
    assert neurosynth.main(["--models", "a,b", "--models", "c", "--output", "found.json", "--dry"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "| measure | goal | original, published | neurosynth, l1 10 | neurosynth, l1 0 |" in text
    low, middle, high = (f"{gap * 0.4182:.4f}" for gap in (0.0, 0.01, 0.02))
    assert f"| seen: MAE | ≤ 0.03 | 0.0700 | **{middle} ({low}–{high})** |" in text
    assert "| seen: joint | ≥ 0.99 | 0.954 | **1.000 (1.000–1.000)**" in text
    assert "median of n = 2" in text
    assert text.count("| original, published |") == 10
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert [(run["path"], run["options"]["l1"]) for run in found] == [("a", 10), ("b", 10), ("c", 0)]
    assert tuple(found[2]["scores"]) == ORDER
    assert neurosynth.publish.__globals__["PAGE"].read_text(encoding="utf-8") == page


def test_an_unknown_network_is_told_in_one_line(capsys):
    assert neurosynth.main(["--models", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith(f"{ModelError.__name__}: no such model: nowhere")
