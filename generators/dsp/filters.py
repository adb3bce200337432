"""The resonant low-pass of the RBJ cookbook (R. Bristow-Johnson, Audio EQ Cookbook), second order.

Cutoff and Q are constant within a sound, so the filter is one multiplication of spectra on a zero-padded transform:
exact up to the tail beyond the padding (below -100 dB for the settings of `fm`), and differentiable.
"""

from math import pi
from typing import Any

import numpy as np

from generators.dsp.fourier import fast_length, irfft, rfft

TAIL = 1.0
"""Seconds of zero padding. The slowest pole of `fm` (200 Hz, Q 0.01) decays by 109 dB in that time."""


def lowpass_coefficients(cutoff: Any, q: Any, sample_rate: int, xp: Any = np) -> tuple[Any, Any, Any, Any, Any]:
    """Return b0, b1, b2, a1, a2 of the low-pass, normalised to a0 = 1; cutoff in Hz below sample_rate / 2, q > 0."""
    angle = 2.0 * pi * cutoff / sample_rate
    cosine, alpha = xp.cos(angle), xp.sin(angle) / (2.0 * q)
    a0 = 1.0 + alpha
    b1 = (1.0 - cosine) / a0
    return b1 / 2.0, b1, b1 / 2.0, -2.0 * cosine / a0, (1.0 - alpha) / a0


def frequency_response(coefficients: tuple[Any, ...], length: int, xp: Any = np, dtype: str = "float64") -> Any:
    """Evaluate a biquad on the bins of a transform of `length` samples.

    Shapes: coefficients (batch, 1) each. Returns real and imaginary parts, (batch, length//2 + 1).
    """
    b0, b1, b2, a1, a2 = coefficients
    angle = 2.0 * pi * xp.arange(length // 2 + 1, dtype=dtype) / length
    c1, s1, c2, s2 = xp.cos(angle), xp.sin(angle), xp.cos(2.0 * angle), xp.sin(2.0 * angle)
    above, above_i = b0 + b1 * c1 + b2 * c2, -(b1 * s1 + b2 * s2)
    below, below_i = 1.0 + a1 * c1 + a2 * c2, -(a1 * s1 + a2 * s2)
    power = below**2 + below_i**2
    return (above * below + above_i * below_i) / power, (above_i * below - above * below_i) / power


def lowpass(audio: Any, cutoff: Any, q: Any, sample_rate: int, xp: Any = np, dtype: str = "float64") -> Any:
    """Filter from rest: (batch, samples) with cutoff (batch, 1) Hz and q (batch, 1) -> (batch, samples)."""
    samples = audio.shape[-1]
    length = fast_length(samples + round(TAIL * sample_rate))
    gain, gain_i = frequency_response(lowpass_coefficients(cutoff, q, sample_rate, xp), length, xp, dtype)
    real, imaginary = rfft(audio, length, xp)
    return irfft(real * gain - imaginary * gain_i, real * gain_i + imaginary * gain, length, xp)[..., :samples]
