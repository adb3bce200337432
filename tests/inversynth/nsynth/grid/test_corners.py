"""Four folders of notes: correct ones have no fault, and all faults are found at once."""

import shutil
from zlib import crc32

import numpy as np
import pytest
import soundfile

from generators.audio import read_audio
from generators.notes.folder import Fit
from inversynth.nsynth.grid import corners
from inversynth.nsynth.grid.corners import check_corners
from inversynth.nsynth.grid.points import PLACES, corner_weights, grid_points, mixture_stem
from inversynth.nsynth.grid.trim import BACK, FADE, cut_note, level_note, onset, samples_needed

RATE, SAMPLES = 4000, 160
FIT = Fit(RATE, SAMPLES, bits=16)
SOUNDS = ("brass", "flute", "organ", "violin")
NOTES = (60, 64)


def write_note(path, note, *, rate=RATE, samples=SAMPLES, channels=1, subtype="PCM_16", level=0.5):
    """Write a sine with harmonics that depend on the name of the sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    phase = 2 * np.pi * 440 * 2 ** ((note - 69) / 12) * np.arange(samples) / rate
    sound = level * np.sin(phase + crc32(path.stem.encode()) % 5 * np.sin(2 * phase))
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate, subtype=subtype)


@pytest.fixture
def folders(tmp_path):
    for sound in SOUNDS:
        for note in NOTES:
            write_note(tmp_path / sound / f"{sound}_{note}.wav", note)
    return [tmp_path / sound for sound in SOUNDS]


def faults(folders, pitches=None):
    """Check folders, and return their faults without the path of the root."""
    root = f"{folders[0].parent}/"
    return [fault.replace(root, "") for corner in check_corners(folders, FIT, pitches) for fault in corner.faults]


def test_folders_as_they_must_be_have_no_fault(folders):
    found = check_corners(folders, FIT)
    assert not faults(folders)
    assert tuple(corner.sound for corner in found) == SOUNDS
    assert all(tuple(corner.notes) == NOTES for corner in found)
    assert not faults(folders[:1])


WRONG = {
    "missing": (lambda f: (f[1] / "flute_60.wav").unlink(), "flute/flute_60.wav: missing"),
    "extra": (
        lambda f: write_note(f[1] / "flute_67.wav", 67),
        "flute/flute_67.wav: surplus, no other corner has this note",
    ),
    "misnamed": (
        lambda f: (f[1] / "flute_60.wav").rename(f[1] / "flute60.wav"),
        "flute/flute60.wav: not named <sound>_<note>.wav",
    ),
    "no note": (
        lambda f: (f[1] / "flute_60.wav").rename(f[1] / "flute_200.wav"),
        "flute/flute_200.wav: not named <sound>_<note>.wav",
    ),
    "stereo": (lambda f: write_note(f[1] / "flute_60.wav", 60, channels=2), "flute/flute_60.wav: 2 channels"),
    "44.1 kHz": (lambda f: write_note(f[1] / "flute_60.wav", 60, rate=44100), "flute/flute_60.wav: 44100 Hz"),
    "8 bits": (
        lambda f: write_note(f[1] / "flute_60.wav", 60, subtype="PCM_U8"),
        "flute/flute_60.wav: stored as PCM_U8",
    ),
    "float": (lambda f: write_note(f[1] / "flute_60.wav", 60, subtype="FLOAT"), "flute/flute_60.wav: stored as FLOAT"),
    "one sample short": (
        lambda f: write_note(f[1] / "flute_60.wav", 60, samples=159),
        "flute/flute_60.wav: 159 samples",
    ),
    "truncated": (
        lambda f: (f[1] / "flute_60.wav").write_bytes((f[1] / "flute_60.wav").read_bytes()[:-20]),
        "flute/flute_60.wav: 150 samples",
    ),
    "unreadable": (lambda f: (f[1] / "flute_60.wav").write_bytes(b"RIFF"), "flute/flute_60.wav: no readable audio"),
    "flac": (
        lambda f: soundfile.write(f[1] / "flute_60.wav", np.ones(160) / 9, RATE, format="FLAC", subtype="PCM_16"),
        "flute/flute_60.wav: a FLAC file",
    ),
    "silent": (lambda f: write_note(f[1] / "flute_60.wav", 60, level=0), "flute/flute_60.wav: silent"),
    "same samples": (
        lambda f: shutil.copy(f[1] / "flute_60.wav", f[1] / "flute_64.wav"),
        "flute/flute_64.wav: the same samples as flute_60.wav",
    ),
    "note twice": (
        lambda f: write_note(f[1] / "flute_E4.wav", 70),
        "flute/flute_E4.wav: note 64 is also flute_64.wav",
    ),
    "another sound": (
        lambda f: write_note(f[1] / "oboe_64.wav", 70),
        "flute/oboe_64.wav: a sound 'oboe' among those of 'flute'",
    ),
    "folder within": (
        lambda f: write_note(f[1] / "more" / "flute_67.wav", 67) or write_note(f[0] / "brass_67.wav", 67),
        "flute/more/flute_67.wav: in a subfolder",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_fault_is_found(folders, wrong):
    harm, expected = WRONG[wrong]
    harm(folders)
    assert expected in faults(folders)


def test_no_more_than_a_note_is_read_of_a_long_sound(folders, monkeypatch):
    longest = []

    def spied(path, **limits):
        longest.append(len(read_audio(path, **limits).audio))
        return read_audio(path, **limits)

    monkeypatch.setattr(corners, "read_audio", spied)
    for note in NOTES:  # alike up to the length of a note, but not the same
        soundfile.write(folders[1] / f"flute_{note}.wav", np.append(np.full(100_000, 0.5), note / 128), RATE)
    assert faults(folders) == [f"flute/flute_{note}.wav: 100001 samples" for note in NOTES]
    assert max(longest) == SAMPLES + 1


def test_all_faults_are_found_at_once(folders):
    write_note(folders[0] / "brass_60.wav", 60, rate=44100, channels=2, subtype="PCM_U8", samples=7)
    (folders[1] / "flute_64.wav").unlink()
    write_note(folders[2] / "organ_64.wav", 64, level=0)
    shutil.rmtree(folders[3])
    assert faults(folders) == [
        "brass/brass_60.wav: 44100 Hz, 2 channels, stored as PCM_U8, 7 samples",
        "flute/flute_64.wav: missing",
        "organ/organ_64.wav: silent",
        "violin: no such folder",
    ]


def test_names_that_would_be_misread_are_refused(tmp_path):
    for folder, sound in (("a", "my_flute"), ("b", "pitch")):
        write_note(tmp_path / folder / f"{sound}_60.wav", 60)
    assert faults([tmp_path / "a", tmp_path / "b"]) == [
        "a: a sound's name has no underscores, and is not 'pitch'. Received: 'my_flute'",
        "b: a sound's name has no underscores, and is not 'pitch'. Received: 'pitch'",
    ]


def test_one_sound_in_two_corners_is_refused(folders):
    assert faults([*folders[:3], folders[1]]) == [
        f"flute: 'flute' is also the sound of {folders[1]}".replace(f"{folders[1].parent}/", "")
    ]


def test_notes_that_are_asked_for_must_be_there_and_no_others(folders):
    assert not faults(folders, pitches=(60,))
    assert faults(folders, pitches=(60, 62)) == [f"{sound}/{sound}_62.wav: missing" for sound in SOUNDS]


# --- points ----------------------------------------------------------------------------------------------------


def test_weights_are_those_of_the_published_grid():
    weights = corner_weights(grid_points(9))
    used, counts = np.unique((weights > 1e-9).sum(axis=1), return_counts=True)
    assert dict(zip(used.tolist(), counts.tolist(), strict=True)) == {1: 4, 2: 32, 3: 24, 4: 21}
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    at = corner_weights(np.array([(0.5, 0.0), (0.5, 0.5), (0.125, 0.125)]))
    np.testing.assert_allclose(at, [(0.5, 0.5, 0, 0), (0.25,) * 4, (0.78, 0.11, 0.11, 0)], atol=0.005)
    np.testing.assert_array_equal(corner_weights(PLACES), np.eye(4))
    assert [0.047, 0.357, 0.596] in [sorted(np.round(each[each > 0], 3).tolist()) for each in weights]


def test_x_runs_within_y():
    np.testing.assert_array_equal(grid_points(2), PLACES)
    np.testing.assert_allclose(grid_points(9)[1], (0.125, 0))


def test_names_are_sorted_and_leave_out_what_is_not_there():
    sounds = ("violin", "organ", "brass", "flute")
    mixture = "gen_brass_0.047_flute_0.596_pitch_60_violin_0.357"
    assert mixture_stem(sounds, (0.3571, 0.0004, 0.0472, 0.5957), 60) == mixture
    assert mixture_stem(sounds, (1.0, 0.0, 0.0, 0.0), 60) == "gen_pitch_60_violin_1.0"


@pytest.mark.parametrize(("resolution", "twice"), [(2, 0), (5, 0), (9, 4), (17, 16)])
def test_points_have_one_name_where_they_are_one_mixture(resolution, twice):
    weights = corner_weights(grid_points(resolution))
    names = [mixture_stem(SOUNDS, each, 60) for each in weights]
    assert len(set(names)) == resolution**2 - twice
    for each, name in zip(weights, names, strict=True):
        np.testing.assert_allclose(each, weights[names.index(name)], atol=1e-4)


# --- finishing -------------------------------------------------------------------------------------------------


def test_clicks_are_taken_out_and_steps_are_left():
    audio = np.array([0.0, 0.1, -0.95, 0.2, 0.3, -0.8, -0.9, 0.0])
    np.testing.assert_allclose(level_note(audio)[2] / level_note(audio)[1], 1.5, rtol=1e-6)
    assert level_note(audio)[5] / level_note(audio)[1] == pytest.approx(-8)


def test_notes_have_one_level():
    for level in (0.01, 1.0):
        assert 20 * np.log10(np.abs(level_note(level * np.sin(np.arange(100)))).max()) == pytest.approx(-12, abs=1e-4)
    assert not level_note(np.zeros(5)).any()


def test_a_note_begins_just_before_its_onset_and_both_ends_fade():
    audio = np.zeros(2000, np.int16)
    audio[300:] = 8000
    audio[:300] = 700
    assert onset(audio, RATE) == 300 - BACK
    row = cut_note(audio, RATE, 400)
    assert (row.shape, row.dtype) == ((400,), np.int16)
    np.testing.assert_array_equal(row[FADE:BACK], 700)
    np.testing.assert_array_equal(row[BACK:-FADE], 8000)
    np.testing.assert_array_equal(row[-FADE:], (8000 * np.linspace(1, 0, FADE, dtype=np.float32)).astype(np.int16))
    assert row[0] == row[-1] == 0


def test_onsets_after_the_search_do_not_count_and_short_notes_end_in_silence():
    audio = np.zeros(2000, np.int16)
    audio[1500:] = 8000
    assert onset(audio, RATE) == 0
    row = cut_note(audio, RATE, 2500)
    np.testing.assert_array_equal(row[1500:2000], 8000)
    assert not row[2000:].any()
    late = np.zeros(2000, np.int16)
    late[999] = 1
    assert onset(late, RATE) + 100 == samples_needed(100, RATE)
