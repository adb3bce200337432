"""The signal processing obeys physics: pitch, symmetry, spectra, levels; and no gradient is lost at an edge."""

import numpy as np
import pytest

from generators.dsp import envelopes, filters, modulation, oscillators, units

RATE = 16384
TIME = modulation.sample_times(RATE, RATE)


def spectrum(audio):
    """Amplitude of each whole hertz of a one-second sound; 1.0 for a full-scale sine."""
    return np.abs(np.fft.rfft(audio)) * 2 / len(audio)


def wave(oscillator, frequency, rate=1.0, depth=0.0):
    phase, instantaneous = modulation.fm_phase(TIME, frequency, rate, depth)
    return oscillator(phase, oscillators.step_width(instantaneous, RATE))


ALL = pytest.mark.parametrize(
    "oscillator",
    [oscillators.sine, oscillators.saw, oscillators.triangle, oscillators.square],
    ids=lambda f: f.__name__,
)


@ALL
def test_an_oscillator_measures_the_pitch_it_is_given(oscillator):
    assert spectrum(wave(oscillator, 440)).argmax() == 440


@ALL
def test_an_oscillator_stays_in_range_without_offset(oscillator):
    audio = wave(oscillator, 441.0)
    assert np.abs(audio).max() <= 1.0
    assert abs(audio.mean()) < 2e-3


@pytest.mark.parametrize(
    ("oscillator", "amplitudes"),
    [
        (oscillators.saw, [2 / np.pi, 1 / np.pi, 2 / (3 * np.pi)]),
        (oscillators.square, [4 / np.pi, 0.0, 4 / (3 * np.pi)]),
        (oscillators.triangle, [8 / np.pi**2, 0.0, 8 / (9 * np.pi**2)]),
    ],
    ids=["saw", "square", "triangle"],
)
def test_harmonics_have_the_amplitudes_of_the_fourier_series(oscillator, amplitudes):
    found = spectrum(wave(oscillator, 100))[[100, 200, 300]]
    np.testing.assert_allclose(found, amplitudes, atol=4e-3)


@pytest.mark.parametrize(
    ("oscillator", "start"), [(oscillators.sine, 0.0), (oscillators.saw, 0.0), (oscillators.triangle, 0.0)]
)
def test_waveforms_start_at_zero_and_rise(oscillator, start):
    audio = wave(oscillator, 100)
    assert audio[0] == pytest.approx(start, abs=1e-12)
    assert audio[1] > audio[0]


@pytest.mark.parametrize(
    ("oscillator", "naive", "least_gain_db"),
    [
        (oscillators.saw, lambda p: 2 * ((p + 0.5) % 1) - 1, 29),
        (oscillators.square, lambda p: np.where(p % 1 < 0.5, 1.0, -1.0), 33),
        (oscillators.triangle, lambda p: 1 - 4 * np.abs((p + 0.25) % 1 - 0.5), 30),
    ],
    ids=["saw", "square", "triangle"],
)
def test_band_limiting_lowers_the_aliases(oscillator, naive, least_gain_db):
    frequency = 1047  # C6, the highest note: its aliases fall between the harmonics
    phase, _ = modulation.fm_phase(TIME, frequency, 1.0, 0.0)
    aliases = np.ones(RATE // 2 + 1, bool)
    aliases[::frequency] = False
    aliases[4000:] = False  # where the filter of `fm` lets sound through

    def energy(audio):
        return np.sum(spectrum(audio)[aliases] ** 2)

    gain = 10 * np.log10(energy(naive(phase)) / energy(wave(oscillator, frequency)))
    assert gain > least_gain_db


def test_fm_phase_is_the_integral_of_its_frequency():
    phase, frequency = modulation.fm_phase(TIME, 440.0, 7.0, 1500.0)
    slope = np.gradient(phase, TIME)
    np.testing.assert_allclose(slope[1:-1], frequency[1:-1], atol=0.6)
    assert phase[0] == 0.0
    assert frequency.max() == pytest.approx(1940, abs=0.1)
    assert frequency.min() == pytest.approx(-1060, abs=0.1)


def test_deviation_of_zero_is_a_plain_tone_and_sidebands_lie_at_the_rate():
    np.testing.assert_allclose(wave(oscillators.sine, 440, 5, 0), np.sin(2 * np.pi * 440 * TIME), atol=1e-9)
    # index B/v = 1: carrier J0(1), first sidebands J1(1)
    amplitudes = spectrum(wave(oscillators.sine, 440, 20, 20))
    np.testing.assert_allclose(amplitudes[[440, 420, 460]], [0.7652, 0.4401, 0.4401], atol=2e-4)


def adsr(attack=0.1, decay=0.2, sustain=0.5, release=0.1):
    return envelopes.adsr(TIME, attack, decay, sustain, release, 0.8)


def test_envelope_passes_its_corners():
    level = adsr()
    at = {t: level[round(t * RATE)] for t in (0.0, 0.05, 0.1, 0.2, 0.3, 0.7, 0.8, 0.85, 0.95)}
    expected = {0.0: 0.0, 0.05: 0.5, 0.1: 1.0, 0.2: 0.75, 0.3: 0.5, 0.7: 0.5, 0.8: 0.5, 0.85: 0.25, 0.95: 0.0}
    for moment, value in expected.items():
        assert at[moment] == pytest.approx(value, abs=1e-3), moment


def test_release_starts_from_the_level_reached():
    level = adsr(attack=1.0, release=1.0)
    assert level.max() == pytest.approx(0.8, abs=1e-3)
    assert level[-1] == pytest.approx(0.8 * 0.8, abs=1e-3)
    assert np.abs(np.diff(level)).max() < 2 / RATE  # no click anywhere


def test_lowpass_passes_low_kills_high_and_rings_at_the_cutoff():
    def gain_db(frequency, cutoff, q):
        tone = np.sin(2 * np.pi * frequency * TIME)[None]
        out = filters.lowpass(tone, np.array([[cutoff]]), np.array([[q]]), RATE)[0]
        half = slice(RATE // 2, None)
        return 20 * np.log10(np.sqrt(np.mean(out[half] ** 2) / np.mean(tone[0, half] ** 2)))

    assert gain_db(100, 2000, 0.7071) == pytest.approx(0, abs=0.05)
    assert gain_db(2000, 2000, 0.7071) == pytest.approx(-3.01, abs=0.05)
    assert gain_db(1000, 1000, 10) == pytest.approx(20, abs=0.1)
    assert gain_db(4000, 500, 0.7071) < -35


def test_filter_by_transform_is_the_recursion_and_does_not_wrap():
    scipy_signal = pytest.importorskip("scipy.signal")
    noise = np.random.default_rng(0).standard_normal((1, RATE))
    for cutoff, q in [(200.0, 0.01), (200.0, 10.0), (4000.0, 10.0)]:
        b0, b1, b2, a1, a2 = filters.lowpass_coefficients(cutoff, q, RATE)
        expected = scipy_signal.lfilter([b0, b1, b2], [1.0, a1, a2], noise)
        found = filters.lowpass(noise, np.array([[cutoff]]), np.array([[q]]), RATE)
        np.testing.assert_allclose(found, expected, atol=2e-6)
    late = np.zeros((1, RATE))
    late[0, -1] = 1.0  # its whole ringing lies beyond the end, and must not come round to the beginning
    assert np.abs(filters.lowpass(late, np.array([[200.0]]), np.array([[10.0]]), RATE)[0, : RATE // 2]).max() < 1e-9


def test_gater_swings_between_zero_and_one_at_its_frequency():
    gain = modulation.gater(TIME, 5.0)
    assert (gain.min(), gain.max()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert spectrum(gain - gain.mean()).argmax() == 5


def test_units_agree_with_the_piano():
    assert units.midi_to_hz(69) == 440.0
    assert units.midi_to_hz(60) == pytest.approx(261.6256, abs=1e-4)
    assert units.hz_to_midi(880.0) == pytest.approx(81)
    assert units.amplitude_to_decibels(0.1) == pytest.approx(-20)


@pytest.mark.parametrize(
    "oscillator", [oscillators.saw, oscillators.square, oscillators.triangle], ids=lambda f: f.__name__
)
def test_no_waveform_jumps_within_a_small_step_of_phase(oscillator):
    phase = np.linspace(0, 2, 200_001)
    audio = oscillator(phase, np.full_like(phase, 0.03))
    assert np.abs(np.diff(audio)).max() < 1e-3  # a hard edge would show a step of 2
