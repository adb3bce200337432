"""Amplitude envelopes made of straight lines."""

from typing import Any

import numpy as np

from generators.dsp.modulation import float_type


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
    """Return the level of a held note at a time: the lower of the attack and decay lines, and the sustain level."""
    rising = time / attack
    falling = xp.maximum(1.0 - (time - attack) / decay * (1.0 - sustain), sustain)
    return xp.minimum(rising, falling)


def attack_sustain_release(
    attack: Any, sustain: Any, release: Any, samples: int, legacy: bool = False, xp: Any = np
) -> Any:
    """Return envelopes: a ramp from 0 to 1, a step to the sustain level, and a ramp from there to 0.

    With A and R for attack and release in samples, n / A up to A, and sustain (samples - 1 - n) / R for the last R. In
    `legacy` the ramps take int(A) + 1 and int(R) + 1 samples with both their ends; one sample of release is no ramp.

    Args:
        attack, release: fractions of the length, together at most 1. sustain: a level.
    Shapes: three (n,) in 0..1 -> (n, samples).
    """
    if xp is np:
        attack, sustain, release = (np.asarray(levels, np.float64) for levels in (attack, sustain, release))
    attack, sustain, release = (xp.reshape(levels, (-1, 1)) for levels in (attack, sustain, release))
    n = xp.arange(samples, dtype=float_type(sustain))
    up, down = attack * samples, release * samples
    if legacy:
        up, down = xp.floor(up), xp.floor(down)
        rises, falls = n <= up, n >= samples - 1 - down
    else:
        rises, falls = n < up, n > samples - 1 - down
    fall = xp.where(down > 0, (samples - 1 - n) / xp.maximum(down, 1e-9), 1.0)
    return xp.where(rises, n / xp.maximum(up, 1e-9), xp.where(falls, sustain * fall, sustain))
