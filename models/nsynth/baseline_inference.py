"""The sound of a spectrogram that the spectral baseline of NSynth makes, with phases by Griffin-Lim."""

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import ROUNDS, reconstruct_phase
from generators.errors import ModelError
from models.layers.note_spectrograms import RANGE_DB
from models.nsynth.baseline_networks import PictureSize


def magnitudes(picture: NDArray[np.floating]) -> NDArray[np.float32]:
    """Undo the decibels of pictures, and add the bin that they lack, empty.

    Shapes: (…, frames, bins) in 0..1 -> (…, frames, bins + 1), 1 where the picture is 1 and 0 where it is 0.
    """
    picture = np.clip(np.asarray(picture, np.float64), 0.0, 1.0)
    size = np.where(picture > 0.0, 10.0 ** ((picture - 1.0) * RANGE_DB / 20.0), 0.0)
    return np.pad(size, [*[(0, 0)] * (size.ndim - 1), (0, 1)]).astype(np.float32)


def sound_of(
    picture: NDArray[np.floating], size: PictureSize, samples: int, rounds: int = ROUNDS, seed: int = 0
) -> NDArray[np.float32]:
    """Find a sound with these magnitudes, at a peak of 1; a black picture is silence.

    Shapes: (frames, bins) -> (samples,). Raises: ModelError where the picture is of another size.
    """
    if picture.shape != (size.frames, size.bins):
        raise ModelError(f"a picture must be {size.frames} frames x {size.bins} bins. Received: {picture.shape}")
    found = reconstruct_phase(magnitudes(picture), size.fft_length, size.hop_length, rounds, seed)
    sound = np.pad(found, (size.hop_length // 2, samples))[:samples]  # our frames lie in the middle of their hops
    peak = np.abs(sound).max()
    return (sound / peak if peak > 0 else sound).astype(np.float32)
