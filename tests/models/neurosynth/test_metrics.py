"""Measures of shaped sounds: what is perfect scores perfect, and each fault shows where it must."""

import itertools
import math

import numpy as np
import pytest

from generators.dsp.envelopes import attack_sustain_release
from generators.errors import ParameterError
from models.neurosynth.metrics import MEASURES, correlations, envelope_errors, recovered_classes, score

GRID = np.array(list(itertools.product(range(3), repeat=3)))
LEVELS = np.array([[0.0, 0.2, 0.4], [1.0, 0.7, 0.4], [0.0, 0.2, 0.4]])
SAMPLES = 128
IDEALS = attack_sustain_release(*(LEVELS[column][GRID[:, column]] for column in range(3)), SAMPLES)


def sounds(count=2, seed=0):
    """Every triple of classes on `count` noisy sines: basic, target, label."""
    rng = np.random.default_rng(seed)
    waves = np.sin(2 * np.pi * 12 * np.arange(SAMPLES) / SAMPLES) + rng.uniform(-0.05, 0.05, (count, 1, SAMPLES))
    basic = np.broadcast_to(waves, (count, 27, SAMPLES)).reshape(-1, SAMPLES)
    return basic, basic * np.tile(IDEALS, (count, 1)), np.tile(GRID, (count, 1))


BASIC, TARGET, LABEL = sounds()


def test_the_ideal_output_is_perfect():
    found = score(TARGET, TARGET, BASIC, LABEL, IDEALS)
    assert tuple(found) == MEASURES
    perfect = dict.fromkeys(MEASURES, 0.0) | dict.fromkeys(
        ("r_mean", "r_5", "attack", "sustain", "release", "joint"), 1
    )
    assert found == pytest.approx(perfect, abs=1e-12)


def test_silence_misses_all_of_the_target():
    found = score(np.zeros_like(TARGET), TARGET, BASIC, LABEL, IDEALS)
    assert found["mae"] == pytest.approx(np.abs(TARGET).mean())
    assert found["nrmse"] == 1.0
    assert found["r_mean"] == found["r_5"] == 0.0
    assert found["joint"] == pytest.approx(1 / 27)
    assert found["attack"] == found["sustain"] == found["release"] == pytest.approx(1 / 3)


def test_the_unchanged_input_is_heard_as_the_class_that_changes_nothing():
    assert np.all(recovered_classes(BASIC, BASIC, IDEALS) == 0)
    found = score(BASIC, TARGET, BASIC, LABEL, IDEALS)
    assert found["joint"] == pytest.approx(1 / 27)
    assert found["r_mean"] > 0.9  # why correlation alone says little


def test_a_wrong_class_is_recovered_as_that_class():
    wrong = LABEL.copy()
    wrong[:, 1] = (wrong[:, 1] + 1) % 3
    output = BASIC * IDEALS[np.ravel_multi_index(tuple(wrong.T), (3, 3, 3))]
    np.testing.assert_array_equal(recovered_classes(output, BASIC, IDEALS), wrong)
    found = score(output, TARGET, BASIC, LABEL, IDEALS)
    assert (found["attack"], found["sustain"], found["release"], found["joint"]) == (1, 0, 1, 0)


def test_recovery_finds_what_a_plain_search_finds():
    rng = np.random.default_rng(1)
    output = TARGET + rng.normal(0.0, 0.3, TARGET.shape)
    errors = np.square(output[:, None] - BASIC[:, None] * IDEALS).sum(axis=-1)
    expected = GRID[errors.argmin(axis=1)]
    np.testing.assert_array_equal(recovered_classes(output, BASIC, IDEALS), expected)
    assert np.any(expected != LABEL)


def test_a_grid_may_have_other_sizes():
    sizes = (2, 3, 1)
    grid = np.array(list(itertools.product(*map(range, sizes))))
    ideals = IDEALS.reshape(3, 3, 3, -1)[:2, :, :1].reshape(-1, SAMPLES)
    basic = BASIC[: len(grid)]
    found = score(basic * ideals, basic * ideals, basic, grid, ideals, sizes)
    assert found["joint"] == 1.0
    with pytest.raises(ParameterError, match=r"multiply to 6 ideals. Received: \(2, 2, 2\)"):
        recovered_classes(basic, basic, ideals)


def test_half_the_level_is_half_the_envelope():
    steady = np.sign(BASIC)  # level 1 in every window
    found = envelope_errors(0.5 * steady, steady, steady)
    assert found == pytest.approx({"env_peak": 0.5, "env_rms": 0.5, "env_gain": 0.5})


def test_a_turned_sound_has_the_right_envelope_and_the_wrong_gain():
    found = envelope_errors(-TARGET, TARGET, BASIC)
    assert (found["env_peak"], found["env_rms"]) == (0.0, 0.0)
    assert found["env_gain"] > 1.0
    np.testing.assert_allclose(correlations(-TARGET, TARGET), -1.0)


def test_one_click_reaches_the_windows_around_it():
    output = TARGET.copy()
    output[:, 60] = 9.0
    windows = SAMPLES - 11 + 1
    peaks = np.abs(TARGET[:, 50:71])
    near = np.stack([peaks[:, start : start + 11].max(axis=1) for start in range(11)], axis=1)
    assert envelope_errors(output, TARGET, BASIC)["env_peak"] == pytest.approx(
        (9.0 - near).sum() / near.shape[0] / windows
    )


def test_measures_are_pooled_over_sounds():
    output = TARGET.copy()
    output[:27] += 0.1  # half of them
    found = score(output, TARGET, BASIC, LABEL, IDEALS)
    assert found["mae"] == pytest.approx(0.05)
    assert found["rmse"] == pytest.approx(0.1 / math.sqrt(2))
    assert found["nrmse"] == pytest.approx(found["rmse"] / np.sqrt(np.square(TARGET).mean()))


def test_silence_for_silence_is_no_error():
    nothing = np.zeros((1, SAMPLES))
    found = score(nothing, nothing, nothing, [[0, 0, 0]], IDEALS)
    assert (found["mae"], found["nrmse"], found["r_mean"], found["env_gain"]) == (0, 0, 0, 0)
    assert score(nothing + 0.1, nothing, nothing, [[0, 0, 0]], IDEALS)["nrmse"] == math.inf


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"output": TARGET[:, :64]}, r"sounds must all have one shape \(n, samples\). Received: output \(54, 64\)"),
        ({"output": TARGET[0]}, r"one shape \(n, samples\). Received: output \(128,\)"),
        ({"output": np.where(TARGET > 0.9, np.nan, TARGET)}, "output must be finite. Received: NaN or infinity"),
        ({"label": LABEL[:5]}, r"label must have shape \(54, 3\). Received: \(5, 3\)"),
        ({"label": LABEL + 1}, r"labels must be integers below \(3, 3, 3\)"),
        ({"label": LABEL * 1.0}, r"labels must be integers below \(3, 3, 3\)"),
        ({"ideals": IDEALS[:, :64]}, "ideals must have 128 samples like the sounds. Received: 64"),
        ({"ideals": IDEALS[0]}, r"ideals must have shape \(envelopes, samples\). Received: \(128,\)"),
    ],
)
def test_what_does_not_fit_is_refused(changed, words):
    given = {"output": TARGET, "target": TARGET, "basic": BASIC, "label": LABEL, "ideals": IDEALS}
    with pytest.raises(ParameterError, match=words):
        score(**(given | changed))


def test_sounds_shorter_than_a_window_are_refused():
    with pytest.raises(ParameterError, match=r"envelopes need 11 or more samples. Received: 8"):
        envelope_errors(BASIC[:, :8], BASIC[:, :8], BASIC[:, :8])
