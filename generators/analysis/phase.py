"""Phase and instantaneous frequency of spectrograms, over `xp`: NumPy for data, `keras.ops` inside a model.

Instantaneous frequency is the step of the phase from one frame to the next, wrapped into -pi to pi and divided by pi.
For a steady partial it is constant over the frames, while the phase itself keeps turning: a network learns it easily.
Source: Engel et al. 2019, GANSynth, arXiv 1902.08710, section 2.1.
"""

from typing import Any

import numpy as np

PI = float(np.pi)


def wrap(step: Any, xp: Any = np) -> Any:
    """Return the representative of a phase difference in -pi to pi; -pi itself becomes pi where the step rises.

    Shapes: any, radians -> the same.
    """
    wrapped = xp.mod(step + PI, 2.0 * PI) - PI
    return xp.where((wrapped == -PI) & (step > 0), PI, wrapped)


def unwrap(phase: Any, xp: Any = np) -> Any:
    """Undo the jumps of a phase over time, as `numpy.unwrap` does.

    Shapes: (batch, frames, …), radians -> the same.
    """
    step = phase[:, 1:] - phase[:, :-1]
    jumps = xp.where(xp.abs(step) < PI, xp.zeros_like(step), wrap(step, xp) - step)
    return xp.concatenate([phase[:, :1], phase[:, 1:] + xp.cumsum(jumps, axis=1)], axis=1)


def instantaneous_frequency(phase: Any, xp: Any = np) -> Any:
    """Return the wrapped steps of a phase over pi; the first frame is the phase itself, over pi.

    The phase may be wrapped or not. (Unwrapping it first, as the published code does, gives the same but for rounding:
    a sum over all frames loses what is not lost here.)

    Shapes: (batch, frames, …), radians -> the same, in -1..1 from the second frame on.
    """
    step = wrap(phase[:, 1:] - phase[:, :-1], xp)
    return xp.concatenate([phase[:, :1], step], axis=1) * (1.0 / PI)


def accumulate(frequency: Any, xp: Any = np) -> Any:
    """Return the phase that an instantaneous frequency runs through, unwrapped. Shapes: as there, in radians."""
    return xp.cumsum(frequency * PI, axis=1)
