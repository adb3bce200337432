"""Losses against their formulas, on heads of equal and unequal parameters."""

import keras
import numpy as np
import pytest

from models.training.losses import BinaryCrossentropy, CategoricalCrossentropy

SIZES = [(16,) * 3, (3, 16, 7)]


def example(sizes, batch=5):
    rng = np.random.default_rng(0)
    classes = np.stack([rng.integers(0, size, batch) for size in sizes], axis=-1).astype(np.uint8)
    one_hot = np.concatenate([np.eye(size)[classes[:, i]] for i, size in enumerate(sizes)], axis=-1)
    return classes, one_hot, rng.uniform(0.05, 0.95, one_hot.shape).astype(np.float32)


@pytest.mark.parametrize("sizes", SIZES)
def test_binary_cross_entropy_is_its_formula(sizes):
    classes, one_hot, p = example(sizes)
    expected = -np.mean(one_hot * np.log(p) + (1 - one_hot) * np.log(1 - p))
    assert float(BinaryCrossentropy(sizes)(classes, p)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("sizes", SIZES)
def test_categorical_cross_entropy_is_its_formula(sizes):
    classes, one_hot, p = example(sizes)
    expected = -np.sum(one_hot * np.log(p)) / (len(sizes) * len(classes))
    assert float(CategoricalCrossentropy(sizes)(classes, p)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss_class", [BinaryCrossentropy, CategoricalCrossentropy])
@pytest.mark.parametrize("sizes", SIZES)
def test_perfect_costs_nothing_and_certain_error_stays_finite(loss_class, sizes):
    classes, one_hot, _ = example(sizes)
    loss = loss_class(sizes)
    assert float(loss(classes, one_hot.astype(np.float32))) == pytest.approx(0.0, abs=1e-5)
    certain = float(loss(classes, np.roll(one_hot, 1, axis=0).astype(np.float32)))
    assert np.isfinite(certain)
    assert certain > 0.5


@pytest.mark.parametrize("loss_class", [BinaryCrossentropy, CategoricalCrossentropy])
def test_loss_survives_its_config(loss_class):
    classes, _, p = example(SIZES[1])
    loss = loss_class(SIZES[1])
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(classes, p)) == float(loss(classes, p))
