"""The measures against their definitions, ties and all, and the Keras metrics against the measures."""

import keras
import numpy as np
import pytest
from scipy.stats import rankdata

from generators.errors import ParameterError
from models.head_layout import join_head, split_head
from models.training.keras_metrics import ClassMAE, MeanPercentileRank, TopKAccuracy
from models.training.metrics import (
    group_means,
    mean_absolute_error,
    mean_percentile_rank,
    percentile_rank,
    top_k_accuracy,
)

EQUAL, MIXED = (16,) * 5, (3, 16, 1, 7)


def slices_of(sizes):
    ends = np.cumsum(sizes)
    return [slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]


def example(sizes, batch=40, levels=8, seed=0):
    """Draw classes, and probabilities on a coarse grid so that many tie."""
    rng = np.random.default_rng(seed)
    classes = np.stack([rng.integers(0, size, batch) for size in sizes], axis=-1).astype(np.uint8)
    return classes, (rng.integers(0, levels, (batch, sum(sizes))) / levels).astype(np.float32)


@pytest.mark.parametrize("sizes", [EQUAL, MIXED])
def test_percentile_rank_is_its_definition(sizes):
    classes, probabilities = example(sizes)
    ranks = percentile_rank(classes, probabilities, slices_of(sizes))
    for column, part in enumerate(slices_of(sizes)):
        for row in range(len(classes)):
            rank = rankdata(-probabilities[row, part], method="average")[classes[row, column]] - 1.0
            assert ranks[row, column] == pytest.approx(100.0 * (1.0 - rank / max(sizes[column] - 1, 1)), abs=1e-4)
    np.testing.assert_allclose(mean_percentile_rank(classes, probabilities, slices_of(sizes)), ranks.mean(axis=0))


def test_top_k_averages_over_all_orders_of_ties():
    slices = slices_of((4,))
    scores = np.array([[0.5, 0.9, 0.5, 0.1]])
    chances = [[top_k_accuracy(np.array([[c]]), scores, slices, k)[0] for k in (1, 2, 3, 4)] for c in range(4)]
    np.testing.assert_allclose(chances, [[0, 0.5, 1, 1], [1, 1, 1, 1], [0, 0.5, 1, 1], [0, 0, 0, 1]])


@pytest.mark.parametrize("sizes", [EQUAL, (3, 16)])
def test_perfect_and_worst_predictions(sizes):
    classes, _ = example(sizes)
    slices = slices_of(sizes)
    one_hot = np.concatenate([np.eye(size)[classes[:, i]] for i, size in enumerate(sizes)], axis=-1)
    assert np.all(mean_percentile_rank(classes, one_hot, slices) == 100.0)
    assert np.all(top_k_accuracy(classes, one_hot, slices) == 1.0)
    assert np.all(mean_absolute_error(classes, one_hot, slices) == 0.0)
    assert np.all(mean_percentile_rank(classes, 1.0 - one_hot, slices) < 50.0)
    assert np.all(top_k_accuracy(classes, 1.0 - one_hot, slices) == 0.0)


def test_constant_prediction_is_exactly_chance():
    classes, _ = example(EQUAL)
    constant = np.full((len(classes), 80), 0.3, np.float32)
    assert np.all(mean_percentile_rank(classes, constant, slices_of(EQUAL)) == 50.0)
    for k in (1, 2, 3, 4, 5):
        np.testing.assert_allclose(top_k_accuracy(classes, constant, slices_of(EQUAL), k), k / 16)


def test_random_prediction_is_near_chance():
    classes, _ = example(EQUAL, batch=4000)
    scores = np.random.default_rng(7).random((4000, 80))
    np.testing.assert_allclose(mean_percentile_rank(classes, scores, slices_of(EQUAL)), 50.0, atol=2.0)
    np.testing.assert_allclose(mean_absolute_error(classes, scores, slices_of(EQUAL)), 255 / 48, atol=0.25)


def test_error_counts_class_steps():
    scores = np.zeros((1, 16))
    scores[0, 12] = 1.0
    assert mean_absolute_error(np.array([[3]], np.uint8), scores, slices_of((16,))) == [9.0]


def test_groups_are_means_of_their_parameters():
    means = group_means([10.0, 20.0, 60.0], {"Notes": (0, 1), "Filter": (2,)})
    assert means == {"Notes": 15.0, "Filter": 60.0, "All": 30.0}


def test_shorter_parameters_are_filled_up():
    split = split_head(np.array([[1, 2, 3, 4, 5]]), (2, 3), -1)
    assert split.tolist() == [[[1, 2, -1], [3, 4, 5]]]
    assert join_head(split, (2, 3)).tolist() == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize("sizes", [EQUAL, MIXED])
def test_keras_metrics_agree_with_numpy(sizes):
    classes, probabilities = example(sizes)
    slices = slices_of(sizes)
    expected = {
        MeanPercentileRank(sizes): mean_percentile_rank(classes, probabilities, slices).mean(),
        TopKAccuracy(sizes, k=1): top_k_accuracy(classes, probabilities, slices, 1).mean(),
        TopKAccuracy(sizes, k=5): top_k_accuracy(classes, probabilities, slices, 5).mean(),
        ClassMAE(sizes): mean_absolute_error(classes, probabilities, slices).mean(),
    }
    assert [metric.name for metric in expected] == ["mpr", "top1", "top5", "mae"]
    for metric, value in expected.items():
        for start, stop in ((0, 16), (16, 32), (32, 40)):  # batches of unequal size weigh by their sounds
            metric.update_state(classes[start:stop], probabilities[start:stop])
        assert float(metric.result()) == pytest.approx(value, rel=1e-5)
        again = keras.metrics.deserialize(keras.metrics.serialize(metric))
        assert again.get_config() == metric.get_config()
        again.update_state(classes, probabilities)
        assert float(again.result()) == pytest.approx(value, rel=1e-5)
        metric.reset_state()
        assert float(metric.result()) == 0.0


def test_keras_metrics_weigh_sounds():
    classes, probabilities = example(EQUAL, batch=6)
    metric = MeanPercentileRank(EQUAL)
    metric.update_state(classes, probabilities, sample_weight=np.array([1, 1, 0, 0, 0, 0]))
    expected = mean_percentile_rank(classes[:2], probabilities[:2], slices_of(EQUAL)).mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


GOOD = example((3, 16))


@pytest.mark.parametrize(
    ("classes", "probabilities", "message"),
    [
        (GOOD[0][:, :1], GOOD[1], "classes must have shape (batch, 2). Received: (40, 1)"),
        (GOOD[0], GOOD[1][:, :-1], "probabilities must have shape (40, 19). Received: (40, 18)"),
        (GOOD[0][:0], GOOD[1][:0], "a measure needs one or more sounds. Received: none"),
        (
            GOOD[0] + 16,
            GOOD[1],
            "classes must be integers within the levels of their parameters. Received: others",
        ),
        (GOOD[0], GOOD[1] + 0.5, "probabilities must lie in 0..1. Received: numbers outside, or NaN"),
        (GOOD[0], GOOD[1] * np.nan, "probabilities must lie in 0..1. Received: numbers outside, or NaN"),
    ],
)
def test_what_does_not_fit_is_refused(classes, probabilities, message):
    with pytest.raises(ParameterError) as error:
        mean_percentile_rank(classes, probabilities, slices_of((3, 16)))
    assert str(error.value) == message
