"""Audio files in and out: any common format, rate and channel count in; lossless 32-bit float WAV out.

Reading goes through soundfile (WAV, FLAC, OGG, MP3, AIFF), resampling through librosa's polyphase band-limited path.
"""

import os
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from generators.errors import AudioError
from generators.files import written_whole

SILENCE_PEAK = 1e-5
"""Largest absolute sample (-100 dB of full scale) below which a sound counts as silent."""


@dataclass(frozen=True)
class Sound:
    """A sound as it was read: `audio` (samples,) float32 mono, with its own rate and the channel count of the file."""

    audio: NDArray[np.float32]
    sample_rate: int
    channels: int
    path: Path | None = None

    @property
    def length(self) -> float:
        """Seconds."""
        return len(self.audio) / self.sample_rate


def read_audio(path: str | os.PathLike[str], *, start: float = 0.0, length: float | None = None) -> Sound:
    """Read a file as mono float32 at its own rate.

    Args:
        start: seconds to skip. length: seconds at most (bounded memory for long files); None reads to the end.
    Raises: AudioError for a missing file, a folder, no audio, no samples, or NaN and infinite samples.
    """
    path = Path(path)
    if path.is_dir():
        raise AudioError(f"a sound is a file. Received: the folder {path}. Name the sounds in it one by one")
    if not path.exists():
        raise AudioError(f"no such sound: {path}")
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels = file.samplerate, file.channels
            file.seek(min(round(start * rate), max(file.frames, 0)))
            audio = file.read(-1 if length is None else max(1, round(length * rate)), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"cannot read {path} as audio (WAV, FLAC, OGG, MP3 or AIFF). Received: {error}") from None
    except OSError as error:
        raise AudioError(f"cannot open {path}: {error.strerror or error}") from None
    if not len(audio):
        raise AudioError(f"a sound needs samples. Received: none in {path}")
    if not np.all(np.isfinite(audio)):
        raise AudioError(f"samples must be finite. Received: NaN or infinity in {path}")
    return Sound(audio.mean(axis=1, dtype=np.float32), rate, channels, path)


def check_audible(audio: NDArray[np.floating], label: str) -> None:
    """Raise AudioError where a sound is silent (peak below -100 dB of full scale)."""
    if not len(audio) or float(np.abs(audio).max()) < SILENCE_PEAK:
        raise AudioError(f"a sound must be audible (peak above -100 dB). Received: silence in {label}")


def resample(audio: NDArray[np.float32], sample_rate: int, target_rate: int) -> NDArray[np.float32]:
    """Change the sample rate with a polyphase low-pass (no aliasing above half the lower rate).

    Shapes: (samples,) -> (ceil(samples * target_rate / sample_rate),).
    """
    if sample_rate == target_rate:
        return audio
    import librosa  # an import of one second that most sounds of the right rate never need

    divisor = gcd(sample_rate, target_rate)
    # scipy's polyphase filter grows with the larger of both factors; for odd ratios the FFT method stays small.
    kind = "polyphase" if max(sample_rate, target_rate) // divisor <= 2048 else "fft"
    return librosa.resample(audio, orig_sr=sample_rate, target_sr=target_rate, res_type=kind).astype(np.float32)


def write_audio(
    path: str | os.PathLike[str],
    audio: ArrayLike,
    sample_rate: int,
    *,
    bits: Literal[16, 32] = 32,
    comment: str = "",
) -> Path:
    """Write a mono 32-bit float WAV, or one of 16-bit integers, or a 16-bit FLAC where the name ends so; whole or not.

    Args:
        comment: stored in the file.
    Raises: AudioError where the folder cannot be made or written.
    """
    path = Path(path)
    try:
        with written_whole(path) as partial:
            flac = path.suffix.lower() == ".flac"
            subtype, kind = "PCM_16" if flac or bits == 16 else "FLOAT", "FLAC" if flac else "WAV"
            with soundfile.SoundFile(partial, "w", sample_rate, 1, subtype, format=kind) as file:
                if comment:
                    file.comment = comment
                file.write(np.asarray(audio, np.float32))
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"cannot write {path}: {reason}. Name a folder with room that you may write to") from None
    return path


def normalise_peak(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each sound (…, samples) to an absolute peak of 1; silence stays silent."""
    peak = np.abs(audio).max(axis=-1, keepdims=True)
    return (audio / np.where(peak > 0.0, peak, 1.0)).astype(np.float32)
