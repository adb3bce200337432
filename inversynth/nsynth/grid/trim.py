"""What becomes of a note after the network: clicks out, one level for all, and cut to begin at once and end in silence.

Source: open-nsynth-super, audio pipeline, but for its round trip through MP3, of which it gives no reason.
"""

import numpy as np
from numpy.typing import NDArray

JUMP = 1.0
"""Difference of two samples, up and at once down again, that is a click."""

LEVEL_DB = -12.0
"""Peak of a finished note in decibels of full scale: four of them can sound at once."""

SEARCH_SECONDS = 0.25
"""Beginning of a note in which its onset is looked for."""

ONSET = 0.1
"""The onset is where a note first exceeds this part of its largest sample within the search."""

BACK = 16
"""Samples that a note begins before its onset."""

FADE = 8
"""Samples over which a note rises from 0 at its beginning, and falls to 0 at its end."""


def level_note(audio: NDArray[np.floating]) -> NDArray[np.float32]:
    """Take clicks out of a note and give it a peak of -12 dB; silence stays silent. Shapes: (samples,) -> the same."""
    audio = np.array(audio, np.float32)
    jumps = np.abs(np.diff(audio)) > JUMP
    for click in np.flatnonzero(jumps[:-1] & jumps[1:]) + 1:
        audio[click] = (audio[click - 1] + audio[click + 1]) / 2
    peak = float(np.abs(audio).max(initial=0.0))
    return audio * np.float32(10 ** (LEVEL_DB / 20) / peak) if peak else audio


def onset(audio: NDArray[np.number], sample_rate: int) -> int:
    """Return the sample at which a note is cut to begin: just before its onset, or 0. Shapes: audio (samples,)."""
    searched = np.abs(audio[: int(SEARCH_SECONDS * sample_rate)].astype(np.float64))
    return max(0, int(np.argmax(searched > ONSET * searched.max(initial=0.0))) - BACK)


def cut_note(audio: NDArray[np.int16], sample_rate: int, length: int) -> NDArray[np.int16]:
    """Cut a note to a length, from its onset on, with silence behind where it is too short, and fade both ends.

    Shapes: (samples,) -> (length,).
    """
    part = audio[onset(audio, sample_rate) :][:length].astype(np.float32)
    part = np.pad(part, (0, length - len(part)))
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    part[:FADE] *= ramp
    part[-FADE:] *= ramp[::-1]
    return part.astype(np.int16)


def samples_needed(length: int, sample_rate: int) -> int:
    """Return how many samples of a note its cut can reach to: its onset lies at most so far in."""
    return length + max(0, int(SEARCH_SECONDS * sample_rate) - 1 - BACK)
