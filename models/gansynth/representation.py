"""Spectrograms of notes with two channels, log magnitude and phase, and their inverse.

Windows of two samples per bin overlap by three quarters; the first bin of the transform, 0 Hz, is dropped, which leaves
a power of two. All padding is before the sound, so the first frames are silence and the last ones fade. Three kinds:

- `linear`: natural logarithm of the magnitude, and instantaneous frequency;
- `phase`: the phase itself over pi in its place;
- `mel`: logarithm of the power in mel bands, and the steps of the phase summed over each band.

Source: Engel et al. 2019, GANSynth, arXiv 1902.08710, section 2; numbers as in the published code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generators.analysis.phase import accumulate, instantaneous_frequency
from generators.analysis.spectrogram import cut_frames, inverse_stft, transform
from generators.errors import ModelError
from models.gansynth.mel import inverse_mel_matrix, mel_matrix

Kind = Literal["mel", "linear", "phase"]
KINDS: tuple[Kind, ...] = ("mel", "linear", "phase")

TINY = 1e-6
"""Added before every logarithm; silence is ln 1e-6 = -13.8."""

OVERLAP = 4
"""Hops in a window."""

MARGIN = 0.8
"""Magnitudes are scaled to -0.8 to 0.8, where a tanh is nearly linear, and which leaves room for more extreme ones."""


@dataclass(frozen=True)
class SpectrogramFormat:
    """Kind and size of spectrograms, and of the sounds behind them.

    Attributes: `frames` and `bins` are powers of two; `samples` and `sample_rate` (hertz) are those of the sounds;
    `aliased` is for weights that were published (see `models.gansynth.mel`).
    Raises: ModelError for an unknown kind, sizes that are no powers of two, and sounds too long for the frames.
    """

    kind: Kind = "mel"
    frames: int = 128
    bins: int = 1024
    samples: int = 64000
    sample_rate: int = 16000
    aliased: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(f"a spectrogram is one of {', '.join(KINDS)}. Received: {self.kind}")
        for name, size in (("frames", self.frames), ("bins", self.bins)):
            if size < 2 or size & (size - 1):
                raise ModelError(f"{name} of a spectrogram must be a power of two. Received: {size}")
        if not 0 < self.samples <= self.reach:
            raise ModelError(
                f"{self.frames} frames of {self.bins} bins reach over {self.reach:,} samples. Received: sounds of "
                f"{self.samples:,}. Take more frames or bins, or shorter sounds"
            )

    @property
    def fft_length(self) -> int:
        return 2 * self.bins

    @property
    def hop_length(self) -> int:
        return self.fft_length // OVERLAP

    @property
    def reach(self) -> int:
        """Samples from the beginning of the first window to the end of the last."""
        return self.hop_length * (self.frames - 1) + self.fft_length

    @property
    def left(self) -> int:
        """Zeros before the sound."""
        return self.reach - self.samples

    def from_audio(self, audio: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the spectrograms of sounds. Shapes: (n, samples) -> (n, frames, bins, 2) float32, magnitude first."""
        audio = np.asarray(audio, np.float32)
        if audio.ndim != 2 or audio.shape[1] != self.samples:
            raise ModelError(f"sounds must have shape (n, {self.samples}). Received: {audio.shape}")
        padded = np.pad(audio, ((0, 0), (self.left, 0)))
        real, imaginary = transform(cut_frames(padded, self.fft_length, self.hop_length, self.frames))
        real, imaginary = real[..., 1:], imaginary[..., 1:]
        magnitude, phase = np.log(np.hypot(real, imaginary) + TINY), np.arctan2(imaginary, real)
        if self.kind == "phase":
            return _stacked(magnitude, phase / np.pi)
        if self.kind == "linear":
            return _stacked(magnitude, instantaneous_frequency(phase))
        matrix = mel_matrix(self.bins, self.sample_rate, self.aliased)
        bands = np.log(np.exp(2.0 * magnitude) @ matrix + TINY)
        unwrapped = accumulate(instantaneous_frequency(phase))
        return _stacked(bands, instantaneous_frequency(unwrapped @ matrix))

    def to_audio(self, spectrograms: Any, xp: Any = np) -> Any:
        """Return the sounds of spectrograms, by one inverse transform. Shapes: (n, frames, bins, 2) -> (n, samples)."""
        if tuple(spectrograms.shape[1:]) != (self.frames, self.bins, 2):
            raise ModelError(
                f"spectrograms must have shape (n, {self.frames}, {self.bins}, 2). "
                f"Received: {tuple(spectrograms.shape)}"
            )
        magnitude, phase = spectrograms[..., 0], spectrograms[..., 1]
        if self.kind == "mel":
            matrix = inverse_mel_matrix(self.bins, self.sample_rate, self.aliased).astype(np.float32)
            magnitude = 0.5 * xp.log(xp.matmul(xp.exp(magnitude), matrix) + TINY)
            phase = xp.matmul(accumulate(phase, xp), matrix)
        elif self.kind == "linear":
            phase = accumulate(phase, xp)
        else:
            phase = phase * float(np.pi)
        size = xp.exp(magnitude)
        real, imaginary = (xp.pad(size * turn, ((0, 0), (0, 0), (1, 0))) for turn in (xp.cos(phase), xp.sin(phase)))
        return inverse_stft(real, imaginary, self.hop_length, xp)[:, self.left :]


@dataclass(frozen=True)
class Normaliser:
    """Scales the channels of spectrograms to about -0.8 to 0.8, and back.

    Attributes: `scale` and `offset`, one number per channel: x becomes scale x + offset, clipped to -1..1.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]

    @classmethod
    def measure(cls, spectrograms: Iterable[NDArray[np.floating[Any]]]) -> "Normaliser":
        """Map the range of magnitudes of some spectrograms to -0.8 to 0.8; phases span -1 to 1 by definition.

        Args:
            spectrograms: batches of (n, frames, bins, 2). Raises: ModelError where all magnitudes are equal.
        """
        low, high = np.inf, -np.inf
        for batch in spectrograms:
            low, high = min(low, float(batch[..., 0].min())), max(high, float(batch[..., 0].max()))
        if not high > low:
            raise ModelError("a range is measured on sounds that are not all silent. Received: one level alone")
        span = 2.0 * MARGIN / (high - low)
        return cls((span, MARGIN), (-span * low - MARGIN, 0.0))

    def apply(self, spectrograms: Any, xp: Any = np) -> Any:
        """Normalise. Shapes: (…, 2) -> the same, in -1..1."""
        return xp.clip(
            spectrograms * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32), -1.0, 1.0
        )

    def undo(self, spectrograms: Any) -> Any:
        """Return to the original units; nothing is clipped. Shapes: (…, 2) -> the same."""
        return (spectrograms - np.asarray(self.offset, np.float32)) / np.asarray(self.scale, np.float32)


PUBLISHED = Normaliser((0.0661371661726, MARGIN), (0.113718730221, 0.0))
"""Of the release of GANSynth, for its high-resolution mel spectrograms: -13.82 to 10.38."""


def _stacked(magnitude: NDArray[Any], phase: NDArray[Any]) -> NDArray[np.float32]:
    return np.stack([magnitude, phase], axis=-1).astype(np.float32)
