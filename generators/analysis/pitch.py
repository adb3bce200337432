"""The pitch of notes by YIN (de Cheveigné and Kawahara 2002, as in librosa), and how well a set of pitches is met."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError

SUSTAINED = (0.1, 3.0)
"""Seconds of a note in which its pitch is measured: behind its attack, and before the notes of NSynth are released."""

AUDIBLE_DB = 30.0
"""Frames this far below the loudest are left out: what is left of a decayed note is mostly noise."""

LOWEST, HIGHEST = 20.0, 110.0
"""MIDI notes between which a pitch is searched; those of NSynth are 21 to 108."""

FRAME_SECONDS, STEPS = 0.128, 4
"""Length of an analysis frame, which must hold two periods of the lowest note, and hops to a frame."""


def estimate_pitch(audio: NDArray[np.floating[Any]], sample_rate: int) -> NDArray[np.float64]:
    """Estimate the pitch of notes: the median over the audible frames of their sustained part.

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
