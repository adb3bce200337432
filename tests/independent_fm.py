"""A second rendering of the `fm` synth, written from the docstring of `generators.fm_generator` alone.

Nothing here is shared with the synth: waveforms are naive, at 16 times the rate and in float64, and are brought down by
a linear-phase low-pass; the phase is summed sample by sample from the instantaneous frequency; the filter is a direct
recursion at the synth's own rate, the envelope is drawn segment by segment. So a fault of our renderer cannot hide in
it, and what a search claims to know can be asked on sounds that no patch of ours reproduces to the bit.
"""

from math import cos, pi, sin

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import firwin, lfilter, upfirdn

OVERSAMPLING = 16
TAPS = 64
"""Taps of the decimation filter on either side, in samples of the synth's rate."""


def render_independently(values: ArrayLike, sample_rate: int = 16384, length: float = 1.0) -> NDArray[np.float64]:
    """Render patches. Shapes: (n, 23) values in the order of the paper's table -> (n, samples) float64."""
    return np.stack([_render(np.asarray(row, np.float64), sample_rate, length) for row in np.atleast_2d(values)])


def _render(row: NDArray[np.float64], sample_rate: int, length: float) -> NDArray[np.float64]:
    samples, rate = round(length * sample_rate), sample_rate * OVERSAMPLING
    time = np.arange(samples * OVERSAMPLING) / rate
    mix = np.zeros(len(time))
    for wave, (carrier, speed, amplitude, depth) in enumerate(row[:16].reshape(4, 4)):
        mix += amplitude * _waveform(wave, _phase(carrier, speed, depth, time, rate))
    shaped = 0.25 * _decimate(mix) * _envelope(row[16:20], samples, sample_rate, 0.8 * length)
    gate = 0.5 * (1.0 + np.sin(2.0 * pi * row[22] * np.arange(samples) / sample_rate))
    return _lowpass(shaped, row[20], row[21], sample_rate) * gate


def _phase(carrier: float, speed: float, depth: float, time: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Integrate the frequency by Simpson's rule over each step; cycles, 0 at note-on."""
    middle, end = time + 0.5 / rate, time + 1.0 / rate
    start, between, after = (carrier + depth * np.sin(2.0 * pi * speed * each) for each in (time, middle, end))
    steps = (start + 4.0 * between + after) / (6.0 * rate)
    return np.concatenate([[0.0], np.cumsum(steps)[:-1]])


def _waveform(number: int, cycles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sine, rising saw, triangle, square: 0 at phase 0 and rising from there."""
    angle = 2.0 * pi * cycles
    if number == 0:
        return np.sin(angle)
    if number == 1:
        return 2.0 * (cycles - np.round(cycles))
    if number == 2:
        return 2.0 / pi * np.arcsin(np.clip(np.sin(angle), -1.0, 1.0))
    return np.sign(np.sin(angle))


def _decimate(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Low-pass at half the lower rate without delay, and keep every 16th sample."""
    taps = firwin(2 * TAPS * OVERSAMPLING + 1, 1.0 / OVERSAMPLING, window=("kaiser", 10.0))
    count = len(signal) // OVERSAMPLING
    return np.asarray(upfirdn(taps, signal, 1, OVERSAMPLING)[TAPS : TAPS + count])


def _envelope(adsr: NDArray[np.float64], samples: int, sample_rate: int, note: float) -> NDArray[np.float64]:
    attack, decay, sustain, release = (float(each) for each in adsr)
    levels = np.empty(samples)
    for n in range(samples):
        time = n / sample_rate
        levels[n] = _held(min(time, note), attack, decay, sustain)
        if time > note:
            levels[n] *= max(0.0, 1.0 - (time - note) / release)
    return levels


def _held(time: float, attack: float, decay: float, sustain: float) -> float:
    if time < attack:
        return time / attack
    if time < attack + decay:
        return 1.0 + (sustain - 1.0) * (time - attack) / decay
    return sustain


def _lowpass(signal: NDArray[np.float64], cutoff: float, q: float, sample_rate: int) -> NDArray[np.float64]:
    """The low-pass of the RBJ cookbook, from rest, as its difference equation."""
    angle = 2.0 * pi * cutoff / sample_rate
    alpha = sin(angle) / (2.0 * q)
    b = np.array([(1.0 - cos(angle)) / 2.0, 1.0 - cos(angle), (1.0 - cos(angle)) / 2.0])
    a = np.array([1.0 + alpha, -2.0 * cos(angle), 1.0 - alpha])
    return np.asarray(lfilter(b, a, signal))
