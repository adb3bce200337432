"""The oscillator dictionary of `fm`: which of 4 x 4096 oscillators a sound contains, and how loud each is.

Given envelope, filter and gater an `fm` sound is a sum of four atoms, one a waveform, each of 16^3 shapes (carrier,
modulation frequency, depth). `Dictionary` correlates a sound with every shape at once: the phase of a shape is a
carrier term plus a modulation term, so all correlations with the n-th harmonic are one matrix product, in windows of
time so that any envelope and any initial phase can be tried on them afterwards; waveforms are weighted sums of
harmonics.
`Ramps` does the same for envelopes: attack, decay and sustain enter as a weighted sum of two ramps, so that the inner
products of 25 ramps score all 4096 of their settings together. `fit_amplitudes` is non-negative least squares, bounded
to the range of the amplitudes and then taken to their classes.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from generators.fm.atoms import Audio, EffectChain, shape

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]

WINDOWS = 16
"""Stretches of time in which correlations are kept apart: a sixteenth of a second, about one step of the envelope."""

HARMONICS = np.arange(1, 9)
"""Harmonics that may be looked at; the eighth of A4 lies near the highest cutoff."""

STRIDES = (4, 2, 2)
"""Samples into which one is made for the first, second and third harmonic (and all later ones): at 16,384 Hz and 1,500
Hz of depth bands of 4,096 and 8,192 Hz hold swings of 3,000, 6,000 and (all but the deepest) 9,000 Hz."""

MOST_STAYS = 64
"""Gaters whose power is kept by place of a swing, 50 KB each."""

_compile = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz", "arcp", "reassoc"})


def series() -> Floats:
    """Return the Fourier sine series of the four waveforms at amplitude 1, (4, harmonics)."""
    n = HARMONICS
    odd = n % 2 == 1
    saw = 2.0 / np.pi * np.where(odd, 1.0, -1.0) / n
    triangle = np.where(odd, 8.0 / np.pi**2 * np.where(n % 4 == 1, 1.0, -1.0) / n**2, 0.0)
    square = np.where(odd, 4.0 / np.pi / n, 0.0)
    return np.stack([np.where(n == 1, 1.0, 0.0), saw, triangle, square])


class Dictionary:
    """All shapes of an oscillator: `frequencies` (f,), `rates` (v,) and `depths` (b,) in hertz.

    A shape's number is (f * len(rates) + v) * len(depths) + b. Once its carrier has been turned to 0 Hz, the n-th
    harmonic swings by no more than n times the greatest depth, so that a sound may be thinned before it is correlated:
    by `STRIDES` samples. The tables take 55 MB for one second of `fm` and are made once for each size.
    """

    def __init__(self, frequencies: Any, rates: Any, depths: Any, samples: int, sample_rate: int) -> None:
        self.frequencies, self.rates, self.depths = (np.asarray(x, np.float64) for x in (frequencies, rates, depths))
        self.samples, self.sample_rate = samples, sample_rate
        self.sizes = len(self.frequencies), len(self.rates), len(self.depths)
        longest = max(STRIDES)
        self.window = -(-samples // (WINDOWS * longest)) * longest
        time = np.arange(self.window * WINDOWS) / sample_rate
        slow = 2.0 * np.pi * np.outer(time, self.rates)
        bend = (1.0 - np.cos(slow))[:, :, None] * (self.depths / self.rates[:, None])
        self._bands = [self._band(int(n)) for n in HARMONICS]
        self._turns = [self._turn(bend, n) for n in range(1, len(STRIDES) + 1)]
        # where the instantaneous frequency stands within its swing, as a histogram for each rate and window
        edges = np.linspace(-1.0, 1.0, 25)
        self._places = (edges[1:] + edges[:-1]) / 2
        bins = np.clip(np.digitize(np.sin(slow), edges) - 1, 0, len(self._places) - 1)
        self._bins = bins.reshape(WINDOWS, self.window, -1)
        self._stays: dict[int, Floats] = {}

    def __len__(self) -> int:
        return int(np.prod(self.sizes))

    def numbers_to_classes(self, numbers: ArrayLike) -> Classes:
        """Return carrier, rate and depth classes, (n, 3)."""
        return np.stack(np.unravel_index(np.asarray(numbers), self.sizes), axis=-1)

    def shapes(self, classes: ArrayLike) -> Floats:
        """Return hertz for (n, 3) classes."""
        rows = np.asarray(classes)
        return np.stack([self.frequencies[rows[..., 0]], self.rates[rows[..., 1]], self.depths[rows[..., 2]]], axis=-1)

    def harmonics(self, response: Any, share: float = 0.9, most: int = 4) -> Classes:
        """Return the harmonics that carry `share` of the energy of a saw or square behind a filter.

        `response` maps hertz to power.
        """
        middle = self.frequencies[[0, len(self.frequencies) // 2, -1]]
        power = np.mean([response(HARMONICS * f) / HARMONICS**2 for f in middle], axis=0)
        order = np.argsort(-power)
        needed = int(np.searchsorted(np.cumsum(power[order]) / power.sum(), share)) + 1
        return np.sort(HARMONICS[order[: min(needed, most)]]).astype(np.int64)

    def correlate(
        self, audio: ArrayLike, harmonics: Classes, quadrature: bool = False, pool: Executor | None = None
    ) -> Audio:
        """Correlate sounds (already sent backwards through filter and gater) with sin(n phase) of every shape.

        Shapes: audio (r, samples or fewer) -> (r, parts, harmonics, windows, shapes) float32; parts is 1, or 2 with the
        cosine's correlations after the sine's where `quadrature` is asked for.
        """
        rows = np.atleast_2d(np.asarray(audio, np.float32))
        padded = np.zeros((len(rows), WINDOWS * self.window), np.float32)
        padded[:, : rows.shape[1]] = rows
        spectra = scipy.fft.fft(padded)
        count, parts, around = len(rows), 2 if quadrature else 1, self.sizes[1] * self.sizes[2]
        frequencies = self.sizes[0]
        out = np.empty((count, parts, len(harmonics), WINDOWS, frequencies, around), np.float32)
        turned = [self._at_zero(spectra, int(n)) for n in harmonics]

        def work(window: int) -> None:
            for place, n in enumerate(harmonics):
                sound, table = turned[place][:, :, window], self._table(int(n), window)
                left = np.empty((count, parts, frequencies, 2, sound.shape[-1]), np.float32)
                left[:, 0, :, 0], left[:, 0, :, 1] = -sound.imag, sound.real
                if quadrature:
                    left[:, 1, :, 0], left[:, 1, :, 1] = sound.real, sound.imag
                flat = left.reshape(count * parts * frequencies, -1) @ table.reshape(-1, around)
                out[:, :, place, window] = flat.reshape(count, parts, frequencies, around)

        with threadpool_limits(1, user_api="blas"):  # products this small gain nothing from threads of their own
            list((map if pool is None else pool.map)(work, range(WINDOWS)))
        return out.reshape(count, parts, len(harmonics), WINDOWS, -1)

    def _turn(self, bend: Floats, n: int) -> Audio:
        """Return cosine and sine of n times the phase that modulation adds, (windows, 2, window / stride, v * b)."""
        angles = n * bend[:: STRIDES[n - 1]].reshape(WINDOWS, self.window // STRIDES[n - 1], -1)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def _table(self, n: int, window: int) -> Audio:
        """Return that table of one window; the ones that are seldom needed are products of those that are kept."""
        if n <= len(STRIDES):
            return self._turns[n - 1][window]
        power = self._turns[1][window].copy()
        while n > 5:
            lower = 3 if n % 2 else 2
            _multiply(power, self._turns[lower - 1][window])
            n -= lower
        _multiply(power, self._turns[n - 3][window])
        return power

    def _at_zero(self, spectra: Any, n: int) -> Any:
        """Turn the n-th harmonic of every carrier to 0 Hz and thin what is near it, complex.

        Shapes: spectra (r, windows * window) -> (r, frequencies, windows, window / stride).
        """
        index, turn = self._bands[n - 1]
        band = scipy.fft.ifft(spectra[:, index]) * turn
        return band.reshape(len(spectra), len(self.frequencies), WINDOWS, -1)

    def _band(self, n: int) -> tuple[Classes, Any]:
        """Return where in a spectrum the n-th harmonic of every carrier lies, and what turns it from there to 0 Hz."""
        stride = STRIDES[min(n, len(STRIDES)) - 1]
        samples = self.window * WINDOWS
        kept = samples // stride
        middles = np.rint(n * self.frequencies * samples / self.sample_rate).astype(np.int64)
        around = np.fft.fftfreq(kept, 1.0 / kept).astype(np.int64)
        beside = n * self.frequencies - middles * (self.sample_rate / samples)
        time = np.arange(kept) * (stride / self.sample_rate)
        turn = np.exp(-2j * np.pi * np.outer(beside, time)).astype(np.complex64)
        return (middles[:, None] + around) % samples, turn

    def energies(self, response: Any, gate: Audio, harmonics: Classes) -> Audio:
        """Estimate the energy of sin(n phase) behind filter and gater, as if the filter followed at once.

        Shapes: returns (harmonics, windows, shapes) float32.
        """
        instantaneous = self.frequencies[:, None, None] + self.depths[:, None] * self._places
        passed = np.stack([response(np.abs(n * instantaneous)) for n in harmonics])
        energy = 0.5 * np.einsum("wvp,nfbp->nwfvb", self._stay(gate), passed, optimize=True)
        return energy.reshape(len(harmonics), WINDOWS, -1).astype(np.float32)

    def _stay(self, gate: Audio) -> Floats:
        """Return how much of a gater's power falls on each place of a swing, (windows, rates, places); kept by gate."""
        key = hash(gate.tobytes())
        if key not in self._stays:
            if len(self._stays) >= MOST_STAYS:
                self._stays.clear()
            power = np.zeros(self.window * WINDOWS)
            power[: len(gate)] = np.square(gate)
            weights = np.zeros((WINDOWS, len(self.rates), len(self._places)))
            for window, square in enumerate(power.reshape(WINDOWS, -1)):
                for rate in range(len(self.rates)):
                    weights[window, rate] = np.bincount(self._bins[window, :, rate], square, len(self._places))
            self._stays[key] = weights
        return self._stays[key]


@lru_cache(maxsize=2)
def find_dictionary(
    frequencies: tuple[float, ...], rates: tuple[float, ...], depths: tuple[float, ...], samples: int, sample_rate: int
) -> Dictionary:
    """Return the dictionary of these levels, made at the first call."""
    return Dictionary(frequencies, rates, depths, samples, sample_rate)


def power_response(filters: Audio, sample_rate: int, emphasis: float = 0.0) -> Any:
    """Return a function from hertz to the power let through by a low-pass, `filters` (1, 3), and an emphasis."""
    b0, a1, a2 = (float(x) for x in filters[0])

    def response(hertz: Any) -> Any:
        turn = np.exp(-2j * np.pi * np.asarray(hertz) / sample_rate)
        return np.abs((1.0 - emphasis * turn) * b0 * (1.0 + turn) ** 2 / (1.0 + a1 * turn + a2 * turn**2)) ** 2

    return response


@dataclass(frozen=True)
class Ramps:
    """The envelope's settings as weighted sums of ramps min(t, knot)/knot, held from note-off on.

    Level before release is first * ramp[rise] + second * ramp[turn]; with `attack`, `decay` and `sustain` levels.
    """

    knots: Floats
    rise: Classes
    turn: Classes
    first: Floats
    second: Floats

    @classmethod
    def of(cls, attack: ArrayLike, decay: ArrayLike, sustain: ArrayLike, note_length: float) -> "Ramps":
        """Find the knots of every combination. Shapes: rise (a,), turn (a, d), first and second (a, d, s)."""
        a, d, s = (np.asarray(x, np.float64) for x in (attack, decay, sustain))
        ends = a[:, None] + d
        # a knot after note-off is one like any other: the ramp has not ended when the note has
        knots, places = np.unique(np.round(np.concatenate([a, ends.ravel()]), 9), return_inverse=True)
        late = knots > note_length
        kept = np.append(knots[~late], note_length)
        row = np.minimum(places, len(kept) - 1)
        fall = (1.0 - s) / d[:, None]  # (d, s)
        # min(t, a)/a = ramp of a while a is a knot; a late attack is the line t/a = (note_length/a) * ramp of the note
        first = (1.0 + fall * a[:, None, None]) * np.where(a > note_length, note_length / a, 1.0)[:, None, None]
        second = -fall * np.minimum(ends, note_length)[:, :, None]
        return cls(kept, row[: len(a)], row[len(a) :].reshape(ends.shape), first, second)

    def envelopes(self, time: Floats, note_length: float, release: float) -> Audio:
        """Return the ramps with a release, (knots, samples)."""
        held = np.minimum(time, note_length)
        falling = np.maximum(1.0 - (time - held) / release, 0.0)
        return (np.minimum(held, self.knots[:, None]) / self.knots[:, None] * falling).astype(np.float32)


@dataclass(frozen=True)
class EnvelopeFit:
    """The attack, decay and sustain classes that leave least, with the amplitudes' classes and the energy left."""

    envelope: tuple[int, int, int]
    amplitudes: Classes
    residual: float


def ramp_atoms(ramps: Ramps, waves: Audio, effects: EffectChain, gain: float, pool: Executor | None = None) -> Floats:
    """Send every oscillator through every ramp, with `effects.envelopes` those of `Ramps.envelopes`.

    Shapes: waves (m, samples) -> (m * knots, samples) float64, since the two ramps of a short decay nearly cancel.
    """
    count, knots = len(waves), len(ramps.knots)
    atoms = shape(waves, effects, np.repeat(np.arange(count), knots), np.tile(np.arange(knots), count), pool=pool)
    return atoms.astype(np.float64) * gain


def fit_envelope(
    ramps: Ramps,
    gram: Floats,
    products: Floats,
    power: float,
    levels: Floats,
    most: int = 512,
    any_level: bool = False,
) -> EnvelopeFit:
    """Find the best of all attacks, decays and sustains, each with its best amplitudes.

    All are scored with unrounded amplitudes, which bounds what rounded ones can reach; then the most promising ones,
    `most` at most, with rounded ones until the bound passes the best found.

    Args:
        gram: (m * knots, m * knots) of `ramp_atoms`, products: (m * knots,) of atoms and sound, power: energy of the
            sound. levels: of the amplitudes, in rising order. any_level: fit a gain of the whole sound beside them.
    """
    high = np.inf if any_level else levels[-1]
    knots = len(ramps.knots)
    m = len(products) // knots
    grams = np.ascontiguousarray(gram.reshape(m, knots, m, knots).transpose(1, 3, 0, 2))
    inner = np.ascontiguousarray(products.reshape(m, knots).T)
    bounds = np.empty(ramps.first.shape)
    low = 0.0 if any_level else levels[0]
    _bound_envelopes(grams, inner, power, ramps.rise, ramps.turn, ramps.first, ramps.second, low, high, bounds)
    flat = bounds.ravel()
    order = np.argpartition(flat, min(most, flat.size - 1))[:most]
    order = order[np.argsort(flat[order])]
    amplitudes = np.empty(m, np.int64)
    place, residual = _round_envelopes(
        grams,
        inner,
        power,
        ramps.rise,
        ramps.turn,
        ramps.first,
        ramps.second,
        levels,
        any_level,
        order,
        flat,
        amplitudes,
    )
    a, d, s = (int(x) for x in np.unravel_index(place, bounds.shape))
    return EnvelopeFit((a, d, s), amplitudes, float(residual))


def fit_amplitudes(
    gram: ArrayLike, products: ArrayLike, power: float, levels: Floats, any_level: bool = False
) -> tuple[Classes, Floats]:
    """Find amplitude classes that leave least of a sound, at the level of the synth or, with `any_level`, at any.

    Non-negative least squares within the range of `levels` by coordinate descent, rounded, then improved class by
    class and pair by pair.

    Shapes: gram (n, m, m) of the atoms, products (n, m) of atoms and sound, power: energy of the sound. Returns
    classes (n, m) and residual energies (n,).
    """
    grams, right = np.ascontiguousarray(gram, np.float64), np.ascontiguousarray(products, np.float64)
    classes, residual = np.empty(right.shape, np.int64), np.empty(len(right))
    _fit_rows(grams, right, power, levels, any_level, classes, residual)
    return classes, residual


@_compile
def _multiply(power: Any, turn: Any) -> None:
    """Multiply complex tables in place; both (2, rows, columns), real before imaginary parts."""
    _, rows, columns = power.shape
    for i in range(rows):
        for j in range(columns):
            a, b, x, y = power[0, i, j], power[1, i, j], turn[0, i, j], turn[1, i, j]
            power[0, i, j] = a * x - b * y
            power[1, i, j] = a * y + b * x


@_compile
def _descend(gram: Any, right: Any, power: float, low: float, high: float, amount: Any) -> float:
    """Minimise over low <= amount <= high from where `amount` starts; returns the residual."""
    m = len(right)
    for _ in range(40):
        moved = 0.0
        for i in range(m):
            slope = right[i]
            for j in range(m):
                slope -= gram[i, j] * amount[j]
            if gram[i, i] > 0.0:
                new = min(max(amount[i] + slope / gram[i, i], low), high)
                moved = max(moved, abs(new - amount[i]))
                amount[i] = new
        if moved < 1e-4:
            break
    total = power
    for i in range(m):
        inner = 0.0
        for j in range(m):
            inner += gram[i, j] * amount[j]
        total += amount[i] * (inner - 2.0 * right[i])
    return total


@_compile
def _fit_one(gram: Any, right: Any, power: float, levels: Any, amount: Any, classes: Any) -> float:
    """Fit one row; `amount` is the start and becomes the unrounded solution."""
    m = len(right)
    last = len(levels) - 1
    low, high = levels[0], levels[last]
    step = (high - low) / last
    _descend(gram, right, power, low, high, amount)
    for i in range(m):
        classes[i] = round((amount[i] - low) / step)
    best = _residual(gram, right, power, levels, classes)
    improved = True
    while improved:
        improved = False
        for i in range(m):
            for j in range(i, m):
                # best class of j for every neighbour of i
                kept_i, kept_j = classes[i], classes[j]
                best_i, best_j = kept_i, kept_j
                for option in range(max(kept_i - 3, 0), min(kept_i + 3, last) + 1):
                    classes[i] = option
                    if j != i and gram[j, j] > 0.0:
                        slope = right[j]
                        for k in range(m):
                            if k != j:
                                slope -= gram[j, k] * levels[classes[k]]
                        wanted = (min(max(slope / gram[j, j], low), high) - low) / step
                        classes[j] = round(wanted)
                    found = _residual(gram, right, power, levels, classes)
                    if found < best - 1e-9 * power:
                        best, best_i, best_j, improved = found, option, classes[j], True
                classes[i], classes[j] = best_i, best_j
    return best


@_compile
def _fit_any(gram: Any, right: Any, power: float, levels: Any, amount: Any, classes: Any) -> float:
    """Fit one row at any level: the unrounded proportions at each scale of the upper half, then class by class."""
    m = len(right)
    last = len(levels) - 1
    _descend(gram, right, power, 0.0, np.inf, amount)
    most = 0.0
    for i in range(m):
        most = max(most, amount[i])
    classes[:] = last
    if most <= 0.0:
        return _residual_any(gram, right, power, levels, classes)
    trial = np.empty(m, np.int64)
    step = (levels[last] - levels[0]) / last
    best = np.inf
    for top in range(last // 2 + 1, last + 1):
        for i in range(m):
            trial[i] = max(round((amount[i] / most * levels[top] - levels[0]) / step), 0)
        found = _residual_any(gram, right, power, levels, trial)
        if found < best:
            best = found
            classes[:] = trial
    improved = True
    while improved:
        improved = False
        for i in range(m):
            for j in range(i, m):
                kept_i, kept_j = classes[i], classes[j]
                best_i, best_j = kept_i, kept_j
                for p in range(max(kept_i - 1, 0), min(kept_i + 1, last) + 1):
                    for q in range(max(kept_j - 1, 0), min(kept_j + 1, last) + 1):
                        classes[i] = p
                        if j != i:
                            classes[j] = q
                        elif q != kept_j:
                            continue
                        found = _residual_any(gram, right, power, levels, classes)
                        if found < best - 1e-9 * power:
                            best, best_i, best_j, improved = found, p, q, True
                classes[j] = best_j
                classes[i] = best_i
    return best


@_compile
def _residual_any(gram: Any, right: Any, power: float, levels: Any, classes: Any) -> float:
    """Return the energy left once the sum of the atoms has the gain that leaves least."""
    m = len(right)
    along, norm = 0.0, 0.0
    for i in range(m):
        a = levels[classes[i]]
        along += a * right[i]
        for j in range(m):
            norm += a * gram[i, j] * levels[classes[j]]
    if along <= 0.0 or norm <= 0.0:
        return power
    return power - along * along / norm


@_compile
def _residual(gram: Any, right: Any, power: float, levels: Any, classes: Any) -> float:
    total = power
    m = len(right)
    for i in range(m):
        a = levels[classes[i]]
        inner = 0.0
        for j in range(m):
            inner += gram[i, j] * levels[classes[j]]
        total += a * (inner - 2.0 * right[i])
    return total


@_compile
def _fit_rows(gram: Any, right: Any, power: float, levels: Any, any_level: bool, classes: Any, residual: Any) -> None:
    n, m = right.shape
    amount = np.empty(m)
    for row in range(n):
        amount[:] = 0.5
        if any_level:
            residual[row] = _fit_any(gram[row], right[row], power, levels, amount, classes[row])
        else:
            residual[row] = _fit_one(gram[row], right[row], power, levels, amount, classes[row])


@_compile
def _mix(gram: Any, products: Any, p: int, q: int, x: float, y: float, small: Any, right: Any) -> None:
    """Combine two ramps of each oscillator into one envelope."""
    m = len(right)
    for i in range(m):
        right[i] = x * products[p, i] + y * products[q, i]
        for j in range(m):
            small[i, j] = (
                x * x * gram[p, p, i, j] + x * y * (gram[p, q, i, j] + gram[q, p, i, j]) + y * y * gram[q, q, i, j]
            )


@_compile
def _bound_envelopes(
    gram: Any,
    products: Any,
    power: float,
    rise: Any,
    turn: Any,
    first: Any,
    second: Any,
    low: float,
    high: float,
    bounds: Any,
) -> None:
    m = products.shape[1]
    small, right, amount = np.empty((m, m)), np.empty(m), np.empty(m)
    attacks, decays, sustains = first.shape
    for a in range(attacks):
        for d in range(decays):
            amount[:] = 0.5
            for s in range(sustains):
                _mix(gram, products, rise[a], turn[a, d], first[a, d, s], second[a, d, s], small, right)
                bounds[a, d, s] = _descend(small, right, power, low, high, amount)


@_compile
def _round_envelopes(
    gram: Any,
    products: Any,
    power: float,
    rise: Any,
    turn: Any,
    first: Any,
    second: Any,
    levels: Any,
    any_level: bool,
    order: Any,
    bounds: Any,
    amplitudes: Any,
) -> Any:
    m = products.shape[1]
    small, right, amount, classes = np.empty((m, m)), np.empty(m), np.empty(m), np.empty(m, np.int64)
    _, decays, sustains = first.shape
    best, place = np.inf, order[0]
    for number in order:
        if bounds[number] > best:
            break
        a, d, s = number // (decays * sustains), number // sustains % decays, number % sustains
        _mix(gram, products, rise[a], turn[a, d], first[a, d, s], second[a, d, s], small, right)
        amount[:] = 0.5
        if any_level:
            found = _fit_any(small, right, power, levels, amount, classes)
        else:
            found = _fit_one(small, right, power, levels, amount, classes)
        if found < best:
            best, place = found, number
            amplitudes[:] = classes
    return place, best
