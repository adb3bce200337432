"""Notes to play: from a MIDI file, or a range named by its ends.

Time follows the tempo map of the file. A note lasts until its note-off, or with the sustain pedal (controller 64) until
the pedal rises or the key is struck again. Channel 10 is percussion (General MIDI) and left out. Pitch bend, volume and
programme changes are not followed: one patch plays all.
"""

import os
from collections import defaultdict
from dataclasses import dataclass

from generators.errors import AudioError, ParameterError
from generators.notes.pitches import note_number
from inversynth.midi_file import read_midi

PERCUSSION = 9
"""The tenth channel, counted from 0 as in the file."""

PEDAL, PEDAL_DOWN = 64, 64
"""The controller of the sustain pedal, and the value from which it is down (MIDI 1.0)."""

ENDLESS = (120, 123)
"""Controllers that end all notes of a channel: all sound off, all notes off (MIDI 1.0)."""


@dataclass(frozen=True, order=True)
class Note:
    """A note: when it starts and how long it is held (seconds), its pitch and its velocity (MIDI numbers)."""

    start: float
    held: float
    pitch: int
    velocity: int = 127


@dataclass(frozen=True)
class Score:
    """Notes in order of their start, and how many of the percussion channel were left out."""

    notes: tuple[Note, ...]
    percussion: int = 0


def read_score(path: str | os.PathLike[str]) -> Score:
    """Read the notes of a MIDI file, all tracks together. Raises AudioError where there are none to play."""
    time, percussion = 0.0, 0
    channels: defaultdict[int, _Channel] = defaultdict(_Channel)
    for message in read_midi(path):
        time += message.time
        if message.is_meta or not hasattr(message, "channel"):
            continue
        if message.channel == PERCUSSION:
            percussion += message.type == "note_on" and message.velocity > 0
            continue
        channel = channels[message.channel]
        if message.type == "note_on" and message.velocity > 0:
            channel.strike(message.note, message.velocity, time)
        elif message.type in ("note_on", "note_off"):
            channel.lift(message.note, time)
        elif message.type == "control_change" and message.control == PEDAL:
            channel.tread(message.value >= PEDAL_DOWN, time)
        elif message.type == "control_change" and message.control in ENDLESS:
            channel.end(time)
    for channel in channels.values():
        channel.end(time)
    notes = sorted(note for channel in channels.values() for note in channel.notes)
    if not notes:
        only = "channel 10 (percussion) alone" if percussion else "none"
        raise AudioError(f"a MIDI file to play has notes that last. Received: {only} in {path}")
    return Score(tuple(notes), percussion)


class _Channel:
    """A channel: pressed keys, keys held by the pedal, and finished notes."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._down: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
        self._pedalled: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
        self._pedal = False

    def strike(self, pitch: int, velocity: int, time: float) -> None:
        self._close(self._pedalled, pitch, time)
        self._down[pitch].append((time, velocity))

    def lift(self, pitch: int, time: float) -> None:
        if not self._down[pitch]:
            return
        struck = self._down[pitch].pop(0)
        if self._pedal:
            self._pedalled[pitch].append(struck)
        else:
            self._add(pitch, struck, time)

    def tread(self, down: bool, time: float) -> None:
        self._pedal = down
        if not down:
            for pitch in self._pedalled:
                self._close(self._pedalled, pitch, time)

    def end(self, time: float) -> None:
        for keys in (self._pedalled, self._down):
            for pitch in keys:
                self._close(keys, pitch, time)

    def _close(self, keys: defaultdict[int, list[tuple[float, int]]], pitch: int, time: float) -> None:
        for struck in keys[pitch]:
            self._add(pitch, struck, time)
        keys[pitch] = []

    def _add(self, pitch: int, struck: tuple[float, int], time: float) -> None:
        start, velocity = struck
        if time > start:
            self.notes.append(Note(start, time - start, pitch, velocity))


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
