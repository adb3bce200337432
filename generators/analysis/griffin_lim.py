"""Sound from a picture of magnitudes alone: phases found by going back and forth (Griffin and Lim 1984).

The iteration is librosa's, with its momentum (Perraudin et al. 2013). NSynth's published baseline took 1,000 rounds
without, the group of WAE-Fader 200.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.mel import MelAnalysis, linear_of_mels
from generators.analysis.spectrogram import hann_window
from generators.errors import ModelError

ROUNDS = 60
MEL_ROUNDS = 200

MOMENTUM = 0.99
"""librosa's; 0 is the iteration of 1984."""

EDGE = 0.02
"""Of the full weight of all windows on a sample: where they weigh less, within the first and last 12 ms or so of a
note, their quotient is mostly error, and the sound fades."""


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
    found = reconstruct_phase(linear, analysis.fft_length, analysis.hop_length, rounds, seed, momentum, center=False)
    return np.asarray(found * _fade(analysis), np.float32)


def reconstruct_phase(
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
