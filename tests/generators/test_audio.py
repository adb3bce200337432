"""Audio files: what goes in comes out, and every kind of bad file has its own sentence."""

import numpy as np
import pytest
import soundfile

from generators.audio import check_audible, normalise_peak, read_audio, resample, write_audio
from generators.errors import AudioError

RATE = 16384
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


def test_wav_is_lossless_beyond_full_scale(tmp_path):
    loud = TONE * 6
    sound = read_audio(write_audio(tmp_path / "a" / "loud.wav", loud, RATE))
    np.testing.assert_array_equal(sound.audio, loud)
    assert (sound.sample_rate, sound.channels, sound.length) == (RATE, 1, 1.0)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["loud.wav"]


@pytest.mark.parametrize("name", ["t.wav", "t.flac"])
def test_a_comment_is_stored_in_the_file(tmp_path, name):
    for comment in ("", '{"seed": 3}'):
        with soundfile.SoundFile(write_audio(tmp_path / name, TONE, RATE, comment=comment)) as file:
            assert (file.comment, file.frames) == (comment, len(TONE))


@pytest.mark.parametrize("name", ["t.wav", "t.flac", "t.ogg", "t.mp3", "t.aiff"])
def test_common_formats_are_read_with_pitch_and_level(tmp_path, name):
    rate = 44100
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    soundfile.write(tmp_path / name, np.stack([tone, tone], axis=1), rate)
    sound = read_audio(tmp_path / name)
    assert sound.channels == 2
    spectrum = np.abs(np.fft.rfft(sound.audio[:rate])) * 2 / rate
    assert spectrum.argmax() == 440
    assert spectrum.max() == pytest.approx(0.5, rel=0.02)


def test_part_of_a_file_is_read_alone(tmp_path):
    path = write_audio(tmp_path / "t.wav", np.arange(RATE, dtype=np.float32), RATE)
    part = read_audio(path, start=0.25, length=0.5).audio
    np.testing.assert_array_equal(part, np.arange(RATE // 4, RATE // 4 + RATE // 2))


def test_resampling_keeps_pitch_and_level_and_kills_aliases():
    rate = 48000
    time = np.arange(rate) / rate
    low, high = np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 12000 * time)
    out = resample((low + high).astype(np.float32), rate, RATE)
    assert len(out) == RATE
    spectrum = np.abs(np.fft.rfft(out * np.hanning(RATE))) * 4 / RATE
    assert spectrum[1000] == pytest.approx(1.0, abs=0.01)
    assert spectrum[RATE - 12000] < 1e-3  # where 12 kHz would fold to


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such sound"),
        (b"", "cannot read"),
        (b"this is no audio at all", "as audio (WAV, FLAC, OGG, MP3 or AIFF)"),
        (np.zeros(0), "a sound needs samples. Received: none"),
        (np.array([0.0, np.nan]), "samples must be finite. Received: NaN or infinity"),
        (np.array([0.0, np.inf]), "samples must be finite. Received: NaN or infinity"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    path = tmp_path / "bad.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        soundfile.write(path, content, RATE, subtype="FLOAT")
    with pytest.raises(AudioError) as fault:
        read_audio(path)
    assert message in str(fault.value)


def test_a_folder_is_no_sound(tmp_path):
    with pytest.raises(AudioError, match=r"a sound is a file. Received: the folder"):
        read_audio(tmp_path)


def test_silence_is_refused_by_name():
    with pytest.raises(AudioError, match=r"must be audible \(peak above -100 dB\). Received: silence in x"):
        check_audible(np.full(100, 1e-6), "x")
    check_audible(TONE, "x")


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioError, match="cannot write"):
        write_audio(tmp_path / "file" / "t.wav", TONE, RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_peaks_are_normalised_and_silence_stays():
    out = normalise_peak(np.stack([TONE, 0 * TONE]))
    assert np.abs(out).max(axis=1).tolist() == [1.0, 0.0]


def test_the_suffix_flac_writes_flac(tmp_path):
    path = write_audio(tmp_path / "tone.flac", TONE, RATE)
    assert path.read_bytes()[:4] == b"fLaC"
    np.testing.assert_allclose(read_audio(path).audio, TONE, atol=2.0**-15)
