"""Reading MIDI files as players do: what playback and patches share.

Files out of old programs break the standard in small ways that every player accepts. What can be read is read, and what
was mended is said: data bytes above 127, wrong sizes of chunks, missing tracks, a cut end, bytes before the header.
Formats 0, 1 and 2, time in beats or in SMPTE frames, alone or in a RIFF container (RMID).

Source: MIDI 1.0 Detailed Specification and Standard MIDI Files 1.0 (MIDI Manufacturers Association).
"""

import logging
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from generators.errors import AudioError, os_reason
from generators.files import check_readable_file

log = logging.getLogger(__name__)

MOST_BYTES = 64 << 20
"""Of a file; long ones hold sampled sounds in system exclusive messages. A symphony has less than one megabyte."""

MOST_EVENTS = 1_000_000
"""Of a file, all tracks together: a dense hour has some 100,000, and a million take 300 MB."""

MOST_BEFORE = 1024
"""Bytes that may stand before the header: those of MacBinary are 128."""

BEAT = 500_000
"""Microseconds of a quarter note until a tempo is set."""

FRAMES = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}
"""Frames per second of the four SMPTE formats, by the number in the file."""

TOP = 127
"""The largest data byte."""

CHANNEL_KINDS = {
    **{0x8: "note_off", 0x9: "note_on", 0xA: "key_pressure", 0xB: "control_change"},
    **{0xC: "program_change", 0xD: "channel_pressure", 0xE: "pitch_bend"},
}
"""Messages of a channel, by the upper half of their status."""

SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system messages that have any; they have no place in a file, and are passed over."""

TEXT, END_OF_TRACK, SET_TEMPO = 0x01, 0x2F, 0x51
"""Types of meta events."""


class MidiEvent(NamedTuple):
    """An event: its time (ticks of its track while it is read, then seconds), its track, and its data.

    A note has `first` as its number and `second` as its velocity; a control change the controller and its value; a
    pitch bend the bend in `first`, -8192..8191. Channels count from 0, as in the file. A text event has `text` alone.
    """

    time: float
    track: int
    kind: str
    channel: int = 0
    first: int = 0
    second: int = 0
    text: str = ""


@dataclass(frozen=True)
class MidiFile:
    """A MIDI file: its events in order of time, and what was mended, in words."""

    form: int
    ticks_per_beat: int
    events: tuple[MidiEvent, ...]
    mended: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[MidiEvent]:
        return iter(self.events)


class _DamageError(Exception):
    """The rest of a track cannot be read."""


def read_midi(path: str | os.PathLike[str]) -> MidiFile:
    """Read a MIDI file; what was mended in it is logged in one line.

    Raises: AudioError where it is none, holds no track or is larger than any song.
    """
    path = Path(path)
    check_readable_file(path, "MIDI file", AudioError, most_bytes=MOST_BYTES)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AudioError(f"cannot read {path} as a MIDI file. Received: {os_reason(error)}") from None
    try:
        file = _Reader(data).read()
    except ValueError as error:
        raise AudioError(f"cannot read {path} as a MIDI file (format 0, 1 or 2). Received: {error}") from None
    if file.mended:
        log.info("mended %s: %s", path, "; ".join(file.mended))
    return file


class _Reader:
    """Reads the bytes of one file, and gathers what it mends."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._mended: dict[str, None] = {}
        self._events = 0
        self._above = 0
        self._damaged: list[str] = []

    def read(self) -> MidiFile:
        """Read all. Raises ValueError with what was received in place of a MIDI file."""
        place = self._find_header()
        form, count, division, place = self._read_header(place)
        tracks: list[tuple[list[MidiEvent], list[tuple[int, int]], int]] = []
        for number, (start, end) in enumerate(self._find_tracks(place)):
            tracks.append(self._read_track(number, start, end))
        if not tracks:
            raise ValueError("no track (MTrk) after the header")
        if len(tracks) != count:
            self._mend(f"the header counts {count} tracks, the file has {len(tracks)}")
        if self._damaged:
            others = f" and {len(self._damaged) - 1} more" if len(self._damaged) > 1 else ""
            self._mend(f"{self._damaged[0]}{others}, left out from there")
        if self._above:
            self._mend(f"{self._above} data bytes above {TOP}")
        if form == 2:
            events = _in_sequence(tracks, division)
        else:
            tempos = sorted((tempo for _, found, _ in tracks for tempo in found), key=lambda tempo: tempo[0])
            clock = _Clock(division, tempos)
            merged = sorted((event for found, _, _ in tracks for event in found), key=attrgetter("time"))
            events = [event._replace(time=clock.seconds(event.time)) for event in merged]
        return MidiFile(form, max(division, 0), tuple(events), tuple(self._mended))

    def _mend(self, what: str) -> None:
        self._mended[what] = None

    # --- chunks ---

    def _find_header(self) -> int:
        data, start = self._data, 0
        if data[:4] == b"RIFF" and data[8:12] == b"RMID":
            place = 12
            while data[place : place + 4] != b"data":
                size = int.from_bytes(data[place + 4 : place + 8], "little")
                place += 8 + size + size % 2
                if place + 8 > len(data):
                    raise ValueError("a RIFF container without data")
            start = place + 8
        found = data.find(b"MThd", start, start + MOST_BEFORE + 4)
        if found < 0:
            raise ValueError("no header (MThd). Probably not a MIDI file")
        if found > start:
            self._mend(f"{found - start} bytes before the header")
        return found

    def _read_header(self, place: int) -> tuple[int, int, int, int]:
        data = self._data
        if place + 14 > len(data):
            raise ValueError("a header that ends too early")
        size = int.from_bytes(data[place + 4 : place + 8], "big")
        form, count, division = (int.from_bytes(data[at : at + 2], "big") for at in (place + 8, place + 10, place + 12))
        if size < 6 or place + 8 + size > len(data):
            self._mend(f"a header of {size} bytes, read as 6")
            size = 6
        if form > 2:
            self._mend(f"format {form}, read as format 1")
            form = 1
        if division >= 0x8000:  # two's complement of frames per second, then ticks per frame
            frames, ticks = 256 - (division >> 8), division & 255
            if frames not in FRAMES or not ticks:
                raise ValueError(f"{ticks} ticks in each of {frames} SMPTE frames a second, not 24, 25, 29 or 30")
            return form, count, -(frames << 8 | ticks), place + 8 + size
        if not division:
            raise ValueError("0 ticks per beat, not SMPTE frames either. Export it in beats")
        return form, count, division, place + 8 + size

    def _find_tracks(self, place: int) -> Iterator[tuple[int, int]]:
        """Iterate over where the events of each track begin and end."""
        data = self._data
        while place + 8 <= len(data):
            name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
            start, end = place + 8, place + 8 + size
            if name != b"MTrk":
                if end > len(data) or not _is_name(name):
                    end = data.find(b"MTrk", place + 1)
                    self._mend("bytes that belong to no chunk")
                    if end < 0:
                        return
                place = end
                continue
            if end > len(data):
                self._mend("a track that is cut off")
                end = len(data)
            elif end < len(data) and not _is_name(data[end : end + 4]) and data[end - 3 : end] != b"\xff\x2f\0":
                found = data.find(b"MTrk", start)
                end = len(data) if found < 0 else found
                self._mend("a track of a wrong size")
            yield start, end
            place = end

    # --- events ---

    def _read_track(self, number: int, place: int, end: int) -> tuple[list[MidiEvent], list[tuple[int, int]], int]:
        """Return the events of a track, its tempo changes as (tick, microseconds), and its length in ticks."""
        events: list[MidiEvent] = []
        tempos: list[tuple[int, int]] = []
        tick = running = 0
        try:
            while place < end:
                delta, place = self._quantity(place, end)
                tick += delta
                if place >= end:
                    raise _DamageError
                status = self._data[place]
                if status >= 0x80:
                    place += 1
                    running = status if status < 0xF0 else running  # players keep it over meta events
                else:
                    status = running
                self._events += 1
                if self._events > MOST_EVENTS:
                    raise ValueError(f"more than {MOST_EVENTS} events")
                if not status:
                    raise _DamageError
                if status < 0xF0:
                    place = self._channel_message(number, tick, status, place, end, events)
                elif status in (0xF0, 0xF7):
                    size, place = self._quantity(place, end)
                    place = self._beyond(place, size, end)
                elif status == 0xFF:
                    kind, (size, start) = self._byte(place, end), self._quantity(place + 1, end)
                    place = self._beyond(start, size, end)
                    content = self._data[start:place]
                    if kind == END_OF_TRACK:
                        return events, tempos, tick
                    if kind == SET_TEMPO:
                        self._tempo(content, tick, tempos)
                    elif kind == TEXT:
                        events.append(MidiEvent(tick, number, "text", text=content.decode("latin-1")))
                else:
                    place = self._beyond(place, SYSTEM_BYTES.get(status, 0), end)
        except _DamageError:
            self._damaged.append(f"track {number + 1}, which is damaged at byte {place}")
        return events, tempos, tick

    def _channel_message(
        self, number: int, tick: int, status: int, place: int, end: int, events: list[MidiEvent]
    ) -> int:
        """Read a message of a channel and return the place after it."""
        kind, channel = CHANNEL_KINDS[status >> 4], status & 15
        first = self._byte(place, end)
        if kind in ("program_change", "channel_pressure"):
            return place + 1
        second = self._byte(place + 1, end)
        self._above += (first > TOP) + (second > TOP)
        if first > TOP and kind != "pitch_bend":
            return place + 2  # no such note or controller
        first, second = min(first, TOP), min(second, TOP)
        if kind == "pitch_bend":
            events.append(MidiEvent(tick, number, kind, channel, (second << 7 | first) - 8192))
        elif kind != "key_pressure":
            events.append(MidiEvent(tick, number, kind, channel, first, second))
        return place + 2

    def _tempo(self, content: bytes, tick: int, tempos: list[tuple[int, int]]) -> None:
        microseconds = int.from_bytes(content[:3], "big")
        if len(content) < 3 or not microseconds:
            self._mend("a tempo of nothing, left out")
        else:
            tempos.append((tick, microseconds))

    def _byte(self, place: int, end: int) -> int:
        if place >= end:
            raise _DamageError
        return self._data[place]

    def _beyond(self, place: int, size: int, end: int) -> int:
        if place + size > end:
            raise _DamageError
        return place + size

    def _quantity(self, place: int, end: int) -> tuple[int, int]:
        """Read a variable-length quantity of up to four bytes: its value, and the place after it."""
        value = 0
        for at in range(place, min(place + 4, end)):
            value = value << 7 | self._data[at] & 127
            if self._data[at] < 128:
                return value, at + 1
        raise _DamageError


def _is_name(name: bytes) -> bool:
    """Return whether four bytes may name a chunk."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


class _Clock:
    """Seconds of ticks.

    Args:
        division: ticks per beat, or minus (frames << 8 | ticks per frame). tempos: (tick, microseconds), sorted.
    """

    def __init__(self, division: int, tempos: list[tuple[int, int]]) -> None:
        if division < 0:
            self._ticks, self._seconds = [0], [0.0]
            self._rates = [1.0 / (FRAMES[-division >> 8] * (-division & 255))]
            return
        self._ticks, self._seconds, self._rates = [0], [0.0], [BEAT * 1e-6 / division]
        for tick, microseconds in tempos:
            self._seconds.append(self.seconds(tick))
            self._ticks.append(tick)
            self._rates.append(microseconds * 1e-6 / division)

    def seconds(self, tick: float) -> float:
        """Return the time of a tick."""
        last = bisect_right(self._ticks, tick) - 1
        return self._seconds[last] + (tick - self._ticks[last]) * self._rates[last]


def _in_sequence(tracks: list[tuple[list[MidiEvent], list[tuple[int, int]], int]], division: int) -> list[MidiEvent]:
    """Return the events of independent tracks, one track after another, each in its own tempo."""
    events: list[MidiEvent] = []
    start = 0.0
    for found, tempos, ticks in tracks:
        clock = _Clock(division, tempos)
        events += [event._replace(time=start + clock.seconds(event.time)) for event in found]
        start += clock.seconds(ticks)
    return events
