"""DX7 voices played: velocities and notes of a MIDI file are the voice's own, and overlapping notes sound together."""

from pathlib import Path

import mido
import numpy as np
import pytest

from generators.analysis.pitch import find_note
from generators.audio import read_audio
from generators.dx7.engine import render
from generators.dx7.sysex import write_syx
from generators.dx7.voice import Voice
from inversynth.cli import main
from inversynth.patches.formats import patch_from_voice
from inversynth.patches.patch import render_patch
from inversynth.playback.midi import Note, Score
from inversynth.playback.play import KeyInstrument, open_instrument, play

RATE = 32000
TOUCHED = Voice().replaced(
    "TOUCH",
    algorithm=4,
    op1_output_level=90,
    op1_velocity_sensitivity=7,
    op2_output_level=80,
    op2_velocity_sensitivity=7,
    op1_rate_4=70,
)
"""A pair of operators, louder and brighter with the velocity."""


def brightness(audio: np.ndarray) -> float:
    """Return the centroid of a spectrum in hertz."""
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    return float((power * np.fft.rfftfreq(len(audio), 1.0 / RATE)).sum() / power.sum())


def midi_file(path: Path, notes: list[tuple[int, int, float, float]]) -> Path:
    """Write notes (key, velocity, start, end) at 120 beats a minute."""
    events = [(start, "note_on", key, velocity) for key, velocity, start, _ in notes]
    events += [(end, "note_off", key, 0) for key, _, _, end in notes]
    track, now = mido.MidiTrack(), 0
    for time, kind, key, velocity in sorted(events):
        ticks = round(time * 960)
        track.append(mido.Message(kind, note=key, velocity=velocity, time=ticks - now))
        now = ticks
    mido.MidiFile(type=0, ticks_per_beat=480, tracks=[track]).save(path)
    return path


def test_velocity_changes_level_and_brightness_as_the_voice_says() -> None:
    instrument = open_instrument(patch_from_voice(TOUCHED))
    assert isinstance(instrument, KeyInstrument)
    soft, loud = (instrument.render(Note(0.0, 0.5, 60, velocity))[: RATE // 2] for velocity in (30, 120))
    assert np.square(loud).mean() > 10.0 * np.square(soft).mean()
    assert brightness(loud) > 1.3 * brightness(soft)
    np.testing.assert_array_equal(loud, render(TOUCHED, 60, 120, 0.5, 1.5, RATE)[0, : RATE // 2])


def test_a_midi_file_keeps_its_velocities_and_overlapping_notes_add(tmp_path: Path) -> None:
    notes = [(48, 30, 0.0, 1.0), (55, 120, 0.25, 1.0), (64, 90, 0.5, 0.75), (48, 127, 0.5, 1.5)]
    write_syx(tmp_path / "touch.syx", [TOUCHED])
    song = midi_file(tmp_path / "song.mid", notes)
    assert main(["play", "touch.syx", "--midi", str(song), "--output", "song.wav"]) == 0
    found = read_audio(tmp_path / "song.wav").audio
    wanted = np.zeros(len(found), np.float32)
    # the second C3 takes the first one's key, which is lifted at 1 s: notes of one key end in the order they began
    for key, velocity, start, end in notes:
        sound = open_instrument(patch_from_voice(TOUCHED)).render(Note(start, end - start, key, velocity))
        wanted[round(start * RATE) :][: len(sound)] += sound[: len(wanted) - round(start * RATE)]
    gain = min(1.0, 1.0 / float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted * gain, atol=1e-5)


def test_the_notes_of_a_chord_are_all_heard(tmp_path: Path) -> None:
    instrument = open_instrument(patch_from_voice(Voice()))
    chord = tuple(Note(0.0, 1.0, key, 100) for key in (60, 64, 67))
    play(instrument, Score(chord), tmp_path / "chord.wav")
    sound = read_audio(tmp_path / "chord.wav").audio[:RATE]
    power = np.abs(np.fft.rfft(sound * np.hanning(RATE)))
    for key in (60, 64, 67):
        place = round(440.0 * 2.0 ** ((key - 69) / 12.0))
        assert power[place - 3 : place + 4].max() > 100.0 * np.median(power)
    alone = sum(instrument.render(note)[:RATE] for note in chord)
    np.testing.assert_allclose(sound, alone / max(float(np.abs(alone).max()), 1.0), atol=2e-3)


def test_a_range_is_played_at_the_velocity_of_the_patch_or_at_another(tmp_path: Path) -> None:
    write_syx(tmp_path / "touch.syx", [TOUCHED])
    words = ["play", "touch.syx", "--notes", "C4", "--length", "1"]
    assert main([*words, "--output", "own.wav"]) == 0
    own = read_audio(tmp_path / "own.wav").audio
    np.testing.assert_array_equal(
        own[: round(0.75 * RATE)], render_patch(patch_from_voice(TOUCHED))[: round(0.75 * RATE)]
    )
    assert main([*words, "--velocity", "40", "--output", "soft.wav"]) == 0
    soft = read_audio(tmp_path / "soft.wav").audio
    assert np.square(soft).sum() < 0.2 * np.square(own).sum()


@pytest.mark.parametrize("transpose", [24, 36])
def test_keys_beyond_midi_are_left_out_and_transposition_is_the_voices_own(transpose: int) -> None:
    voice = Voice().replaced(transpose=transpose)
    instrument = open_instrument(patch_from_voice(voice))
    found = find_note(instrument.render(Note(0.0, 1.0, 57, 100)), RATE)
    assert found is not None
    assert found.midi == pytest.approx(57 + transpose - 24, abs=0.05)
    assert instrument.values(128)[1] == 0
    assert instrument.values(127)[1] == 1


LOUD = Voice().replaced("LOUD", algorithm=31, **{f"op{k}_output_level": 99 for k in range(1, 7)})
"""Six carriers at full level: a peak of 6."""


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["play", "loud.syx", "--notes", "C3:C5", "--step", "12", "--output", "out.wav"], "out.wav"),
        (["play", "loud.syx", "--notes", "C3:C5", "--step", "12", "--separate", "--output", "."], "*_C?.wav"),
        (["export", "loud.syx", "--format", "wav", "--output", "out.wav"], "out.wav"),
        (["vary", "loud.syx", "--count", "2", "--output_dir", "."], "*.wav"),
        (["morph", "loud.syx", "loud.syx", "--steps", "2", "--output_dir", "."], "*.wav"),
    ],
)
def test_no_sound_leaves_above_full_scale_and_a_line_says_so(
    words: list[str],
    written: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_syx("loud.syx", [LOUD])
    with caplog.at_level("INFO"):
        assert main(words) == 0
    peaks = [float(np.abs(read_audio(path).audio).max()) for path in tmp_path.rglob(written)]
    assert max(peaks) == pytest.approx(1.0, abs=1e-4)
    assert any(message.startswith("turned down by 1") for message in caplog.messages)
