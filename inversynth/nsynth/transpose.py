"""Notes that a network was not trained on, made by way of the nearest one that it was.

A sound is played faster or slower until it is at a note of the network, and encoded there. Its codes are stretched to
the length of the sound, so that they mix with those of others. To decode them they are shrunk again, and the result is
played at the inverse speed: its pitch is that of the note, and its spectrum where that of the recording was. The price
is the band: made s semitones higher, a sound loses what it has above 2^(-s / 12) times half its sample rate.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import resample
from generators.notes.pitches import NoteNames, middle_c, note_name
from models.nsynth.known_notes import check_known, nearest_note

if TYPE_CHECKING:
    from pathlib import Path

    from models.nsynth.inference import NSynthCodec

MOST_SEMITONES = 48
"""Of a transposition: a sound at 16 kHz keeps what it has below 500 Hz."""

ADVICE = "Train a network on them, or pass --transpose_unknown"


def note_to_make(codec: "NSynthCodec", what: str, pitch: int | None, transpose: bool) -> int | None:
    """Return the note at which a network makes another: the same one where it knows it, or nobody knows.

    Args:
        what: whose note it is, for messages. transpose: take the nearest one that it knows.
    Raises: ModelError as `notes_to_make`.
    """
    if pitch is None:
        return None
    return notes_to_make(codec.notes, codec.loaded.path, what, (pitch,), transpose)[0]


def notes_to_make(
    known: tuple[int, ...], path: "Path", what: str, pitches: tuple[int, ...], transpose: bool
) -> tuple[int, ...]:
    """Return the notes at which a network that knows some makes others. Shapes: (n,) -> (n,).

    Raises: ModelError where it does not know one and `transpose` is not asked for, or too far from all that it knows.
    """
    if not transpose:
        check_known(what, pitches, known, path, ADVICE)
    made = tuple(nearest_note(pitch, known) for pitch in pitches)
    far = [pitch for pitch, note in zip(pitches, made, strict=True) if abs(note - pitch) > MOST_SEMITONES]
    if far:
        check_known(what, far, known, path, f"Notes are transposed by {MOST_SEMITONES} semitones at most")
    return made


def describe_note(pitch: int | None, names: NoteNames, made: int | None = None) -> str:
    """Return what output says of a note: its number, its name, how octaves are counted, and where it was made."""
    if pitch is None:
        return "no note"
    told = f"note {pitch} ({note_name(pitch, names)} where {middle_c(names)})"
    return told if made in (None, pitch) else f"{told}, by way of {made}"


def speed_between(note: int, made: int) -> float:
    """Return how many times as fast a sound at one note is played to be at another."""
    return float(2.0 ** ((made - note) / 12))


def played(audio: NDArray[np.floating[Any]], speed: float, sample_rate: int) -> NDArray[np.float32]:
    """Play a sound at another speed. Shapes: (samples,) -> (ceil(samples / speed),), to the next whole rate."""
    return resample(np.asarray(audio, np.float32), round(sample_rate * speed), sample_rate)


def stretched(codes: NDArray[np.floating[Any]], factor: float, count: int) -> NDArray[np.float64]:
    """Stretch codes in time, linearly between their middles. Shapes: (k, width) -> (count, width)."""
    places = (np.arange(count) + 0.5) / factor - 0.5
    return np.stack([np.interp(places, np.arange(len(codes)), column) for column in codes.T], axis=1)


def encode_by_way_of(
    codec: "NSynthCodec", audio: NDArray[np.floating[Any]], note: int | None, made: int | None
) -> NDArray[np.float32]:
    """Encode a sound at its note by way of another. Shapes: (samples,) -> (ceil(samples / hop), width)."""
    if note is None or made is None or made == note:
        return codec.encode(audio[np.newaxis])[0]
    speed = speed_between(note, made)
    codes = codec.encode(played(audio, speed, codec.sample_rate)[np.newaxis])[0]
    return stretched(codes, speed, -(-len(audio) // codec.hop)).astype(np.float32)


def codes_to_make(
    codes: NDArray[np.float32], samples: int, hop: int, note: int | None, made: int | None
) -> tuple[NDArray[np.float32], int]:
    """Return the codes that are decoded to make a note by way of another, and of how many samples they are.

    Shapes: (k, width) -> (l, width).
    """
    if note is None or made is None or made == note:
        return codes, samples
    speed = speed_between(note, made)
    needed = max(1, int(np.ceil(samples / speed)))
    return stretched(codes, 1 / speed, -(-needed // hop)).astype(np.float32), needed


def restored(
    audio: NDArray[np.float32], samples: int, sample_rate: int, note: int | None, made: int | None
) -> NDArray[np.float32]:
    """Play what was decoded at its own note. Shapes: at least the samples that `codes_to_make` named -> (samples,)."""
    if note is None or made is None or made == note:
        return audio[:samples]
    speed = speed_between(note, made)
    needed = max(1, int(np.ceil(samples / speed)))
    whole = resample(np.asarray(audio[:needed], np.float32), sample_rate, round(sample_rate * speed))
    return np.pad(whole, (0, max(0, samples - len(whole))))[:samples]
