"""The objective of a search, in dB at any or at a known level, and its smooth stand-in: NumPy equals Keras."""

import numpy as np
import pytest

from generators.analysis.distance import log_mel_distance
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from inversynth.search.objective import Objective, SpectralLoss
from models.backend import start_keras

RATE = 16384


@pytest.fixture(scope="module")
def sounds() -> np.ndarray:
    synth = FmSynth(length=0.25)
    return synth.render_classes(sample_classes(synth.space, 0, 4, 9))


def test_at_any_level_the_distance_is_the_log_mel_distance(sounds: np.ndarray) -> None:
    expected = log_mel_distance(sounds[0], sounds, RATE)
    for level in (1.0, 0.1):
        found = Objective(sounds[0], RATE, any_level=True).distance(level * sounds)
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_at_a_known_level_its_difference_in_decibels_is_added(sounds: np.ndarray) -> None:
    objective = Objective(sounds[0], RATE)
    assert objective.distance(sounds[0]) == pytest.approx(0.0, abs=1e-5)
    assert objective.distance(0.5 * sounds[0]) == pytest.approx(20.0 * np.log10(2.0), abs=1e-3)
    assert objective.distance(2.0 * sounds[0]) == pytest.approx(20.0 * np.log10(2.0), abs=1e-3)


def test_gains_bring_sounds_to_the_level_of_the_target(sounds: np.ndarray) -> None:
    objective = Objective(sounds[0], RATE)
    gains = objective.gains(sounds[1:])
    np.testing.assert_allclose(np.square(sounds[1:] * gains[:, None]).sum(axis=1), objective.energy, rtol=1e-4)
    assert np.isfinite(objective.gains(np.zeros_like(sounds))).all()


def test_silence_is_far_and_finite(sounds: np.ndarray) -> None:
    for any_level in (True, False):
        objective = Objective(sounds[0], RATE, any_level)
        silence = float(objective.distance(np.zeros(len(sounds[0]), np.float32)))
        assert np.isfinite(silence)
        assert silence > objective.distance(sounds[1:]).max()


def test_the_loss_over_keras_is_that_over_numpy(sounds: np.ndarray) -> None:
    start_keras()
    import keras

    loss = SpectralLoss(sounds[0])
    over_keras = sum(loss.terms(keras.ops.convert_to_tensor(sounds[1:]), keras.ops))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(over_keras), sum(loss.terms(sounds[1:])), rtol=1e-4)
    gains = loss.gains(sounds[1:])
    over_keras = loss.gains(keras.ops.convert_to_tensor(sounds[1:]), keras.ops)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(over_keras), gains, rtol=1e-5)


def test_the_loss_of_silence_is_about_one(sounds: np.ndarray) -> None:
    silence = np.zeros((1, sounds.shape[1]), np.float32)
    assert 0.5 < sum(SpectralLoss(sounds[0]).terms(silence))[0] < 2.0


def test_several_sounds_are_averaged_and_their_levels_compared(sounds: np.ndarray) -> None:
    pair = np.concatenate(sounds[:2])
    objective = Objective(pair, RATE, any_level=True, parts=2)
    expected = [float(log_mel_distance(sounds[k], sounds[2], RATE)) for k in (0, 1)]
    levels = 10.0 * np.log10(np.square(sounds[:2]).sum(axis=1))
    twice = np.concatenate([sounds[2], sounds[2]])
    apart = abs(levels[0] - levels[1]) / 2.0  # each is as far from the common gain
    assert objective.distance(twice) == pytest.approx(np.mean(expected) + 0.5 * apart, abs=1e-3)
    assert objective.distance(0.1 * pair) == pytest.approx(0.0, abs=1e-3)
    softer = np.concatenate([sounds[0], 0.5 * sounds[1]])
    assert objective.distance(softer) == pytest.approx(0.5 * 20.0 * np.log10(2.0) / 2.0, abs=1e-3)
    assert objective.gains(0.1 * pair[None])[0] == pytest.approx(10.0, rel=1e-4)
    np.testing.assert_allclose(objective.distance(np.stack([pair, twice]))[0], 0.0, atol=1e-4)
