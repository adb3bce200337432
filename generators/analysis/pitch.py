"""What pitch a sound has: over time, as one note, for many notes at once, and how well a set of pitches is met.

`track_pitch` and `find_note` use SWIPE' (`generators.analysis.pitch_strength`), followed over time by dynamic
programming; `estimate_pitch`, for data sets of notes, uses YIN (de Cheveigné and Kawahara 2002, as in librosa). Whether
a sound is one note at all is for `generators.analysis.polyphony` to say.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.pitch_strength import (
    CANDIDATES,
    CERTAIN,
    STEP,
    VOICED,
    exact_note,
    exact_pitch,
    frame_levels,
    mean_pitch,
    pitch_strength,
    strongest_path,
)
from generators.errors import DatasetError

SUSTAINED = (0.1, 3.0)
"""Seconds of a note in which its pitch is measured: behind its attack, and before the notes of NSynth are released."""

AUDIBLE_DB = 30.0
"""Frames this far below the loudest are left out: what is left of a decayed note is mostly noise."""

LOWEST, HIGHEST = 20.0, 110.0
"""MIDI notes between which a pitch is searched; those of NSynth are 21 to 108."""

FRAME_SECONDS, STEPS = 0.128, 4
"""Length of an analysis frame, which must hold two periods of the lowest note, and hops to a frame."""

LEAST_CERTAIN = 0.1
"""Certainty from which on a sound counts as pitched; 99 % of the notes of SoundFonts C2 to C7 reach 0.4."""


@dataclass(frozen=True)
class PitchTrack:
    """The pitch of a sound over time, one frame each 10 ms.

    Shapes, all (frames,): `times` s; `frequency` Hz, also where nothing is voiced; `voiced`; `confidence` 0..1.
    """

    times: NDArray[np.float64]
    frequency: NDArray[np.float64]
    voiced: NDArray[np.bool_]
    confidence: NDArray[np.float64]


@dataclass(frozen=True)
class NotePitch:
    """The pitch of a whole sound: `midi` with a fraction, and how certain it is, 0..1."""

    midi: float
    confidence: float


def track_pitch(audio: ArrayLike, sample_rate: int) -> PitchTrack:
    """Follow the pitch of a sound, 26 to 4,700 Hz. Shapes: (samples,)."""
    strength = pitch_strength(audio, sample_rate)
    path = strongest_path(strength)
    found = strength[np.arange(len(path)), path]
    levels = frame_levels(audio, sample_rate, len(path))
    confidence = np.asarray(np.clip((found - VOICED) / (CERTAIN - VOICED), 0.0, 1.0), np.float64)
    voiced = (found > VOICED) & (levels > levels.max() - AUDIBLE_DB)
    times = np.arange(len(path), dtype=np.float64) * STEP
    frequency, _ = exact_pitch(audio, sample_rate, _refined(strength, path), np.arange(len(path)))
    return PitchTrack(times, frequency, voiced, confidence)


def find_note(audio: ArrayLike, sample_rate: int) -> NotePitch | None:
    """Return the pitch of a sound as a whole, its loud moments counting most; None for noise and silence.

    Shapes: (samples,).
    """
    sound = np.asarray(audio, np.float32)
    if not sound.any():
        return None
    strength = pitch_strength(sound, sample_rate)
    levels = frame_levels(sound, sample_rate, len(strength))
    midi, confidence = mean_pitch(strength, levels)
    if confidence < LEAST_CERTAIN:
        return None
    return NotePitch(
        exact_note(sound, sample_rate, midi, np.flatnonzero(levels > levels.max() - AUDIBLE_DB)), confidence
    )


def estimate_pitch(audio: NDArray[np.floating[Any]], sample_rate: int) -> NDArray[np.float64]:
    """Estimate the pitch of notes by YIN: the median over the audible frames of their sustained part.

    The figures of the note systems (docs/nsynth.md, gansynth.md, wae.md) were measured by it, so it stays until they
    are measured by `track_pitch` anew.

    Shapes: (n, samples) -> (n,) MIDI notes, in fractions of a semitone; NaN for silence.
    """
    import librosa

    begin, end = (round(seconds * sample_rate) for seconds in SUSTAINED)
    frame = STEPS * round(FRAME_SECONDS * sample_rate / STEPS)
    step = frame // STEPS
    part = np.asarray(audio, np.float32)[:, begin:end]
    if part.shape[1] < frame:
        part = np.asarray(audio, np.float32)
    if part.shape[1] < frame:
        part = np.pad(part, ((0, 0), (0, frame - part.shape[1])))
    found = np.full(len(part), np.nan)
    lowest, highest = librosa.midi_to_hz([LOWEST, HIGHEST])
    for number, sound in enumerate(part):
        level = librosa.feature.rms(y=sound, frame_length=frame, hop_length=step)[0]
        if level.max() <= 0.0:
            continue
        hertz = librosa.yin(
            sound, fmin=lowest, fmax=min(highest, sample_rate / 4), sr=sample_rate, frame_length=frame, hop_length=step
        )
        audible = level > level.max() * 10.0 ** (-AUDIBLE_DB / 20.0)
        found[number] = np.median(librosa.hz_to_midi(hertz[audible]))
    return found


def pitch_accuracy(estimated: NDArray[np.floating[Any]], expected: NDArray[Any]) -> tuple[float, float]:
    """Return the fraction of pitches within a semitone of what is expected, and the fraction octaves away from it.

    A note without an expected pitch (NaN) does not count; one without an estimate counts as wrong.

    Shapes: (n,) and (n,) MIDI notes.
    Raises: DatasetError where no note has an expected pitch.
    """
    counted = np.isfinite(expected)
    if not counted.any():
        raise DatasetError("some notes must have a pitch. Received: silence alone")
    off = np.where(np.isfinite(estimated), estimated, np.inf)[counted] - expected[counted]
    octaves = np.round(np.where(np.isfinite(off), off, 6.0) / 12.0)  # 6 semitones off: wrong, and by no octave
    near = np.abs(off) <= 1.0
    return float(near.mean()), float(((octaves != 0) & (np.abs(off - 12.0 * octaves) <= 1.0)).mean())


def _refined(strength: NDArray[np.float64], path: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the frequency of a path, each frame moved to the top of a parabola."""
    inner = np.clip(path, 1, strength.shape[1] - 2)
    rows = np.arange(len(path))
    low, peak, high = (strength[rows, inner + side] for side in (-1, 0, 1))
    bend = low - 2.0 * peak + high
    shift = np.where(bend < 0.0, 0.5 * (low - high) / np.minimum(bend, -1e-12), 0.0)
    return np.asarray(CANDIDATES[inner] * (CANDIDATES[1] / CANDIDATES[0]) ** np.clip(shift, -1.0, 1.0))
