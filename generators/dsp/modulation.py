"""Frequency modulation by phase: the integral of the instantaneous frequency in closed form."""

from math import pi
from typing import Any

import numpy as np


def sample_times(samples: int, sample_rate: int, xp: Any = np, dtype: str = "float64") -> Any:
    """Return the time of each sample in seconds, shape (samples,); the first is 0."""
    return xp.arange(samples, dtype=dtype) / sample_rate


def float_type(array: Any) -> str:
    """Return the name of an array's float type, the same word for every backend ('float64', …)."""
    return str(getattr(array.dtype, "name", array.dtype)).removeprefix("torch.")


def fm_phase(time: Any, frequency: Any, rate: Any, depth: Any, xp: Any = np) -> tuple[Any, Any]:
    """Return the phase and the instantaneous frequency of a sinusoidally modulated oscillator.

    Frequency modulation with peak deviation `depth`: f(t) = frequency + depth sin(2 pi rate t), whose integral is
    frequency t + depth/(2 pi rate) (1 - cos(2 pi rate t)).

    Shapes: time (samples,) s; frequency, rate, depth (batch, 1) Hz, rate > 0. Returns two (batch, samples): phase in
    cycles, zero at time 0, and hertz (negative where the deviation exceeds the carrier: the phase runs backwards).
    """
    angle = 2.0 * pi * rate * time
    phase = frequency * time + depth / (2.0 * pi * rate) * (1.0 - xp.cos(angle))
    return phase, frequency + depth * xp.sin(angle)


def gater(time: Any, frequency: Any, xp: Any = np) -> Any:
    """Return the tremolo gain (1 + sin(2 pi f t))/2, (batch, samples) in 0..1; frequency (batch, 1) Hz."""
    return 0.5 + 0.5 * xp.sin(2.0 * pi * frequency * time)
