"""Measures of a shaped sound against its target: sample errors, correlation, envelopes, and classes estimated from it.

The measures of the NeuroSynth protocol, in float64 and pooled over all sounds given. Correlation by itself misleads
here: the unshaped input already scores 0.93. Envelopes are compared in sliding windows, and *recovery* asks which
of the ideal envelopes of the same input comes nearest to the output.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from generators.errors import ParameterError

Floats = NDArray[np.floating[Any]]

WINDOW = 11
"""Samples in a window, hop 1, no padding (the protocol): one period of the original's sounds."""

ATTRIBUTES = ("attack", "sustain", "release")
"""In the order of labels and of ideals, the first outermost."""

MEASURES = (
    *("mae", "rmse", "nrmse", "r_mean", "r_5", "env_peak", "env_rms", "env_gain"),
    *ATTRIBUTES,
    "joint",
)
"""The keys of `score`, in its order."""


def score(
    output: ArrayLike,
    target: ArrayLike,
    basic: ArrayLike,
    label: ArrayLike,
    ideals: ArrayLike,
    sizes: Sequence[int] | None = None,
) -> dict[str, float]:
    """Measure shaped sounds against ideal ones; the keys are MEASURES.

    `mae`, `rmse`: of samples. `nrmse`: RMSE over the RMS of all targets. `r_mean`, `r_5`: mean and 5th percentile of
    Pearson's r of each sound. `env_peak`, `env_rms`, `env_gain`: mean error of the windows' peak, RMS and gain over the
    input. `attack`, `sustain`, `release`, `joint`: how often `recovered_classes` finds the classes asked for.

    Args:
        sizes: how many classes of attack, sustain and release; needed where their product, the count of ideals, is no
        cube.
    Shapes: output, target, basic (n, samples), samples 11 or more; label (n, 3); ideals (product of sizes, samples),
        attack outermost.
    Raises: ParameterError where shapes do not fit, a number is not finite, or a label is outside its classes.
    Source: evaluation protocol, NeuroSynth specification.
    """
    shaped, wanted, given = _sounds(output=output, target=target, basic=basic)
    counts = _sizes(ideals, sizes)
    asked = _labels(label, len(shaped), counts)
    errors = shaped - wanted
    rmse, power = math.sqrt(np.square(errors).mean()), math.sqrt(np.square(wanted).mean())
    r = correlations(shaped, wanted)
    found = recovered_classes(shaped, given, ideals, counts) == asked
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": rmse,
        "nrmse": rmse / power if power else math.inf if rmse else 0.0,
        "r_mean": float(r.mean()),
        "r_5": float(np.percentile(r, 5)),
        **envelope_errors(shaped, wanted, given),
        **{name: float(found[:, column].mean()) for column, name in enumerate(ATTRIBUTES)},
        "joint": float(found.all(axis=1).mean()),
    }


def correlations(output: ArrayLike, target: ArrayLike) -> Floats:
    """Return Pearson's r of each sound and its target; 0 where either is constant.

    Shapes: two (n, samples) -> (n,) in -1..1.
    Raises: ParameterError where shapes do not fit.
    """
    mine, theirs = (sound - sound.mean(axis=1, keepdims=True) for sound in _sounds(output=output, target=target))
    scale = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    product = (mine * theirs).sum(axis=1)
    return np.divide(product, scale, out=np.zeros_like(scale), where=scale > 0)


def envelope_errors(output: ArrayLike, target: ArrayLike, basic: ArrayLike) -> dict[str, float]:
    """Return the mean absolute errors of the windows' peak, RMS and gain: `env_peak`, `env_rms`, `env_gain`.

    The gain of a window is its least-squares factor over the input, <sound, basic> / <basic, basic>; 0 where the input
    is silent.

    Shapes: three (n, samples), samples 11 or more.
    Raises: ParameterError where shapes do not fit.
    """
    shaped, wanted, given = _sounds(output=output, target=target, basic=basic)
    if shaped.shape[1] < WINDOW:
        raise ParameterError(f"envelopes need {WINDOW} or more samples. Received: {shaped.shape[1]}")
    power = _windows(given * given).sum(axis=-1)
    gained = _windows((shaped - wanted) * given).sum(axis=-1)
    gain = np.divide(gained, power, out=np.zeros_like(power), where=power > 0)
    peaks, levels = ([measure(sound) for sound in (shaped, wanted)] for measure in (_peaks, _levels))
    return {
        "env_peak": float(np.abs(peaks[0] - peaks[1]).mean()),
        "env_rms": float(np.abs(levels[0] - levels[1]).mean()),
        "env_gain": float(np.abs(gain).mean()),
    }


def recovered_classes(
    output: ArrayLike, basic: ArrayLike, ideals: ArrayLike, sizes: Sequence[int] | None = None
) -> NDArray[np.intp]:
    """Return the classes whose ideal sound, envelope times input, is nearest to each output in squared error.

    Shapes: output, basic (n, samples); ideals (product of sizes, samples), attack outermost -> (n, 3). Of equally near
    ones the first.
    Raises: ParameterError where shapes do not fit.
    """
    shaped, given = _sounds(output=output, basic=basic)
    counts = _sizes(ideals, sizes)
    envelopes = np.asarray(ideals, np.float64)
    if envelopes.shape[1] != shaped.shape[1]:
        raise ParameterError(
            f"ideals must have {shaped.shape[1]} samples like the sounds. Received: {envelopes.shape[1]}"
        )
    # |output - ideal * basic|^2 without |output|^2, which no ideal changes
    distance = np.square(given) @ np.square(envelopes).T - 2.0 * (shaped * given) @ envelopes.T
    return np.stack(np.unravel_index(distance.argmin(axis=1), counts), axis=-1)


def _windows(sounds: Floats) -> Floats:
    return sliding_window_view(sounds, WINDOW, axis=-1)


def _peaks(sounds: Floats) -> Floats:
    return _windows(np.abs(sounds)).max(axis=-1)


def _levels(sounds: Floats) -> Floats:
    return np.sqrt(_windows(np.square(sounds)).mean(axis=-1))


def _sounds(**named: ArrayLike) -> list[Floats]:
    """Return arrays as float64. Raises ParameterError unless all have one shape (n, samples) and are finite."""
    sounds = {name: np.asarray(sound, np.float64) for name, sound in named.items()}
    shapes = ", ".join(f"{name} {sound.shape}" for name, sound in sounds.items())
    first = next(iter(sounds.values())).shape
    if len(first) != 2 or 0 in first or any(sound.shape != first for sound in sounds.values()):
        raise ParameterError(f"sounds must all have one shape (n, samples). Received: {shapes}")
    for name, sound in sounds.items():
        if not np.all(np.isfinite(sound)):
            raise ParameterError(f"{name} must be finite. Received: NaN or infinity")
    return list(sounds.values())


def _sizes(ideals: ArrayLike, sizes: Sequence[int] | None) -> tuple[int, ...]:
    shape = np.shape(ideals)
    if len(shape) != 2 or not shape[0]:
        raise ParameterError(f"ideals must have shape (envelopes, samples). Received: {shape}")
    counts = tuple(sizes) if sizes is not None else (round(shape[0] ** (1 / 3)),) * len(ATTRIBUTES)
    if len(counts) != len(ATTRIBUTES) or math.prod(counts) != shape[0]:
        raise ParameterError(
            f"sizes must count the classes of attack, sustain and release, and multiply to {shape[0]} ideals. "
            f"Received: {counts}"
        )
    return counts


def _labels(label: ArrayLike, n: int, sizes: Sequence[int]) -> NDArray[np.integer[Any]]:
    classes = np.asarray(label)
    if classes.shape != (n, len(sizes)):
        raise ParameterError(f"label must have shape ({n}, {len(sizes)}). Received: {classes.shape}")
    if classes.dtype.kind not in "iu" or np.any((classes < 0) | (classes >= np.asarray(sizes))):
        raise ParameterError(f"labels must be integers below {tuple(sizes)}. Received: others")
    return classes
