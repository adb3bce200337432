"""Read the user's sounds for WAE-Fader: mono, at its rate, whole or split at onsets, each note with its pitch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.errors import AudioError
from generators.notes.pitches import note_name
from inversynth.inputs import log_conversion
from inversynth.inversion.target import AUDIBLE, FRAME, Target, read_notes, read_target

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

log = logging.getLogger(__name__)

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class SourceNote:
    """A note of a sound.

    Attributes: name. audio: (samples,) at the model's rate, padded with silence. start: second of the sound at which it
    begins. seconds: its audible length. pitch: fractional MIDI note, by YIN.
    """

    name: str
    audio: Audio
    start: float
    seconds: float
    pitch: float

    @property
    def note(self) -> int:
        """The MIDI note nearest to its pitch."""
        return round(self.pitch)


def read_whole_note(path: Path, wae: "WaeModel") -> SourceNote:
    """Read a sound as one note, from its onset; what exceeds the length of the model's notes is cut, with a log line.

    Raises: AudioError for an unreadable or silent sound.
    """
    target = read_target(path, wae.analysis.sample_rate, wae.seconds)
    return _source_notes(path, [target], wae)[0]


def segment_notes(path: Path, wae: "WaeModel") -> list[SourceNote]:
    """Read a sound note by note, each from its onset to the next, cut to the length of the model's notes.

    Raises: AudioError for an unreadable or silent sound.
    """
    return _source_notes(path, list(read_notes(path, wae.analysis.sample_rate, wae.seconds)), wae)


def midi_note_of(source: SourceNote, wae: "WaeModel", given: int | None = None) -> int:
    """Return the MIDI note to decode a sound at: the given one, else the nearest to its pitch.

    Raises: ModelError for a given note outside the model's range; AudioError for a pitch outside it.
    """
    if given is not None:
        return int(wae.check_notes(given)[0])
    low, high = wae.notes[0], wae.notes[-1]
    if not low <= source.note <= high:
        raise AudioError(
            f"{wae.name} plays {note_name(low)} to {note_name(high)}. Received: {source.name}, detected as "
            f"{note_name(source.note)}. Name another note with --note"
        )
    return source.note


def audible_seconds(audio: Audio, sample_rate: int) -> float:
    """Return the audible length of a note: up to the last 5 ms within 40 dB of its loudest. Shapes: (samples,)."""
    size = max(1, round(FRAME * sample_rate))
    power = np.square(audio[: len(audio) // size * size], dtype=np.float64).reshape(-1, size).mean(axis=1)
    audible = np.flatnonzero(power >= power.max() * 10.0 ** (-AUDIBLE / 10.0))
    return float(audible[-1] + 1) * size / sample_rate


def _source_notes(path: Path, targets: Sequence[Target], wae: "WaeModel") -> list[SourceNote]:
    from generators.analysis.pitch import estimate_pitch

    rate = wae.analysis.sample_rate
    original = targets[0].source
    log_conversion(path, original["sample_rate"], original["channels"], rate)
    _log_cuts(path, targets, wae.seconds)
    pitches = estimate_pitch(np.stack([target.audio for target in targets]), rate)
    if np.isnan(pitches).any():
        raise AudioError(f"a sound must have a pitch. Received: none in {path}. Name its note with --note")
    return [
        SourceNote(target.name, target.audio, target.source["start"], audible_seconds(target.audio, rate), float(pitch))
        for target, pitch in zip(targets, pitches, strict=True)
    ]


def _log_cuts(path: Path, targets: Sequence[Target], seconds: float) -> None:
    """Log how many notes last longer than those of the model."""
    starts = [float(target.source["start"]) for target in targets]
    ends = [*starts[1:], float(targets[0].source["length"])]
    longer = sum(end - start > seconds + FRAME for start, end in zip(starts, ends, strict=True))
    if longer:
        which = f"{longer} of its {len(starts)} notes exceed" if len(starts) > 1 else "it exceeds"
        log.info("%s: %s the %.3g s of a note of the model; the rest is cut off", path, which, seconds)
