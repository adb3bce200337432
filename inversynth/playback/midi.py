"""Notes to play: from a MIDI file, or a range named by its ends.

Time follows the tempo map of the file. A note lasts until its note-off; with the sustain pedal (controller 64), or with
the sostenuto pedal (66) if its key was down as that was pressed, until the pedal rises or the key is struck again. All
notes off (123) lifts the keys and waits for the pedals, all sound off (120) does not. Channel 10 is percussion (General
MIDI) and left out. Volume and programme changes are not followed: one patch plays all.
"""

import os
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from generators.errors import AudioError, ParameterError
from generators.notes.pitches import note_number
from inversynth.midi_file import MidiEvent, read_midi

PERCUSSION = 9
"""The tenth channel, counted from 0 as in the file."""

SUSTAIN, SOSTENUTO, PEDAL_DOWN = 64, 66, 64
"""The controllers of the two pedals, and the value from which they are down (MIDI 1.0)."""

ALL_SOUND_OFF, RESET_CONTROLLERS = 120, 121
ALL_NOTES_OFF = frozenset({123, 124, 125, 126, 127})
"""All notes off, and the changes of mode, which imply it (MIDI 1.0)."""

DATA_COARSE, DATA_FINE = 6, 38
PARAMETER_FINE, PARAMETER_COARSE = 100, 101
OTHER_PARAMETER = (98, 99)
"""Controllers that set a registered parameter, and those that select one that is not registered."""

BEND_RANGE = (0, 0)
"""The registered parameter that holds the range of the pitch bend: semitones in its coarse byte, cents in its fine."""

SEMITONES = 2.0
"""Range of the pitch bend until a file sets it (General MIDI)."""


class BendCurve:
    """Pitch bend of a channel over time: constant from each change to the next."""

    def __init__(self) -> None:
        self._times = [0.0]
        self._semitones = [0.0]

    def __bool__(self) -> bool:
        return len(self._semitones) > 1

    def change(self, time: float, semitones: float) -> None:
        """Add a change; times never fall."""
        if semitones != self._semitones[-1]:
            self._times.append(time)
            self._semitones.append(semitones)

    def at(self, time: float) -> float:
        """Return the bend at a time, in semitones."""
        return self._semitones[bisect_right(self._times, time) - 1]

    def within(self, start: float, end: float) -> tuple[Sequence[float], Sequence[float]]:
        """Return the times of the changes after `start` and before `end`, and the semitones from each on."""
        first, last = bisect_right(self._times, start), bisect_left(self._times, end)
        return self._times[first:last], self._semitones[first:last]


@dataclass(frozen=True, order=True)
class Note:
    """A note: when it starts and how long it is held (seconds), its pitch and its velocity (MIDI numbers).

    `curve` is the pitch bend of its channel, None where that never bends.
    """

    start: float
    held: float
    pitch: int
    velocity: int = 127
    curve: BendCurve | None = field(default=None, compare=False, repr=False)

    @property
    def bend(self) -> float:
        """Pitch bend at the start of the note, in semitones."""
        return self.curve.at(self.start) if self.curve else 0.0

    @property
    def is_bent_within(self) -> bool:
        """Whether the pitch bend changes while the note is held."""
        return bool(self.curve and self.curve.within(self.start, self.start + self.held)[0])


@dataclass(frozen=True)
class Score:
    """Notes in order of their start, and how many of the percussion channel were left out."""

    notes: tuple[Note, ...]
    percussion: int = 0


def read_score(path: str | os.PathLike[str]) -> Score:
    """Read the notes of a MIDI file, all tracks together. Raises AudioError where there are none to play."""
    time, percussion = 0.0, 0
    channels: defaultdict[int, _Channel] = defaultdict(_Channel)
    for event in read_midi(path):
        time = event.time
        if event.channel == PERCUSSION:
            percussion += event.kind == "note_on" and event.second > 0
        elif event.kind != "text":
            channels[event.channel].follow(event)
    for channel in channels.values():
        channel.end(time)
    notes = sorted(note for channel in channels.values() for note in channel.notes)
    if not notes:
        only = "channel 10 (percussion) alone" if percussion else "none"
        raise AudioError(f"a MIDI file to play has notes that last. Received: {only} in {path}")
    return Score(tuple(notes), percussion)


@dataclass(frozen=True)
class _Struck:
    """A key that was struck: its number among those of its channel, its start in seconds and its velocity."""

    number: int
    start: float
    velocity: int


class _Channel:
    """A channel: keys that are down, notes that a pedal holds, and finished notes.

    Two notes of one key are told apart by their tracks. Every event takes about the same time, however many notes
    sound.
    """

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._down: defaultdict[int, dict[int, deque[_Struck]]] = defaultdict(dict)
        self._sustained: defaultdict[int, list[_Struck]] = defaultdict(list)
        self._captured: defaultdict[int, list[_Struck]] = defaultdict(list)
        self._struck = 0
        self._sustain = self._sostenuto = False
        self._capture = 0  # keys struck before this one, and still down, belong to the sostenuto pedal
        self._curve = BendCurve()
        self._bend, self._range = 0, SEMITONES
        self._parameter = (127, 127)  # coarse and fine; 127, 127 is none

    def follow(self, event: MidiEvent) -> None:
        """Follow an event of this channel."""
        time = event.time
        if event.kind == "note_on" and event.second > 0:
            self._strike(event, time)
        elif event.kind in ("note_on", "note_off"):
            self._lift(event.first, event.track, time)
        elif event.kind == "pitch_bend":
            self._bend = event.first
            self._curve.change(time, self._bend / 8192 * self._range)
        elif event.kind == "control_change":
            self._control(event.first, event.second, time)

    def end(self, time: float) -> None:
        """End all notes, and the channel's curve with them."""
        for keys in (self._sustained, self._captured):
            for pitch in keys:
                self._close(keys, pitch, time)
        for pitch, tracks in self._down.items():
            for keys_down in tracks.values():
                for struck in keys_down:
                    self._add(pitch, struck, time)
            tracks.clear()

    def _control(self, control: int, value: int, time: float) -> None:
        if control == SUSTAIN:
            self._set_sustain(value >= PEDAL_DOWN, time)
        elif control == SOSTENUTO:
            self._set_sostenuto(value >= PEDAL_DOWN, time)
        elif control == ALL_SOUND_OFF:
            self.end(time)
        elif control in ALL_NOTES_OFF:
            for pitch, tracks in self._down.items():
                for keys_down in tracks.values():
                    for struck in keys_down:
                        self._release(pitch, struck, time)
                tracks.clear()
        elif control == RESET_CONTROLLERS:
            self._set_sustain(False, time)
            self._set_sostenuto(False, time)
            self._bend = 0
            self._curve.change(time, 0.0)
        elif control == PARAMETER_COARSE:
            self._parameter = value, self._parameter[1]
        elif control == PARAMETER_FINE:
            self._parameter = self._parameter[0], value
        elif control in OTHER_PARAMETER:
            self._parameter = 127, 127
        elif control in (DATA_COARSE, DATA_FINE) and self._parameter == BEND_RANGE:
            coarse, cents = divmod(self._range, 1.0)
            self._range = value + cents if control == DATA_COARSE else coarse + min(value, 99) / 100
            self._curve.change(time, self._bend / 8192 * self._range)

    def _strike(self, event: MidiEvent, time: float) -> None:
        for held in (self._sustained, self._captured):
            self._close(held, event.first, time)
        struck = _Struck(self._struck, time, event.second)
        self._down[event.first].setdefault(event.track, deque()).append(struck)
        self._struck += 1

    def _lift(self, pitch: int, track: int, time: float) -> None:
        tracks = self._down[pitch]
        if not tracks:
            return
        found = track if track in tracks else next(iter(tracks))
        struck = tracks[found].popleft()
        if not tracks[found]:
            del tracks[found]
        self._release(pitch, struck, time)

    def _release(self, pitch: int, struck: _Struck, time: float) -> None:
        """End a note whose key was lifted, unless a pedal holds it."""
        if self._sostenuto and struck.number < self._capture:
            self._captured[pitch].append(struck)
        elif self._sustain:
            self._sustained[pitch].append(struck)
        else:
            self._add(pitch, struck, time)

    def _set_sustain(self, down: bool, time: float) -> None:
        self._sustain = down
        if not down:
            for pitch in self._sustained:
                self._close(self._sustained, pitch, time)

    def _set_sostenuto(self, down: bool, time: float) -> None:
        if down and not self._sostenuto:
            self._capture = self._struck
        self._sostenuto = down
        if not down:
            for pitch in self._captured:
                if self._sustain:
                    self._sustained[pitch] += self._captured[pitch]
                    self._captured[pitch] = []
                else:
                    self._close(self._captured, pitch, time)

    def _close(self, keys: defaultdict[int, list[_Struck]], pitch: int, time: float) -> None:
        for struck in keys[pitch]:
            self._add(pitch, struck, time)
        keys[pitch] = []

    def _add(self, pitch: int, struck: _Struck, time: float) -> None:
        if time > struck.start:
            self.notes.append(Note(struck.start, time - struck.start, pitch, struck.velocity, self._curve))


def note_range(notes: str, *, step: int, length: float, held: float, velocity: int) -> Score:
    """Return the notes of `C3:C5` (or of one name) in sequence.

    Args:
        step: semitones. length: seconds from one start to the next. held: seconds. velocity: 1..127.
    Raises: ParameterError for an unknown name or a range that falls.
    """
    first, _, last = notes.partition(":")
    low = note_number(first.strip())
    high = note_number(last.strip()) if ":" in notes else low
    if high < low:
        raise ParameterError(f"a range of notes rises. Received: {notes}. Write it as {last.strip()}:{first.strip()}")
    pitches = range(low, high + 1, step)
    return Score(tuple(Note(place * length, held, pitch, velocity) for place, pitch in enumerate(pitches)))
