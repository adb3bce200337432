"""Gradients against closed forms, first and second; and on PyTorch where it is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from generators.errors import ModelError
from models.training import gradients
from models.training.gradients import descend, input_gradients, loss_gradients

ROOT = Path(__file__).parents[3]


def number(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.fixture
def weight():
    return keras.Variable(np.asarray([1.0, -2.0, 3.0], np.float32))


def test_gradient_of_a_sum_of_squares_is_twice_the_variable(weight):
    loss, rest, found = loss_gradients(lambda: (ops.sum(ops.square(weight)), "told"), [weight])
    assert (float(number(loss)), rest) == (14.0, "told")
    np.testing.assert_allclose(number(found[0]), [2.0, -4.0, 6.0])


def test_variable_that_the_loss_does_not_depend_on_has_a_gradient_of_zeros(weight):
    idle = keras.Variable(np.ones((2, 2), np.float32))
    _, _, found = loss_gradients(lambda: (ops.sum(weight * 3.0), None), [weight, idle])
    np.testing.assert_array_equal(number(found[0]), [3.0, 3.0, 3.0])
    np.testing.assert_array_equal(number(found[1]), np.zeros((2, 2)))


def test_gradient_for_an_input_is_that_of_each_item_by_itself():
    inputs = ops.convert_to_tensor(np.asarray([[1.0, 2.0], [3.0, -4.0]], np.float32))
    found = input_gradients(lambda x: ops.sum(x**3, axis=-1), inputs)
    np.testing.assert_allclose(number(found), 3.0 * np.asarray([[1.0, 4.0], [9.0, 16.0]]), rtol=1e-6)


def test_penalty_on_a_slope_is_differentiated_once_more(weight):
    """Of a linear critic w.x the slope is w, and d(|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|, wherever it is asked."""
    inputs = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))

    def penalty():
        slope = input_gradients(lambda x: ops.sum(x * weight, axis=-1), inputs)
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=-1))
        return ops.mean(ops.square(norm - 1.0)), None

    value, _, found = loss_gradients(penalty, [weight])
    norm = np.sqrt(14.0)
    np.testing.assert_allclose(float(number(value)), (norm - 1.0) ** 2, rtol=1e-6)
    np.testing.assert_allclose(number(found[0]), 2.0 * (norm - 1.0) / norm * np.asarray([1.0, -2.0, 3.0]), rtol=1e-5)


def test_second_gradient_passes_through_a_network():
    """Of a critic sum(tanh(w x)) the slope is w / cosh^2; its square's gradient is checked against differences."""
    scale = keras.Variable(np.asarray(0.7, np.float32))
    inputs = ops.convert_to_tensor(np.linspace(-1.0, 1.0, 8, dtype=np.float32)[:, None])

    def penalty():
        return ops.mean(ops.square(input_gradients(lambda x: ops.tanh(scale * x), inputs))), None

    def closed(w):
        x = np.linspace(-1.0, 1.0, 8)
        return np.mean((w / np.cosh(w * x) ** 2) ** 2)

    _, _, found = loss_gradients(penalty, [scale])
    np.testing.assert_allclose(float(number(found[0])), (closed(0.7001) - closed(0.6999)) / 2e-4, rtol=1e-3)


def test_a_step_goes_down_the_slope_and_tells_what_was_before(weight):
    optimizer = keras.optimizers.SGD(0.1)
    loss, rest = descend(lambda: (ops.sum(ops.square(weight)), 5), optimizer, [weight])
    assert (float(number(loss)), rest) == (14.0, 5)
    np.testing.assert_allclose(number(weight), [0.8, -1.6, 2.4], rtol=1e-6)


def test_another_backend_is_refused_in_one_line(weight, monkeypatch):
    monkeypatch.setattr(gradients.keras.backend, "backend", lambda: "jax")
    with pytest.raises(ModelError) as error:
        loss_gradients(lambda: (ops.sum(weight), None), [weight])
    assert str(error.value) == (
        "adversarial systems train on TensorFlow and PyTorch. Received: KERAS_BACKEND=jax. "
        "Set it to tensorflow or torch"
    )


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="that is what runs")
def test_closed_forms_hold_on_pytorch_too():
    tests = ["tests/models/training/test_gradients.py", "tests/models/training/test_adversarial.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "torch"}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
