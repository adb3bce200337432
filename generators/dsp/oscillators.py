"""Band-limited classic waveforms, zero-phase at note-on: each starts at 0 and rises (the square jumps up).

Saw and square carry polynomial band-limited steps (PolyBLEP), the triangle its integral (PolyBLAMP), with the
instantaneous frequency as width. So no waveform has a hard jump, and gradients reach every frequency.
Source: Valimaki, Pekonen, Nam 2012 (PolyBLEP); Esqueda, Valimaki, Bilbao 2016 (PolyBLAMP).

Shapes, throughout: phase in cycles and width in cycles per sample, both (…, samples) -> (…, samples) in -1..1.
Where width exceeds a quarter of a cycle the residuals of neighbouring corners meet; only the nearer one counts.
"""

from math import pi
from typing import Any

import numpy as np

MINIMUM_WIDTH = 1e-9
"""Cycles per sample: keeps the residual finite at the instant the modulated frequency crosses zero."""


def sine(phase: Any, width: Any = None, xp: Any = np) -> Any:
    """Return sin(2 pi phase); `width` is taken for the sake of a common signature."""
    return xp.sin(2.0 * pi * (phase - xp.floor(phase)))


def saw(phase: Any, width: Any, xp: Any = np) -> Any:
    """Return a rising saw: 2 phase until half a cycle, where it falls from 1 to -1 within two samples."""
    cycle = _fraction(phase + 0.5, xp)
    overlap = _overlap(xp.minimum(cycle, 1.0 - cycle), width, xp)
    return 2.0 * cycle - 1.0 + xp.where(cycle < 0.5, overlap**2, -(overlap**2))


def square(phase: Any, width: Any, xp: Any = np) -> Any:
    """Return the sign of the sine, each edge spread over two samples."""
    cycle = _fraction(phase, xp)
    half = xp.where(cycle < 0.5, cycle, cycle - 0.5)
    overlap = _overlap(xp.minimum(half, 0.5 - half), width, xp)
    level = 1.0 - overlap**2
    return xp.where(cycle < 0.5, level, -level)


def triangle(phase: Any, width: Any, xp: Any = np) -> Any:
    """Return a symmetric triangle, each corner rounded over two samples."""
    from_peak = xp.abs(_fraction(phase + 0.25, xp) - 0.5)
    overlap = _overlap(xp.minimum(from_peak, 0.5 - from_peak), width, xp)
    rounding = 4.0 / 3.0 * width * overlap**3
    return 1.0 - 4.0 * from_peak + xp.where(from_peak > 0.25, rounding, -rounding)


def step_width(frequency: Any, sample_rate: int, xp: Any = np) -> Any:
    """Return abs(frequency)/sample_rate, the cycles that pass in a sample."""
    return xp.abs(frequency) / sample_rate


def _fraction(phase: Any, xp: Any) -> Any:
    return phase - xp.floor(phase)


def _overlap(distance: Any, width: Any, xp: Any) -> Any:
    """How much of the two-sample residual reaches here: 1 at the corner, 0 a sample away."""
    return xp.maximum(1.0 - distance / xp.maximum(width, MINIMUM_WIDTH), 0.0)
