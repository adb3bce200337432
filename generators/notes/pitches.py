"""MIDI numbers of notes: from names, from numbers and from lists of both."""

import re

from generators.errors import ParameterError

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_number(name: str) -> int:
    """Return the MIDI number of a note name such as A4 (69), C#3, Bb2. Raises ParameterError."""
    import librosa  # an import of a second

    try:
        number = int(librosa.note_to_midi(name)) if name[-1:].isdigit() else -1
    except librosa.ParameterError:
        number = -1
    if not 0 <= number <= 127:
        raise ParameterError(f"a note is a letter, # or b, and an octave, from C-1 to G9. Received: '{name}'")
    return number


def note_name(pitch: int) -> str:
    """Return the name of a MIDI number: 69 is A4, 49 is C#3."""
    octave, place = divmod(pitch, 12)
    return f"{NAMES[place]}{octave - 1}"


def midi_number(text: str) -> int:
    """Parse a MIDI number, 0..127, from digits or a note name. Raises ParameterError."""
    text = text.strip()
    if not re.fullmatch(r"\d+", text):
        return note_number(text)
    digits = text.lstrip("0") or "0"
    if len(digits) > 3 or int(digits) > 127:
        raise ParameterError(f"MIDI numbers run from 0 to 127. Received: {text}")
    return int(digits)


def note_list(text: str) -> tuple[int, ...]:
    """Return the MIDI numbers, rising, of a list such as `60,62`, `24:84:4` (ends and step), `C3:C5` or both.

    Raises: ParameterError for anything else.
    """
    numbers: set[int] = set()
    for part in text.strip("[]() ").split(","):
        ends = part.split(":")
        if not part.strip() or len(ends) > 3 or (len(ends) == 3 and not re.fullmatch(r"\s*[1-9]\d{0,2}\s*", ends[2])):
            raise ParameterError(f"notes are listed as 60,62 or 24:84:4 or C3:C5. Received: '{text}'")
        first = midi_number(ends[0])
        last = midi_number(ends[1]) if len(ends) > 1 else first
        if last < first:
            raise ParameterError(f"a range of notes rises. Received: {part.strip()}. Write it as {ends[1]}:{ends[0]}")
        numbers |= set(range(first, last + 1, int(ends[2]) if len(ends) == 3 else 1))
    return tuple(sorted(numbers))
