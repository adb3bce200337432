"""The whole `fm` signal path fused into one Numba kernel, for datasets and search.

Sounds are rendered in short blocks that stay in the nearest cache. Phases are float64, waveforms float32. The slow
sinusoids (modulators and gater) advance by angle addition from the start of each block, so the only transcendental
function per sample is the carrier sine, a polynomial; the inner loops are branch-free and vectorise. Held to
`FmSynth.synthesize` by a parity test.
"""

from math import cos, floor, pi, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dsp.compiler import compile_kernel

BLOCK = 256
"""Samples per block: the work arrays of this length fit the nearest cache."""

_SINE = (6.28318516, -41.34165503, 81.60100408, -76.54978238, 39.53670657)
"""Odd polynomial for sin(2 pi w), 0 <= w <= 1/4; least maximum error (3e-9) by reweighted least squares."""

_S0, _S1, _S2, _S3, _S4 = (np.float32(c) for c in _SINE)
_ZERO, _QUARTER, _HALF, _ONE, _TWO, _FOUR = (np.float32(c) for c in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0))
_ROUNDING = np.float32(4.0 / 3.0)
_MINIMUM_WIDTH = np.float32(1e-9)


STEADY = np.empty(0)
"""The bend of a sound that is not bent."""


def render_fm(
    values: NDArray[np.float64],
    samples: int,
    sample_rate: int,
    note_length: float,
    gain: float,
    bend: NDArray[np.float64] = STEADY,
) -> NDArray[np.float32]:
    """Render (batch, 23) values in the order of the `fm` space -> (batch, samples) float32; releases the GIL.

    Args:
        bend: factor of all instantaneous frequencies at each sample, (samples,); empty for 1.
    """
    audio = np.empty((len(values), samples), np.float32)
    padded = np.pad(bend, (0, -len(bend) % BLOCK), mode="edge") if len(bend) else STEADY
    _render(np.ascontiguousarray(values, np.float64), audio, float(sample_rate), note_length, gain, padded)
    return audio


@compile_kernel
def fill_rotation(angle: float, cosines: Any, sines: Any) -> None:
    """Fill cos and sin of angle * j, j = 0, 1, … by doubling: each filled half is rotated to give the next."""
    cosines[0], sines[0] = 1.0, 0.0
    filled = 1
    while filled < len(cosines):
        c, s = cos(angle * filled), sin(angle * filled)
        for j in range(filled):
            cosines[filled + j] = cosines[j] * c - sines[j] * s
            sines[filled + j] = sines[j] * c + cosines[j] * s
        filled *= 2


@compile_kernel
def _render(values: Any, audio: Any, sample_rate: float, note_length: float, gain: float, bend: Any) -> None:
    batch, samples = audio.shape
    cosines, sines = np.empty((5, BLOCK)), np.empty((5, BLOCK))
    cycles, widths = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    mix = np.empty(BLOCK, np.float32)
    bent = np.zeros(4)
    for sound in range(batch):
        row = values[sound]
        bent[:] = 0.0
        for k in range(4):
            fill_rotation(2.0 * pi * row[4 * k + 1] / sample_rate, cosines[k], sines[k])
        fill_rotation(2.0 * pi * row[22] / sample_rate, cosines[4], sines[4])
        attack, decay, sustain, release = row[16], row[17], row[18], row[19]

        angle = 2.0 * pi * row[20] / sample_rate
        alpha = sin(angle) / (2.0 * row[21])
        a0 = 1.0 + alpha
        b0 = (1.0 - cos(angle)) / (2.0 * a0)
        a1, a2 = -2.0 * cos(angle) / a0, (1.0 - alpha) / a0
        state1 = state2 = 0.0

        for start in range(0, samples, BLOCK):
            mix[:] = _ZERO
            for k in range(4):
                amplitude = np.float32(row[4 * k + 2] * gain)
                advance_phase(
                    row[4 * k], row[4 * k + 1], row[4 * k + 3], start, sample_rate, cosines[k], sines[k], cycles, widths
                )
                if len(bend):
                    bent[k] = _bend_phase(
                        row[4 * k],
                        row[4 * k + 1],
                        row[4 * k + 3],
                        start,
                        sample_rate,
                        bend,
                        bent[k],
                        cosines[k],
                        sines[k],
                        cycles,
                        widths,
                    )
                if k == 0:
                    add_sine(cycles, amplitude, mix)
                elif k == 1:
                    add_saw(cycles, widths, amplitude, mix)
                elif k == 2:
                    add_triangle(cycles, widths, amplitude, mix)
                else:
                    add_square(cycles, widths, amplitude, mix)
            _shape(start, sample_rate, attack, decay, sustain, release, note_length, mix)
            count = min(BLOCK, samples - start)
            for j in range(count):
                x = mix[j] * b0
                y = x + state1
                state1 = 2.0 * x - a1 * y + state2
                state2 = x - a2 * y
                mix[j] = y
            gate = 2.0 * pi * row[22] * start / sample_rate
            c, s = 0.5 * cos(gate), 0.5 * sin(gate)
            out = audio[sound, start : start + count]
            for j in range(count):
                out[j] = mix[j] * np.float32(0.5 + s * cosines[4, j] + c * sines[4, j])


@compile_kernel
def advance_phase(
    frequency: float,
    rate: float,
    depth: float,
    start: int,
    sample_rate: float,
    cosines: Any,
    sines: Any,
    cycles: Any,
    widths: Any,
) -> None:
    """Fill the phase within the cycle (0..1) and the width (cycles per sample) of one oscillator for one block."""
    step = frequency / sample_rate
    swing = depth / (2.0 * pi * rate)
    angle = 2.0 * pi * rate * start / sample_rate
    c, s = cos(angle), sin(angle)
    first = step * start
    first = first - floor(first) + swing
    swing_c, swing_s = swing * c, swing * s
    width_c, width_s = depth * c / sample_rate, depth * s / sample_rate
    for j in range(BLOCK):
        phase = first + step * j - (swing_c * cosines[j] - swing_s * sines[j])
        cycles[j] = np.float32(phase - floor(phase))
        widths[j] = np.float32(abs(step + width_s * cosines[j] + width_c * sines[j]))


@compile_kernel
def _bend_phase(
    frequency: float,
    rate: float,
    depth: float,
    start: int,
    sample_rate: float,
    bend: Any,
    phase: float,
    cosines: Any,
    sines: Any,
    cycles: Any,
    widths: Any,
) -> float:
    """Bend what `advance_phase` filled: the phase of one block from its first, and the width.

    Every step of the phase from one sample to the next is multiplied by the bend, which is exact for a bend that is
    constant between samples.

    Returns: the phase at the start of the next block.
    """
    step = frequency / sample_rate
    swing = depth / (2.0 * pi * rate)
    angle = 2.0 * pi * rate * start / sample_rate
    c, s = cos(angle), sin(angle)
    end = 2.0 * pi * rate * (start + BLOCK) / sample_rate
    before = -swing * c
    for j in range(BLOCK):
        if j + 1 < BLOCK:
            after = -swing * (c * cosines[j + 1] - s * sines[j + 1])
        else:
            after = -swing * cos(end)
        cycles[j] = np.float32(phase - floor(phase))
        widths[j] = np.float32(widths[j] * bend[start + j])
        phase += bend[start + j] * (step + after - before)
        before = after
    return phase - floor(phase)


@compile_kernel
def add_sine(cycles: Any, amplitude: Any, mix: Any) -> None:
    """Add a sine of the given phases to `mix`, as `generators.dsp.oscillators` defines it."""
    for j in range(BLOCK):
        x = _HALF - cycles[j]
        w = _QUARTER - abs(abs(x) - _QUARTER)
        w2 = w * w
        value = w * (_S0 + w2 * (_S1 + w2 * (_S2 + w2 * (_S3 + w2 * _S4))))
        mix[j] += amplitude * (value if x >= _ZERO else -value)


@compile_kernel
def add_saw(cycles: Any, widths: Any, amplitude: Any, mix: Any) -> None:
    """Add a band-limited saw of the given phases to `mix`, as `generators.dsp.oscillators` defines it."""
    for j in range(BLOCK):
        shifted = cycles[j] + _HALF
        cycle = shifted - _ONE if shifted >= _ONE else shifted
        overlap = max(_ONE - min(cycle, _ONE - cycle) / max(widths[j], _MINIMUM_WIDTH), _ZERO)
        residual = overlap * overlap
        mix[j] += amplitude * (_TWO * cycle - _ONE + (residual if cycle < _HALF else -residual))


@compile_kernel
def add_triangle(cycles: Any, widths: Any, amplitude: Any, mix: Any) -> None:
    """Add a band-limited triangle of the given phases to `mix`, as `generators.dsp.oscillators` defines it."""
    for j in range(BLOCK):
        shifted = cycles[j] + _QUARTER
        cycle = shifted - _ONE if shifted >= _ONE else shifted
        from_peak = abs(cycle - _HALF)
        overlap = max(_ONE - min(from_peak, _HALF - from_peak) / max(widths[j], _MINIMUM_WIDTH), _ZERO)
        rounding = _ROUNDING * widths[j] * overlap * overlap * overlap
        mix[j] += amplitude * (_ONE - _FOUR * from_peak + (rounding if from_peak > _QUARTER else -rounding))


@compile_kernel
def add_square(cycles: Any, widths: Any, amplitude: Any, mix: Any) -> None:
    """Add a band-limited square of the given phases to `mix`, as `generators.dsp.oscillators` defines it."""
    for j in range(BLOCK):
        cycle = cycles[j]
        half = cycle if cycle < _HALF else cycle - _HALF
        overlap = max(_ONE - min(half, _HALF - half) / max(widths[j], _MINIMUM_WIDTH), _ZERO)
        value = amplitude * (_ONE - overlap * overlap)
        mix[j] += value if cycle < _HALF else -value


@compile_kernel
def _shape(
    start: int,
    sample_rate: float,
    attack: float,
    decay: float,
    sustain: float,
    release: float,
    note_length: float,
    mix: Any,
) -> None:
    """Multiply one block by the ADSR envelope."""
    seconds = 1.0 / sample_rate
    rise, fall, drop = 1.0 / attack, (1.0 - sustain) / decay, 1.0 / release
    for j in range(BLOCK):
        time = (start + j) * seconds
        held = min(time, note_length)
        level = min(held * rise, max(1.0 - (held - attack) * fall, sustain))
        mix[j] *= np.float32(level * max(1.0 - (time - held) * drop, 0.0))
