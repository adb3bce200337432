"""One objective for search and gradients: NumPy equals Keras, and its gradient is finite."""

import numpy as np
import pytest

from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from inversynth.search.objective import Objective
from models.backend import start_keras


@pytest.fixture(scope="module")
def sounds() -> np.ndarray:
    synth = FmSynth(length=0.25)
    return synth.render_classes(sample_classes(synth.space, 0, 4, 9))


def test_distance_over_keras_is_that_over_numpy(sounds: np.ndarray) -> None:
    start_keras()
    import keras

    objective = Objective(sounds[0])
    over_keras = sum(objective.terms(keras.ops.convert_to_tensor(sounds[1:]), keras.ops))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(over_keras), objective.distance(sounds[1:]), rtol=1e-4)


def test_gains_bring_sounds_to_the_level_of_the_target_over_both(sounds: np.ndarray) -> None:
    start_keras()
    import keras

    objective = Objective(sounds[0])
    gains = objective.gains(sounds[1:])
    np.testing.assert_allclose(np.square(sounds[1:] * gains[:, None]).sum(axis=1), objective.energy, rtol=1e-4)
    over_keras = objective.gains(keras.ops.convert_to_tensor(sounds[1:]), keras.ops)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(over_keras), gains, rtol=1e-5)


def test_silence_is_about_one_away_and_never_turned_up(sounds: np.ndarray) -> None:
    objective, silence = Objective(sounds[0]), np.zeros((1, sounds.shape[1]), np.float32)
    assert 0.5 < objective.distance(silence)[0] < 2.0
    assert np.isfinite(objective.gains(silence)).all()
