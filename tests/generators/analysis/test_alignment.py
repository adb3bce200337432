"""Where sounds begin: onsets in noise and after pauses, offsets and rumble, and the fit of a render to a recording."""

import numpy as np
import pytest

from generators.analysis.alignment import find_onset, fit_offset, remove_drift
from generators.errors import AudioError
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes

RATE = 16384


def fm_sounds(count=24, seed=4242):
    synth = FmSynth()
    return synth.render_classes(sample_classes(synth.space, 0, count, seed)).astype(np.float64)


def after_pause(sound, rng):
    pause = int(rng.uniform(0.3, 0.9) * RATE)
    return np.concatenate([np.zeros(pause), sound]), pause


def dithered(sound, rng):
    return np.round((sound + rng.triangular(-1, 0, 1, len(sound)) / 32768) * 32768) / 32768


def shifted(sound, samples):
    """Delay by a fraction of a sample, on the circle of a padded transform."""
    size = 2 * len(sound)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * samples)
    return np.fft.irfft(np.fft.rfft(sound, size) * turn, size)


def rms(sound):
    return np.sqrt(np.mean(np.square(sound)))


# --- onsets -----------------------------------------------------------------------------------------------------


def errors(change, sounds=None):
    found = []
    for row, sound in enumerate(fm_sounds() if sounds is None else sounds):
        rng = np.random.default_rng([row, 5])
        late, pause = after_pause(sound, rng)
        found.append(abs(find_onset(remove_drift(change(late, rng), RATE)[0], RATE).position - pause))
    return np.array(found)


def test_an_onset_after_dithered_silence_is_found_within_a_few_samples():
    found = errors(dithered)
    assert np.median(found) <= 8
    assert np.quantile(found, 0.9) <= 60


def test_an_onset_is_found_behind_an_offset_and_rumble():
    plain = np.median(errors(dithered))
    assert np.median(errors(lambda late, rng: dithered(late, rng) + 0.05)) <= plain + 1

    def rumbling(late, rng):
        return (
            late
            + 0.03 * np.sin(2 * np.pi * 7 * np.arange(len(late)) / RATE + 1.0)
            + 1e-5 * rng.standard_normal(len(late))
        )

    assert np.median(errors(rumbling)) <= plain + 10


def test_an_onset_in_noise_lies_within_its_spread():
    inside = []
    for row, sound in enumerate(fm_sounds()):
        rng = np.random.default_rng([row, 6])
        late, pause = after_pause(sound, rng)
        onset = find_onset(late + 0.01 * rms(sound) * rng.standard_normal(len(late)), RATE)
        inside.append(abs(onset.position - pause) <= 3 * onset.spread)
        assert onset.background == pytest.approx(0.01 * rms(sound), rel=0.35)
    assert np.mean(inside) >= 0.85


def test_a_click_is_found_to_the_sample_and_a_loud_start_is_at_0():
    click = np.zeros(RATE)
    click[5000:5400] = np.sin(2 * np.pi * 1000 * np.arange(400) / RATE + 1.0)
    assert find_onset(click, RATE).position == pytest.approx(5000, abs=1.0)
    assert find_onset(click[5000:], RATE).position <= 1.0


def test_level_and_polarity_do_not_move_an_onset():
    sound = np.concatenate([np.zeros(3000), fm_sounds(1)[0]])
    first = find_onset(sound, RATE).position
    assert find_onset(-0.003 * sound, RATE).position == pytest.approx(first, abs=1e-3)


def test_silence_begins_nowhere():
    with pytest.raises(AudioError, match="a sound must be audible to begin somewhere"):
        find_onset(np.zeros(1000), RATE)


# --- offsets and rumble -----------------------------------------------------------------------------------------


def test_sounds_without_an_offset_stay_bit_for_bit():
    for sound in fm_sounds().astype(np.float32):
        cleaned, offset = remove_drift(sound, RATE)
        assert offset == 0.0
        np.testing.assert_array_equal(cleaned, sound)


@pytest.mark.parametrize("offset", [0.05, -0.2])
def test_an_offset_is_measured_beside_sounds_that_begin_at_once(offset):
    for sound in fm_sounds():
        cleaned, found = remove_drift(sound + offset, RATE)
        assert abs(found - offset) <= 3e-3 * rms(sound)
        assert rms(cleaned - sound) <= 3.1e-3 * rms(sound)


def test_a_slow_part_of_the_sound_itself_is_not_rumble():
    time = np.arange(RATE) / RATE
    swept = np.sign(np.sin(2 * np.pi * (5 * time + 30 * time**2))) * np.minimum(time * 10, 1)  # begins at 5 Hz
    cleaned, _ = remove_drift(swept, RATE)
    np.testing.assert_array_equal(cleaned, swept.astype(np.float32))


def test_rumble_that_goes_on_in_a_pause_is_removed():
    sound = np.concatenate([np.zeros(RATE // 2), fm_sounds(1)[0]])
    rumble = 0.05 * np.sin(2 * np.pi * 6 * np.arange(len(sound)) / RATE)
    cleaned, _ = remove_drift(sound + rumble, RATE)
    assert rms(cleaned[1000 : RATE // 2 - 1500]) <= 0.1 * rms(rumble)


@pytest.mark.parametrize("frequencies", [(7.0,), (3.3, 11.9)])
@pytest.mark.parametrize("behind", [False, True])
def test_steady_rumble_leaves_the_slow_parts_of_a_sound_alone(frequencies, behind):
    time = np.arange(RATE) / RATE
    sound = np.sin(2 * np.pi * 440 * time) + 0.02 * np.sin(2 * np.pi * 5 * time)
    parts = [np.zeros(RATE), sound]
    whole = np.concatenate(parts[::-1] if behind else parts)
    dither = np.random.default_rng(0).triangular(-1, 0, 1, len(whole)) / 32768
    times = np.arange(len(whole)) / RATE
    rumble = 0.03 * sum(np.cos(2 * np.pi * each * times + each) for each in frequencies)
    cleaned, _ = remove_drift(whole + rumble + dither, RATE)
    assert rms(cleaned - whole) <= 1e-3 * rms(sound)


def test_steady_rumble_of_minutes_is_fitted_beside_the_sound():
    sound = np.concatenate([np.zeros(120 * RATE), np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)])  # 16 GB otherwise
    rumble = 0.03 * np.sin(2 * np.pi * 7 * np.arange(len(sound)) / RATE)
    cleaned, _ = remove_drift(sound + rumble, RATE)
    assert rms((cleaned - sound)[-RATE:]) <= 1e-3


def test_rumble_that_is_no_steady_wave_is_filtered_out():
    noise = np.cumsum(np.random.default_rng(0).standard_normal(2 * RATE))
    sound = np.concatenate([np.zeros(RATE), np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)])
    spectrum = np.fft.rfft(noise - noise.mean())
    spectrum[24:] = 0.0
    rumble = np.fft.irfft(spectrum, len(sound))
    rumble *= 0.03 / rms(rumble)
    cleaned, _ = remove_drift(sound + rumble, RATE)
    assert rms((cleaned - sound)[1000:-1000]) <= 0.3 * rms(rumble[1000:-1000])


# --- fits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 123.0, 4711.25, -16.0, -7.6])
def test_a_render_is_laid_over_a_recording_to_a_hundredth_of_a_sample(offset):
    sound = np.convolve(fm_sounds(1)[0], np.hanning(9) / 4, mode="same")  # nothing at half the rate
    sound[:2] = sound[-2:] = 0.0
    wide = np.pad(sound, (64, 6000))
    target = shifted(wide, offset)[64 : 64 + RATE + 5000]
    fit = fit_offset(-0.3 * target, sound)
    assert fit.offset == pytest.approx(offset, abs=0.01)
    assert fit.gain == pytest.approx(0.3, rel=1e-3)
    assert fit.polarity == -1
    assert fit.residual < 1e-3


def test_a_fit_holds_in_noise_and_says_what_is_left():
    sound, rng = fm_sounds(1)[0], np.random.default_rng(0)
    late = np.concatenate([np.zeros(9000), sound])
    fit = fit_offset(late + 0.1 * rms(sound) * rng.standard_normal(len(late)), sound, (8000, 10000))
    assert fit.offset == pytest.approx(9000, abs=0.05)
    assert fit.residual == pytest.approx(0.01 * len(late) / len(sound), rel=0.2)


def test_another_sound_leaves_nearly_everything():
    first, second = fm_sounds(2)
    assert fit_offset(first, second).residual > 0.5


def test_envelopes_fit_where_phases_differ():
    time = np.arange(RATE) / RATE
    shape = np.minimum(time / 0.05, 1.0) * np.exp(-4 * time)
    target = np.concatenate([np.zeros(3000), shape * np.sin(2 * np.pi * 440 * time)])
    other = 0.5 * shape * np.sin(2 * np.pi * 523.25 * time + 2.0)
    fit = fit_offset(target, other, by="envelope", sample_rate=RATE)
    assert fit.offset == pytest.approx(3000, abs=8)
    assert fit.gain == pytest.approx(2.0, rel=0.02)
    assert fit.polarity == 1


def test_silence_fits_nothing():
    with pytest.raises(AudioError, match="an offset needs two audible sounds"):
        fit_offset(np.zeros(10), np.ones(10))
