"""Errors of rendered notes, beside those of Griffin-Lim on the same magnitudes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import mel_to_audio
from generators.analysis.mel import MelAnalysis, linear_magnitudes, mel_magnitudes
from models.mcnn.losses import EPSILON
from models.training.splits import evenly_spaced

if TYPE_CHECKING:
    from models.model_files import LoadedModel
    from models.training.data import Source

COMPARED_ITERATIONS = 50
"""Of Griffin-Lim, to which the paper compares itself among others."""

MOST_MEASURED = 60
"""Notes on which a finished training is measured: Griffin-Lim takes half a second for each."""

FLOOR = 5e-3
"""Floor of magnitudes in the log-spectral distance (the group of WAE-Fader), in the scale of the window."""


def note_errors(
    notes: NDArray[np.floating[Any]], made: NDArray[np.floating[Any]], analysis: MelAnalysis
) -> dict[str, NDArray[np.float64]]:
    """Measure the spectral errors of notes, on magnitudes of frames wholly inside them.

    Shapes: (n, samples) twice -> `convergence`, 20 log10 of the norm of the difference over the norm, in dB;
        `log_magnitude`, the mean distance of natural logarithms of magnitudes, floored at -80 dB of a full-scale sine;
        `lsd`, the root mean square of decibels a frame, averaged: (n,) each.
    """
    wanted, found = (np.asarray(linear_magnitudes(one, analysis), np.float64) for one in (notes, made))
    norms = np.linalg.norm(wanted - found, axis=(1, 2)) / np.maximum(np.linalg.norm(wanted, axis=(1, 2)), 1e-9)
    scale = 4.0 / analysis.fft_length
    logarithms = [np.log(one * scale + EPSILON) for one in (wanted, found)]
    decibels = [20.0 * np.log10(np.maximum(one, FLOOR)) for one in (wanted, found)]
    return {
        "convergence": 20.0 * np.log10(np.maximum(norms, 1e-9)),
        "log_magnitude": np.abs(logarithms[0] - logarithms[1]).mean(axis=(1, 2)),
        "lsd": np.sqrt(np.mean((decibels[0] - decibels[1]) ** 2, axis=2)).mean(axis=1),
    }


def griffin_lim_errors(
    notes: NDArray[np.floating[Any]], analysis: MelAnalysis, rounds: int = COMPARED_ITERATIONS
) -> dict[str, NDArray[np.float64]]:
    """Measure notes that Griffin-Lim reconstructs from their mel magnitudes, as `note_errors` does."""
    made = [mel_to_audio(one, analysis, rounds) for one in mel_magnitudes(notes, analysis)]
    return note_errors(notes, np.stack(made), analysis)


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure a trained network on test notes, from their true mel magnitudes.

    Returns: `n` notes; means of `convergence` (dB), `log_magnitude` and `lsd` (dB), and those of
        Griffin-Lim with the prefix `griffin_lim_`.
    """
    from models.mcnn.inference import McnnVocoder

    vocoder, rows = McnnVocoder(loaded), source.rows("test")  # type: ignore[attr-defined]
    rows = evenly_spaced(rows, MOST_MEASURED)
    notes, pitch = source.audio(rows), source.pitch[rows]  # type: ignore[attr-defined]
    made = vocoder.decode(mel_magnitudes(notes, vocoder.analysis), pitch)
    return {
        "n": len(rows),
        **means_of(note_errors(notes, made, vocoder.analysis)),
        **means_of(griffin_lim_errors(notes, vocoder.analysis), "griffin_lim_"),
    }


def means_of(errors: Mapping[str, NDArray[np.float64]], prefix: str = "") -> dict[str, dict[str, float]]:
    """Return means as `Recipe.tell` takes them. Shapes: (n,) each."""
    return {f"{prefix}{name}": {"All": float(np.mean(values))} for name, values in errors.items()}
