"""Notes held by a loop: pitch, level and decay of tones that are known, seams, and the release that follows."""

import numpy as np
import pytest

from generators.analysis.pitch import find_note
from inversynth.playback.sustain import Sustain, find_sustain, lengthen

RATE = 8000
HELD = 0.8


def note(decay: float = 0.0, hertz: float = 220.3, rate: int = RATE, seconds: float = 1.0) -> np.ndarray:
    """Return a note of four harmonics, with an attack of 20 ms: it falls by `decay` dB/s, and by 400 when released."""
    time = np.arange(round(seconds * rate)) / rate
    sound = sum(np.sin(2 * np.pi * hertz * n * time + n) / n for n in range(1, 5))
    level = -decay * time - 400.0 * np.maximum(time - HELD * seconds, 0.0)
    return (0.3 * sound * np.minimum(time / 0.02, 1.0) * 10.0 ** (level / 20.0)).astype(np.float32)


def levels(audio: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Return the level of each 50 ms in dB."""
    size = rate // 20
    parts = audio[: len(audio) // size * size].astype(np.float64).reshape(-1, size)
    return 10.0 * np.log10(np.maximum(np.square(parts).mean(axis=1), 1e-15))


def slope(audio: np.ndarray) -> float:
    """Return the slope of the level, dB/s."""
    found = levels(audio)
    return float(np.polyfit(0.05 * np.arange(len(found)), found, 1)[0])


def midi_of(audio: np.ndarray, rate: int = RATE) -> float:
    found = find_note(audio, rate)
    assert found is not None
    return found.midi


@pytest.mark.parametrize("decay", [3.0, 12.0, 30.0])
def test_a_decaying_tone_goes_on_decaying_as_it_did(decay: float) -> None:
    held = find_sustain(note(decay), RATE).held(4 * RATE)
    assert slope(held[RATE:]) == pytest.approx(-decay, rel=0.1)
    np.testing.assert_allclose(levels(held), levels(note(decay, seconds=4.0 / HELD))[: len(levels(held))], atol=0.8)


@pytest.mark.parametrize("hertz", [65.4, 130.8, 220.3, 493.9, 1760.0])
def test_a_level_tone_stays_level_and_in_tune(hertz: float) -> None:
    held = find_sustain(note(hertz=hertz), RATE).held(8 * RATE)
    later = levels(held[RATE // 2 :])
    assert np.ptp(later) <= np.ptp(levels(note(hertz=hertz))[4:15]) + 0.3
    assert 100 * (midi_of(held[2 * RATE :]) - midi_of(note(hertz=hertz))) == pytest.approx(0.0, abs=2.0)


def test_a_growing_tone_does_not_go_on_growing() -> None:
    growing = note(-12.0)
    sustain = find_sustain(growing, RATE)
    assert sustain.slope == pytest.approx(12.0, abs=0.6)
    assert sustain.decay == 0.0
    end = levels(growing)[14]
    assert abs(levels(sustain.held(4 * RATE))[20:] - end).max() <= 1.0


def test_beats_and_noise_are_no_decay() -> None:
    time = np.arange(RATE) / RATE
    beating = note() * (1.0 + 0.3 * np.sin(2 * np.pi * 5.0 * time)).astype(np.float32)
    noise = np.random.default_rng(3).normal(size=RATE).astype(np.float32)
    for sound in (beating, noise):
        assert find_sustain(sound, RATE).decay == 0.0
        assert abs(slope(find_sustain(sound, RATE).held(4 * RATE)[RATE:])) <= 0.5


@pytest.mark.parametrize("decay", [0.0, 12.0])
def test_no_seam_can_be_seen(decay: float) -> None:
    given = note(decay)
    sustain = find_sustain(given, RATE)
    steady, held = given[sustain.begin : sustain.end], sustain.held(4 * RATE)
    place = np.arange(sustain.begin, len(held)) / RATE
    flat = held[sustain.begin :] * 10.0 ** (decay * place / 20.0)
    known = steady * 10.0 ** (decay * place[: len(steady)] / 20.0)
    assert np.abs(np.diff(flat)).max() <= 1.03 * np.abs(np.diff(known)).max()
    assert np.abs(np.diff(flat, 2)).max() <= 1.03 * np.abs(np.diff(known, 2)).max()
    assert np.abs(np.diff(levels(flat.astype(np.float32)))).max() <= np.abs(np.diff(levels(known))).max() + 0.3


def test_the_beginning_is_that_of_the_note() -> None:
    given = note(12.0)
    sustain = find_sustain(given, RATE)
    np.testing.assert_allclose(sustain.held(4 * RATE)[: sustain.start], given[: sustain.start], atol=1e-6)


def test_a_wandering_pitch_is_held_at_that_of_the_note() -> None:
    time = np.arange(RATE) / RATE
    cents = 30.0 * time  # 30 cents higher at the end
    phase = 2 * np.pi * np.cumsum(220.3 * 2.0 ** (cents / 1200.0)) / RATE
    wandering = (0.3 * (np.sin(phase) + 0.5 * np.sin(2 * phase))).astype(np.float32)
    held = find_sustain(wandering, RATE).held(4 * RATE)
    assert 100 * (midi_of(held) - midi_of(wandering)) == pytest.approx(0.0, abs=3.0)


@pytest.mark.parametrize("decay", [0.0, 12.0])
@pytest.mark.parametrize("seconds", [1.5, 4.0])
def test_the_recorded_release_ends_a_longer_note(decay: float, seconds: float) -> None:
    given = note(decay)
    sustain = find_sustain(given, RATE)
    made = sustain.released(round(seconds * RATE))
    assert len(made) == round(seconds * RATE)
    begins = seconds - (1.0 - HELD)  # the release of the note itself lasts 0.2 s
    assert slope(made[round(begins * RATE) + 400 :][:1200]) == pytest.approx(-400.0 - decay, rel=0.1)
    assert levels(made)[-1] < levels(given)[10] - 50.0
    before = levels(made)[round(20 * begins) - 3]
    assert before == pytest.approx(levels(note(decay, seconds=seconds / HELD))[round(20 * begins) - 3], abs=1.0)
    assert np.abs(np.diff(made, 2)).max() <= 1.03 * np.abs(np.diff(given, 2)).max()


def test_a_shorter_note_is_cut_and_fades() -> None:
    given = note()
    assert lengthen(given, RATE, RATE) is given
    short = lengthen(given, RATE, 1600)
    assert len(short) == 1600
    np.testing.assert_allclose(short[:700], given[:700], atol=1e-6)
    assert abs(short[-1]) < 1e-3


def test_any_sound_can_be_held() -> None:
    generator = np.random.default_rng(0)
    for sound in (
        np.zeros(RATE),
        np.ones(RATE),
        np.eye(1, RATE)[0],
        np.eye(1, RATE, 4000)[0],
        generator.normal(size=160),
        np.ones(1),
        generator.normal(size=30),
        note() * np.repeat([1.0, 0.0], RATE // 2),
        np.concatenate([np.zeros(7900), generator.normal(size=100)]),
    ):
        sustain = find_sustain(sound, RATE)
        assert isinstance(sustain, Sustain)
        for samples in (1, 100, len(sound), 3 * RATE):
            for made in (sustain.held(samples), sustain.released(samples)):
                assert made.shape == (samples,)
                assert np.isfinite(made).all()
                assert np.abs(made).max() <= 1.5 * np.abs(sound).max()
