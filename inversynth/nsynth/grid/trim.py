"""Post-processing of decoded notes: clicks removed, one peak level, trimmed to the onset and faded at both ends.

Source: open-nsynth-super, audio pipeline, without its round trip through MP3, for which it gives no reason.
"""

import numpy as np
from numpy.typing import NDArray

JUMP = 1.0
"""Difference between samples which, followed by another as large, marks a click."""

LEVEL_DB = -12.0
"""Peak of a finished note in decibels of full scale: four notes can sound at once."""

SEARCH_SECONDS = 0.25
"""Length of the beginning of a note in which its onset is searched."""

ONSET = 0.1
"""The onset is where a note first exceeds this fraction of its peak within the search."""

BACK = 16
"""Samples kept before the onset."""

FADE = 8
"""Samples of the fade from 0 at the beginning, and to 0 at the end."""


def level_note(audio: NDArray[np.floating]) -> NDArray[np.float32]:
    """Remove clicks from a note and set its peak to -12 dB; silence stays silent. Shapes: (samples,) -> the same."""
    audio = np.array(audio, np.float32)
    jumps = np.abs(np.diff(audio)) > JUMP
    for click in np.flatnonzero(jumps[:-1] & jumps[1:]) + 1:
        audio[click] = (audio[click - 1] + audio[click + 1]) / 2
    peak = float(np.abs(audio).max(initial=0.0))
    return audio * np.float32(10 ** (LEVEL_DB / 20) / peak) if peak else audio


def onset(audio: NDArray[np.number], sample_rate: int) -> int:
    """Return the sample at which the trimmed note begins: just before its onset, or 0. Shapes: audio (samples,)."""
    searched = np.abs(audio[: int(SEARCH_SECONDS * sample_rate)].astype(np.float64))
    return max(0, int(np.argmax(searched > ONSET * searched.max(initial=0.0))) - BACK)


def cut_note(audio: NDArray[np.int16], sample_rate: int, length: int) -> NDArray[np.int16]:
    """Cut a note to a length from its onset on, padded with silence where it is too short, and fade both ends.

    Shapes: (samples,) -> (length,).
    """
    part = audio[onset(audio, sample_rate) :][:length].astype(np.float32)
    part = np.pad(part, (0, length - len(part)))
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    part[:FADE] *= ramp
    part[-FADE:] *= ramp[::-1]
    return part.astype(np.int16)


def samples_needed(length: int, sample_rate: int) -> int:
    """Return how many samples of a note a cut of this length can need: the latest onset, and the length."""
    return length + max(0, int(SEARCH_SECONDS * sample_rate) - 1 - BACK)
