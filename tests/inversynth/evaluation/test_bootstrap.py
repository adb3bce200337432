"""Bootstrap intervals: golden, equal to the plain way of computing them, and covering what they should."""

import json

import numpy as np
import pytest

from inversynth.evaluation.bootstrap import CHUNK, mean_estimates, median_estimates, set_estimate
from tests.golden import make_scores


def test_intervals_equal_the_golden_ones() -> None:
    golden = json.loads(make_scores.FILE.read_text(encoding="utf-8"))["intervals"]
    scores = make_scores.interval_scores()
    assert set(scores) == set(golden)
    for name, estimate in scores.items():
        assert estimate == pytest.approx(golden[name], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_counting_draws_equals_drawing(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(n, 3)).round(1)  # ties included
    drawn = np.random.default_rng(5).integers(n, size=(CHUNK, n))  # the one chunk that CHUNK resamples are
    for estimates, statistic in ((mean_estimates, np.mean), (median_estimates, np.median)):
        expected = statistic(values[drawn], axis=1)
        low, high = np.quantile(expected, [0.025, 0.975], axis=0)
        for column, estimate in enumerate(estimates(values, 5, CHUNK)):
            assert estimate.value == pytest.approx(statistic(values[:, column]))
            assert estimate.low == pytest.approx(low[column])
            assert estimate.high == pytest.approx(high[column])


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(60, 200))  # 200 experiments of 60 sounds each, true mean 0
    covered = [estimate.low <= 0.0 <= estimate.high for estimate in mean_estimates(samples, 1)]
    assert 0.88 <= np.mean(covered) <= 0.99


def test_another_seed_draws_another_interval() -> None:
    values = np.random.default_rng(0).normal(size=(30, 1))
    assert mean_estimates(values, 0) == mean_estimates(values, 0)
    assert mean_estimates(values, 0) != mean_estimates(values, 1)


def test_more_sounds_give_a_narrower_interval() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 1))
    few, many = median_estimates(values[:40], 0)[0], median_estimates(values, 0)[0]
    assert many.high - many.low < 0.3 * (few.high - few.low)


def test_what_is_said_of_a_set_has_an_interval_about_its_value() -> None:
    values = np.random.default_rng(0).normal(size=80)

    def mean(counts: np.ndarray | None) -> float:
        return float(np.average(values, weights=counts))

    found, plain = set_estimate(mean, 80, 3), mean_estimates(values[:, None], 3)[0]
    assert found.value == pytest.approx(plain.value)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.02)

    def kinds(counts: np.ndarray | None) -> float:
        return float(80 if counts is None else np.count_nonzero(counts))

    other = set_estimate(kinds, 80, 3)  # every draw has fewer
    assert other.low < other.value == 80.0 < other.high
    assert set_estimate(kinds, 80, 3, least=79.0).low == 79.0
    still = set_estimate(lambda counts: 0.1, 80, 3)
    assert still.low == pytest.approx(0.1) == still.high
