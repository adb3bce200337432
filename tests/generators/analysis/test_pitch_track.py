"""Pitch over time and of whole sounds, notes of melodies, and chords."""

import numpy as np
import pytest

from generators.analysis.note_segments import segment_notes
from generators.analysis.pitch import find_note, track_pitch
from generators.analysis.polyphony import find_polyphony
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes

RATE = 16384


def harmonic(midi, seconds=1.0, rate=RATE, partials=12, slope=1.0, decay=2.0):
    """Partials that fall by `slope` x 6 dB an octave, each with a phase of its own."""
    time = np.arange(round(seconds * rate)) / rate
    root = 440 * 2 ** ((midi - 69) / 12)
    phases = np.random.default_rng(int(midi)).uniform(0, 6.28, partials + 1)
    tones = [
        np.sin(2 * np.pi * k * root * time + phases[k]) / k**slope
        for k in range(1, partials + 1)
        if k * root < 0.45 * rate
    ]
    return np.sum(tones, axis=0) * np.exp(-decay * time) * np.minimum(time / 0.01, 1.0)


@pytest.mark.parametrize("midi", [36, 43.3, 48, 60, 69.5, 84, 96])
@pytest.mark.parametrize("rate", [16384, 44100])
def test_notes_from_c2_to_c7_are_found_within_15_cents(midi, rate):
    note = find_note(harmonic(midi, rate=rate), rate)
    assert note.midi == pytest.approx(midi, abs=0.15)
    assert note.confidence > 0.4


@pytest.mark.parametrize("hertz", [55.0, 110.0, 220.0, 440.0, 1000.0, 2000.0, 4000.0])
@pytest.mark.parametrize("rate", [16384, 44100])
def test_sine_is_measured_to_a_cent(hertz, rate):
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
    assert find_note(tone, rate).midi == pytest.approx(69 + 12 * np.log2(hertz / 440), abs=0.01)
    track = track_pitch(tone, rate)
    assert abs(1200 * np.log2(np.median(track.frequency[track.voiced]) / hertz)) < 1.0


def test_pitch_of_a_glide_is_that_on_which_it_settles():
    time = np.arange(RATE) / RATE
    hertz = 110 * (1 + 0.12 * np.exp(-time / 0.05))  # two semitones down, as a drum
    glide = np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * np.exp(-4 * time)
    assert find_note(glide, RATE).midi == pytest.approx(45, abs=0.3)


@pytest.mark.parametrize("midi", [40, 57, 72])
def test_a_missing_fundamental_and_odd_harmonics_keep_their_pitch(midi):
    time = np.arange(RATE) / RATE
    root = 440 * 2 ** ((midi - 69) / 12)
    missing = sum(np.sin(2 * np.pi * k * root * time + k) for k in range(2, 9))
    odd = sum(np.sin(2 * np.pi * k * root * time) / k for k in (1, 3, 5, 7, 9))
    assert find_note(missing, RATE).midi == pytest.approx(midi, abs=0.2)
    assert find_note(odd, RATE).midi == pytest.approx(midi, abs=0.2)


def test_level_noise_and_length_do_not_move_a_pitch():
    rng = np.random.default_rng(0)
    tone = harmonic(55)
    noisy = tone + 0.1 * np.sqrt(np.mean(tone**2)) * rng.standard_normal(len(tone))
    for sound in (1e-3 * tone, noisy, tone[: RATE // 5]):
        assert find_note(sound, RATE).midi == pytest.approx(55, abs=0.15)


def test_noise_and_silence_have_no_pitch():
    rng = np.random.default_rng(0)
    assert find_note(rng.standard_normal(RATE), RATE) is None
    assert find_note(np.zeros(RATE), RATE) is None
    assert not track_pitch(rng.standard_normal(RATE), RATE).voiced.any()
    assert not track_pitch(np.zeros(RATE), RATE).voiced.any()


def test_a_glide_is_followed():
    time = np.arange(2 * RATE) / RATE
    frequency = 220.0 * 2 ** (time / 2)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    track = track_pitch(sum(np.sin(k * phase) / k for k in range(1, 9)), RATE)
    inside = (track.times > 0.1) & (track.times < 1.9)
    cents = 1200 * np.log2(track.frequency / (220.0 * 2 ** (track.times / 2)))
    assert np.abs(cents[inside]).max() < 25
    assert track.voiced[inside].all()


def test_a_pause_is_unvoiced():
    sound = np.concatenate([harmonic(60, 0.5, decay=0), np.zeros(RATE // 2), harmonic(64, 0.5, decay=0)])
    track = track_pitch(sound, RATE)
    assert not track.voiced[(track.times > 0.6) & (track.times < 0.9)].any()
    assert track.voiced[(track.times > 0.1) & (track.times < 0.4)].all()


# --- notes of melodies ------------------------------------------------------------------------------------------


def melody(notes, legato):
    total = np.zeros(round((notes[-1][0] + 0.7) * RATE))
    for (start, midi), (end, _) in zip(notes, [*notes[1:], (notes[-1][0] + 0.4, 0)], strict=True):
        length = (end - start) * (1.0 if legato else 0.85)
        tone = harmonic(midi, length, decay=1.0)
        fade = min(round(0.02 * RATE), len(tone))
        tone[-fade:] *= np.linspace(1, 0, fade)
        first = round(start * RATE)
        total[first : first + len(tone)] += tone
    return total


@pytest.mark.parametrize("legato", [True, False])
def test_a_melody_with_repeated_notes_is_parted(legato):
    notes = [(0.1, 60), (0.4, 62), (0.7, 62), (1.05, 67), (1.3, 67), (1.6, 55), (2.0, 67)]
    found = segment_notes(melody(notes, legato), RATE)
    assert len(found) == len(notes)
    for segment, (start, midi) in zip(found, notes, strict=True):
        assert segment.start == pytest.approx(start, abs=0.05)
        assert segment.pitch == pytest.approx(midi, abs=0.5)
        assert segment.end > segment.start
        assert segment.confidence > 0.3


def test_a_vibrato_is_one_note():
    time = np.arange(RATE) / RATE
    phase = 2 * np.pi * np.cumsum(440.0 * 2 ** (0.4 / 12 * np.sin(2 * np.pi * 6 * time))) / RATE
    found = segment_notes(sum(np.sin(k * phase) / k for k in range(1, 9)) * np.minimum(time / 0.03, 1), RATE)
    assert len(found) == 1
    assert found[0].pitch == pytest.approx(69, abs=0.3)


def test_noise_and_silence_have_no_notes():
    assert segment_notes(np.zeros(RATE), RATE) == []
    assert segment_notes(np.random.default_rng(1).standard_normal(RATE), RATE) == []


# --- chords -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intervals", [(0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4), (0, 3), (0, 9)])
@pytest.mark.parametrize("root", [48, 57, 65])
def test_chords_are_told_from_notes(intervals, root):
    chord = sum(harmonic(root + step) for step in intervals)
    found = find_polyphony(chord, RATE)
    assert found.chord
    assert find_polyphony(harmonic(root), RATE).chord is False


def test_a_pair_names_both_its_notes():
    found = find_polyphony(harmonic(60) + harmonic(65), RATE)
    assert found.pitches == pytest.approx((60, 65), abs=0.2)


def test_stiff_strings_and_octaves_are_one_note():
    time = np.arange(RATE) / RATE
    stiff = sum(
        np.sin(2 * np.pi * 110 * k * np.sqrt(1 + 2e-4 * k * k) * time) / k * np.exp(-k * time) for k in range(1, 20)
    )
    assert not find_polyphony(stiff, RATE).chord
    assert not find_polyphony(harmonic(48) + harmonic(60), RATE).chord


def test_sounds_of_fm_are_no_chords():
    synth = FmSynth()
    sounds = synth.render_classes(sample_classes(synth.space, 0, 50, 12))
    assert sum(find_polyphony(sound, RATE).chord for sound in sounds) <= 1


def test_noise_and_silence_are_no_chords():
    assert not find_polyphony(np.random.default_rng(2).standard_normal(RATE), RATE).chord
    assert not find_polyphony(np.zeros(RATE), RATE).chord


def test_a_kick_and_a_cymbal_are_no_chords():
    time = np.arange(RATE) / RATE
    kick = np.sin(2 * np.pi * (50 * time + 20 * (1 - np.exp(-20 * time)))) * np.exp(-8 * time)
    rng = np.random.default_rng(2)
    cymbal = sum(np.sin(2 * np.pi * f * time + f) for f in rng.uniform(300, 8000, 400)) * np.exp(-3 * time)
    assert not find_polyphony(kick, RATE).chord
    assert not find_polyphony(cymbal, RATE).chord


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_a_few_samples_are_no_chord(samples):
    assert not find_polyphony(np.full(samples, 0.25), RATE).chord
