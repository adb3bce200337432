"""Spectrograms, written once for NumPy (metrics, search) and `keras.ops` (inside a model).

The InverSynth paper asks for 64 frames x 257 bins of one second at 16,384 Hz: window 512, hop 256, Hann. The sound
is padded with (fft_length - hop_length) / 2 zeros on the left and as many as are needed on the right, so that every
hop of the sound has one frame, centred on it: frames = ceil(samples / hop_length). Importing this needs no Keras.
"""

from typing import Any

import numpy as np

from generators.dsp.fourier import irfft
from generators.errors import ModelError

FFT_LENGTH = 512
"""Samples in a window (InverSynth, section 4.1)."""

HOP_LENGTH = 256
"""Samples from one window to the next (InverSynth, section 4.1)."""

FLOOR = 1e-3
"""Smallest magnitude that counts, -60 dB: far below the 128 of a full-scale sine, above float32 rounding."""

_TINY = 1e-20
"""Power below which the magnitude is held, so that the gradient of its square root stays finite."""


def frame_count(samples: int, hop_length: int = HOP_LENGTH) -> int:
    """Return ceil(samples / hop_length)."""
    return -(-samples // hop_length)


def bin_count(fft_length: int = FFT_LENGTH) -> int:
    """Return the bins of a real transform, 0 Hz and half the sample rate included."""
    return fft_length // 2 + 1


def check_window(fft_length: int, hop_length: int) -> None:
    """Raise ModelError unless windows of an even length overlap or touch."""
    if fft_length < 2 or fft_length % 2 or not 1 <= hop_length <= fft_length:
        raise ModelError(
            "fft_length must be even and hop_length lie in 1..fft_length. "
            f"Received: fft_length {fft_length}, hop_length {hop_length}"
        )


def hann_window(length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the periodic Hann window, (length,) float32.

    By hand, as importing `scipy.signal` for its `get_window` takes half a second that inverting a sound does not need.
    """
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)).astype(np.float32)


def stft(audio: Any, fft_length: int = FFT_LENGTH, hop_length: int = HOP_LENGTH, xp: Any = np) -> tuple[Any, Any]:
    """Transform windowed frames.

    Shapes: (batch, samples) -> real and imaginary parts, each (batch, frames, bins).
    Raises: ModelError where the window cannot be used.
    """
    check_window(fft_length, hop_length)
    return transform(frame_audio(audio, fft_length, hop_length, xp), xp)


def power_of_frames(frames: Any, xp: Any = np) -> Any:
    """Square the magnitude of the transform of windowed frames. Shapes: (…, fft_length) -> (…, bins)."""
    real, imaginary = transform(frames, xp)
    return real * real + imaginary * imaginary


def power_spectrogram(audio: Any, fft_length: int = FFT_LENGTH, hop_length: int = HOP_LENGTH, xp: Any = np) -> Any:
    """Square the magnitude of the transform. Shapes: (batch, samples) -> (batch, frames, bins)."""
    check_window(fft_length, hop_length)
    return power_of_frames(frame_audio(audio, fft_length, hop_length, xp), xp)


def magnitude_spectrogram(audio: Any, fft_length: int = FFT_LENGTH, hop_length: int = HOP_LENGTH, xp: Any = np) -> Any:
    """Take the magnitude of the transform; a full-scale sine reaches fft_length / 4.

    Shapes: (batch, samples) -> (batch, frames, bins).
    """
    return xp.sqrt(xp.maximum(power_spectrogram(audio, fft_length, hop_length, xp), _TINY))


def log_spectrogram(audio: Any, fft_length: int = FFT_LENGTH, hop_length: int = HOP_LENGTH, xp: Any = np) -> Any:
    """Return 20 log10(max(|S|, 1e-3)) in dB, never below -60; a full-scale sine reaches 42.

    Shapes: (batch, samples) -> (batch, frames, bins).
    """
    power = power_spectrogram(audio, fft_length, hop_length, xp)
    return xp.log(xp.maximum(power, FLOOR**2)) * (10.0 / np.log(10.0).item())


def frame_audio(audio: Any, fft_length: int, hop_length: int, xp: Any = np) -> Any:
    """Cut sounds into overlapping frames, padded with zeros at both ends.

    Shapes: (batch, samples) -> (batch, frames, fft_length).
    """
    samples = audio.shape[-1]
    frames = frame_count(samples, hop_length)
    left = (fft_length - hop_length) // 2
    right = (frames - 1) * hop_length + fft_length - left - samples
    return cut_frames(xp.pad(audio, ((0, 0), (left, right))), fft_length, hop_length, frames, xp)


def cut_frames(audio: Any, fft_length: int, hop_length: int, frames: int, xp: Any = np) -> Any:
    """Cut sounds of exactly that many frames. Shapes: (batch, hop (frames - 1) + fft) -> (batch, frames, fft)."""
    overlap, rest = divmod(fft_length, hop_length)
    if rest:  # the hop does not divide the window: gather every sample
        places = np.arange(frames)[:, None] * hop_length + np.arange(fft_length)
        return xp.take(audio, places, axis=-1)
    hops = xp.reshape(audio, (-1, frames + overlap - 1, hop_length))
    return xp.concatenate([hops[:, start : start + frames] for start in range(overlap)], axis=-1)


def inverse_stft(real: Any, imaginary: Any, hop_length: int, xp: Any = np) -> Any:
    """Invert the transform of Hann-windowed frames by overlap-add, the least-squares estimate of the sound.

    Every frame is windowed once more, added at its place, and divided by the sum of the squared windows, which is
    constant from the fourth hop on. The ends, which fewer windows cover, keep their lower level: dividing them by the
    small sum there would amplify rounding errors.

    Args:
        hop_length: a quarter of the window, or a smaller part that divides it.
    Shapes: twice (batch, frames, fft / 2 + 1) -> (batch, hop (frames - 1) + fft).
    Raises: ModelError for another hop.
    """
    fft_length = 2 * (real.shape[-1] - 1)
    check_window(fft_length, hop_length)
    overlap, rest = divmod(fft_length, hop_length)
    if rest or overlap < 3:
        raise ModelError(
            "hop_length must divide fft_length into three parts or more, else squared windows do not add up evenly. "
            f"Received: fft_length {fft_length}, hop_length {hop_length}"
        )
    window = hann_window(fft_length)
    window = window / (window.astype(np.float64) ** 2).reshape(overlap, hop_length).sum(axis=0).mean()
    frames = irfft(real, imaginary, fft_length, xp) * window.astype(np.float32)
    hops = xp.reshape(frames, (-1, frames.shape[1], overlap, hop_length))
    shifted = [
        xp.pad(hops[:, :, number], ((0, 0), (number, overlap - 1 - number), (0, 0))) for number in range(overlap)
    ]
    total = shifted[0]
    for each in shifted[1:]:
        total = total + each
    return xp.reshape(total, (-1, total.shape[1] * hop_length))


def transform(frames: Any, xp: Any = np) -> tuple[Any, Any]:
    """Window frames by Hann and transform them. Shapes: (…, fft) -> real and imaginary parts, each (…, fft / 2 + 1)."""
    window = xp.array(hann_window(frames.shape[-1]))  # PyTorch multiplies no NumPy array by a tensor with gradients
    windowed = frames * window
    if xp is np:
        spectrum = np.fft.rfft(windowed)
        return spectrum.real, spectrum.imag
    return xp.rfft(windowed)
