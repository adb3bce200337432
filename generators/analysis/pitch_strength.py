"""How strongly each pitch sounds, over time: SWIPE' (Camacho and Harris 2008, JASA 124).

The square root of the spectrum is compared with a comb of cosine lobes at the first and the prime harmonics of each
candidate, with valleys between them; windows are as long as eight periods, blended between powers of two. Prime
harmonics alone leave nothing for candidates an octave or more too low.

The valley above a lone partial is twice as deep as the one below it, so the strongest candidate lies up to 40 cents
above a sine. `exact_pitch` measures what was found by the phase that its partials gain over time.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.compiler import compile_exact
from generators.dsp.units import hz_to_midi

Floats = NDArray[np.floating]

LOWEST, HIGHEST = 26.0, 4700.0
"""Hz of the candidates: a semitone beyond the keys of a piano, so that C2 and C7 have rivals an octave off."""

VOICED = 0.15
"""Strength from which on a frame has a pitch; white noise reaches 0.05, a band of noise 0.2, notes 0.4 and more."""

CERTAIN = 0.5
"""Strength from which on a pitch is certain: 94 % of the notes of SoundFonts reach it."""

STEPS = 48
"""Candidates an octave; refined by a parabola they are exact to a cent or two."""

PARTIALS = 4
"""Harmonics by which a pitch is measured exactly: those above may be sharp, where strings are stiff."""

PERIODS = 8
"""Periods of a pitch in a window: the main lobe of a partial then ends a quarter of the way to the next."""

FARTHEST = 120.0
"""Cents by which the exact pitch may lie beside the strongest candidate."""

STEP = 0.01
"""Seconds from one frame to the next."""

ERB_STEP = 0.1
"""Spacing of the frequency axis in equivalent rectangular bandwidths."""

PRIMES = (1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)

CANDIDATES: NDArray[np.float64] = LOWEST * 2.0 ** (np.arange(int(STEPS * np.log2(HIGHEST / LOWEST)) + 1) / STEPS)


@dataclass(frozen=True)
class _Layer:
    """One window length: which candidates it serves, their weights and combs, and how spectra get to its axis."""

    length: int
    hop: int
    candidates: NDArray[np.int64]
    weights: NDArray[np.float64]
    kernels: NDArray[np.float64]
    masks: NDArray[np.int64]
    bins: NDArray[np.int64]
    fractions: NDArray[np.float64]


@lru_cache(maxsize=8)
def _layers(sample_rate: int) -> tuple[_Layer, ...]:
    sizes = np.round(np.log2(8.0 * sample_rate / np.array([LOWEST, HIGHEST]))).astype(int)
    lengths = 2 ** np.arange(sizes[0], sizes[1] - 1, -1)
    place = np.log2(CANDIDATES) - np.log2(8.0 * sample_rate / lengths[0])
    axis = _hertz(np.arange(_erbs(LOWEST / 4.0), _erbs(sample_rate / 2.0), ERB_STEP))
    found = []
    for number, length in enumerate(lengths):
        distance = np.abs(place - number)
        if number == 0:
            distance = np.where(place < 0, 0.0, distance)
        if number == len(lengths) - 1:
            distance = np.where(place > number, 0.0, distance)
        chosen = np.flatnonzero(distance < 1.0)
        if not len(chosen):
            continue
        inside = axis[axis > CANDIDATES[chosen[0]] / 4.0]
        kernels = np.stack([_comb(inside, pitch) for pitch in CANDIDATES[chosen]])
        masks = np.searchsorted(inside, CANDIDATES[chosen] / 4.0)
        position = inside * length / sample_rate
        bins = np.minimum(position.astype(np.int64), length // 2 - 1)
        hop = int(np.clip(length // 4, round(0.005 * sample_rate), round(0.02 * sample_rate)))
        found.append(_Layer(int(length), hop, chosen, 1.0 - distance[chosen], kernels, masks, bins, position - bins))
    return tuple(found)


def _comb(axis: NDArray[np.float64], pitch: float) -> NDArray[np.float64]:
    """Return the kernel of a candidate: cosine lobes at 1 and the primes, half valleys beside them, falling by 1/f."""
    ratio = axis / pitch
    kernel = np.zeros(len(axis))
    last = int(axis[-1] / pitch - 0.75)
    for harmonic in PRIMES:
        if harmonic > last:
            break
        distance = np.abs(ratio - harmonic)
        peak, valley = distance < 0.25, (distance > 0.25) & (distance < 0.75)
        kernel[peak] = np.cos(2.0 * np.pi * ratio[peak])
        kernel[valley] += np.cos(2.0 * np.pi * ratio[valley]) / 2.0
    kernel *= np.sqrt(1.0 / axis)
    norm = float(np.linalg.norm(kernel[kernel > 0]))
    return kernel / norm if norm > 0 else kernel


def pitch_strength(audio: ArrayLike, sample_rate: int) -> NDArray[np.float64]:
    """Return the strength of each of `CANDIDATES` every 10 ms, at most 1 (a harmonic sound of falling partials).

    Shapes: (samples,) -> (frames, candidates), frame k centred on k x 10 ms.
    """
    from scipy.fft import rfft

    sound = np.asarray(audio, np.float32)
    frames = int(len(sound) / sample_rate / STEP) + 1
    times = np.arange(frames) * STEP
    found = np.zeros((frames, len(CANDIDATES)))
    for layer in _layers(sample_rate):
        padded = np.pad(sound, (layer.length // 2, layer.length // 2 + layer.hop))
        views = np.lib.stride_tricks.sliding_window_view(padded, layer.length)[:: layer.hop]
        spectra = np.abs(rfft(views * np.hanning(layer.length).astype(np.float32), axis=-1))
        low, high = spectra[:, layer.bins], spectra[:, layer.bins + 1]
        loud = np.sqrt(np.maximum(low + (high - low) * layer.fractions, 0.0))
        power = np.cumsum(np.square(loud[:, ::-1]), axis=1)[:, ::-1]
        norms = np.sqrt(np.maximum(power[:, layer.masks], 1e-20))
        strength = loud @ layer.kernels.T / norms
        places = times * sample_rate / layer.hop
        first = np.minimum(places.astype(np.int64), len(strength) - 1)
        after = np.minimum(first + 1, len(strength) - 1)
        part = (places - first)[:, None]
        found[:, layer.candidates] += layer.weights * (strength[first] * (1.0 - part) + strength[after] * part)
    return found


def _erbs(hertz: Any) -> Any:
    return 6.44 * (np.log2(229.0 + hertz) - 7.84)


def _hertz(erbs: Any) -> Any:
    return 2.0 ** (np.asarray(erbs) / 6.44 + 7.84) - 229.0


def mean_pitch(strength: NDArray[np.float64], levels: NDArray[np.float64]) -> tuple[float, float]:
    """Return the MIDI pitch of frames together, and how certain it is, 0..1.

    Frames weigh by the square root of their amplitude and by the strength of their best pitch: neither a loud attack
    without pitch nor a long faint end decides alone.

    Shapes: strength (frames, candidates), levels (frames,) dB.
    """
    weights = 10.0 ** ((levels - levels.max()) / 40.0) * np.maximum(strength.max(axis=1), 1e-3)
    mean = weights @ strength / weights.sum()
    top = int(np.clip(mean.argmax(), 1, len(mean) - 2))
    low, peak, high = mean[top - 1 : top + 2]
    bend = low - 2.0 * peak + high
    shift = float(np.clip(0.5 * (low - high) / bend, -1.0, 1.0)) if bend < 0 else 0.0
    pitch = float(hz_to_midi(CANDIDATES[top])) + 12.0 * shift / STEPS
    return pitch, float(np.clip((peak - VOICED) / (CERTAIN - VOICED), 0.0, 1.0))


def exact_pitch(audio: ArrayLike, sample_rate: int, frequency: Floats, frames: NDArray[np.int64]) -> tuple[Any, Any]:
    """Measure the frequency of a pitch around some frames by the phase that its first partials gain over time.

    A frame where the partials say something farther than 60 cents away keeps its frequency, with a power of 0.

    Args: frequency: what was found there, hertz. frames: numbers of frames of 10 ms.
    Shapes: audio (samples,); frequency and frames (n,) -> hertz and power of the partials, (n,) each.
    """
    sound = np.ascontiguousarray(audio, np.float64)
    hertz, power = np.array(frequency, np.float64), np.zeros(len(frequency))
    places = np.round(np.asarray(frames) * STEP * sample_rate).astype(np.int64)
    _measure_partials(sound, float(sample_rate), places, hertz, power)
    return hertz, power


def exact_note(audio: ArrayLike, sample_rate: int, midi: float, frames: NDArray[np.int64]) -> float:
    """Return a pitch measured exactly: the median over frames, weighed by the square root of their amplitude.

    Shapes: audio (samples,), frames (n,) -> MIDI number with a fraction.
    """
    found = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    hertz, power = exact_pitch(audio, sample_rate, np.full(len(frames), found), frames)
    if not power.any():
        return midi
    order = np.argsort(hertz)
    half = np.cumsum(np.sqrt(np.sqrt(power[order])))  # as `mean_pitch` weighs: drums settle on the pitch that is heard
    return float(hz_to_midi(hertz[order[int(np.searchsorted(half, 0.5 * half[-1]))]]))


def frame_levels(audio: ArrayLike, sample_rate: int, frames: int) -> NDArray[np.float64]:
    """Return the level in dB around each frame, of 20 ms. Shapes: (samples,) -> (frames,)."""
    half = max(round(STEP * sample_rate), 1)
    sums = np.concatenate([[0.0], np.cumsum(np.square(np.asarray(audio, np.float64)))])
    places = np.round(np.arange(frames) * STEP * sample_rate).astype(np.int64)
    ends = [np.clip(places + side, 0, len(sums) - 1) for side in (-half, half)]
    return np.asarray(10.0 * np.log10(np.maximum((sums[ends[1]] - sums[ends[0]]) / (2 * half), 1e-20)))


def strongest_path(strength: NDArray[np.float64], jump: float = 0.25) -> NDArray[np.int64]:
    """Return the path of candidates that is strongest and jumps least, by dynamic programming.

    Args:
        jump: strength that a change of pitch costs, per octave and frame.
    Shapes: (frames, candidates) -> (frames,) places among `CANDIDATES`.
    """
    path = np.empty(len(strength), np.int64)
    _path(np.ascontiguousarray(np.maximum(strength, 0.0)), jump / STEPS, path)
    return path


@compile_exact
def _path(strength: Any, jump: float, path: Any) -> None:
    """Fill `path`; with a cost that grows by steps, each candidate asks its two neighbours only."""
    frames, count = strength.shape
    score = strength[0].copy()
    origin = np.empty((frames, count), np.int64)
    for frame in range(1, frames):
        source = origin[frame]
        for k in range(count):
            source[k] = k
        for k in range(1, count):
            if score[k - 1] - jump > score[k]:
                score[k] = score[k - 1] - jump
                source[k] = source[k - 1]
        for k in range(count - 2, -1, -1):
            if score[k + 1] - jump > score[k]:
                score[k] = score[k + 1] - jump
                source[k] = source[k + 1]
        for k in range(count):
            score[k] += strength[frame, k]
    path[frames - 1] = np.argmax(score)
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = origin[frame, path[frame]]


@compile_exact
def _measure_partials(sound: Any, sample_rate: float, places: Any, hertz: Any, power: Any) -> None:
    """Correct `hertz` and fill `power`: each partial is demodulated by two windows a quarter of their length apart."""
    turn = 2.0 * np.pi
    for k in range(len(places)):
        frequency = hertz[k]
        half = max(int(PERIODS * sample_rate / frequency / 2.0), 8)
        apart = max(half // 2, 1)
        turn_c, turn_s = np.cos(np.pi / half), np.sin(np.pi / half)
        total, weight = 0.0, 0.0
        for harmonic in range(1, PARTIALS + 1):
            if harmonic * frequency > 0.45 * sample_rate:
                break
            angle = turn * harmonic * frequency / sample_rate
            step_c, step_s = np.cos(angle), np.sin(angle)
            sums = np.zeros((2, 2))
            for number in range(2):
                first = places[k] - half - apart // 2 + number * apart
                c, s = 1.0, 0.0
                window_c, window_s = 1.0, 0.0
                for j in range(2 * half + 1):
                    place = first + j
                    if 0 <= place < len(sound):
                        value = sound[place] * (0.5 - 0.5 * window_c)
                        sums[number, 0] += value * c
                        sums[number, 1] -= value * s
                    c, s = c * step_c - s * step_s, s * step_c + c * step_s
                    window_c, window_s = window_c * turn_c - window_s * turn_s, window_s * turn_c + window_c * turn_s
            real = sums[1, 0] * sums[0, 0] + sums[1, 1] * sums[0, 1]
            imaginary = sums[1, 1] * sums[0, 0] - sums[1, 0] * sums[0, 1]
            # each window counts its phase from its own beginning: what is left over `apart` samples is the true turn
            expected = angle * apart
            gained = np.arctan2(imaginary, real) - expected
            gained -= turn * np.round(gained / turn)
            energy = np.sqrt(real * real + imaginary * imaginary)
            total += energy * gained / (turn * apart) * sample_rate / harmonic
            weight += energy
        if weight > 0.0:
            exact = frequency + total / weight
            if exact > 0.0 and abs(1200.0 * np.log2(exact / frequency)) <= FARTHEST:
                hertz[k], power[k] = exact, weight
