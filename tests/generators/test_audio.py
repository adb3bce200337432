"""Audio files: what goes in comes out, and every kind of bad file has its own sentence."""

import os
import struct
import time

import numpy as np
import pytest
import soundfile

from generators import audio
from generators.audio import (
    RINGING,
    check_audible,
    full_scale_gain,
    normalise_peak,
    open_audio,
    read_audio,
    read_header,
    resample,
    resample_blocks,
    write_audio,
)
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


RATES = [(44100, RATE), (48000, RATE), (22050, RATE), (96000, RATE), (RATE, 44100), (RATE, 48000), (44099, 16001)]


def position(sound, rate, hertz, place):
    """Return where the phase of a tone was 0 last before the end of a second, in samples after `place` seconds."""
    time = np.arange(len(sound)) / rate - place
    spectrum = np.sum(sound * np.exp(-2j * np.pi * hertz * time) * np.hanning(len(sound)))
    return -np.angle(spectrum) / (2 * np.pi * hertz) * rate


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("surplus", [0, 1, 2])
def test_resampling_keeps_time(rates, surplus):
    rate, target = rates
    time = np.arange(3 * rate + surplus) / rate
    tone = (np.cos(2 * np.pi * 800 * (time - 2.5)) * (time > 2)).astype(np.float32)  # late, where a stretch shows most
    there = resample(tone, rate, target)
    assert len(there) == -(-len(tone) * target // rate)
    assert abs(position(there[2 * target :], target, 800, 0.5)) < 0.01
    back = resample(there, target, rate)
    assert abs(position(back[2 * rate : len(tone)], rate, 800, 0.5)) < 0.01


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("place", [0, 7, 20_001])
def test_a_resampled_click_keeps_its_place(rates, place):
    rate, target = rates
    click = np.zeros(20_002, np.float32)
    click[place] = 1.0
    found = np.pad(resample(click, rate, target).astype(np.float64), 200)
    expected = place * target / rate + 200
    bins = np.fft.rfftfreq(len(found))
    shift = np.fft.rfft(found) * np.exp(2j * np.pi * bins * expected)
    if 100 < place * target / rate < len(found) - 500:
        low = (bins > 0.001) & (bins < 0.02)
        delay = -np.polyfit(2 * np.pi * bins[low], np.angle(shift[low]), 1)[0]
        assert abs(delay) < 0.01
    away = np.abs(np.arange(len(found)) - expected) > RINGING * target / min(rate, target) + 1
    assert np.abs(found[away]).max() < 10 ** (-90 / 20) * np.abs(found).max()  # nor does it wrap around


@pytest.mark.parametrize("rates", RATES)
def test_nothing_sounds_before_an_onset(rates):
    rate, target = rates
    tone = np.sin(2 * np.pi * 440 * np.arange(rate // 2 + 1) / rate) * (np.arange(rate // 2 + 1) >= rate // 4)
    found = resample(tone.astype(np.float32), rate, target)
    onset = (rate // 4) * target / rate
    assert np.abs(found[: int(onset - RINGING * target / min(rate, target))]).max() < 10 ** (-90 / 20)


@pytest.mark.parametrize("rates", [*RATES, (1000, 192_000), (192_000, 1000), (RATE, RATE)])
@pytest.mark.parametrize("samples", [0, 1, 2, 997, 20_000])
def test_resampling_in_blocks_gives_the_samples_of_the_whole(rates, samples):
    sound = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    whole = resample(sound, *rates)
    assert len(whole) == -(-samples * rates[1] // rates[0])
    blocks = resample_blocks([sound[:3], sound[3:3], sound[3:800], sound[800:]], *rates)
    np.testing.assert_array_equal(np.concatenate([whole[:0], *blocks]), whole)


def test_resampled_blocks_are_of_bounded_size():
    blocks = list(resample_blocks([np.ones(30_000, np.float32)], 1000, 192_000))
    assert sum(map(len, blocks)) == 30_000 * 192 > 4 * audio.BLOCK
    assert max(map(len, blocks)) <= 2 * audio.BLOCK


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


def test_sounds_above_full_scale_are_turned_down_alike_and_others_are_left(caplog):
    with caplog.at_level("INFO"):
        assert full_scale_gain([TONE, 0 * TONE]) == full_scale_gain([]) == 1.0
        assert not caplog.messages
        gain = full_scale_gain([TONE / np.abs(TONE).max(), 4 * TONE / np.abs(TONE).max()])
    assert gain == pytest.approx(0.25)
    assert caplog.messages == ["turned down by 12.0 dB, to full scale"]


def test_the_suffix_flac_writes_flac(tmp_path):
    path = write_audio(tmp_path / "tone.flac", TONE, RATE)
    assert path.read_bytes()[:4] == b"fLaC"
    np.testing.assert_allclose(read_audio(path).audio, TONE, atol=2.0**-15)


# --- hostile files ----------------------------------------------------------------------------------------------------

SAMPLES = (TONE[:1000] * 32767).astype("<i2").tobytes()


def wav(rate=16000, channels=1, *, size=None, data=SAMPLES, tag=1, bits=16, tail=b""):
    """Return a WAV file whose fields may lie."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(rate=2**31 - 1), "a sample rate lies in 1,000..768,000 Hz. Received: 2,147,483,647 Hz"),
        (wav(rate=1), "a sample rate lies in 1,000..768,000 Hz. Received: 1 Hz"),
        (wav(rate=0), "cannot read"),
        (wav(channels=65535, bits=8), "cannot read"),
        (wav(channels=100, bits=8), "a sound has at most 64 channels. Received: 100"),
        (wav(data=np.full(9, 1e38, "<f4").tobytes(), tag=3, bits=32), "samples must lie within ±2^31. Received: 1e+38"),
        (wav(data=np.full(9, 1e300, "<f8").tobytes(), tag=3, bits=64), "samples must be finite"),
        (wav(data=b""), "a sound needs samples"),
        (wav(data=b"", tail=b"LIST\4\0\0\0INFO"), "a sound needs samples"),
    ],
    ids=["fast", "slow", "still", "channels", "many-channels", "loud", "endless", "empty", "empty-with-tags"],
)
def test_headers_beyond_the_bounds_are_refused(tmp_path, content, message):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError) as fault:
        read_audio(tmp_path / "a.wav")
    assert message in str(fault.value)


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**32 - 1])
def test_a_wav_from_a_pipe_is_read_to_its_end(tmp_path, size):
    (tmp_path / "a.wav").write_bytes(wav(size=size))
    sound = read_audio(tmp_path / "a.wav")
    np.testing.assert_allclose(sound.audio, TONE[:1000], atol=1e-4)
    assert not sound.cut


@pytest.mark.parametrize("name", ["a.raw", "a.wav.txt", "a", "a.flac", "-a.wav", "a\udcff.wav", 'a"\n.wav'])
def test_the_content_decides_the_format_under_any_name(tmp_path, name):
    (tmp_path / name).write_bytes(wav())
    assert len(read_audio(tmp_path / name).audio) == 1000


def test_a_comment_is_read_with_the_header(tmp_path):
    write_audio(tmp_path / "a.wav", TONE, RATE, comment="made by a test")
    assert read_header(tmp_path / "a.wav").comment == "made by a test"
    assert read_header(write_audio(tmp_path / "b.wav", TONE, RATE)).comment == ""


@pytest.mark.skipif(os.name != "posix", reason="bytes that are not UTF-8 are names on POSIX only")
def test_a_sound_is_written_under_a_name_that_is_not_utf8(tmp_path):
    path = write_audio(tmp_path / "\udcff" / "\udcfe.wav", TONE, RATE)
    np.testing.assert_array_equal(read_audio(path).audio, TONE)


@pytest.mark.parametrize(
    ("name", "part"),
    [("a.flac", 0.5), ("a.flac", 0.95), ("a.mp3", 0.5), ("a.mp3", 0.95), ("a.ogg", 0.95), ("a.wav", 0.5)],
)
def test_what_can_be_decoded_of_a_cut_file_is_used(tmp_path, capfd, caplog, name, part):
    tone = 0.3 * np.sin(np.arange(160_000) / 10)
    soundfile.write(tmp_path / name, tone, 16000)
    assert not read_audio(tmp_path / name).cut
    assert caplog.messages == []
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: round(part * len(content))])
    sound = read_audio(tmp_path / name)
    assert sound.cut
    assert 0.45 * len(tone) < len(sound.audio) < len(tone)
    np.testing.assert_allclose(sound.audio, tone[: len(sound.audio)], atol=0.03)
    read_audio(tmp_path / name)
    assert caplog.messages == [f"{tmp_path / name} ends before its sound does: what could be decoded is used"]
    assert capfd.readouterr() == ("", "")


def test_a_sound_may_not_be_longer_than_memory_allows(tmp_path, monkeypatch):
    write_audio(tmp_path / "a.flac", np.tile(TONE, 4), RATE)
    monkeypatch.setattr(audio, "MOST_SAMPLES", 4 * RATE)
    assert len(read_audio(tmp_path / "a.flac").audio) == 4 * RATE
    monkeypatch.setattr(audio, "MOST_SAMPLES", 4 * RATE - 1)
    with pytest.raises(AudioError, match=r"at most 65,535 samples, 0 minutes at 16384 Hz\. Received: more in"):
        read_audio(tmp_path / "a.flac")
    assert len(read_audio(tmp_path / "a.flac", length=1e300).audio) == 4 * RATE - 1
    with pytest.raises(AudioError, match=r"at most 65,535 samples\. Received: 32,768 at 16384 Hz to become 48000 Hz"):
        resample(np.tile(TONE, 2), RATE, 48000)


def test_a_file_is_read_in_blocks_of_bounded_size(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.stack([TONE, -TONE, TONE], axis=1), RATE, subtype="FLOAT")
    monkeypatch.setattr(audio, "BLOCK", 3000)
    with open_audio(tmp_path / "a.wav") as file:
        blocks = list(file.blocks())
    assert {block.shape for block in blocks[:-1]} == {(1000, 3)}
    np.testing.assert_array_equal(np.concatenate(blocks)[:, 1], -TONE)
    monkeypatch.setattr(audio, "LONGEST_FILE", 10_000)
    with open_audio(tmp_path / "a.wav") as file, pytest.raises(AudioError, match=r"at most 10,000 samples\. Received"):
        list(file.blocks())


@pytest.mark.parametrize("rates", [(1000, 300_000), (300_000, 1000), (1, 1000), (0, 1000)])
def test_the_ratio_of_a_conversion_is_bounded(rates):
    with pytest.raises(AudioError, match=r"differ by a factor of at most 256\. Received: "):
        resample(TONE[:10], *rates)


def test_headers_are_read_alone(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(channels=2))
    assert read_header(tmp_path / "a.wav") == audio.Header("WAV", 16000, 2, 500, "PCM_16")


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_the_same_sound_gives_the_same_bytes_at_any_time(tmp_path, name):
    options = [{"comment": "seed 3"}, {}]
    first = [write_audio(tmp_path / name, TONE, RATE, **each).read_bytes() for each in options]
    time.sleep(1.1)
    assert [write_audio(tmp_path / name, TONE, RATE, **each).read_bytes() for each in options] == first
    with soundfile.SoundFile(tmp_path / name) as file:
        assert file.frames == RATE
