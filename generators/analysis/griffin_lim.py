"""Sound from magnitudes alone: phases estimated iteratively (Griffin and Lim 1984).

The iteration is librosa's, with its momentum (Perraudin et al. 2013). NSynth's published baseline used 1,000 iterations
without momentum, the authors of WAE-Fader 200.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.mel import MelAnalysis, mel_to_linear
from generators.analysis.spectrogram import hann_window
from generators.errors import ModelError

ITERATIONS = 60
"""By default: with momentum, all after the first 50 improve spectral convergence by 0.3 dB (docs/benchmarks.md)."""

MEL_ITERATIONS = 200
"""By default for mel magnitudes, as the authors of WAE-Fader have it."""

MOMENTUM = 0.99
"""librosa's default; 0 is the iteration of 1984."""

EDGE = 0.02
"""Part of the largest window sum below which the sound is faded: there, in the first and last 12 ms or so of a note,
dividing by the window sum mostly amplifies errors."""


def mel_to_audio(
    mels: NDArray[np.floating],
    analysis: MelAnalysis,
    iterations: int = MEL_ITERATIONS,
    seed: int = 0,
    momentum: float = MOMENTUM,
) -> NDArray[np.float32]:
    """Synthesise a note from mel magnitudes, at their level.

    Shapes: (frames, bands) -> (samples,). Raises: ModelError where they are of another size, negative or not finite.
    """
    if mels.shape != (analysis.frames, analysis.bands):
        raise ModelError(
            f"mel magnitudes must be {analysis.frames} frames x {analysis.bands} bands. Received: {mels.shape}"
        )
    if not np.all(np.isfinite(mels)) or np.min(mels) < 0:
        raise ModelError(f"mel magnitudes must be 0 or more. Received: {np.min(mels)} to {np.max(mels)}")
    linear = mel_to_linear(mels, analysis)
    found = reconstruct_phase(
        linear, analysis.fft_length, analysis.hop_length, iterations, seed, momentum, center=False
    )
    return np.asarray(found * _fade(analysis), np.float32)


def reconstruct_phase(
    magnitude: NDArray[np.floating],
    fft_length: int,
    hop_length: int,
    iterations: int,
    seed: int,
    momentum: float = MOMENTUM,
    **options: Any,
) -> NDArray[np.float32]:
    """Synthesise a sound from the magnitudes of Hann-windowed frames, starting at random phases.

    Args:
        seed: of the initial phases. options: further arguments of librosa's `griffinlim`.
    Shapes: (frames, bins) -> (samples,), as many as the frames cover.
    Raises: ModelError for a negative number of iterations or momentum.
    """
    if iterations < 0 or momentum < 0:
        raise ModelError(f"iterations and momentum must be 0 or more. Received: {iterations}, {momentum}")
    import librosa

    found: NDArray[np.float32] = librosa.griffinlim(
        np.asarray(magnitude, np.float32).T,
        n_iter=iterations,
        hop_length=hop_length,
        win_length=fft_length,
        n_fft=fft_length,
        momentum=momentum,
        random_state=np.random.default_rng(seed),
        **options,
    )
    return found


def _fade(analysis: MelAnalysis) -> NDArray[np.float32]:
    """Return the fade at the ends of a note, where the window sum is small. Shapes: (samples,), 0..1."""
    square = hann_window(analysis.fft_length) ** 2
    weight = np.zeros(analysis.samples, np.float32)
    for frame in range(analysis.frames):
        weight[frame * analysis.hop_length :][: analysis.fft_length] += square
    return np.asarray(np.minimum(weight / (EDGE * weight.max()), 1.0), np.float32)
