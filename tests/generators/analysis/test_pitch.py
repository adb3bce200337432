"""Pitch by YIN: harmonic tones measure what they are, and octave errors are counted apart."""

import numpy as np
import pytest

from generators.analysis.pitch import estimate_pitch, pitch_accuracy
from generators.errors import DatasetError


def tones(pitch, rate=16_000, seconds=2.0, overtones=4):
    time = np.arange(round(seconds * rate)) / rate
    hertz = 440.0 * 2.0 ** ((np.asarray(pitch)[:, None] - 69) / 12)
    return sum(np.sin(2 * np.pi * number * hertz * time) / number for number in range(1, overtones + 1))


def test_pitch_is_found_from_the_lowest_note_to_the_highest_and_not_in_silence():
    pitch = np.asarray([24, 40.5, 60, 84, 100])
    found = estimate_pitch(tones(pitch), 16_000)
    np.testing.assert_allclose(found, pitch, atol=0.3)
    hiss = np.random.default_rng(0).normal(size=(5, 32_000))
    np.testing.assert_allclose(estimate_pitch(tones(pitch) + 0.1 * hiss, 16_000)[1:4], pitch[1:4], atol=0.3)
    assert np.isnan(estimate_pitch(np.zeros((1, 32_000)), 16_000)).all()
    assert estimate_pitch(tones([69], seconds=0.05), 16_000)[0] == pytest.approx(69, abs=0.5)


def test_frames_far_below_the_loudest_do_not_count():
    faint = tones([50], seconds=2.0)
    faint[:, :8000] = 100 * tones([62], seconds=0.5)
    assert estimate_pitch(faint, 16_000)[0] == pytest.approx(62, abs=0.2)


def test_octave_errors_are_separate_from_other_errors():
    wanted = np.asarray([60.0, 60.0, 60.0, 60.0, 60.0, np.nan])
    assert pitch_accuracy(np.asarray([60.9, 72.2, 36.0, 66.0, np.nan, 60.0]), wanted) == (0.2, 0.4)
    with pytest.raises(DatasetError, match="silence alone"):
        pitch_accuracy(np.zeros(1), np.asarray([np.nan]))
