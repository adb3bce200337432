"""Sounds of oscillators are found wherever they begin in a recording: to a fraction of a sample, in either polarity."""

import numpy as np
import pytest
from scipy.signal import lfilter

from generators.analysis.alignment import Onset, cut
from generators.fm.atoms import filter_table
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from inversynth.search import fm_alignment
from inversynth.search.fm_alignment import Alignment, Begin, deconvolve, likely_begins
from inversynth.search.fm_rendering import Candidate
from inversynth.search.fm_search import OscillatorSearch
from inversynth.search.search import refine
from inversynth.search.state import Recording

LENGTH = 0.5
"""Seconds; half of what the measures are taken on, for speed."""


@pytest.fixture(scope="module")
def synth():
    return FmSynth(length=LENGTH)


def sound(synth, row, seed=21):
    classes = sample_classes(synth.space, 0, row + 1, seed)[row].astype(int)
    return classes, synth.render_classes(classes)


def posterior(synth, classes):
    """Name the true classes, with some doubt."""
    return np.maximum(synth.space.classes_to_one_hot(classes), 0.02)


def in_noise(audio, before, after, seed=0, level=1e-4):
    wide = np.pad(audio, (before, after))
    return (wide + level * np.random.default_rng(seed).standard_normal(len(wide))).astype(np.float32)


def test_a_piece_at_whole_samples_is_the_recording_itself():
    recording = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    np.testing.assert_array_equal(cut(recording, 20, 100), recording[20:120])
    np.testing.assert_array_equal(cut(recording, 20, 100, -1), -recording[20:120])
    padded = cut(recording, -30, 600)
    np.testing.assert_array_equal(padded[30:530], recording)
    assert not padded[:30].any()
    assert not padded[530:].any()


def test_a_piece_between_samples_is_the_wave_between_them():
    time, hertz = np.arange(4000), 0.11
    recording = np.sin(2.0 * np.pi * hertz * time)
    for position in (500.25, 731.5, 1000.999):
        wanted = np.sin(2.0 * np.pi * hertz * (position + np.arange(800)))
        assert np.abs(cut(recording, position, 800) - wanted).max() < 1e-3


@pytest.mark.parametrize("polarity", [1, -1])
def test_the_likeliest_beginning_is_the_true_one(synth, polarity):
    """Of all within 128 samples of the guess and beyond, in both polarities."""
    for row in (1, 2, 3, 6):
        classes, audio = sound(synth, row)
        recording = polarity * in_noise(audio, 3000, 3000)
        search = OscillatorSearch(synth, audio, synth.space.normalise_probabilities(posterior(synth, classes)))
        found = next(likely_begins(search.screening, recording, Onset(3050.0, 30.0, 1e-4), classes))
        assert found.position == pytest.approx(3000.0, abs=1.0)
        assert found.polarity == polarity


def test_the_true_beginning_is_among_the_first_even_far_from_a_guess_that_seems_sure(synth):
    for row in (1, 2, 3, 6):
        classes, audio = sound(synth, row)
        recording = in_noise(audio, 3000, 3000)
        search = OscillatorSearch(synth, audio, synth.space.normalise_probabilities(posterior(synth, classes)))
        begins = likely_begins(search.screening, recording, Onset(3240.0, 20.0, 1e-4), classes)
        near = [abs(begin.position - 3000.0) < 1.0 for begin in list(begins)[:2]]
        assert any(near)


def test_a_low_pass_is_undone_as_far_as_noise_allows():
    rng = np.random.default_rng(2)
    wave = np.pad(rng.standard_normal(4000), (0, 4000)).astype(np.float32)
    low_pass = filter_table([400.0], [4.0], 16384)[0]
    b0, a1, a2 = (float(each) for each in low_pass)
    heard = lfilter([b0, 2.0 * b0, b0], [1.0, a1, a2], wave)
    clean = deconvolve(heard.astype(np.float32), low_pass, 0.0)
    noisy = deconvolve((heard + 0.01 * rng.standard_normal(8000)).astype(np.float32), low_pass, 0.01)
    spectrum, clean, noisy = (np.fft.rfft(one) for one in (wave, clean, noisy))
    low, high = slice(100, 600), slice(3500, 4000)  # 200 Hz to 1.2 kHz, and 7.2 kHz to 8.2 kHz
    for found in (clean, noisy):
        assert np.linalg.norm((found - spectrum)[low]) < 0.1 * np.linalg.norm(spectrum[low])
    assert np.linalg.norm(noisy[high]) < 0.1 * np.linalg.norm(spectrum[high])


@pytest.mark.parametrize("low_pass", [(3, 0), (1, 13), (0, 12)])
def test_the_likeliest_beginning_is_true_behind_a_low_pass_below_the_carriers(synth, low_pass):
    found = []
    for row in (1, 2, 3, 5, 6):
        classes, _ = sound(synth, row)
        classes[[synth.space.index("f_cut"), synth.space.index("q")]] = low_pass
        audio = synth.render_classes(classes)
        search = OscillatorSearch(synth, audio, synth.space.normalise_probabilities(posterior(synth, classes)))
        recording = in_noise(audio, 3000, 3000, level=1e-5)
        found.append(next(likely_begins(search.screening, recording, Onset(3050.0, 30.0, 1e-5), classes)).position)
    assert np.abs(np.array(found) - 3000.0).max() < 1.0


def test_a_patch_with_a_wrong_oscillator_is_built_anew_at_the_whole_sample_beside_it(synth, monkeypatch):
    classes, audio = sound(synth, 2)
    recording = in_noise(audio, 3000, 3000, level=1e-5)
    wrong = classes.copy()
    wrong[synth.space.index("f_saw")] ^= 1
    alignment = Alignment(synth, recording, synth.space.normalise_probabilities(posterior(synth, classes)), None, True)
    placed = alignment._placed(Candidate(wrong, 0.1, np.zeros(4)), 3000.06, 1)
    places, begun = [], alignment._begun
    monkeypatch.setattr(
        alignment, "_begun", lambda search, place, *others: (places.append(place), begun(search, place, *others))[1]
    )
    found = alignment._build_beside(placed)
    assert places[0] == 3000.0
    assert found.position == pytest.approx(3000.0, abs=0.01)
    assert found.candidate.residual < 1e-4


def test_a_match_shows_where_the_sound_begins(synth):
    """A patch that is right but for its amplitudes, three samples late, is moved and improved before any is built."""
    classes, audio = sound(synth, 3)
    recording = in_noise(audio, 3000, 3000)
    near = classes.copy()
    near[synth.space.index("A_sin")] ^= 3
    alignment = Alignment(synth, recording, synth.space.normalise_probabilities(np.ones(synth.space.size)), None, True)
    found = next(alignment.search(Onset(3003.0, 30.0, 1e-4), near, matched=Begin(3003.0, 1, 1.0)))
    assert found.position == pytest.approx(3000.0, abs=0.02)
    assert found.finished
    assert alignment._builds == 0


def test_a_sound_behind_a_low_pass_without_resonance_is_found_after_noise(synth):
    """At a q of 0.01 little but what lies below the carriers is left, and differences of samples are searched."""
    classes, _ = sound(synth, 3)
    classes[[synth.space.index("f_cut"), synth.space.index("q")]] = 1, 0
    audio = synth.render_classes(classes)
    onset = Onset(3014.0, 24.0, 1e-5)
    found = refine(
        synth,
        cut(in_noise(audio, 3000, 3000, level=1e-5), 3014, synth.samples),
        posterior(synth, classes),
        "fast",
        level="fit",
        recording=Recording(in_noise(audio, 3000, 3000, level=1e-5), 3014, onset),
    )
    assert 3014 + found.begin == pytest.approx(3000.0, abs=0.05)
    assert found.residual_db < -30.0


@pytest.mark.parametrize(("row", "begin", "polarity"), [(2, 3000, 1), (6, 2500, -1)])
def test_a_sound_after_noise_is_found_to_the_sample(synth, row, begin, polarity):
    classes, audio = sound(synth, row)
    recording = polarity * in_noise(audio, begin, 3000)
    onset = Onset(begin + 40.0, 30.0, 1e-4)
    start = round(onset.position)
    found = refine(
        synth,
        cut(recording, start, synth.samples),
        posterior(synth, classes),
        "fast",
        level="fit",
        recording=Recording(recording, start, onset),
    )
    assert start + found.begin == pytest.approx(begin, abs=0.05)
    assert found.polarity == polarity
    np.testing.assert_allclose(found.target, polarity * recording[begin:][: synth.samples], atol=1e-3)
    assert found.residual_db < -30.0


def test_a_sound_that_began_between_two_samples_is_found_there(synth):
    classes, audio = sound(synth, 2)
    recording = cut(in_noise(audio, 3000, 3000, level=1e-6), 0.4, len(audio) + 5000)
    onset = Onset(2980.0, 30.0, 1e-6)
    found = refine(
        synth,
        cut(recording, 2980, synth.samples),
        posterior(synth, classes),
        "fast",
        level="fit",
        recording=Recording(recording, 2980, onset),
    )
    assert 2980 + found.begin == pytest.approx(2999.6, abs=0.02)
    assert found.residual_db < -40.0


def test_a_sound_that_began_before_the_recording_is_completed(synth):
    classes, audio = sound(synth, 3)
    late = np.pad(audio[16:], (0, 16))
    found = refine(synth, late, posterior(synth, classes), "fast", level="fit")
    assert found.begin == pytest.approx(-16.0, abs=0.05)
    assert found.residual_db < -30.0


def test_a_sound_that_begins_at_once_is_left_where_it_is(synth):
    classes, audio = sound(synth, 0)
    found = refine(
        synth, audio, posterior(synth, classes), "fast", recording=Recording(audio, 0, Onset(25.0, 20.0, 0.0))
    )
    assert found.begin == 0.0
    np.testing.assert_array_equal(found.target, audio)


def test_no_beginning_lies_behind_the_sound(synth, monkeypatch):
    click = np.zeros(synth.samples, np.float32)
    click[:10] = np.hanning(10)
    monkeypatch.setattr(fm_alignment, "likely_begins", lambda *_: [Begin(2000.0, 1, 1.0)])
    search = Alignment(synth, click, np.ones(synth.space.size), None, True)
    assert list(search.search(Onset(0.0, 80.0, 0.0), np.full(len(synth.space), 7))) == []
