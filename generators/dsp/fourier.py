"""The real Fourier transform over `xp`, as (real, imaginary) parts: NumPy and `keras.ops` then share one interface."""

from typing import Any

import numpy as np


def rfft(signal: Any, length: int, xp: Any = np) -> tuple[Any, Any]:
    """Transform the last axis, zero-padded to `length` samples: (…, samples) -> two of (…, length//2 + 1)."""
    if xp is np:
        spectrum = np.fft.rfft(signal, length)
        return spectrum.real, spectrum.imag
    return xp.rfft(signal, fft_length=length)


def irfft(real: Any, imaginary: Any, length: int, xp: Any = np) -> Any:
    """Invert `rfft`: two of (…, length//2 + 1) -> (…, length)."""
    if xp is np:
        return np.fft.irfft(real + 1j * imaginary, length)
    return xp.irfft((real, imaginary), fft_length=length)


def fast_length(length: int) -> int:
    """Return the smallest power of two of at least `length` (every backend is quick on those)."""
    return 1 << (length - 1).bit_length()
