"""Notes out of MIDI files: timing by the tempo map, pedal, percussion, and one-line errors for broken files."""

import struct
import time
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import pytest
from mido import Message, MetaMessage

from generators.errors import AudioError, ParameterError
from generators.notes.pitches import note_name, note_number
from inversynth.midi_file import MOST_BYTES, read_midi
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
    (tmp_path / "cut.mid").write_bytes(whole[:13])
    (tmp_path / "text.mid").write_text("no music here")
    (tmp_path / "zero.mid").touch()
    (tmp_path / "smpte.mid").write_bytes(whole[:12] + b"\x80\x28" + whole[14:])
    (tmp_path / "empty.mid").write_bytes(whole[:14])
    (tmp_path / "still.mid").write_bytes(whole[:12] + b"\x00\x00" + whole[14:])
    midi(tmp_path / "silent.mid", [MetaMessage("track_name", name="nothing")])
    midi(tmp_path / "short.mid", [on(60), off(60)])
    midi(tmp_path / "drums.mid", [on(36, 0, 100, 9), off(36, BEAT, 9)])
    for name, message in {
        "cut.mid": "cannot read .*a header that ends too early",
        "empty.mid": "cannot read .*no track",
        "text.mid": "cannot read .*Probably not a MIDI file",
        "zero.mid": "cannot read",
        "smpte.mid": "128 SMPTE frames a second, not 24, 25, 29 or 30",
        "still.mid": "not SMPTE frames",
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


# --- files that players accept, written by code ---------------------------------------------------------------------

C4 = b"\0\x90\x3c\x64\x60\x80\x3c\0"
"""Middle C at velocity 100 for 96 ticks."""

END = b"\0\xff\x2f\0"


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return name + struct.pack(">I", len(content) if size is None else size) + content


def song(*tracks: bytes, form: int = 0, count: int | None = None, division: int = 96) -> bytes:
    head = struct.pack(">HHH", form, len(tracks) if count is None else count, division)
    return chunk(b"MThd", head) + b"".join(chunk(b"MTrk", track) for track in tracks)


WHOLE = song(C4 + END)


@pytest.mark.parametrize(
    ("content", "mended"),
    [
        (song(b"\0\x90\x3c\xff\x60\x80\x3c\xff" + END), "2 data bytes above 127"),
        (song(b"\0\x90\xc8\x64" + C4 + END), "1 data bytes above 127"),
        (song(b"\0\xff\x59\x02\x08\0" + C4 + END), ""),
        (song(b"\0\xff\x59\0" + C4 + END), ""),
        (song(b"\0\xff\x51\x03\0\0\0" + C4 + END), "a tempo of nothing, left out"),
        (song(b"\0\xff\x51\x01\x01" + C4 + END), "a tempo of nothing, left out"),
        (song(b"\0\xf4\0\xf2\1\2" + C4 + END), ""),
        (song(b"\0\xf0\2\1\2" + C4 + END), ""),
        (WHOLE[:-4], "a track that is cut off"),
        (song(C4 + b"\0\x90\x3c"), "track 1, which is damaged at byte 32, left out from there"),
        (song(C4 + b"\xff" * 50), "track 1, which is damaged at byte 30, left out from there"),
        (song(C4), ""),
        (song(C4 + END, count=3), "the header counts 3 tracks, the file has 1"),
        (song(C4 + END, form=7), "format 7, read as format 1"),
        (chunk(b"MThd", struct.pack(">HHH", 0, 1, 96) + b"\0" * 4) + WHOLE[14:], ""),
        (chunk(b"MThd", WHOLE[8:14], 2**32 - 1) + WHOLE[14:], "a header of 4294967295 bytes, read as 6"),
        (WHOLE[:14] + chunk(b"MTrk", C4 + END, 2**32 - 1), "a track that is cut off"),
        (WHOLE[:14] + chunk(b"MTrk", C4 + END, 0), "a track of a wrong size"),
        (WHOLE[:14] + chunk(b"XFIH", b"abcd") + WHOLE[14:], ""),
        (b"\0" * 128 + WHOLE, "128 bytes before the header"),
        (WHOLE + b"\xff" * 500, "bytes that belong to no chunk"),
        (b"RIFF" + struct.pack("<I", 4 + 8 + len(WHOLE)) + b"RMIDdata" + struct.pack("<I", len(WHOLE)) + WHOLE, ""),
        (
            b"RIFF\xff\xff\xff\xffRMIDDISP" + struct.pack("<I", 3) + b"abc\0data" + struct.pack("<I", 2**31) + WHOLE,
            "",
        ),
    ],
)
def test_what_players_accept_is_read_and_what_was_mended_is_reported_in_one_line(
    tmp_path: Path, content: bytes, mended: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    first = read_score(path).notes[0]
    assert (first.start, first.held, first.pitch) == (0.0, 0.5, 60)
    assert caplog.messages == ([f"mended {path}: {mended}"] if mended else [])


def test_velocity_above_127_is_the_highest(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(song(b"\0\x90\x3c\xff\x60\x80\x3c\0" + END))
    assert read_score(tmp_path / "a.mid").notes == (Note(0.0, 0.5, 60, 127),)


@pytest.mark.parametrize(("frames", "rate"), [(24, 24.0), (25, 25.0), (29, 29.97), (30, 30.0)])
def test_time_in_smpte_frames_ignores_the_tempo(tmp_path: Path, frames: int, rate: float) -> None:
    tempo = b"\0\xff\x51\x03\x01\0\0"
    (tmp_path / "a.mid").write_bytes(song(tempo + C4 + END, division=(256 - frames) << 8 | 40))
    assert read_score(tmp_path / "a.mid").notes[0].held == pytest.approx(96 / 40 / rate, rel=1e-4)


def test_tracks_of_format_2_follow_each_other_in_their_own_tempo(tmp_path: Path) -> None:
    slow = b"\0\xff\x51\x03" + (1_000_000).to_bytes(3, "big") + C4 + b"\x60" + END[1:]
    (tmp_path / "a.mid").write_bytes(song(slow, C4 + END, form=2))
    assert played(tmp_path / "a.mid") == [(60, 0.0, 1.0), (60, 2.0, 2.5)]


def test_running_status_outlasts_a_meta_event(tmp_path: Path) -> None:
    text = b"\x60\xff\x01\x02hi"
    (tmp_path / "a.mid").write_bytes(song(b"\0\x90\x3c\x64" + text + b"\0\x3c\0" + END))
    assert played(tmp_path / "a.mid") == [(60, 0.0, 0.5)]
    assert [event.text for event in read_midi(tmp_path / "a.mid") if event.kind == "text"] == ["hi"]


def test_file_larger_than_any_song_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a.mid").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(AudioError, match="a MIDI file has at most 67"):
        read_score(tmp_path / "a.mid")
    monkeypatch.setattr("inversynth.midi_file.MOST_EVENTS", 1000)
    (tmp_path / "b.mid").write_bytes(song(b"\0\xb0\7\1" + b"\0\7\1" * 1000))
    with pytest.raises(AudioError, match="more than 1000 events"):
        read_score(tmp_path / "b.mid")


def control(number: int, value: int, time: int = 0, channel: int = 0) -> Message:
    return Message("control_change", control=number, value=value, time=time, channel=channel)


def test_all_notes_off_waits_for_the_pedal_and_all_sound_off_does_not(tmp_path: Path) -> None:
    for number, end in ((123, 1.5), (120, 0.5)):
        track = [pedal(127), on(60), control(number, 0, BEAT), off(60, BEAT), pedal(0, BEAT)]
        assert played(midi(tmp_path / "a.mid", track)) == [(60, 0.0, end)]


def test_sostenuto_holds_the_keys_that_were_down_and_no_others(tmp_path: Path) -> None:
    track = [on(60), control(66, 127, BEAT), off(60, BEAT), on(64), off(64, BEAT), control(66, 0, BEAT)]
    assert played(midi(tmp_path / "a.mid", track)) == [(60, 0.0, 2.0), (64, 1.0, 1.5)]
    both = [pedal(127), *track, pedal(0, BEAT)]
    assert played(midi(tmp_path / "b.mid", both)) == [(60, 0.0, 2.5), (64, 1.0, 2.5)]
    late = [control(66, 127), on(60), off(60, BEAT), control(66, 0, BEAT)]
    assert played(midi(tmp_path / "c.mid", late)) == [(60, 0.0, 0.5)]


def test_reset_of_all_controllers_lifts_the_pedals(tmp_path: Path) -> None:
    track = [pedal(127), on(60), control(66, 127), off(60, BEAT), control(121, 0, BEAT), on(62, BEAT), off(62, BEAT)]
    assert played(midi(tmp_path / "a.mid", track)) == [(60, 0.0, 1.0), (62, 1.5, 2.0)]


def test_equal_notes_of_two_tracks_end_with_their_own_track(tmp_path: Path) -> None:
    path = midi(tmp_path / "a.mid", [on(60), off(60, 4 * BEAT)], [on(60, BEAT), off(60, BEAT)])
    assert played(path) == [(60, 0.0, 2.0), (60, 0.5, 1.0)]
    crossed = midi(tmp_path / "b.mid", [on(60)], [off(60, BEAT)], [on(62, 2 * BEAT), off(62, BEAT)])
    assert played(crossed) == [(60, 0.0, 0.5), (62, 1.0, 1.5)]


def bend(value: int, time: int = 0, channel: int = 0) -> Message:
    return Message("pitchwheel", pitch=value, time=time, channel=channel)


def test_pitch_bend_follows_its_channel_in_the_range_of_the_file(tmp_path: Path) -> None:
    wide = [control(101, 0), control(100, 0), control(6, 12), control(38, 50), control(101, 127), control(6, 24)]
    first = [bend(8191), on(60), bend(-8192, BEAT), off(60, BEAT), *wide, on(62), off(62, BEAT)]
    other = [on(60, 0, 100, 1), off(60, BEAT, 1)]
    notes = read_score(midi(tmp_path / "a.mid", first, other)).notes
    bent, straight, wider = notes if notes[0].bend else (notes[1], notes[0], notes[2])
    assert bent.bend == pytest.approx(2.0, abs=1e-3)
    assert bent.curve is not None
    assert [list(part) for part in bent.curve.within(0.0, 1.0)] == [[0.5], [-2.0]]
    assert bent.is_bent_within
    assert not straight.curve
    assert wider.bend == -12.5
    assert not wider.is_bent_within


def test_a_crowd_of_equal_notes_and_pedals_takes_no_time(tmp_path: Path) -> None:
    crowd = b"\0\x90\x3c\x64" * 10_000 + b"\0\xb0\x42\x7f\0\xb0\x42\0" * 10_000 + b"\0\xe0\0\x40\0\xe0\0\x41" * 10_000
    (tmp_path / "a.mid").write_bytes(song(crowd + b"\x60\x80\x3c\0" + b"\0\x80\x3c\0" * 9_999 + END))
    before = time.perf_counter()
    score = read_score(tmp_path / "a.mid")
    assert len({note.bend for note in score.notes}) == 1
    assert len(score.notes) == 10_000
    assert time.perf_counter() - before < 20.0


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
