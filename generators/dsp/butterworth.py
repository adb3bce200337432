"""Butterworth filters as chains of biquads, run sample by sample, with a state that carries on from block to block.

Each pair of poles is one biquad of the RBJ cookbook, whose Q is that pair's; together they are what SciPy's `butter`
designs (the bilinear transform, warped to the cutoff). Importing `scipy.signal` for it would take 0.6 s, a third of
what inverting a sound takes to start.
"""

from math import cos, pi, sin
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generators.dsp.compiler import compile_exact
from generators.errors import ParameterError

Floats = NDArray[np.float64]


def butterworth(order: int, cutoff: float, sample_rate: float, kind: Literal["lowpass", "highpass"]) -> Floats:
    """Return the biquads of a Butterworth filter, (order / 2, 5): b0, b1, b2, a1, a2 of each, with a0 = 1.

    Args: order: even, 2 or more. cutoff: Hz at which the power is halved, below half the sample rate.
    Raises: ParameterError for an odd order and a cutoff out of range.
    """
    if order < 2 or order % 2:
        raise ParameterError(f"the order of a filter must be even and 2 or more. Received: {order}")
    if not 0.0 < cutoff < sample_rate / 2.0:
        raise ParameterError(f"a cutoff must lie between 0 and {sample_rate / 2.0:g} Hz. Received: {cutoff:g}")
    angle = 2.0 * pi * cutoff / sample_rate
    sign = 1.0 if kind == "lowpass" else -1.0
    sections = []
    for pair in range(order // 2):
        alpha = sin(angle) * sin(pi * (2 * pair + 1) / (2 * order))  # sin(angle) / 2 Q, with Q of this pair of poles
        b0 = (1.0 - sign * cos(angle)) / 2.0
        sections.append(np.array([b0, 2.0 * sign * b0, b0, -2.0 * cos(angle), 1.0 - alpha]) / (1.0 + alpha))
    return np.array(sections)


def steady_state(sections: Floats) -> Floats:
    """Return the state in which a constant input of 1 passes unchanged in time, (sections, 2)."""
    state, level = np.empty((len(sections), 2)), 1.0
    for row, (b0, b1, b2, a1, a2) in enumerate(sections):
        gain = (b0 + b1 + b2) / (1.0 + a1 + a2)
        last = b2 - a2 * gain
        state[row] = level * (b1 - a1 * gain + last), level * last
        level *= gain
    return state


def run_filter(sections: Floats, audio: NDArray[Any], state: Floats) -> tuple[Floats, Floats]:
    """Filter a block from a state; returns the block and the state after it. Shapes: (samples,), (sections, 2)."""
    return _run(sections, np.asarray(audio, np.float64), np.array(state))


def filter_both_ways(sections: Floats, audio: NDArray[Any], padding: int) -> Floats:
    """Filter forwards and backwards, without delay and with the square of the response. Shapes: (samples,) -> the same.

    Before both ends the sound goes on for `padding` samples, fewer than it has, turned about its first and last one.
    """
    sound, state = np.asarray(audio, np.float64), steady_state(sections)
    before = 2.0 * sound[0] - sound[padding:0:-1]
    after = 2.0 * sound[-1] - sound[-2 : -padding - 2 : -1]
    wide = np.concatenate([before, sound, after])
    forwards, _ = _run(sections, wide, state * wide[0])
    backwards, _ = _run(sections, forwards[::-1].copy(), state * forwards[-1])
    return np.ascontiguousarray(backwards[::-1][padding : padding + len(sound)])


@compile_exact
def _run(sections: Any, audio: Any, state: Any) -> Any:
    """Run biquads in direct form II transposed, one after another; `state` is changed."""
    out = audio.copy()
    for row in range(len(sections)):
        b0, b1, b2, a1, a2 = sections[row]
        first, second = state[row, 0], state[row, 1]
        for i in range(len(out)):
            given = out[i]
            made = b0 * given + first
            first = b1 * given - a1 * made + second
            second = b2 * given - a2 * made
            out[i] = made
        state[row, 0], state[row, 1] = first, second
    return out, state
