"""The log-mel distance and the noise floor: identities, yardsticks, monotony, and noise that is no background."""

import numpy as np
import pytest

from generators.analysis.distance import FLOOR_DB, LogMelDistance, log_mel_distance, log_mel_levels
from generators.errors import AudioError
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes

RATE = 16384
TIME = np.arange(RATE) / RATE


def fm_sounds(count, seed=4711):
    synth = FmSynth()
    return synth.render_classes(sample_classes(synth.space, 0, count, seed))


def in_noise(audio, snr, seed=0):
    noise = np.random.default_rng(seed).standard_normal(audio.shape)
    return (audio + noise * np.sqrt(np.mean(np.square(audio))) * 10 ** (-snr / 20)).astype(np.float32)


def tone(hertz, decay=3.0):
    """Twelve harmonics that fall by 6 dB an octave."""
    return sum(np.sin(2 * np.pi * k * hertz * TIME) / k for k in range(1, 13)) * np.exp(-decay * TIME)


def test_equal_sounds_measure_zero_whatever_their_level_and_polarity():
    sound = fm_sounds(1)[0]
    found = log_mel_distance(sound, np.stack([sound, 0.01 * sound, -3.0 * sound]), RATE)
    np.testing.assert_allclose(found, 0.0, atol=1e-4)
    assert float(log_mel_distance(sound, fm_sounds(2)[1], RATE)) > 3.0


def test_a_batch_measures_what_its_sounds_measure_alone():
    sounds = fm_sounds(20)
    measure = LogMelDistance(sounds[0], RATE)
    np.testing.assert_allclose(measure.distance(sounds), [float(measure.distance(one)) for one in sounds], rtol=1e-6)


def test_a_full_scale_sine_is_at_0_db_or_up_to_3_above():
    levels = []
    for hertz in (440.0, 1000.0, 3000.0):
        measure = LogMelDistance(np.sin(2 * np.pi * hertz * TIME), RATE, -80.0)
        levels.append(float(measure._levels[2].max()))
    np.testing.assert_allclose(levels, -20.0 + 3.01 + 1.0, atol=2.0)  # an RMS of -20 dBFS is a peak of -17


def test_an_exact_match_under_white_noise_at_40_db_is_near_and_by_the_fixed_floor_is_not():
    sounds = fm_sounds(12)
    noisy = [in_noise(sound, 40, seed) for seed, sound in enumerate(sounds)]
    estimated = [float(log_mel_distance(one, sound, RATE)) for one, sound in zip(noisy, sounds, strict=True)]
    fixed = [float(log_mel_distance(one, sound, RATE, FLOOR_DB)) for one, sound in zip(noisy, sounds, strict=True)]
    assert max(estimated) <= 0.5
    assert np.mean(fixed) > 2.0


@pytest.mark.parametrize(("snr", "limit"), [(60, 0.15), (30, 0.3), (20, 0.5)])
def test_an_exact_match_stays_near_under_other_noise(snr, limit):
    found = [float(log_mel_distance(in_noise(sound, snr, 7), sound, RATE)) for sound in fm_sounds(12)]
    assert np.median(found) <= limit


def test_coloured_noise_is_followed_band_by_band():
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.standard_normal(RATE)) / np.sqrt(np.arange(RATE // 2 + 1) + 20.0)
    noise = np.fft.irfft(spectrum, RATE)
    sound = tone(440.0)
    noisy = sound + noise / np.sqrt(np.mean(np.square(noise))) * np.sqrt(np.mean(np.square(sound))) * 0.01
    assert float(log_mel_distance(noisy, sound, RATE)) <= 0.5
    floors = LogMelDistance(noisy, RATE).floors[2]
    assert floors[10] > floors[-1] + 3.0


def test_noise_hides_no_difference_above_it():
    sounds = fm_sounds(12)
    for sound, other in zip(sounds[::2], sounds[1::2], strict=True):
        assert float(log_mel_distance(in_noise(sound, 40), other, RATE)) > 2.0


def test_16_bit_dither_raises_no_floor():
    sound = 0.2 * fm_sounds(1)[0] / np.abs(fm_sounds(1)[0]).max()
    dither = np.random.default_rng(0).triangular(-1, 0, 1, RATE) / 32768
    recorded = np.round((sound + dither) * 32768) / 32768
    assert max(floor.max() for floor in LogMelDistance(recorded, RATE).floors) < FLOOR_DB + 6.0
    assert float(log_mel_distance(recorded, sound, RATE)) <= 0.3


@pytest.mark.parametrize("decay", [0.0, 4.0, 8.0])
def test_a_noise_is_not_its_own_background(decay):
    burst = np.random.default_rng(5).standard_normal(RATE) * np.exp(-decay * TIME)
    measure = LogMelDistance(burst, RATE)
    assert all(np.all(floor == FLOOR_DB) for floor in measure.floors)
    assert float(measure.distance(np.sin(2 * np.pi * 440 * TIME))) > 20.0


def test_clean_sounds_of_the_synth_keep_the_fixed_floor():
    raised = [np.mean([np.mean(f > FLOOR_DB) for f in LogMelDistance(one, RATE).floors]) for one in fm_sounds(30)]
    assert np.mean(np.asarray(raised) == 0.0) >= 0.8


def test_padding_does_not_hide_the_noise_of_the_recorded_part():
    sound, noise = tone(300.0), np.random.default_rng(1).standard_normal(RATE)
    noisy = sound + 0.003 * noise
    sound[RATE // 2 :] = noisy[RATE // 2 :] = 0.0
    assert float(log_mel_distance(noisy, sound, RATE)) <= 0.5


def test_distance_grows_with_detuning():
    cents = np.array([0.0, 5.0, 15.0, 50.0, 100.0])
    found = log_mel_distance(tone(220.0), np.stack([tone(220.0 * 2 ** (c / 1200)) for c in cents]), RATE, FLOOR_DB)
    assert np.all(np.diff(found) > 0.0)
    assert 1.5 < found[-1] < 12.0  # a semitone


def test_distance_grows_with_a_late_attack_and_with_missing_harmonics():
    late = np.stack([np.roll(tone(220.0), n) * (np.arange(RATE) >= n) for n in (0, 80, 400, 1600)])
    assert np.all(np.diff(log_mel_distance(tone(220.0), late, RATE)) > 0.0)
    dull = np.stack(
        [sum(np.sin(2 * np.pi * k * 220 * TIME) / k for k in range(1, top)) * np.exp(-3 * TIME) for top in (12, 6, 3)]
    )
    assert np.all(np.diff(log_mel_distance(tone(220.0), dull, RATE)) > 0.0)


def test_silence_is_far_and_finite():
    sounds = fm_sounds(8)
    measure = LogMelDistance(sounds[0], RATE)
    silence = float(measure.distance(np.zeros(RATE)))
    assert np.isfinite(silence)
    assert silence > np.median(measure.distance(sounds))


@pytest.mark.parametrize(("rate", "seconds"), [(44100, 1.0), (48000, 0.5), (8000, 0.3), (22050, 2.0), (16384, 0.02)])
def test_other_rates_and_lengths_are_measured(rate, seconds):
    time = np.arange(round(rate * seconds)) / rate
    sound = np.sin(2 * np.pi * 440 * time) * np.exp(-time)
    assert float(log_mel_distance(sound, sound, rate)) < 1e-4
    assert float(log_mel_distance(sound, np.sin(2 * np.pi * 466.16 * time), rate)) > 0.5


@pytest.mark.parametrize("target", [np.zeros(100), np.full(100, np.nan), np.zeros((2, 100)), np.zeros(0)])
def test_a_target_that_cannot_be_compared_is_refused(target):
    with pytest.raises(AudioError, match="a target must be one audible and finite sound"):
        LogMelDistance(target, RATE)


def test_sounds_of_another_length_are_refused():
    with pytest.raises(AudioError, match="as long as the target, 16384 samples"):
        LogMelDistance(fm_sounds(1)[0], RATE).distance(np.zeros((2, 99)))


def test_levels_of_many_sounds_give_the_distance_of_each_pair():
    sounds = np.concatenate([fm_sounds(5), np.zeros((1, RATE), np.float32)])
    levels = log_mel_levels(sounds, RATE)
    assert [each.shape for each in levels] == [(6, 200, 32), (6, 100, 64), (6, 21, 128)]
    for target in range(5):
        pairs = np.mean([np.abs(each - each[target]).mean(axis=(1, 2)) for each in levels], axis=0)
        np.testing.assert_allclose(pairs, log_mel_distance(sounds[target], sounds, RATE, FLOOR_DB), atol=1e-4)
