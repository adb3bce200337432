"""Differences in a musician's terms: known shifts of pitch, time and colour measure as what they are."""

import numpy as np
import pytest

from generators.analysis.musical_measures import MusicalMeasures, musical_measures
from generators.errors import AudioError

RATE = 16384
TIME = np.arange(RATE) / RATE


def note(frequency: float, *, begin: float = 0.0, decay: float = 3.0, partials: int = 8) -> np.ndarray:
    """A harmonic tone that begins at a second and decays."""
    local = np.maximum(TIME - begin, 0.0)
    tone = sum(np.sin(2 * np.pi * k * frequency * local) / k for k in range(1, partials + 1))
    return np.where(begin <= TIME, 0.2 * np.exp(-decay * local) * tone, 0.0)


def noise(seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(RATE)


def test_a_sound_differs_in_nothing_from_itself_at_half_the_level() -> None:
    found = musical_measures(note(220.0), 0.5 * note(220.0), RATE)
    assert found.log_mel_distance == pytest.approx(0.0, abs=1e-3)
    assert found.envelope_cosine == pytest.approx(1.0)
    assert (found.pitch_cents, found.attack_ms, found.end_ms) == (0.0, 0.0, 0.0)
    assert found.target_note == found.match_note == pytest.approx(57.0, abs=0.05)
    assert all(band.target == pytest.approx(band.match, abs=1e-3) for band in found.octaves)


@pytest.mark.parametrize("cents", [-1200.0, -35.0, 10.0, 300.0])
def test_a_shift_of_pitch_is_measured_in_cents(cents: float) -> None:
    found = musical_measures(note(220.0), note(220.0 * 2 ** (cents / 1200)), RATE)
    assert found.pitch_cents == pytest.approx(cents, abs=10.0)  # what the tracker strays by
    assert found.scores()["pitch_cents"] == found.pitch_cents


def test_noise_has_no_pitch_and_none_is_compared() -> None:
    for pair in ((noise(1), noise(2)), (noise(1), note(220.0)), (note(220.0), noise(1))):
        found = musical_measures(*pair, RATE)
        assert found.pitch_cents is None
        assert "pitch_cents" not in found.scores()
    assert (found.target_note is None, found.match_note is None) == (False, True)


def test_a_glide_has_no_note_but_is_compared_with_another_glide() -> None:
    def glide(first: float) -> np.ndarray:
        return np.sin(2 * np.pi * first * 0.5 / np.log(2) * (np.exp2(2 * TIME) - 1.0))  # two octaves in a second

    found = musical_measures(glide(200.0), glide(200.0 * 2 ** (1 / 12)), RATE)
    assert (found.target_note, found.match_note) == (None, None)
    assert found.pitch_cents == pytest.approx(100.0, abs=15.0)
    assert musical_measures(glide(200.0), note(400.0, decay=0.0), RATE).pitch_cents is None


@pytest.mark.parametrize("late", [0.040, -0.040])
def test_a_late_attack_is_measured_in_milliseconds(late: float) -> None:
    found = musical_measures(note(440.0, begin=0.1), note(440.0, begin=0.1 + late), RATE)
    assert found.attack_ms == pytest.approx(1000 * late, abs=3.0)
    assert found.end_ms == pytest.approx(1000 * late, abs=30.0)


def test_a_longer_decay_ends_later() -> None:
    found = musical_measures(note(440.0, decay=10.0), note(440.0, decay=5.0), RATE)
    assert found.end_ms == pytest.approx(230.0, abs=15.0)  # to a tenth of the amplitude: ln 10 / decay
    assert found.attack_ms == pytest.approx(0.0, abs=2.0)


def test_a_missing_octave_shows_in_its_band_alone() -> None:
    low, high = np.sin(2 * np.pi * 500 * TIME), 0.5 * np.sin(2 * np.pi * 6000 * TIME)
    bands = musical_measures(low + high, low, RATE).octaves
    assert [(band.low, band.high) for band in bands] == [(32.0 * 2**k, 64.0 * 2**k) for k in range(8)]
    top, fundamental = bands[-1], bands[3]
    assert top.target == pytest.approx(-7.0, abs=0.1)  # 1/5 of the power
    assert top.match < -60.0
    assert fundamental.match - fundamental.target == pytest.approx(1.0, abs=0.1)


def test_octave_bands_hold_all_of_the_power_above_the_lowest() -> None:
    for rate in (16384, 44100):
        bands = musical_measures(noise(1), noise(2), rate).octaves
        assert bands[-1].high == rate / 2
        assert sum(10 ** (band.target / 10) for band in bands) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("pair", [(np.zeros(RATE), note(220.0)), (note(220.0), np.zeros(RATE)), (np.zeros(9),) * 2])
def test_silence_and_short_sounds_have_finite_measures(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = musical_measures(*pair, RATE)
    assert isinstance(found, MusicalMeasures)
    assert np.isfinite(list(found.scores().values())).all()
    assert found.pitch_cents is None


def test_sounds_of_other_lengths_are_refused() -> None:
    with pytest.raises(AudioError, match="must both be"):
        musical_measures(np.zeros(10), np.zeros(11), RATE)
