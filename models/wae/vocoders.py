"""How pictures become sound: by Griffin-Lim, which is slow and needs no network, or by an MCNN in one pass."""

import os
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import MEL_ROUNDS, sound_of_mels
from generators.analysis.mel import MelAnalysis
from generators.errors import ModelError
from models.wae.inference import Renderer

if TYPE_CHECKING:
    from models.mcnn.inference import McnnVocoder

Name = Literal["griffinlim", "mcnn"]


def griffin_lim_renderer(analysis: MelAnalysis, rounds: int = MEL_ROUNDS, seed: int = 0) -> Renderer:
    """Return a renderer that searches phases, from the same random ones for every note."""

    def render(mels: NDArray[np.float32], notes: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.stack([sound_of_mels(one, analysis, rounds, seed) for one in mels])

    return render


def mcnn_renderer(path: str | os.PathLike[str], analysis: MelAnalysis) -> Renderer:
    """Return a renderer that is a trained MCNN. Raises: ModelError as `matching_renderer` does."""
    return matching_renderer(path, analysis).sounds


def matching_renderer(path: str | os.PathLike[str], analysis: MelAnalysis) -> "McnnVocoder":
    """Load a trained MCNN for the pictures of a model.

    Raises: ModelError for a file that is none, or one of another analysis.
    """
    from models.mcnn.inference import load_mcnn

    renderer = load_mcnn(path)
    if renderer.analysis != analysis:
        raise ModelError(
            f"the MCNN must render the pictures of the model, {_told(analysis)}. "
            f"Received: {path}, {_told(renderer.analysis)}. Train one: inversynth train --model mcnn"
        )
    return renderer


def _told(analysis: MelAnalysis) -> str:
    return (
        f"{analysis.bands} bands x {analysis.frames} frames, {analysis.hop_length} samples apart at "
        f"{analysis.sample_rate} Hz"
    )
