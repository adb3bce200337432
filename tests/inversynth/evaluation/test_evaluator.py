"""Methods on real datasets: chance measures chance, the oracle perfection, and the bound what cannot be known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from generators.analysis.audio_metrics import MEASURES
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError
from generators.fm_generator import FmSynth
from generators.generate import generate_dataset
from generators.sine_generator import SineSynth
from inversynth.evaluation.evaluator import choose_rows, evaluate_methods
from inversynth.evaluation.identifiability import identifiability
from inversynth.evaluation.methods import Method, Prediction, chance, oracle
from inversynth.evaluation.scores import PARAMETER_MEASURES, Evaluation

SOUNDS = 120


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    path = tmp_path_factory.mktemp("data") / "fm.hdf5"
    generate_dataset(path, FmSynth(8192, 0.25), SOUNDS, seed=9, workers=1)
    with Dataset(path) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def evaluation(dataset: Dataset) -> Evaluation:
    return evaluate_methods(dataset, [chance(dataset.space, 0), oracle(dataset.space)], bound_examples=5, resamples=400)


def test_chance_measures_chance_within_its_interval(evaluation: Evaluation) -> None:
    scores = evaluation.results[0].groups["All"]
    assert scores["mpr"].low <= 50.0 <= scores["mpr"].high
    for k in range(1, 6):
        assert scores[f"top{k}"].low <= k / 16 <= scores[f"top{k}"].high
    assert scores["mae"].low <= (16**2 - 1) / (3 * 16) <= scores["mae"].high
    assert scores["mpr"].high - scores["mpr"].low < 5.0


def test_most_parameters_of_chance_measure_chance(evaluation: Evaluation) -> None:
    estimates = [scores["mpr"] for scores in evaluation.results[0].parameters.values()]
    assert len(estimates) == 23
    assert np.mean([estimate.low <= 50.0 <= estimate.high for estimate in estimates]) > 0.75


def test_the_oracle_is_perfect(evaluation: Evaluation) -> None:
    result = evaluation.results[1]
    for scores in (*result.parameters.values(), *result.groups.values()):
        assert {name: scores[name].value for name in PARAMETER_MEASURES} == pytest.approx(
            {"mpr": 100.0, "mae": 0.0} | {f"top{k}": 1.0 for k in range(1, 6)}
        )
    for name, statistics in result.reconstruction.items():
        for estimate in statistics.values():
            assert estimate.value == pytest.approx(MEASURES[name].best, abs=1e-6), name
            assert estimate.high - estimate.low < 1e-6


def test_random_patches_sound_otherwise(evaluation: Evaluation) -> None:
    for name, statistics in evaluation.results[0].reconstruction.items():
        estimate = statistics["mean"]
        worse = estimate.high < MEASURES[name].best if MEASURES[name].higher_is_better else estimate.low > 0
        assert worse, name


def test_groups_are_those_of_the_paper(evaluation: Evaluation) -> None:
    groups = {"Filter", "Notes", "Amplitude LFO", "Frequency LFO", "Oscillator amplitudes", "ADSR", "All"}
    for result in evaluation.results:
        assert set(result.groups) == groups
    assert evaluation.bound is not None
    assert set(evaluation.bound.groups) == groups


def test_a_group_is_the_mean_of_its_parameters(evaluation: Evaluation) -> None:
    result = evaluation.results[0]
    mean = np.mean([result.parameters[name]["mpr"].value for name in ("f_cut", "q")])
    assert result.groups["Filter"]["mpr"].value == pytest.approx(mean)


def test_batches_do_not_change_a_score(dataset: Dataset, evaluation: Evaluation) -> None:
    again = evaluate_methods(dataset, [chance(dataset.space, 0)], batch_size=7, bound_examples=0, resamples=400)
    assert again.results[0].parameters == evaluation.results[0].parameters
    for name, statistics in again.results[0].reconstruction.items():
        assert statistics["mean"].value == pytest.approx(evaluation.results[0].reconstruction[name]["mean"].value)
    assert again.bound is None


def test_another_seed_is_another_chance(dataset: Dataset, evaluation: Evaluation) -> None:
    again = evaluate_methods(dataset, [chance(dataset.space, 1)], bound_examples=0, resamples=10)
    assert again.results[0].groups["All"]["mpr"].value != evaluation.results[0].groups["All"]["mpr"].value


def test_the_oracle_of_a_normalised_dataset_is_perfect_too(tmp_path: Path) -> None:
    path = tmp_path / "loud.hdf5"
    generate_dataset(path, SineSynth(4096, 0.1), 10, normalise=True, workers=1)
    with Dataset(path) as dataset:
        result = evaluate_methods(dataset, [oracle(dataset.space)], resamples=10, bound_examples=2).results[0]
    assert result.reconstruction["f_delta"]["mean"].value == pytest.approx(0.0, abs=1e-6)


def test_rows_are_drawn_once_and_by_the_seed() -> None:
    rows = np.arange(100, 200)
    drawn = choose_rows(rows, 30, seed=0)
    assert len(set(drawn)) == 30
    assert np.all(np.diff(drawn) > 0)
    assert set(drawn) <= set(rows)
    assert list(drawn) == list(choose_rows(rows, 30, seed=0))
    assert list(drawn) != list(choose_rows(rows, 30, seed=1))
    assert list(choose_rows(rows, 1000, seed=0)) == list(rows)
    assert list(choose_rows(rows, None, seed=0)) == list(rows)


def test_a_dataset_without_finished_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sine.hdf5"
    generate_dataset(path, SineSynth(4096, 0.1), 4, workers=1)
    with Dataset(path, writable=True) as dataset:
        dataset.forget()
    with Dataset(path) as dataset, pytest.raises(DatasetError, match=r"has no finished rows. Generate it first"):
        evaluate_methods(dataset, [oracle(dataset.space)])


@pytest.mark.parametrize("score", [np.nan, 1.5, -0.1])
def test_scores_that_are_no_probabilities_are_refused(dataset: Dataset, score: float) -> None:
    broken = Method(
        "broken", "model", lambda audio, classes: Prediction(np.full((len(audio), dataset.space.size), score))
    )
    with pytest.raises(ModelError, match=r"must lie in 0..1. Received: numbers outside, or NaN, from broken"):
        evaluate_methods(dataset, [broken])


# --- what can be known ------------------------------------------------------------------------------------------------


def bound(**classes: int) -> dict[str, float]:
    """Measure the bound of one patch, all knobs in the middle but those named."""
    synth = FmSynth(8192, 0.25)
    patch = np.full((1, len(synth.space)), 7)
    for name, number in classes.items():
        patch[0, synth.space.index(name)] = number
    return dict(zip(synth.space.names, identifiability(synth, patch).mpr[0], strict=True))


def test_every_knob_of_a_plain_patch_can_be_known() -> None:
    assert min(bound(attack=1, decay=1, release=1).values()) > 99.0


def test_modulation_frequency_cannot_be_known_at_zero_depth() -> None:
    mpr = bound(attack=1, decay=1, release=1, B_saw=0)
    assert mpr["v_saw"] == pytest.approx(50.0)
    assert mpr["v_sin"] > 99.0


def test_decay_and_sustain_cannot_be_known_where_the_attack_fills_the_note() -> None:
    mpr = bound(attack=15)
    assert mpr["decay"] == pytest.approx(50.0)
    assert mpr["sustain"] == pytest.approx(50.0)
    assert mpr["f_cut"] > 99.0


def test_every_patch_of_two_sines_can_be_known() -> None:
    ceiling = identifiability(SineSynth(4096, 0.1), np.asarray([[0, 0, 0, 0], [2, 1, 0, 2]]))
    np.testing.assert_allclose(ceiling.mpr, 100.0)
    np.testing.assert_allclose(ceiling.top1, 1.0)
