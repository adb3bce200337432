"""Is a sound one note or a chord? By how much of its spectrum one harmonic comb explains, and how much two.

One note has a strong pitch whose harmonics are nearly all of its partials. A chord's strongest pitch is weak beside
them, and a second comb explains much of the rest. What sounds at once as an octave or a twelfth is taken for one note:
its partials are those of the lower one. Sounds that fall silent again and again between loud moments, as all but a few
of `fm` do, are no chords: their clusters of swept tones have no partials that last.
"""

import itertools
from collections.abc import Mapping
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

WEIGHTS = (11.44, -16.63, 8.9, 17.51, 0.071)
BIAS = -3.24
"""Log odds of a chord by the first five of `Measurements`. Fitted to 1,440 notes and chords of even programs of two
SoundFonts, where a note called a chord counted half as much again; the five were chosen by cross-validation."""

CENTS, HERTZ = 22.0, 2.5
"""By how much a partial may lie beside a harmonic of one of two notes, the greater of the two: a third of a bin of the
windows, which partials of a chord keep; noise that a comb meets by chance does not."""

GAP_WINDOW = 0.01
"""Seconds of the windows in which a sound may be seen to fall silent: a third of the fastest tremolo of `fm`."""

GAP_DB = 22.0
"""Decibels by which a sound falls between two loud moments from which on it is gated: 98 % of notes stay below 17."""

LEAST_STRENGTH, LEAST_EXPLAINED = 0.1, 0.4
"""Pitch strength and share of two combs below which a sound is no chord but a noise or a cluster."""

SHARP = (-0.5, -0.2)
"""Curvature of the log amplitude at the top of a steady partial, between bins half a bin of the window apart: that of a
Hann window is -0.33; that of a glide, as of a kick drum, is nearer to 0, and that of noise anything."""

LEAST_STEADY = 0.4
"""Share of the amplitude of all partials, from which on they last as those of a chord do (99 % of chords: 0.46)."""

STRONG_DB, LEAST_STRONG = 15.0, 2
"""Decibels below the strongest within which a chord has two partials at least; a drum may have one."""

FILLED_DB, MOST_FILLED = 20.0, 0.2
"""Decibels below the strongest of the partials that may fill a fifth of the spectrum, four bins either side; those of
cymbals fill more, those of chords 0.16 at most."""


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
    """What decides.

    Attributes:
        explained: share of the partials that one comb explains, 0..1. strength: of the strongest pitch. added: share
            that a second comb explains beside the best one. alone: share that a comb of the best pair explains without
            the other, the smaller of the two. left_db: the strongest partial that the best comb leaves, in dB of the
            strongest of all.
        gap: the deepest gap in dB. lasting: whether the partials are steady, more than one, and apart, as those of
            drums and cymbals are not.
    """

    explained: float
    strength: float
    added: float
    alone: float
    left_db: float
    gap: float
    lasting: bool


def find_polyphony(audio: ArrayLike, sample_rate: int) -> Polyphony:
    """Tell a note from a chord. Shapes: (samples,). Silence is neither."""
    found, pitches = measure(audio, sample_rate)
    deciding = (found.explained, found.strength, found.added, found.alone, found.left_db)
    odds = float(np.dot(WEIGHTS, deciding)) + BIAS
    tonal = found.strength > LEAST_STRENGTH and found.explained + found.added > LEAST_EXPLAINED
    chord = odds > 0.0 and tonal and found.lasting and found.gap < GAP_DB and len(pitches) > 1
    return Polyphony(chord, float(1.0 / (1.0 + np.exp(-odds))), found.explained, found.explained + found.added, pitches)


def measure(audio: ArrayLike, sample_rate: int) -> tuple[Measurements, tuple[float, ...]]:
    """Measure what decides, and the MIDI notes of the best pair of combs (or of one)."""
    sound = np.asarray(audio, np.float64)
    nothing = Measurements(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False)
    if not len(sound) or not sound.any():
        return nothing, ()
    strength = pitch_strength(sound, sample_rate)
    levels = frame_levels(sound, sample_rate, len(strength))
    weights = 10.0 ** ((levels - levels.max()) / 20.0)
    mean = weights @ strength / weights.sum()
    frequencies, amplitudes, lasting = _partials(sound, sample_rate)
    if not len(frequencies):
        return nothing, ()
    roots = _roots(mean, frequencies, amplitudes)
    shares = np.sqrt(amplitudes) / np.sqrt(amplitudes).sum()
    present = [root for root in roots if _sounds(root, frequencies, amplitudes)]
    gap = _gap(sound, sample_rate)
    if not present:
        return Measurements(0.0, float(mean.max()), 0.0, 0.0, 0.0, gap, lasting), ()
    combs = {root: _comb(root, frequencies) for root in present}
    best = _best(combs, shares)
    left = float(amplitudes[~combs[best]].max(initial=0.0) / amplitudes.max())
    strict = {root: _comb(root, frequencies, strict=True) for root in present}
    pair, both = _best_pair(strict, shares)
    alone = 0.0
    if len(pair) > 1:
        low, high = (strict[root] for root in pair)
        alone = float(min(shares[low & ~high].sum(), shares[high & ~low].sum()))
    added = both - float(shares[strict[_best(strict, shares)]].sum())
    pitches = tuple(float(69.0 + 12.0 * np.log2(root / 440.0)) for root in pair or (best,))
    found = Measurements(
        explained=float(shares[combs[best]].sum()),
        strength=float(mean.max()),
        added=float(np.clip(added, -1.0, 0.3)),
        alone=alone,
        left_db=float(20.0 * np.log10(max(left, 1e-3))),
        gap=gap,
        lasting=lasting,
    )
    return found, pitches


def _best(combs: Mapping[float, NDArray[np.bool_]], shares: Floats) -> float:
    """Return the root whose comb explains most; the highest of nearly equal ones, for lower octaves explain it, too."""
    explained = {root: float(shares[comb].sum()) for root, comb in combs.items()}
    most = max(explained.values())
    return max(root for root, share in explained.items() if share > most - 0.04)


def _best_pair(combs: Mapping[float, NDArray[np.bool_]], shares: Floats) -> tuple[tuple[float, ...], float]:
    """Return the two roots, none a harmonic of the other, whose combs explain most, and how much; () without such."""
    pair: tuple[float, ...] = ()
    both = 0.0
    for low, high in itertools.product(combs, combs):
        ratio = high / low
        if ratio > 1.04 and abs(np.log2(ratio / round(ratio))) > 0.03:
            share = float(shares[combs[low] | combs[high]].sum())
            if share > both:
                pair, both = (low, high), share
    return pair, both


def _partials(sound: Floats, sample_rate: int) -> tuple[Floats, Floats, bool]:
    """Return frequency and amplitude of the peaks of the median spectrum of the loud windows, and whether they last."""
    length = 1 << round(np.log2(WINDOW * sample_rate))
    padded = np.pad(sound, (0, max(length - len(sound), 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, length)[:: length // 4]
    spectra = np.abs(np.fft.rfft(views * np.hanning(length), 2 * length, axis=1))
    energies = np.square(spectra).sum(axis=1)
    if not energies.any():  # a sample or two, where the windows begin with 0
        return np.empty(0), np.empty(0), False
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
    lasting = _last(peaks[kept], amplitudes[kept], bend[kept], len(median))
    return frequencies[kept], amplitudes[kept], lasting


def _last(peaks: NDArray[np.int64], amplitudes: Floats, bend: Floats, bins: int) -> bool:
    """Say whether peaks are steady partials, more than one, and apart from each other."""
    if not len(peaks):
        return False
    sharp = (bend > SHARP[0]) & (bend < SHARP[1])
    strong = amplitudes > amplitudes.max() * 10.0 ** (-STRONG_DB / 20.0)
    filled = np.zeros(bins, np.bool_)
    for peak in peaks[amplitudes > amplitudes.max() * 10.0 ** (-FILLED_DB / 20.0)]:
        filled[max(peak - 4, 0) : peak + 5] = True
    steady = float(amplitudes[sharp].sum() / amplitudes.sum())
    return bool(steady > LEAST_STEADY and strong.sum() >= LEAST_STRONG and filled.mean() < MOST_FILLED)


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


def _comb(root: float, frequencies: Floats, strict: bool = False) -> NDArray[np.bool_]:
    """Say which partials are harmonics of a root, and sharper where strings are stiff.

    Within 29 to 60 cents, or `strict`: within 22 cents or 2.5 Hz.
    """
    numbers = np.maximum(np.round(frequencies / root), 1.0)
    cents = 1200.0 * np.log2(frequencies / (numbers * root))
    if strict:
        allowed = np.maximum(CENTS, 1200.0 * np.log2(1.0 + HERTZ / frequencies))
    else:
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
