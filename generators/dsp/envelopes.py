"""Amplitude envelopes made of straight lines."""

from typing import Any

import numpy as np


def adsr(time: Any, attack: Any, decay: Any, sustain: Any, release: Any, note_length: float, xp: Any = np) -> Any:
    """Return an ADSR envelope of linear segments.

    Attack rises 0 -> 1, decay falls 1 -> sustain, which holds until note-off at `note_length`. Release starts from
    the level reached at note-off (a note shorter than its attack never reaches 1) and takes `release` seconds to 0.

    Shapes: time (samples,) s; attack, decay, release (batch, 1) s > 0; sustain (batch, 1) in 0..1.
    Returns (batch, samples) in 0..1.
    """
    falling = 1.0 - xp.maximum(time - note_length, 0.0) / release
    return held_level(xp.minimum(time, note_length), attack, decay, sustain, xp) * xp.maximum(falling, 0.0)


def held_level(time: Any, attack: Any, decay: Any, sustain: Any, xp: Any = np) -> Any:
    """Return the level of a held note at a time: the lower of the attack line and the decay line, and its floor."""
    rising = time / attack
    falling = xp.maximum(1.0 - (time - attack) / decay * (1.0 - sustain), sustain)
    return xp.minimum(rising, falling)
