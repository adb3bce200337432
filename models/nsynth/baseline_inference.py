"""Audio from the spectrograms of the spectral baseline of NSynth, with phases by Griffin-Lim."""

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import ITERATIONS, reconstruct_phase
from generators.errors import ModelError
from models.layers.note_spectrograms import RANGE_DB
from models.notes.spectral_encoder import SpectralPreset


def magnitudes(spectrogram: NDArray[np.floating]) -> NDArray[np.float32]:
    """Convert decibels to magnitudes, and append the missing last bin as zeros.

    Shapes: (…, frames, bins) in 0..1 -> (…, frames, bins + 1); 1 stays 1 and 0 stays 0.
    """
    levels = np.clip(np.asarray(spectrogram, np.float64), 0.0, 1.0)
    found = np.where(levels > 0.0, 10.0 ** ((levels - 1.0) * RANGE_DB / 20.0), 0.0)
    return np.pad(found, [*[(0, 0)] * (found.ndim - 1), (0, 1)]).astype(np.float32)


def spectrogram_to_audio(
    spectrogram: NDArray[np.floating], preset: SpectralPreset, samples: int, rounds: int = ITERATIONS, seed: int = 0
) -> NDArray[np.float32]:
    """Reconstruct audio with these magnitudes, at a peak of 1; an all-zero spectrogram gives silence.

    Args:
        rounds: iterations of Griffin-Lim. seed: of its initial phases.
    Shapes: (frames, bins) -> (samples,). Raises: ModelError for a spectrogram of another size.
    """
    if spectrogram.shape != (preset.frames, preset.bins):
        raise ModelError(
            f"a spectrogram must be {preset.frames} frames x {preset.bins} bins. Received: {spectrogram.shape}"
        )
    found = reconstruct_phase(magnitudes(spectrogram), preset.fft_length, preset.hop_length, rounds, seed)
    audio = np.pad(found, (preset.hop_length // 2, samples))[:samples]  # our frames are centred on their hops
    peak = np.abs(audio).max()
    return (audio / peak if peak > 0 else audio).astype(np.float32)
