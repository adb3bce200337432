"""Sounds of one's own as a WAE-Fader takes them: mono, at its rate, whole or note by note, each with its pitch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.errors import AudioError
from generators.notes.pitches import note_name
from inversynth.inversion.target import AUDIBLE, FRAME, Target, read_notes, read_target
from inversynth.nsynth.encode import tell_conversion

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

log = logging.getLogger(__name__)

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """A note of a sound.

    Attributes: name; audio (samples,) at the model's rate, filled up with silence; start, the second of the sound at
    which it begins; seconds for which it is heard; pitch in MIDI, by YIN, in fractions.
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


def hear_note(path: Path, maker: "WaeModel") -> Heard:
    """Read a sound as one note, from its onset; what lasts longer than the model's notes is cut, and that is logged.

    Raises: AudioError for what cannot be read, or silence.
    """
    target = read_target(path, maker.analysis.sample_rate, maker.seconds)
    return _heard(path, [target], maker)[0]


def hear_notes(path: Path, maker: "WaeModel") -> list[Heard]:
    """Read a sound note by note, each from its onset to the next, or as much of it as a note of the model lasts.

    Raises: AudioError for what cannot be read, or silence.
    """
    return _heard(path, list(read_notes(path, maker.analysis.sample_rate, maker.seconds)), maker)


def note_of(heard: Heard, maker: "WaeModel", given: int | None = None) -> int:
    """Return the note that a sound is decoded at: the one given, or the nearest to its pitch.

    Raises: ModelError for one given that the model does not know; AudioError for a pitch that it does not know.
    """
    if given is not None:
        return int(maker.check_notes(given)[0])
    low, high = maker.notes[0], maker.notes[-1]
    if not low <= heard.note <= high:
        raise AudioError(
            f"{maker.name} plays {note_name(low)} to {note_name(high)}. Received: {heard.name}, heard at "
            f"{note_name(heard.note)}. Name another note with --note"
        )
    return heard.note


def heard_seconds(audio: Audio, sample_rate: int) -> float:
    """Return for how long a note is heard: up to the last 5 ms within 40 dB of its loudest. Shapes: (samples,)."""
    size = max(1, round(FRAME * sample_rate))
    power = np.square(audio[: len(audio) // size * size], dtype=np.float64).reshape(-1, size).mean(axis=1)
    audible = np.flatnonzero(power >= power.max() * 10.0 ** (-AUDIBLE / 10.0))
    return float(audible[-1] + 1) * size / sample_rate


def _heard(path: Path, targets: Sequence[Target], maker: "WaeModel") -> list[Heard]:
    from models.notes.metrics import track

    rate = maker.analysis.sample_rate
    source = targets[0].source
    tell_conversion(path, source["sample_rate"], source["channels"], rate)
    _tell_cuts(path, targets, maker.seconds)
    pitches = track(np.stack([target.audio for target in targets]), rate)
    if np.isnan(pitches).any():
        raise AudioError(f"a sound must have a pitch. Received: none in {path}. Name its note with --note")
    return [
        Heard(target.name, target.audio, target.source["start"], heard_seconds(target.audio, rate), float(pitch))
        for target, pitch in zip(targets, pitches, strict=True)
    ]


def _tell_cuts(path: Path, targets: Sequence[Target], seconds: float) -> None:
    """Log how many notes last longer than those of the model."""
    starts = [float(target.source["start"]) for target in targets]
    ends = [*starts[1:], float(targets[0].source["length"])]
    longer = sum(end - start > seconds + FRAME for start, end in zip(starts, ends, strict=True))
    if longer:
        whose = f"{longer} of its {len(starts)} notes go" if len(starts) > 1 else "it goes"
        log.info("%s: %s on beyond the %.3g s of a note of the model, which is left out", path, whose, seconds)
