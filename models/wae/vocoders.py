"""Vocoders of the note autoencoder: Griffin-Lim, which is slow and needs no network, or an MCNN in one pass."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import MEL_ITERATIONS, mel_to_audio
from generators.analysis.mel import MelAnalysis
from generators.errors import ModelError

if TYPE_CHECKING:
    from models.mcnn.inference import McnnVocoder

Renderer = Callable[[NDArray[np.float32], NDArray[np.intp]], NDArray[np.float32]]
"""Makes notes from mel magnitudes: (n, frames, bands), MIDI notes (n,) -> (n, samples)."""


def griffin_lim_renderer(analysis: MelAnalysis, iterations: int = MEL_ITERATIONS, seed: int = 0) -> Renderer:
    """Return a renderer by Griffin-Lim, which begins with the same random phases for every note."""

    def render(mels: NDArray[np.float32], notes: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.stack([mel_to_audio(one, analysis, iterations, seed) for one in mels])

    return render


def mcnn_renderer(path: str | os.PathLike[str], analysis: MelAnalysis) -> Renderer:
    """Return a renderer that is a trained MCNN. Raises: ModelError as `matching_renderer` does."""
    return matching_renderer(path, analysis).decode


def matching_renderer(path: str | os.PathLike[str], analysis: MelAnalysis) -> "McnnVocoder":
    """Load a trained MCNN for the spectrograms of a model.

    Raises: ModelError for a file that is no MCNN, or one of another analysis.
    """
    from models.mcnn.inference import load_mcnn

    renderer = load_mcnn(path)
    if renderer.analysis != analysis:
        raise ModelError(
            f"the MCNN must render the spectrograms of the model, {_described(analysis)}. "
            f"Received: {path}, {_described(renderer.analysis)}. Train one: inversynth train --model mcnn"
        )
    return renderer


def _described(analysis: MelAnalysis) -> str:
    return (
        f"{analysis.bands} bands x {analysis.frames} frames, {analysis.hop_length} samples apart at "
        f"{analysis.sample_rate} Hz"
    )
