"""Single oscillators of the `fm` synth at amplitude 1, through envelope, filter and gater: the atoms of the search.

For a given envelope, filter and gater, a sound of `fm` is linear in its four amplitudes, so a search needs single
oscillators (*atoms*), and far more of them than sounds. `carriers` renders bare oscillators, optionally with an initial
phase, with the oscillators of `generators.fm.kernel`; `shape` passes many of them through many envelopes, filters and
gaters, 16 in parallel in SIMD lanes, since the recursion of a single filter does not vectorise. Held to
`FmSynth.render` by a parity test.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from math import floor, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.compiler import compile_kernel
from generators.dsp.filters import lowpass_coefficients
from generators.fm.kernel import (
    BLOCK,
    add_saw,
    add_sine,
    add_square,
    add_triangle,
    advance_phase,
    fill_rotation,
)

LANES = 16
"""Atoms filtered in parallel: one AVX-512 register of float32, or two of AVX2."""

WAVEFORMS = ("sine", "saw", "triangle", "square")
"""Waveforms that `carriers` renders; their places are its `kinds`."""

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class EffectChain:
    """The effects that a sum of oscillators passes through: tables of envelopes, filters and gaters to choose from.

    Shapes: envelopes (e, samples), filters (q, 3) from `filter_table`, gates (g, samples); all float32. `emphasis` is
    the weight c of a final pre-emphasis y[t] - c y[t-1], which reduces low frequencies.
    """

    envelopes: Audio
    filters: Audio
    gates: Audio
    emphasis: float = 0.0


def filter_table(cutoff: ArrayLike, q: ArrayLike, sample_rate: int) -> Audio:
    """Return b0, a1, a2 of the synth's low-pass (b1 = 2 b0, b2 = b0). Shapes: (n,), (n,) -> (n, 3) float32."""
    cutoffs, qs = np.atleast_1d(np.asarray(cutoff, np.float64)), np.atleast_1d(np.asarray(q, np.float64))
    b0, _, _, a1, a2 = lowpass_coefficients(cutoffs, qs, sample_rate)
    return np.stack([b0, a1, a2], axis=1).astype(np.float32)


def carriers(
    kinds: ArrayLike, shapes: ArrayLike, samples: int, sample_rate: int, pool: Executor | None = None
) -> Audio:
    """Render bare oscillators at amplitude 1.

    Args:
        kinds: (n,) places in WAVEFORMS. shapes: (n, 3) frequency, modulation frequency and depth in
            hertz, or (n, 4) with an initial phase in cycles. pool: threads to share the work between.
    Shapes: returns (n, samples) float32.
    """
    rows = np.array(shapes, np.float64, ndmin=2)
    if rows.shape[1] == 3:
        rows = np.concatenate([rows, np.zeros((len(rows), 1))], axis=1)
    kind = np.ascontiguousarray(np.broadcast_to(np.asarray(kinds, np.int64), len(rows)))
    out = np.empty((len(rows), samples), np.float32)
    _split(pool, len(rows), lambda a, b: _carriers(kind[a:b], rows[a:b], float(sample_rate), out[a:b]))
    return out


def shape(
    waves: Audio,
    effects: EffectChain,
    wave: ArrayLike,
    envelope: ArrayLike = 0,
    filtering: ArrayLike = 0,
    gate: ArrayLike = 0,
    pool: Executor | None = None,
) -> Audio:
    """Pass oscillators through envelope, filter and gater.

    Args:
        waves: (w, samples) from `carriers`. wave, envelope, filtering, gate: (n,) row numbers that select one of each
            for an atom; a single number serves all.
    Shapes: returns (n, samples) float32, without the synth's fixed gain.
    """
    chosen = np.broadcast_arrays(*(np.asarray(index, np.int64) for index in (wave, envelope, filtering, gate)))
    index = np.ascontiguousarray(np.stack([np.atleast_1d(part) for part in chosen], axis=1))
    out = np.empty((len(index), waves.shape[1]), np.float32)
    _split(
        pool,
        len(index),
        lambda a, b: _shape_lanes(
            waves, effects.envelopes, effects.filters, effects.gates, np.float32(effects.emphasis), index[a:b], out[a:b]
        ),
    )
    return out


def emphasise(audio: ArrayLike, emphasis: float) -> Audio:
    """Apply pre-emphasis y[t] - emphasis y[t-1]. Shapes: (…, samples) -> the same, float32."""
    rows = np.array(audio, np.float32)
    rows[..., 1:] -= np.float32(emphasis) * rows[..., :-1].copy()
    return rows


def adjoint(
    audio: ArrayLike, filters: Audio, gate: Audio, emphasis: float = 0.0, pool: Executor | None = None
) -> Audio:
    """Apply the adjoint of filter, gater and emphasis: correlations with atoms become correlations with bare waves.

    For every envelope e and wave w: sum(audio * emphasise(gate * filter(e * w))) = sum(adjoint * e * w).
    Shapes: audio (n, samples), filters (1, 3), gate (samples,) -> (n, samples) float32.
    """
    rows = np.array(audio, np.float32, ndmin=2)
    if emphasis:
        rows = emphasise(rows[:, ::-1], emphasis)[:, ::-1]
    backwards = np.ascontiguousarray((rows * gate)[:, ::-1])
    ones = np.ones((1, rows.shape[1]), np.float32)
    effects = EffectChain(ones, filters, ones)
    return np.ascontiguousarray(shape(backwards, effects, np.arange(len(rows)), pool=pool)[:, ::-1])


def _split(pool: Executor | None, count: int, work: Any) -> None:
    """Call work(start, stop) on two halves in parallel if there are threads, split at a whole number of lanes."""
    middle = -(-count // (2 * LANES)) * LANES
    if pool is None or middle >= count:
        work(0, count)
        return
    first = pool.submit(work, 0, middle)
    work(middle, count)
    first.result()


@compile_kernel
def _carriers(kinds: Any, shapes: Any, sample_rate: float, out: Any) -> None:
    cosines, sines = np.empty(BLOCK), np.empty(BLOCK)
    cycles, widths = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    mix = np.empty(BLOCK, np.float32)
    samples = out.shape[1]
    one = np.float32(1.0)
    for i in range(len(kinds)):
        fill_rotation(2.0 * pi * shapes[i, 1] / sample_rate, cosines, sines)
        start_phase = np.float32(shapes[i, 3] - floor(shapes[i, 3]))
        for start in range(0, samples, BLOCK):
            mix[:] = np.float32(0.0)
            advance_phase(shapes[i, 0], shapes[i, 1], shapes[i, 2], start, sample_rate, cosines, sines, cycles, widths)
            if start_phase != np.float32(0.0):
                for j in range(BLOCK):
                    cycle = cycles[j] + start_phase
                    cycles[j] = cycle - one if cycle >= one else cycle
            if kinds[i] == 0:
                add_sine(cycles, one, mix)
            elif kinds[i] == 1:
                add_saw(cycles, widths, one, mix)
            elif kinds[i] == 2:
                add_triangle(cycles, widths, one, mix)
            else:
                add_square(cycles, widths, one, mix)
            count = min(BLOCK, samples - start)
            for j in range(count):
                out[i, start + j] = mix[j]


@compile_kernel
def _shape_lanes(waves: Any, envelopes: Any, filters: Any, gates: Any, emphasis: Any, index: Any, out: Any) -> None:
    count, samples = out.shape
    tile = np.zeros((BLOCK, LANES), np.float32)
    b0, a1, a2 = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    state1, state2 = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    before = np.empty(LANES, np.float32)
    two = np.float32(2.0)
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        for lane in range(LANES):
            row = filters[index[first + min(lane, lanes - 1), 2]]
            b0[lane], a1[lane], a2[lane] = row[0], row[1], row[2]
        state1[:] = np.float32(0.0)
        state2[:] = np.float32(0.0)
        before[:] = np.float32(0.0)
        for start in range(0, samples, BLOCK):
            length = min(BLOCK, samples - start)
            for lane in range(lanes):
                wave = waves[index[first + lane, 0], start : start + length]
                envelope = envelopes[index[first + lane, 1], start : start + length]
                for j in range(length):
                    tile[j, lane] = wave[j] * envelope[j]
            for j in range(length):
                for lane in range(LANES):
                    x = tile[j, lane] * b0[lane]
                    y = x + state1[lane]
                    state1[lane] = two * x - a1[lane] * y + state2[lane]
                    state2[lane] = x - a2[lane] * y
                    tile[j, lane] = y
            for lane in range(lanes):
                gate = gates[index[first + lane, 3], start : start + length]
                target = out[first + lane, start : start + length]
                for j in range(length):
                    target[j] = tile[j, lane] * gate[j]
                if emphasis != np.float32(0.0):
                    last = target[length - 1]
                    for j in range(length - 1, 0, -1):
                        target[j] -= emphasis * target[j - 1]
                    target[0] -= emphasis * before[lane]
                    before[lane] = last
