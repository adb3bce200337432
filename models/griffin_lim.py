"""Sound from a picture of magnitudes alone: phases found by going back and forth (Griffin and Lim 1984).

The iteration is librosa's, with its momentum (Perraudin et al. 2013). NSynth's published baseline took 1,000 rounds
without, the group of WAE-Fader 200.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from models.features import hann_window
from models.layers.pictures import RANGE_DB
from models.slaney import MelAnalysis, linear_of_mels
from models.spectral_autoencoder import PictureSize

ROUNDS = 60
MEL_ROUNDS = 200

MOMENTUM = 0.99
"""librosa's; 0 is the iteration of 1984."""

EDGE = 0.02
"""Of the full weight of all windows on a sample: where they weigh less, within the first and last 12 ms or so of a
note, their quotient is mostly error, and the sound fades."""


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
    found = phased(magnitudes(picture), size.fft_length, size.hop_length, rounds, seed)
    sound = np.pad(found, (size.hop_length // 2, samples))[:samples]  # our frames lie in the middle of their hops
    peak = np.abs(sound).max()
    return (sound / peak if peak > 0 else sound).astype(np.float32)


def sound_of_mels(
    mels: NDArray[np.floating],
    analysis: MelAnalysis,
    rounds: int = MEL_ROUNDS,
    seed: int = 0,
    momentum: float = MOMENTUM,
) -> NDArray[np.float32]:
    """Find a note with these mel magnitudes, as loud as they say.

    Shapes: (frames, bands) -> (samples,). Raises: ModelError where they are of another size, negative or not finite.
    """
    if mels.shape != (analysis.frames, analysis.bands):
        raise ModelError(
            f"mel magnitudes must be {analysis.frames} frames x {analysis.bands} bands. Received: {mels.shape}"
        )
    if not np.all(np.isfinite(mels)) or np.min(mels) < 0:
        raise ModelError(f"mel magnitudes must be 0 or more. Received: {np.min(mels)} to {np.max(mels)}")
    linear = linear_of_mels(mels, analysis)
    found = phased(linear, analysis.fft_length, analysis.hop_length, rounds, seed, momentum, center=False)
    return np.asarray(found * _fade(analysis), np.float32)


def phased(
    magnitude: NDArray[np.floating],
    fft_length: int,
    hop_length: int,
    rounds: int,
    seed: int,
    momentum: float = MOMENTUM,
    **options: Any,
) -> NDArray[np.float32]:
    """Find a sound with these magnitudes of Hann windows, from random phases on.

    Args:
        seed: of the phases. options: what else librosa's `griffinlim` takes.
    Shapes: (frames, bins) -> (samples,), of as many as the frames cover.
    Raises: ModelError for a negative number of rounds or momentum.
    """
    if rounds < 0 or momentum < 0:
        raise ModelError(f"rounds and momentum must be 0 or more. Received: {rounds}, {momentum}")
    import librosa

    found: NDArray[np.float32] = librosa.griffinlim(
        np.asarray(magnitude, np.float32).T,
        n_iter=rounds,
        hop_length=hop_length,
        win_length=fft_length,
        n_fft=fft_length,
        momentum=momentum,
        random_state=np.random.default_rng(seed),
        **options,
    )
    return found


def _fade(analysis: MelAnalysis) -> NDArray[np.float32]:
    """Return what a note is multiplied by at its edges, where no frame hears it well. Shapes: (samples,), 0..1."""
    square = hann_window(analysis.fft_length) ** 2
    weight = np.zeros(analysis.samples, np.float32)
    for frame in range(analysis.frames):
        weight[frame * analysis.hop_length :][: analysis.fft_length] += square
    return np.asarray(np.minimum(weight / (EDGE * weight.max()), 1.0), np.float32)
