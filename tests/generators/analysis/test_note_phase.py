"""The phase of notes: in tune, flat, with vibrato, without a fundamental; and that of notes to be generated."""

import numpy as np
import pytest

from generators.analysis.note_phase import nominal_phase, note_frequency, track_phase

RATE = 16_000


def tone(frequency, partials=((1, 1.0), (2, 0.5), (3, 0.3)), offset=0.0, samples=2048):
    """A tone of a frequency, constant or one for each sample, and its true phase in cycles."""
    phase = offset + np.concatenate([[0.0], np.cumsum(np.broadcast_to(frequency / RATE, samples))[:-1]])
    return sum(level * np.sin(2 * np.pi * k * phase) for k, level in partials), phase - 0.25


def apart(found, true):
    """Difference of phases in cycles, -0.5 to 0.5."""
    return (found - true + 0.5) % 1.0 - 0.5


@pytest.mark.parametrize("note", [24, 36, 48, 60, 72, 84])
@pytest.mark.parametrize("cents", [-25, 0, 25])
def test_phase_follows_a_tone_in_tune_or_not(note, cents):
    """A cosine is at phase 0 at its peak. 25 cents are a cycle and a half in a crop of the highest note."""
    audio, true = tone(note_frequency(note) * 2 ** (cents / 1200), offset=0.3)
    found = track_phase(audio[None], [note], RATE)
    assert found.shape == (1, 2048)
    assert found.dtype == np.float32
    assert np.abs(apart(found[0], true)).max() < 0.04  # one window alone fits at note 24: no detuning is found


def test_phase_follows_a_vibrato():
    frequency = note_frequency(69) * (1 + 0.01 * np.sin(2 * np.pi * 6 * np.arange(2048) / RATE))
    audio, true = tone(frequency)
    found = track_phase(audio[None], [69], RATE)[0]
    nominal = nominal_phase([69], 0, 2048, RATE)[0] + found[0]
    assert np.abs(apart(found, true)).max() < 0.03
    assert np.abs(apart(nominal, true)).max() > 0.15


def test_stronger_partials_stand_in_for_a_weak_fundamental():
    """Phase is then known up to multiples of half a cycle, but turns as it should."""
    audio, true = tone(note_frequency(40) * 2 ** (15 / 1200), ((1, 0.01), (2, 1.0), (3, 0.6)))
    drift = np.unwrap(2 * np.pi * apart(track_phase(audio[None], [40], RATE)[0], true))
    assert np.ptp(drift) / (2 * np.pi) < 0.02


def test_phase_of_noise_and_of_silence_stays_near_the_frequency():
    noise = np.random.default_rng(0).normal(size=2048)
    found = track_phase(np.stack([noise, 0 * noise]), [60, 60], RATE)
    assert np.isfinite(found).all()
    frequency = np.diff(found.astype(float)) * RATE / note_frequency(60)
    assert np.abs(frequency - 1).max() < 0.035


def test_phase_of_a_crop_shorter_than_a_window_turns_as_the_note():
    found = track_phase(np.random.default_rng(0).normal(size=(1, 64)), [24], RATE)[0]
    np.testing.assert_allclose(np.diff(found.astype(float)), note_frequency(24) / RATE, atol=1e-6)


def test_nominal_phase_goes_on_from_any_sample():
    whole = nominal_phase([24, 84.5], 0, 64_000, RATE)
    np.testing.assert_array_equal(nominal_phase([24, 84.5], 51_200, 512, RATE), whole[:, 51_200:51_712])
    assert whole[0, 0] == 0.0
    turns = np.sum(np.diff(whole.astype(float), axis=1) < -0.5, axis=1)
    np.testing.assert_array_equal(turns, np.floor(note_frequency([24, 84.5]) * 63_999 / RATE))
