"""Is a sound one note or a chord? By how much of its spectrum one harmonic comb explains, and how much two.

One note has a strong pitch whose harmonics are nearly all of its partials. A chord's strongest pitch is weak beside
them, and a second comb explains much of the rest. What sounds at once as an octave or a twelfth is taken for one note:
its partials are those of the lower one. Sounds that fall silent again and again between loud moments, as all but a few
of `fm` do, are no chords: their clusters of swept tones have no partials that last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.pitch_strength import CANDIDATES, frame_levels, pitch_strength

Floats = NDArray[np.float64]

WINDOW = 0.25
"""Seconds of the windows: a minor third upon C2 is 12 Hz, three of their bins."""

AUDIBLE_DB = 20.0
"""Decibels below the loudest window under which windows are left out."""

PARTIAL_DB = 40.0
"""Decibels below the strongest partial under which partials are left out."""

HIGHEST = 6000.0
"""Hz up to which partials are looked at."""

HARMONICS = 25
"""Of a comb; above, they lie as near to each other as partials to anything."""

WEIGHTS = (3.05, -13.63, 8.28)
BIAS = 3.26
"""Log odds of a chord by what one comb explains, pitch strength, and what a second adds (fitted to SoundFonts)."""

GAP_WINDOW = 0.01
"""Seconds of the windows in which a sound may be seen to fall silent: a third of the fastest tremolo of `fm`."""

GAP_DB = 22.0
"""Decibels by which a sound falls between two loud moments from which on it is gated: 98 % of notes stay below 17."""

LEAST_STRENGTH, LEAST_EXPLAINED = 0.1, 0.5
"""Pitch strength and share of two combs below which a sound is no chord but a noise or a cluster."""


@dataclass(frozen=True)
class Polyphony:
    """What a sound plays at once.

    Attributes:
        chord: whether it is two or more notes. probability: of that, 0..1. explained, by_two: what one and what two
            harmonic combs explain of the partials, 0..1. pitches: MIDI notes of the two combs, the lower one first; of
            the one comb where there is no pair.
    """

    chord: bool
    probability: float
    explained: float
    by_two: float
    pitches: tuple[float, ...]


@dataclass(frozen=True)
class Measurements:
    """What decides: the share one comb explains, pitch strength, what a second comb adds, and the deepest gap in dB."""

    explained: float
    strength: float
    added: float
    gap: float


def find_polyphony(audio: ArrayLike, sample_rate: int) -> Polyphony:
    """Tell a note from a chord. Shapes: (samples,). Silence is neither."""
    found, pitches = measure(audio, sample_rate)
    odds = float(np.dot(WEIGHTS, (found.explained, found.strength, found.added))) + BIAS
    tonal = found.strength > LEAST_STRENGTH and found.explained + found.added > LEAST_EXPLAINED
    chord = odds > 0.0 and tonal and found.gap < GAP_DB and len(pitches) > 1
    return Polyphony(chord, float(1.0 / (1.0 + np.exp(-odds))), found.explained, found.explained + found.added, pitches)


def measure(audio: ArrayLike, sample_rate: int) -> tuple[Measurements, tuple[float, ...]]:
    """Measure what decides, and the MIDI notes of the best pair of combs (or of one)."""
    sound = np.asarray(audio, np.float64)
    nothing = Measurements(0.0, 0.0, 0.0, 0.0)
    if not len(sound) or not sound.any():
        return nothing, ()
    strength = pitch_strength(sound, sample_rate)
    levels = frame_levels(sound, sample_rate, len(strength))
    weights = 10.0 ** ((levels - levels.max()) / 20.0)
    mean = weights @ strength / weights.sum()
    frequencies, amplitudes = _partials(sound, sample_rate)
    if not len(frequencies):
        return nothing, ()
    roots = _roots(mean, frequencies, amplitudes)
    shares = np.sqrt(amplitudes) / np.sqrt(amplitudes).sum()
    combs = [_comb(root, frequencies) for root in roots]
    present = [k for k, root in enumerate(roots) if _sounds(root, frequencies, amplitudes)]
    if not present:
        return Measurements(0.0, float(mean.max()), 0.0, _gap(sound, sample_rate)), ()
    singles = np.array([shares[combs[k]].sum() for k in present])
    close = [k for k, share in zip(present, singles, strict=True) if share > singles.max() - 0.04]
    best = max(close, key=lambda k: roots[k])  # combs an octave lower explain everything, too
    one = float(shares[combs[best]].sum())
    both = 0.0
    pair: tuple[int, ...] = (best,)
    for low in present:
        for high in present:
            ratio = roots[high] / roots[low]
            if ratio > 1.04 and abs(np.log2(ratio / round(ratio))) > 0.03:
                share = float(shares[combs[low] | combs[high]].sum())
                if share > both:
                    both, pair = share, (low, high)
    pitches = tuple(float(69.0 + 12.0 * np.log2(roots[k] / 440.0)) for k in pair)
    return Measurements(
        one, float(mean.max()), float(np.clip(both - one, -1.0, 0.3)), _gap(sound, sample_rate)
    ), pitches


def _partials(sound: Floats, sample_rate: int) -> tuple[Floats, Floats]:
    """Return frequency and amplitude of the partials that last: peaks of the median spectrum of the loud windows."""
    length = 1 << round(np.log2(WINDOW * sample_rate))
    padded = np.pad(sound, (0, max(length - len(sound), 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, length)[:: length // 4]
    spectra = np.abs(np.fft.rfft(views * np.hanning(length), 2 * length, axis=1))
    energies = np.square(spectra).sum(axis=1)
    loud = energies > energies.max() * 10.0 ** (-AUDIBLE_DB / 10.0)
    median = np.median(spectra[loud] / np.sqrt(energies[loud])[:, None], axis=0)
    inner = median[1:-1]
    peaks = np.flatnonzero((inner > median[:-2]) & (inner >= median[2:]) & (inner > 0.0)) + 1
    left, middle, right = (np.log(np.maximum(median[peaks + side], 1e-12)) for side in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    shifts = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-12), 0.0)
    frequencies = (peaks + np.clip(shifts, -1.0, 1.0)) * sample_rate / (2 * length)
    amplitudes = median[peaks]
    kept = (frequencies > 40.0) & (frequencies < HIGHEST)
    kept &= amplitudes > amplitudes[kept].max(initial=0.0) * 10.0 ** (-PARTIAL_DB / 20.0)
    return frequencies[kept], amplitudes[kept]


def _roots(mean: Floats, frequencies: Floats, amplitudes: Floats) -> list[float]:
    """Return what may be a note: the strongest pitches, moved to a partial where one is near, and strong partials."""
    inner = mean[1:-1]
    peaks = np.flatnonzero((inner > mean[:-2]) & (inner >= mean[2:])) + 1
    strongest = peaks[np.argsort(-mean[peaks])][:15]
    roots = []
    for root in [*CANDIDATES[strongest], *frequencies[np.argsort(-amplitudes)[:8]]]:
        near = frequencies[int(np.abs(np.log2(frequencies / root)).argmin())]
        roots.append(float(near if abs(np.log2(near / root)) < 0.04 else root))
    return roots


def _comb(root: float, frequencies: Floats) -> NDArray[np.bool_]:
    """Say which partials are harmonics of a root: within 29 to 60 cents, and sharper where strings are stiff."""
    numbers = np.maximum(np.round(frequencies / root), 1.0)
    cents = 1200.0 * np.log2(frequencies / (numbers * root))
    allowed = np.minimum(25.0 + 4.0 * numbers, 60.0)
    near = (cents > -allowed) & (cents < allowed + 0.15 * np.square(numbers)) & (numbers <= HARMONICS)
    return np.asarray(near & (np.abs(frequencies - numbers * root) < 0.25 * root))


def _sounds(root: float, frequencies: Floats, amplitudes: Floats) -> bool:
    """Say whether a root is there itself, or its second and third harmonics are."""
    levels = [
        amplitudes[np.abs(frequencies / root - number) < 0.04 * np.sqrt(number)].max(initial=0.0)
        for number in (1, 2, 3)
    ]
    loudest = amplitudes.max()
    return bool(levels[0] > 0.05 * loudest or (levels[1] > 0.1 * loudest and levels[2] > 0.05 * loudest))


def _gap(sound: Floats, sample_rate: int) -> float:
    """Return by how many dB a sound falls, at most, between two moments that are within 20 dB of its loudest."""
    window = np.hanning(max(round(GAP_WINDOW * sample_rate), 4))
    power = np.convolve(np.square(sound), window / window.sum(), mode="same")[:: max(len(window) // 4, 1)]
    levels = 10.0 * np.log10(np.maximum(power, max(float(power.max()), 1e-30) * 1e-10))
    before, after = np.maximum.accumulate(levels), np.maximum.accumulate(levels[::-1])[::-1]
    around = np.minimum(before, after)
    inside = around > levels.max() - 20.0
    return float((around - levels)[inside].max(initial=0.0))
