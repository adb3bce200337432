"""Losses of MCNN: four distances between the spectrograms of two sounds, and two of them over mel bands.

Spectra are scaled so that a full-scale sine reaches 1. Silence is handled everywhere, since notes end in it: no divisor
is below -80 dB, and phases count only where the magnitude is audible.
Source: Arik, Jun and Diamos 2019, arXiv 1808.06719; masks, guards and the quotient of the weighted phase are ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from generators.analysis.mel import mel_filters
from generators.analysis.spectrogram import stft
from generators.errors import ModelError, unknown

EPSILON = 1e-4
"""Of a full-scale sine, -80 dB: added to magnitudes under a logarithm, and the threshold of silence."""

AUDIBLE = 1e-3
"""Of the loudest bin in a frame, -60 dB: below, the phase of a bin is noise and is ignored."""

_TINY = 1e-12
"""Added to squares under a root, so that its gradient stays finite."""

_RANDOM_PHASE = float(np.pi) / 2.0
"""Mean distance of two independent phases: the loss of a bin that is silent in the output."""


@dataclass(frozen=True)
class Spectrum:
    """Real part, imaginary part and magnitude, (batch, frames, bins) each, and mels, (batch, frames, bands)."""

    real: Any
    imaginary: Any
    magnitude: Any
    mels: Any = None


def spectrum_of(audio: Any, fft_length: int, hop_length: int, bank: Any = None) -> Spectrum:
    """Transform sounds.

    Args:
        bank: (bins, bands), the mel filters; None for no mel magnitudes.
    Shapes: audio (batch, samples).
    """
    real, imaginary = stft(ops.cast(audio, "float32"), fft_length, hop_length, ops)
    real, imaginary = real * (4.0 / fft_length), imaginary * (4.0 / fft_length)
    magnitude = ops.sqrt(real * real + imaginary * imaginary + _TINY)
    return Spectrum(real, imaginary, magnitude, None if bank is None else ops.matmul(magnitude, bank))


def spectral_convergence(target: Any, output: Any) -> Any:
    """Return the norm of the difference over the norm of the target; 20 log10 of it is the figure in dB.

    Shapes: magnitudes (batch, frames, bins) -> (batch,).
    """
    silent = EPSILON * np.sqrt(target.shape[1] * target.shape[2]).item()
    return _norm(target - output) / ops.maximum(_norm(target), silent)


def log_magnitude(target: Any, output: Any) -> Any:
    """Return the mean distance of natural logarithms. Shapes: magnitudes (batch, frames, bins) -> (batch,)."""
    return ops.mean(ops.abs(ops.log(target + EPSILON) - ops.log(output + EPSILON)), axis=(1, 2))


def instantaneous_frequency(target: Spectrum, output: Spectrum) -> Any:
    """Return the mean distance of the phase steps from frame to frame, in radians, over audible bins.

    It is the step of the phase difference between the two spectra, so one wrapped angle is enough.

    Shapes: (batch,), 0 to pi; 0 where the target is silent.
    """
    real = target.real * output.real + target.imaginary * output.imaginary
    imaginary = target.imaginary * output.real - target.real * output.imaginary
    step_real = real[:, 1:] * real[:, :-1] + imaginary[:, 1:] * imaginary[:, :-1]
    step_imaginary = imaginary[:, 1:] * real[:, :-1] - real[:, 1:] * imaginary[:, :-1]
    loudest = ops.max(target.magnitude, axis=-1, keepdims=True)
    audible = _both(target.magnitude > ops.maximum(AUDIBLE * loudest, EPSILON))
    both_audible = ops.logical_and(audible, _both(output.magnitude > EPSILON))
    angle = ops.arctan2(ops.where(both_audible, step_imaginary, 0.0), ops.where(both_audible, step_real, 1.0))
    distance = ops.where(both_audible, ops.abs(angle), _RANDOM_PHASE)
    audible = ops.cast(audible, "float32")
    return ops.sum(audible * distance, axis=(1, 2)) / ops.maximum(ops.sum(audible, axis=(1, 2)), 1.0)


def weighted_phase(target: Spectrum, output: Spectrum) -> Any:
    """Return |S| |S'| (1 - cos of the phase between them), averaged, over the mean square of |S|.

    The paper does not divide, so that its weight depends on the window and on the level of the sounds.

    Shapes: (batch,), 0 to 2 for an output as loud as the target.
    """
    both = target.real * output.real + target.imaginary * output.imaginary
    lost = ops.mean(target.magnitude * output.magnitude - both, axis=(1, 2))
    return lost / ops.maximum(ops.mean(ops.square(target.magnitude), axis=(1, 2)), EPSILON**2)


TERMS: dict[str, Callable[[Spectrum, Spectrum], Any]] = {
    "convergence": lambda target, output: spectral_convergence(target.magnitude, output.magnitude),
    "log_magnitude": lambda target, output: log_magnitude(target.magnitude, output.magnitude),
    "frequency": instantaneous_frequency,
    "phase": weighted_phase,
    "mel_convergence": lambda target, output: spectral_convergence(target.mels, output.mels),
    "mel_log_magnitude": lambda target, output: log_magnitude(target.mels, output.mels),
}

SINGLE_WEIGHTS: dict[str, float] = {"convergence": 1.0, "log_magnitude": 6.0, "frequency": 10.0, "phase": 1.0}
"""Weights of a network trained alone (recalled of the paper, which found them by random search)."""

JOINT_WEIGHTS: dict[str, float] = {
    "convergence": 1.0,
    "log_magnitude": 6.0,
    "mel_convergence": 1.0,
    "mel_log_magnitude": 6.0,
}
"""Weights of joint training with a decoder: the terms of WAE-Fader's group, on bins and mel bands, in the paper's
proportion."""


@keras.saving.register_keras_serializable("inversynth")
class WaveformLoss(keras.losses.Loss):
    """Weighted sum of distances between the spectrograms of two sounds.

    Args:
        weights: of the terms, by the names in TERMS. fft_length, hop_length: samples.
        bands, sample_rate: of the mel bank; both are needed by terms whose name begins with mel.
    Shapes: sounds (batch, samples) twice -> (batch,), which Keras averages.
    Raises: ModelError for an unknown term, and for mel terms without bands.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = SINGLE_WEIGHTS,
        fft_length: int = 2048,
        hop_length: int = 256,
        bands: int = 0,
        sample_rate: int = 0,
        name: str = "waveform_loss",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        for term in weights:
            if term not in TERMS:
                raise ModelError(unknown("loss term", term, TERMS))
        self.weights = dict(weights)
        self.fft_length, self.hop_length, self.bands, self.sample_rate = fft_length, hop_length, bands, sample_rate
        self._bank = None
        if any(term.startswith("mel_") for term in weights):
            if bands < 1 or sample_rate < 1:
                raise ModelError(
                    f"mel terms need bands and sample_rate. Received: bands {bands}, sample_rate {sample_rate}"
                )
            matrix = mel_filters(bands, fft_length, sample_rate)
            self._bank = (matrix / np.maximum(matrix.sum(axis=0), 1e-9)).astype(np.float32)

    def terms(self, target: Any, output: Any) -> dict[str, Any]:
        """Return each term by its name, unweighted. Shapes: sounds (batch, samples) twice -> (batch,) each."""
        spectra = [spectrum_of(audio, self.fft_length, self.hop_length, self._bank) for audio in (target, output)]
        return {name: TERMS[name](*spectra) for name in self.weights}

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return sum(self.weights[name] * term for name, term in self.terms(y_true, y_pred).items())

    def get_config(self) -> dict[str, Any]:
        own = {"weights": self.weights, "fft_length": self.fft_length, "hop_length": self.hop_length}
        return {**super().get_config(), **own, "bands": self.bands, "sample_rate": self.sample_rate}


def _norm(values: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(values), axis=(1, 2)) + _TINY)


def _both(mask: Any) -> Any:
    """Return where a mask holds both in a frame and in the one before."""
    return ops.logical_and(mask[:, 1:], mask[:, :-1])
