"""The index of voices: it finds a voice by its sound, at any note and rate, and is read back as it was written."""

import numpy as np
import pytest

from generators.dx7.engine import render
from generators.dx7.prior import sample_voices
from generators.dx7.voice_index import (
    BUNDLED,
    HELD_SIZE,
    HOLD,
    LENGTH,
    NOTES,
    RELEASE_SIZE,
    SAMPLE_RATE,
    VELOCITY,
    VoiceIndex,
    _features,
    bundled_index,
    main,
)
from generators.errors import AudioError, DatasetError, ParameterError

VOICES = 48


@pytest.fixture(scope="module")
def voices():
    return sample_voices(VOICES, 3, workers=1)[0]


@pytest.fixture(scope="module")
def index(voices):
    return VoiceIndex.build(voices, workers=1)


def play(voices, note, rate=44100, length=LENGTH, hold=HOLD):
    return render(voices, note, VELOCITY, hold, length, rate, workers=1)


def parameters(voices):
    return voices[..., :145].tolist()


def test_index_has_one_row_a_voice_and_note(index):
    assert len(index) == VOICES
    assert index.held.shape == (len(NOTES), VOICES, HELD_SIZE)
    assert index.release.shape == (len(NOTES), VOICES, RELEASE_SIZE)
    assert np.abs(index.held.astype(int)).max() == 127


@pytest.mark.parametrize(("note", "rate"), [(36, 44100), (60, 44100), (60, 22050), (84, 48000)])
def test_a_voice_of_the_index_is_its_own_nearest_at_the_notes_of_the_index(index, voices, note, rate):
    found = 0
    for voice in voices[:16]:
        nearest, distances = index.nearest(play(voice[None], note, rate)[0], rate, note, 3)
        assert (np.diff(distances) >= 0).all()
        found += parameters(nearest[0]) == parameters(voice)
    assert found >= 15


@pytest.mark.parametrize("note", [34, 50, 65, 88])
def test_a_voice_is_among_the_nearest_three_at_other_notes(index, voices, note):
    found = 0
    for voice in voices[:16]:
        nearest, _ = index.nearest(play(voice[None], note)[0], 44100, note, 3)
        found += parameters(voice) in parameters(nearest)
    assert found >= 13


def test_another_level_polarity_and_a_longer_sound_change_nothing(index, voices):
    sound = play(voices[:1], 60, length=1.6)[0]
    first, distances = index.nearest(sound[:44100], 44100, 60, 5)
    second, others = index.nearest(-0.03 * sound, 44100, 60, 5)
    assert parameters(first) == parameters(second)
    np.testing.assert_allclose(distances, others, atol=1e-3)


def test_a_held_sound_is_found_without_its_release(index, voices):
    held = [play(voice[None], 60, hold=2.0)[0] for voice in voices[:16]]
    alone = [index.nearest(sound, 44100, 60, 1, released=False)[0] for sound in held]
    assert sum(parameters(a[0]) == parameters(v) for a, v in zip(alone, voices, strict=False)) >= 14


def test_squared_differences_of_features_are_mean_squares_of_levels():
    sounds = np.random.default_rng(0).standard_normal((2, SAMPLE_RATE)).astype(np.float32)
    sounds[1] = 0.0  # silence lies at the floor
    held, release = _features(sounds)
    mean = float(np.square(held[0] - held[1]).sum() + np.square(release[0] - release[1]).sum())
    assert 40.0 < np.sqrt(mean) < 75.0  # white noise at -20 dBFS has bands 5 to 40 dB below, the floor is at -80 dB


def test_an_index_is_read_back_as_it_was_written(index, voices, tmp_path):
    path = index.save(tmp_path / "index.npz")
    again = VoiceIndex.load(path)
    np.testing.assert_array_equal(again.packed, index.packed)
    sound = play(voices[5:6], 60)[0]
    first, second = (each.nearest(sound, 44100, 60, 10) for each in (index, again))
    assert parameters(first[0][0]) == parameters(second[0][0])
    np.testing.assert_allclose(first[1], second[1], atol=0.05)


def test_further_voices_are_found_beside_those_of_the_index(index):
    more, _ = sample_voices(8, 77, workers=1)
    extended = index.extended(more, workers=1)
    assert len(extended) == VOICES + 8
    assert len(index) == VOICES
    nearest, _ = extended.nearest(play(more[2:3], 72)[0], 44100, 72, 1)
    assert parameters(nearest[0]) == parameters(more[2])


def test_fewer_voices_than_asked_for_are_all_returned(index, voices):
    nearest, distances = index.nearest(play(voices[:1], 60)[0], 44100, 60, 1000)
    assert nearest.shape == (VOICES, 155)
    assert distances.shape == (VOICES,)


def test_what_is_no_sound_note_or_count_is_refused(index):
    sound = np.sin(np.arange(4000) / 9).astype(np.float32)
    for wrong in (np.zeros(100), np.full(100, np.nan), np.zeros((2, 100)), np.zeros(0)):
        with pytest.raises(AudioError, match="a sound must be audible and finite"):
            index.nearest(wrong, 44100, 60)
    with pytest.raises(ParameterError, match=r"note is a MIDI note from 0 to 127\. Received: 128"):
        index.nearest(sound, 44100, 128)
    with pytest.raises(ParameterError, match=r"count is at least 1\. Received: 0"):
        index.nearest(sound, 44100, 60, 0)


def test_files_that_are_no_index_are_refused_in_one_line(index, tmp_path):
    text, other, torn = tmp_path / "text.npz", tmp_path / "other.npz", tmp_path / "torn.npz"
    text.write_text("no archive")
    np.savez(other, version=np.array(1), packed=np.zeros((3, 128), np.uint8))
    torn.write_bytes(index.save(tmp_path / "whole.npz").read_bytes()[:3000])
    for path in (text, other, torn, tmp_path / "missing.npz"):
        with pytest.raises(DatasetError, match="must be an index of DX7 voices, version 1"):
            VoiceIndex.load(path)


def test_the_command_writes_an_index_and_says_so(tmp_path, capsys):
    path = tmp_path / "made.npz"
    assert main(["--num", "12", "--seed", "5", "--output", str(path)]) == 0
    assert "made.npz: 12 voices at 5 notes" in capsys.readouterr().out
    found = VoiceIndex.load(path)
    assert parameters(
        found.nearest(play(sample_voices(12, 5, workers=1)[0][:1], 60)[0], 44100, 60, 1)[0]
    ) == parameters(sample_voices(1, 5, workers=1)[0])


def test_the_bundled_index_is_small_and_finds_its_own_voices():
    assert BUNDLED.stat().st_size <= 4_000_000
    index = bundled_index()
    assert len(index) >= 10_000
    some, _ = index.nearest(np.sin(2 * np.pi * 262 * np.arange(44100) / 44100), 44100, 60, 5)
    for voice in some:
        nearest, _ = index.nearest(play(voice[None], 60)[0], 44100, 60, 5)
        assert parameters(voice) in parameters(nearest)
