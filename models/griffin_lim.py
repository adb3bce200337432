"""Sound from a picture of magnitudes alone: phases found by going back and forth (Griffin and Lim 1984).

The iteration is librosa's, with its momentum (Perraudin et al. 2013); the published baseline took 1,000 rounds without.
"""

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from models.layers.pictures import RANGE_DB
from models.spectral_autoencoder import PictureSize

ROUNDS = 60


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
    import librosa

    found = librosa.griffinlim(
        magnitudes(picture).T,
        n_iter=rounds,
        hop_length=size.hop_length,
        win_length=size.fft_length,
        n_fft=size.fft_length,
        random_state=np.random.default_rng(seed),
    )
    sound = np.pad(found, (size.hop_length // 2, samples))[:samples]  # our frames lie in the middle of their hops
    peak = np.abs(sound).max()
    return (sound / peak if peak > 0 else sound).astype(np.float32)
