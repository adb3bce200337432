"""MIDI numbers of notes: from names, from numbers and from lists of both.

A name means a number only with the octave that middle C, 60, is counted in: see `MIDDLE_C`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from generators.errors import ParameterError

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

NoteNames = Literal["scientific", "course", "yamaha"]
"""How octaves are counted: scientific pitch notation; the SOPI course and the Open NSynth Super, whose lowest note, C2,
is 24; or as Yamaha counts, and Ableton Live and Logic after it."""

SCIENTIFIC: NoteNames = "scientific"

MIDDLE_C: Mapping[NoteNames, int] = {"scientific": 4, "course": 5, "yamaha": 3}
"""Octave of middle C, MIDI number 60."""


def note_number(name: str, names: NoteNames = SCIENTIFIC) -> int:
    """Return the MIDI number of a note name such as A4 (69), C#3, Bb2. Raises ParameterError."""
    import librosa  # an import of a second

    shift = 12 * (MIDDLE_C[names] - MIDDLE_C[SCIENTIFIC])
    try:
        number = int(librosa.note_to_midi(name)) - shift if name[-1:].isdigit() else -1
    except librosa.ParameterError:
        number = -1
    if not 0 <= number <= 127:
        ends = f"from {note_name(0, names)} to {note_name(127, names)}"
        raise ParameterError(f"a note is a letter, # or b, and an octave, {ends}. Received: '{name}'")
    return number


def note_name(pitch: int, names: NoteNames = SCIENTIFIC) -> str:
    """Return the name of a MIDI number: 69 is A4, 49 is C#3."""
    octave, place = divmod(pitch, 12)
    return f"{NAMES[place]}{octave - 5 + MIDDLE_C[names]}"


def middle_c(names: NoteNames) -> str:
    """Say how octaves are counted, for output: `middle C is C5`."""
    return f"middle C is C{MIDDLE_C[names]}"


def note_ranges(pitches: Iterable[int]) -> str:
    """Write MIDI numbers as `note_list` reads them, in few words: `60`, `24:84` or `60:84:4,90`."""
    rest, parts = sorted(set(pitches)), list[str]()
    while rest:
        step = rest[1] - rest[0] if len(rest) > 1 else 1
        count = next((n for n in range(1, len(rest)) if rest[n] - rest[n - 1] != step), len(rest))
        count = count if count > 2 else 1
        parts.append(str(rest[0]) if count == 1 else f"{rest[0]}:{rest[count - 1]}{f':{step}' if step > 1 else ''}")
        rest = rest[count:]
    return ",".join(parts)


def describe_notes(pitches: Iterable[int], names: NoteNames = SCIENTIFIC) -> str:
    """Say in output which notes there are: numbers, names, and how octaves are counted."""
    held = sorted(set(pitches))
    ends = dict.fromkeys((note_name(held[0], names), note_name(held[-1], names)))
    return f"the notes {note_ranges(held)} ({' to '.join(ends)} where {middle_c(names)})"


def midi_number(text: str, names: NoteNames = SCIENTIFIC) -> int:
    """Parse a MIDI number, 0..127, from digits or a note name. Raises ParameterError."""
    text = text.strip()
    if not re.fullmatch(r"\d+", text):
        return note_number(text, names)
    digits = text.lstrip("0") or "0"
    if len(digits) > 3 or int(digits) > 127:
        raise ParameterError(f"MIDI numbers run from 0 to 127. Received: {text}")
    return int(digits)


def note_list(text: str, names: NoteNames = SCIENTIFIC) -> tuple[int, ...]:
    """Return the MIDI numbers, rising, of a list such as `60,62`, `24:84:4` (ends and step), `C3:C5` or both.

    Raises: ParameterError for anything else.
    """
    numbers: set[int] = set()
    for part in text.strip("[]() ").split(","):
        ends = part.split(":")
        if not part.strip() or len(ends) > 3 or (len(ends) == 3 and not re.fullmatch(r"\s*[1-9]\d{0,2}\s*", ends[2])):
            raise ParameterError(f"notes are listed as 60,62 or 24:84:4 or C3:C5. Received: '{text}'")
        first = midi_number(ends[0], names)
        last = midi_number(ends[1], names) if len(ends) > 1 else first
        if last < first:
            raise ParameterError(f"a range of notes rises. Received: {part.strip()}. Write it as {ends[1]}:{ends[0]}")
        numbers |= set(range(first, last + 1, int(ends[2]) if len(ends) == 3 else 1))
    return tuple(sorted(numbers))
