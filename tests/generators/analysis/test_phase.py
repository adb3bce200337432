"""Phases: unwrapping is NumPy's, steps of a steady tone are constant, and what is taken apart comes together again."""

import keras
import numpy as np
import pytest

from generators.analysis.phase import accumulate, instantaneous_frequency, unwrap, wrap

PHASE = np.random.default_rng(0).uniform(-np.pi, np.pi, (2, 50, 7))


@pytest.mark.parametrize(
    ("step", "expected"), [(0.5, 0.5), (np.pi, np.pi), (-np.pi, -np.pi), (4.0, 4.0 - 2 * np.pi), (9.0, 9.0 - 2 * np.pi)]
)
def test_steps_are_wrapped_into_half_a_turn_either_way(step, expected):
    assert wrap(np.asarray(step)) == pytest.approx(expected)


def test_unwrapping_is_that_of_numpy():
    np.testing.assert_allclose(unwrap(PHASE), np.unwrap(PHASE, axis=1), atol=1e-12)


def test_frequency_is_that_of_the_unwrapped_phase_and_begins_with_the_phase():
    found = instantaneous_frequency(PHASE)
    np.testing.assert_allclose(found[:, 0], PHASE[:, 0] / np.pi)
    np.testing.assert_allclose(found[:, 1:], np.diff(np.unwrap(PHASE, axis=1), axis=1) / np.pi, atol=1e-12)
    assert np.abs(found).max() <= 1.0


def test_a_steady_tone_has_one_frequency():
    turn = np.angle(np.exp(1j * 2.2 * np.arange(40)))[None, :, None]
    np.testing.assert_allclose(instantaneous_frequency(turn)[0, 1:, 0], 2.2 / np.pi, atol=1e-12)


def test_accumulating_gives_the_unwrapped_phase_back():
    np.testing.assert_allclose(accumulate(instantaneous_frequency(PHASE)), np.unwrap(PHASE, axis=1), atol=1e-12)


def test_single_precision_loses_little_over_128_frames():
    phase = np.random.default_rng(1).uniform(-np.pi, np.pi, (1, 128, 64))
    found = accumulate(instantaneous_frequency(phase.astype(np.float32)))
    assert np.abs(found - np.unwrap(phase, axis=1)).max() < 5e-4


@pytest.mark.parametrize("function", [unwrap, instantaneous_frequency, accumulate])
def test_tensors_are_treated_alike(function):
    phase = PHASE.astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(function(phase, keras.ops)), function(phase), rtol=1e-5, atol=1e-4
    )
