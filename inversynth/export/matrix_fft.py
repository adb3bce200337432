"""The real Fourier transform as products of small matrices, for runtimes without an FFT.

A transform of length N = R C is two smaller ones with twiddle factors between them (Cooley and Tukey 1965). With R and
C near the root of N each is a product with a small constant matrix: 2,048 samples take 17,000 constants, where one DFT
matrix takes 4,000,000. Only products, sums and reshapes are used, which every format has.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError


def rfft(signal: Any, xp: Any = np) -> tuple[Any, Any]:
    """Transform the last axis, of a known even length. Shapes: (…, length) -> twice (…, length / 2 + 1)."""
    length = _checked(signal.shape[-1])
    rows, columns = _sides(length)
    around = _outer(-1, rows, rows)
    grid = xp.reshape(signal, (-1, rows, columns))
    real, imaginary = (xp.matmul(part.astype(np.float32), grid) for part in (around.real, around.imag))
    real, imaginary = _rotated(real, imaginary, _twiddles(-1, rows, columns))
    half = columns // 2 + 1  # bins above half the rate mirror those below
    real, imaginary = _multiplied(real, imaginary, _outer(-1, columns, columns)[:, :half], xp)
    shape = (*_lead(signal), half * rows)
    flat = [xp.reshape(xp.transpose(part, (0, 2, 1)), shape) for part in (real, imaginary)]
    return flat[0][..., : length // 2 + 1], flat[1][..., : length // 2 + 1]


def irfft(real: Any, imaginary: Any, xp: Any = np) -> Any:
    """Invert `rfft`. Shapes: twice (…, bins) -> (…, 2 (bins - 1))."""
    bins = real.shape[-1]
    length = _checked(2 * (bins - 1))
    rows, columns = _sides(length)
    weights = np.full(bins, 2.0 / length)  # each bin also stands for its mirror image
    weights[[0, -1]] = 1.0 / length
    filled = -(-bins // columns)  # non-zero rows: the mirror images stay empty
    grids = []
    for part in (real, imaginary):
        weighted = xp.reshape(part * weights.astype(np.float32), (-1, bins))
        grids.append(xp.reshape(xp.pad(weighted, ((0, 0), (0, filled * columns - bins))), (-1, filled, columns)))
    around = _outer(1, rows, rows)[:, :filled]
    matrix = np.concatenate(
        [np.concatenate([around.real, -around.imag], 1), np.concatenate([around.imag, around.real], 1)]
    )
    both = xp.matmul(matrix.astype(np.float32), xp.concatenate(grids, axis=1))
    rotated = _rotated(both[:, :rows], both[:, rows:], _twiddles(1, rows, columns))
    last = _outer(1, columns, columns)
    matrix = np.concatenate([last.real, -last.imag])  # the result is real
    sound = xp.matmul(xp.concatenate(rotated, axis=-1), matrix.astype(np.float32))
    return xp.reshape(xp.transpose(sound, (0, 2, 1)), (*_lead(real), length))


def _checked(length: int | None) -> int:
    if not length or length % 2:
        raise ModelError(f"a Fourier transform by matrices must have a fixed, even length. Received: {length}")
    return length


def _sides(length: int) -> tuple[int, int]:
    """Return two factors of a length, as near to each other as possible, the larger last."""
    rows = max(side for side in range(1, math.isqrt(length) + 1) if length % side == 0)
    return rows, length // rows


def _lead(signal: Any) -> tuple[int, ...]:
    """Return the axes before the last; the first, which may be unknown, is inferred."""
    return (-1, *signal.shape[1:-1]) if len(signal.shape) > 1 else ()


def _outer(sign: int, rows: int, columns: int) -> NDArray[np.complex128]:
    """Return exp(sign 2 pi i k n / columns), (rows, columns)."""
    places = np.outer(np.arange(rows), np.arange(columns)) % columns
    return np.exp(sign * 2j * np.pi * places / columns)


def _twiddles(sign: int, rows: int, columns: int) -> NDArray[np.complex128]:
    """Return the twiddle factors between the two smaller transforms, (rows, columns)."""
    return np.exp(sign * 2j * np.pi * np.outer(np.arange(rows), np.arange(columns)) / (rows * columns))


def _rotated(real: Any, imaginary: Any, twiddles: NDArray[np.complex128]) -> tuple[Any, Any]:
    """Multiply complex numbers by constants, point by point."""
    cosine, sine = twiddles.real.astype(np.float32), twiddles.imag.astype(np.float32)
    return real * cosine - imaginary * sine, real * sine + imaginary * cosine


def _multiplied(real: Any, imaginary: Any, matrix: NDArray[np.complex128], xp: Any) -> tuple[Any, Any]:
    """Multiply complex rows by a constant matrix."""
    both = xp.concatenate([real, imaginary], axis=-1)
    parts = []
    for upper, lower in ((matrix.real, -matrix.imag), (matrix.imag, matrix.real)):
        parts.append(xp.matmul(both, np.concatenate([upper, lower]).astype(np.float32)))
    return parts[0], parts[1]
