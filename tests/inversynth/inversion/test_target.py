"""Making sounds ready: nothing is shifted that should not be, every kind of file is welcome, long ones stay small."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.errors import AudioError
from generators.registry import build_synth
from generators.sampling import sample_classes
from generators.synth import Synth
from inversynth.inversion.target import FRAME, find_onset, measure_levels, read_target
from tests.inversynth.sounds import RATE, bad_sounds, save, tone


def test_sound_of_the_right_shape_is_taken_as_it_is(tmp_path: Path, fm: Synth) -> None:
    audio = fm.render_classes(sample_classes(fm.space, 0, 1, seed=0)[0])
    target = read_target(save(tmp_path / "a.wav", audio, subtype="FLOAT"), RATE, fm.length)
    assert np.array_equal(target.audio, audio)
    assert target.treatment == ()


def test_softly_begun_synth_sounds_are_not_shifted(tmp_path: Path) -> None:
    synth = build_synth("fm")
    classes = sample_classes(synth.space, 0, 20, seed=4)
    classes[:, synth.space.index("attack")] = 15
    for number, audio in enumerate(synth.render_classes(classes)):
        path = save(tmp_path / f"{number}.wav", audio, subtype="FLOAT")
        assert read_target(path, RATE, 1.0).source["start"] == 0.0


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_format_rate_and_channel_count_gives_the_same_tone(tmp_path: Path, kind: str) -> None:
    audio = np.stack([tone(1.0, 44100)] * 2, axis=1)
    target = read_target(save(tmp_path / f"a.{kind}", audio, 44100), RATE, 0.5)
    assert target.audio.shape == (RATE // 2,)
    assert target.audio.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(target.audio))
    assert np.argmax(spectrum) * 2 == 440  # bins of 2 Hz
    assert np.abs(target.audio).max() == pytest.approx(0.5, abs=0.02)
    assert target.treatment[:2] == (
        "Its 2 channels were mixed down to one.",
        "It was resampled from 44,100 Hz to 16,384 Hz.",
    )


def test_short_sound_is_padded_at_its_end(tmp_path: Path) -> None:
    target = read_target(save(tmp_path / "a.wav", tone(0.3), subtype="FLOAT"), RATE, 1.0)
    assert np.array_equal(target.audio[: round(0.3 * RATE)], tone(0.3).astype(np.float32))
    assert not target.audio[round(0.3 * RATE) :].any()
    assert target.treatment == ("0.70 s of silence were added at its end, to reach 1 s.",)


def test_long_sound_is_analysed_from_its_onset(tmp_path: Path) -> None:
    audio = np.concatenate([np.zeros(round(0.75 * RATE)), tone(3.0)])
    target = read_target(save(tmp_path / "a.wav", audio), RATE, 1.0)
    assert target.source["start"] == pytest.approx(0.75, abs=1.5 * FRAME)
    assert np.abs(target.audio[: round(0.02 * RATE)]).max() > 0.4
    assert target.treatment == (
        "It begins at 0.75 s; what lies before was left out.",
        "It goes on after the 1 s that were analysed; 2.00 s were left out.",
    )


def test_leading_silence_of_a_short_sound_is_left_out(tmp_path: Path) -> None:
    target = read_target(save(tmp_path / "a.wav", np.concatenate([np.zeros(RATE // 4), tone(0.5)])), RATE, 1.0)
    assert target.source["start"] == pytest.approx(0.25, abs=1.5 * FRAME)
    assert target.source["padded"] == pytest.approx(0.5, abs=1.5 * FRAME)


def test_onset_is_found_under_noise(tmp_path: Path) -> None:
    audio = np.concatenate([np.zeros(RATE), tone(2.0)]) + 0.01 * np.random.default_rng(0).standard_normal(3 * RATE)
    onset = find_onset(measure_levels(save(tmp_path / "a.wav", audio)).levels)
    assert onset == pytest.approx(1.0, abs=2 * FRAME)


def test_onset_of_a_sound_that_begins_at_once_is_zero() -> None:
    loud, fading = np.full(100, -10.0), np.linspace(0.0, -90.0, 100)
    assert find_onset(loud) == find_onset(fading) == 0.0


def test_gated_sound_begins_before_its_first_gap() -> None:
    levels = np.tile([-10.0] * 20 + [-90.0] * 20, 5)
    assert find_onset(levels) == 0.0
    assert find_onset(np.concatenate([np.full(50, -120.0), levels])) == pytest.approx(50 * FRAME)


def test_start_can_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", np.concatenate([tone(1.0), tone(1.0, hertz=880.0)]))
    target = read_target(path, RATE, 0.5, start=1.0)
    assert np.argmax(np.abs(np.fft.rfft(target.audio))) * 2 == 880
    assert target.treatment[0] == "It was analysed from 1.00 s on, as asked."
    with pytest.raises(AudioError, match=r"lasts 2\.00 s, and --start must lie within\. Received: 2"):
        read_target(path, RATE, 0.5, start=2.0)


@pytest.mark.parametrize("rate", [1000, 5512, 22050, 44099, 96000])
def test_odd_rates_and_single_samples_are_welcome(tmp_path: Path, rate: int) -> None:
    target = read_target(save(tmp_path / "a.wav", np.full(1, 0.5), rate), RATE, 0.25)
    assert target.audio.shape == (RATE // 4,)
    assert np.isfinite(target.audio).all()


def test_a_file_that_ends_early_is_used_and_said_to(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(10.0, RATE), RATE)
    assert not any("ends early" in sentence for sentence in read_target(path, RATE, 0.25).treatment)
    path.write_bytes(path.read_bytes()[:-1000])
    target = read_target(path, RATE, 0.25)
    assert target.audio.shape == (RATE // 4,)
    assert "Its file ends early; the 9." in target.treatment[0]


def test_ten_minutes_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2) as file:
        second = np.zeros((44100, 2))
        for _ in range(590):
            file.write(second)
        file.write(np.stack([tone(10.0, 44100)] * 2, axis=1))
    assert path.stat().st_size > 100e6
    tracemalloc.start()
    target = read_target(path, RATE, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert target.source["start"] == pytest.approx(590.0, abs=2 * FRAME)
    assert peak < 60e6


def test_fault_of_a_sound_is_named(tmp_path: Path) -> None:
    for name, message in bad_sounds(tmp_path).items():
        with pytest.raises(AudioError, match=message):
            read_target(tmp_path / name, RATE, 1.0)


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_what_precedes_a_sound_is_kept_beside_it(tmp_path: Path, offset: float) -> None:
    """After quiet dither, on an offset or not, a sound is cut near its begin, and the search may still move it."""
    audio = np.concatenate([np.zeros(round(0.6 * RATE)), tone(2.0)]) + offset
    audio += np.random.default_rng(0).triangular(-1.0, 0.0, 1.0, len(audio)) / 32768.0
    target = read_target(save(tmp_path / "a.wav", audio, subtype="FLOAT"), RATE, 1.0)
    assert target.source["start"] == pytest.approx(0.6, abs=0.005)
    said = any(sentence.startswith("A constant offset of 0.05 was removed") for sentence in target.treatment)
    assert said == (offset > 0.0)
    recording = target.recording
    assert recording is not None
    np.testing.assert_array_equal(target.audio, recording.audio[recording.start :][:RATE])
    assert 0.45 * RATE < recording.start < 0.55 * RATE
    assert len(recording.audio) - recording.start > 1.2 * RATE
    assert abs(float(recording.audio[: RATE // 4].mean())) < 1e-4


def test_nothing_but_an_offset_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", np.full(RATE, 0.05), subtype="FLOAT")
    with pytest.raises(AudioError, match=r"must be audible .* nothing but a constant offset in a\.wav"):
        read_target(path, RATE, 1.0)


def test_digital_silence_is_left_out_to_the_sample(tmp_path: Path, fm: Synth) -> None:
    audio = fm.render_classes(sample_classes(fm.space, 0, 1, seed=0)[0])
    path = save(tmp_path / "a.wav", np.concatenate([np.zeros(5000), audio]), subtype="FLOAT")
    target = read_target(path, RATE, fm.length)
    np.testing.assert_array_equal(target.audio, audio)
