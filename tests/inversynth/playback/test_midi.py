"""Notes out of MIDI files: timing by the tempo map, pedal, percussion, and one-line errors for broken files."""

from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import pytest
from mido import Message, MetaMessage

from generators.errors import AudioError, ParameterError
from generators.notes.pitches import note_name, note_number
from inversynth.midi_file import read_midi
from inversynth.playback.midi import Note, note_range, read_score

BEAT = 480
"""Ticks; half a second unless a tempo is set."""


def midi(path: Path, *tracks: Iterable[object], **options: int) -> Path:
    mido.MidiFile(tracks=[mido.MidiTrack(track) for track in tracks], **({"type": 1} | options)).save(path)
    return path


def on(note: int, time: int = 0, velocity: int = 100, channel: int = 0) -> Message:
    return Message("note_on", note=note, time=time, velocity=velocity, channel=channel)


def off(note: int, time: int = 0, channel: int = 0) -> Message:
    return Message("note_off", note=note, time=time, channel=channel)


def pedal(value: int, time: int = 0) -> Message:
    return Message("control_change", control=64, value=value, time=time)


def played(path: Path) -> list[tuple[int, float, float]]:
    return [(note.pitch, round(note.start, 6), round(note.start + note.held, 6)) for note in read_score(path).notes]


def test_times_follow_the_tempo_map_over_all_tracks(tmp_path: Path) -> None:
    tempo = [MetaMessage("set_tempo", tempo=1_000_000), MetaMessage("set_tempo", tempo=250_000, time=2 * BEAT)]
    path = midi(tmp_path / "a.mid", tempo, [on(60, BEAT), off(60, 2 * BEAT)], [on(64, 3 * BEAT), off(64, BEAT)])
    assert played(path) == [(60, 1.0, 2.25), (64, 2.25, 2.5)]


def test_note_on_of_velocity_0_is_a_note_off_and_velocity_is_kept(tmp_path: Path) -> None:
    path = midi(tmp_path / "a.mid", [on(60, 0, 33), on(60, BEAT, 0)])
    assert read_score(path).notes == (Note(0.0, 0.5, 60, 33),)


def test_note_that_never_ends_ends_with_the_file(tmp_path: Path) -> None:
    assert played(midi(tmp_path / "a.mid", [on(60), on(64, BEAT), off(64, BEAT)])) == [(60, 0.0, 1.0), (64, 0.5, 1.0)]


def test_equal_notes_that_overlap_end_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    path = midi(tmp_path / "a.mid", [on(60), on(60, BEAT), off(60, BEAT), off(60, BEAT)])
    assert played(path) == [(60, 0.0, 1.0), (60, 0.5, 1.5)]


def test_sustain_pedal_holds_notes_until_it_rises_or_the_key_is_struck_again(tmp_path: Path) -> None:
    track = [pedal(127), on(60), off(60, BEAT), on(64), off(64, BEAT), on(60), off(60, BEAT), pedal(0, BEAT)]
    assert played(midi(tmp_path / "a.mid", track)) == [(60, 0.0, 1.0), (64, 0.5, 2.0), (60, 1.0, 2.0)]
    without = [message for message in track if message.type != "control_change"]
    assert played(midi(tmp_path / "b.mid", without)) == [(60, 0.0, 0.5), (64, 0.5, 1.0), (60, 1.0, 1.5)]


def test_all_notes_off_ends_what_sounds_on_its_channel(tmp_path: Path) -> None:
    end = Message("control_change", control=123, value=0, time=BEAT)
    path = midi(tmp_path / "a.mid", [on(60), on(60, 0, 90, 1), end, off(60, BEAT), off(60, 0, 1)])
    assert played(path) == [(60, 0.0, 0.5), (60, 0.0, 1.0)]


def test_percussion_is_counted_and_left_out(tmp_path: Path) -> None:
    path = midi(tmp_path / "a.mid", [on(36, 0, 100, 9), off(36, BEAT, 9), on(60), off(60, BEAT)])
    score = read_score(path)
    assert [note.pitch for note in score.notes] == [60]
    assert score.percussion == 1


def test_what_cannot_be_played_is_named(tmp_path: Path) -> None:
    whole = midi(tmp_path / "whole.mid", [on(60), off(60, BEAT)]).read_bytes()
    (tmp_path / "cut.mid").write_bytes(whole[:-6])
    (tmp_path / "text.mid").write_text("no music here")
    (tmp_path / "zero.mid").touch()
    (tmp_path / "smpte.mid").write_bytes(whole[:12] + b"\xe7\x28" + whole[14:])
    (tmp_path / "still.mid").write_bytes(whole[:12] + b"\x00\x00" + whole[14:])
    midi(tmp_path / "two.mid", [on(60), off(60, BEAT)], type=2)
    midi(tmp_path / "silent.mid", [MetaMessage("track_name", name="nothing")])
    midi(tmp_path / "short.mid", [on(60), off(60)])
    midi(tmp_path / "drums.mid", [on(36, 0, 100, 9), off(36, BEAT, 9)])
    for name, message in {
        "cut.mid": "cannot read .*it ends too early",
        "text.mid": "cannot read .*Probably not a MIDI file",
        "zero.mid": "cannot read",
        "smpte.mid": "not SMPTE frames",
        "still.mid": "not SMPTE frames",
        "two.mid": "format 0 or 1. Received: format 2",
        "silent.mid": "notes that last. Received: none",
        "short.mid": "notes that last. Received: none",
        "drums.mid": r"Received: channel 10 \(percussion\) alone",
        "absent.mid": "no such MIDI file",
        ".": "a MIDI file is a file",
    }.items():
        with pytest.raises(AudioError, match=message):
            read_score(tmp_path / name)


def test_damaged_files_are_read_or_refused_and_never_fail_otherwise(tmp_path: Path) -> None:
    track = [MetaMessage("set_tempo", tempo=400_000), MetaMessage("key_signature", key="C"), pedal(127)]
    whole = midi(tmp_path / "whole.mid", [*track, *(m for n in range(60, 64) for m in (on(n), off(n, BEAT)))])
    good = np.frombuffer(whole.read_bytes(), np.uint8)
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(400):
        bad = good.copy()
        places = random.integers(4, len(bad), random.integers(1, 5))
        bad[places] = random.integers(0, 256, len(places))
        (tmp_path / "bad.mid").write_bytes(bad[: random.integers(14, len(bad) + 1)].tobytes())
        try:
            read_score(tmp_path / "bad.mid")
        except AudioError:
            refused += 1
    assert 100 < refused <= 400


def test_read_midi_returns_the_file_itself(tmp_path: Path) -> None:
    assert read_midi(midi(tmp_path / "a.mid", [on(60)])).ticks_per_beat == BEAT


@pytest.mark.parametrize(("name", "number"), [("A4", 69), ("c#3", 49), ("Bb-1", 10), ("C-1", 0), ("G9", 127)])
def test_note_names_are_numbers(name: str, number: int) -> None:
    assert note_number(name) == number
    assert note_number(note_name(number)) == number


@pytest.mark.parametrize("name", ["", "H3", "A", "G#9", "C-2", "440", "A4+20x", "A 4", "C99999"])
def test_what_is_no_note_is_named(name: str) -> None:
    with pytest.raises(ParameterError, match=r"from C-1 to G9\. Received: "):
        note_number(name)


def test_range_lays_notes_one_after_another() -> None:
    score = note_range("C3:F3", step=2, length=0.5, held=0.4, velocity=90)
    assert score.notes == (Note(0.0, 0.4, 48, 90), Note(0.5, 0.4, 50, 90), Note(1.0, 0.4, 52, 90))
    assert [note.pitch for note in note_range("A4", step=1, length=1, held=1, velocity=1).notes] == [69]


@pytest.mark.parametrize("notes", ["C5:C3", "C3:", ":C3", "C3:C4:C5", "C3-C5"])
def test_range_that_is_none_is_named(notes: str) -> None:
    with pytest.raises(ParameterError, match=r"a range of notes rises|a note is a letter"):
        note_range(notes, step=1, length=1.0, held=1.0, velocity=100)
