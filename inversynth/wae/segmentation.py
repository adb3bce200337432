"""Read the user's sounds for WAE-Fader: mono, at its rate, whole or split at onsets, each note with its pitch."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.errors import AudioError
from generators.notes.pitches import SCIENTIFIC, NoteNames, note_name
from inversynth.inputs import log_conversion
from inversynth.inversion.notes import read_notes
from inversynth.inversion.target import AUDIBLE, FRAME, Target, read_target

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

log = logging.getLogger(__name__)

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class NotePlace:
    """What is known of a note of a sound once it is encoded.

    Attributes: start: second of the sound at which it begins. seconds: its audible length. pitch: fractional MIDI note,
    by YIN. peak: its largest magnitude.
    """

    start: float
    seconds: float
    pitch: float
    peak: float

    @property
    def note(self) -> int:
        """The MIDI note nearest to its pitch."""
        return round(self.pitch)


@dataclass(frozen=True)
class SourceNote:
    """A note of a sound: its name, its place, and `audio` (samples,) at the model's rate, padded with silence."""

    name: str
    audio: Audio
    place: NotePlace


def read_whole_note(path: Path, wae: "WaeModel") -> SourceNote:
    """Read a sound as one note, from its onset; what exceeds the length of the model's notes is cut, with a log line.

    Raises: AudioError for an unreadable or silent sound.
    """
    target = read_target(path, wae.analysis.sample_rate, wae.seconds)
    (note,) = _source_notes(path, iter([target]), wae)
    return note


def segment_notes(path: Path, wae: "WaeModel") -> Iterator[SourceNote]:
    """Yield the notes of a sound, each from its onset to the next, cut to the length of the model's notes.

    One note is held at a time, whatever the length of the sound.

    Raises: AudioError for an unreadable or silent sound.
    """
    return _source_notes(path, read_notes(path, wae.analysis.sample_rate, wae.seconds), wae)


def midi_note_of(source: SourceNote, wae: "WaeModel", given: int | None = None, names: NoteNames = SCIENTIFIC) -> int:
    """Return the MIDI note to decode a sound at: the given one, else the nearest to its pitch.

    Raises: ModelError for a given note outside the model's range; AudioError for a pitch outside it.
    """
    if given is not None:
        return int(wae.check_notes(given)[0])
    low, high = wae.notes[0], wae.notes[-1]
    note = source.place.note
    if not low <= note <= high:
        raise AudioError(
            f"{wae.name} plays {note_name(low, names)} to {note_name(high, names)}. Received: {source.name}, detected "
            f"as {note_name(note, names)}. Name another note with --note"
        )
    return note


def audible_seconds(audio: Audio, sample_rate: int) -> float:
    """Return the audible length of a note: up to the last 5 ms within 40 dB of its loudest. Shapes: (samples,)."""
    size = max(1, round(FRAME * sample_rate))
    power = np.square(audio[: len(audio) // size * size], dtype=np.float64).reshape(-1, size).mean(axis=1)
    audible = np.flatnonzero(power >= power.max() * 10.0 ** (-AUDIBLE / 10.0))
    return float(audible[-1] + 1) * size / sample_rate


def _source_notes(path: Path, targets: Iterator[Target], wae: "WaeModel") -> Iterator[SourceNote]:
    from generators.analysis.pitch import estimate_pitch

    rate = wae.analysis.sample_rate
    starts: list[float] = []
    length = 0.0
    for target in targets:
        if not starts:
            length = float(target.source["length"])
            log_conversion(path, target.source["sample_rate"], target.source["channels"], rate)
        starts.append(float(target.source["start"]))
        pitch = float(estimate_pitch(target.audio[np.newaxis], rate)[0])
        if np.isnan(pitch):
            raise AudioError(f"a sound must have a pitch. Received: none in {path}. Name its note with --note")
        peak = float(np.abs(target.audio).max())
        place = NotePlace(starts[-1], audible_seconds(target.audio, rate), pitch, peak)
        yield SourceNote(target.name, target.audio, place)
    _log_cuts(path, starts, length, wae.seconds)


def _log_cuts(path: Path, starts: Sequence[float], length: float, seconds: float) -> None:
    """Log how many notes last longer than those of the model."""
    longer = sum(end - start > seconds + FRAME for start, end in itertools.pairwise([*starts, length]))
    if longer:
        which = f"{longer} of its {len(starts)} notes exceed" if len(starts) > 1 else "it exceeds"
        log.info("%s: %s the %.3g s of a note of the model; the rest is cut off", path, which, seconds)
