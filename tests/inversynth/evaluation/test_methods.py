"""Methods that search, and the conditions of an evaluation."""

from pathlib import Path

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import ParameterError
from generators.generate import generate_dataset, render_rows
from generators.registry import build_synth
from generators.sine_generator import SineSynth
from inversynth.evaluation.command import check_budgets
from inversynth.evaluation.conditions import CONDITIONS, LATEST, NOISE_DB, OFFSET, apply_condition, find_condition
from inversynth.evaluation.evaluator import evaluate_methods
from inversynth.evaluation.methods import Method, Prediction, oracle, search

FM = build_synth("fm", 16384, 0.25)


class Uninformed:
    """Stands in for a loaded model that knows nothing."""

    def __init__(self, space):
        self.space = space

    def predict(self, audio, batch_size=64):
        return np.full((len(audio), self.space.size), 0.5, np.float32)


@pytest.fixture
def dataset(tmp_path: Path):
    path = tmp_path / "sine.hdf5"
    generate_dataset(path, SineSynth(4096, 0.1), 12, workers=1)
    with Dataset(path) as dataset:
        yield dataset


def test_a_search_finds_what_its_model_does_not_know(dataset: Dataset) -> None:
    synth = SineSynth(4096, 0.1)
    found = evaluate_methods(
        dataset, [search("guess + full", Uninformed(synth.space), synth, "full")], bound_examples=0, resamples=10
    ).results[0]
    assert found.kind == "search"
    assert found.groups["All"]["mpr"].value == pytest.approx(100.0)
    assert 81 <= found.render_budget <= 300  # all 81 patches are rendered
    assert found.reconstruction["stft_pcc"]["mean"].value == pytest.approx(100.0, abs=1e-3)


def test_a_number_of_renders_is_a_budget(dataset: Dataset) -> None:
    synth = SineSynth(4096, 0.1)
    both = [search(name, Uninformed(synth.space), synth, budget) for name, budget in (("few", "5"), ("all", "full"))]
    few, everything = evaluate_methods(dataset, both, bound_examples=0, resamples=10).results
    assert few.render_budget < 60 < everything.render_budget
    assert few.groups["All"]["mpr"].value <= everything.groups["All"]["mpr"].value
    assert list(check_budgets(["fast", "700"])) == ["fast", "700"]
    with pytest.raises(ParameterError, match=r"unknown budget 'fats'\. Did you mean 'fast'"):
        check_budgets(["fats"])
    with pytest.raises(ParameterError, match="unknown budget '0'"):
        check_budgets(["0"])


def test_the_sound_of_a_prediction_is_the_one_that_is_scored(dataset: Dataset) -> None:
    silent = Method(
        "silent",
        "search",
        lambda audio, classes: Prediction(
            dataset.space.classes_to_one_hot(classes), np.zeros_like(audio), 7 * len(audio)
        ),
    )
    result, right = evaluate_methods(dataset, [silent, oracle(dataset.space)], bound_examples=0, resamples=10).results
    assert result.render_budget == 7
    assert result.groups["All"]["mpr"].value == 100.0
    assert result.reconstruction["f_delta"]["mean"].value > 50.0
    assert right.reconstruction["f_delta"]["mean"].value == pytest.approx(0.0, abs=1e-6)


# --- conditions -------------------------------------------------------------------------------------------------------


def conditioned(name: str, seed: int = 0):
    audio, classes, _ = render_rows(FM, 0, 6, 3)
    return audio, *apply_condition(find_condition(name), FM, audio, classes, np.arange(6), seed)


def test_clean_is_as_it_is() -> None:
    audio, first, second = conditioned("clean")
    np.testing.assert_array_equal(first, audio)
    np.testing.assert_array_equal(second, audio)


def test_noise_is_as_loud_as_it_says_and_answers_are_held_against_the_clean_sound() -> None:
    audio, noisy, expected = conditioned("noise")
    np.testing.assert_array_equal(expected, audio)
    ratio = np.square(audio).sum(1) / np.square(noisy - audio).sum(1)
    np.testing.assert_allclose(10 * np.log10(ratio), NOISE_DB, atol=0.3)


def test_late_sounds_begin_later_in_dither_and_keep_their_length() -> None:
    audio, late, expected = conditioned("late")
    for sound, after, dithered in zip(audio, expected, late, strict=True):
        silence = next(n for n in range(len(sound)) if np.array_equal(after[n:], sound[: len(sound) - n]))
        assert silence <= LATEST * FM.sample_rate
        assert not after[:silence].any()
        assert np.abs(dithered - after).max() <= 1.5 / 32768
        assert silence < 20 or dithered[:silence].any()  # no digital silence gives the begin away
    assert not np.array_equal(audio, expected)


@pytest.mark.parametrize(("name", "level"), [("offset", -55.0), ("quiet", -30.0), ("44.1kHz", -45.0), ("mp3", -20.0)])
def test_files_differ_little_from_what_they_hold(name: str, level: float) -> None:
    _, given, expected = conditioned(name)
    given = given - OFFSET if name == "offset" else given
    left = np.square(given - expected).sum(1) / np.square(expected).sum(1)
    assert np.all(10 * np.log10(left) < level)


def test_random_phases_change_the_waveform_and_not_the_level() -> None:
    audio, begun, expected = conditioned("phases")
    np.testing.assert_array_equal(begun, expected)
    power = np.square(begun).sum(1) / np.square(audio).sum(1)
    assert np.all((power > 0.3) & (power < 3.0))
    assert np.all(np.abs(begun - audio).max(axis=1) > 0.01)
    synth = SineSynth(4096, 0.1)
    sound, patch, _ = render_rows(synth, 0, 1, 0)
    with pytest.raises(ParameterError, match="random phases need a synth of oscillators"):
        apply_condition(CONDITIONS["phases"], synth, sound, patch, np.arange(1), 0)


@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_conditions_follow_from_seed_and_row(name: str) -> None:
    np.testing.assert_array_equal(conditioned(name)[1], conditioned(name)[1])
    if name != "clean":
        assert not np.array_equal(conditioned(name)[1], conditioned(name, seed=1)[1])


def test_unknown_condition_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"unknown condition 'noisy'\. Did you mean 'noise'"):
        find_condition("noisy")
