"""All shapes of the oscillators of `fm`, correlated with a sound at once: the dictionary of a matching pursuit.

Behind one envelope, filter and gater, an `fm` sound is a sum of four oscillators (*atoms*), each of 16^3 *shapes*
(carrier, modulation frequency, depth). The phase of a shape is a carrier term plus a modulation term, so the
correlations of a sound with the n-th harmonic of all shapes are one matrix product. They are kept apart in windows of
time, so that any envelope can be applied to them afterwards, and any initial phase where the cosine's are kept too.
Waveforms are weighted sums of harmonics.
"""

from concurrent.futures import Executor
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from generators.dsp.compiler import compile_kernel
from generators.fm.atoms import Audio

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]

WINDOWS = 16
"""Windows of time: for one second each lasts a sixteenth of a second, about one level of attack and decay."""

HARMONICS = np.arange(1, 9)
"""Harmonics that a waveform is made of here: the eighth of A4 lies near the highest cutoff."""

STRIDES = (4, 2, 2)
"""Decimation factors of the first, second and third harmonic (and all later ones). At 16,384 Hz and 1,500 Hz of depth,
bands of 4,096 and 8,192 Hz hold deviations of 3,000, 6,000 and (except for the greatest depths) 9,000 Hz, peak to
peak."""

MAX_GATES = 64
"""Gaters whose power by instantaneous frequency is cached, at 50 KB each: four times the 16 levels of `fm`."""


def series() -> Floats:
    """Return the Fourier sine series of `atoms.WAVEFORMS` at amplitude 1, (4, harmonics)."""
    n = HARMONICS
    odd = n % 2 == 1
    saw = 2.0 / np.pi * np.where(odd, 1.0, -1.0) / n
    triangle = np.where(odd, 8.0 / np.pi**2 * np.where(n % 4 == 1, 1.0, -1.0) / n**2, 0.0)
    square = np.where(odd, 4.0 / np.pi / n, 0.0)
    return np.stack([np.where(n == 1, 1.0, 0.0), saw, triangle, square])


class Dictionary:
    """All shapes of an oscillator: `frequencies` (f,), `rates` (v,) and `depths` (b,) in hertz.

    Shape (f, v, b) has the number (f * len(rates) + v) * len(depths) + b. Shifted so that its carrier lies at 0 Hz, the
    n-th harmonic deviates by at most n times the greatest depth, so the sound is decimated by `STRIDES` before it is
    correlated. The tables take 55 MB for one second of `fm` and are made once for each size.
    """

    def __init__(self, frequencies: Any, rates: Any, depths: Any, samples: int, sample_rate: int) -> None:
        self.frequencies, self.rates, self.depths = (np.asarray(x, np.float64) for x in (frequencies, rates, depths))
        self.samples, self.sample_rate = samples, sample_rate
        self.sizes = len(self.frequencies), len(self.rates), len(self.depths)
        longest = max(STRIDES)
        self.window = -(-samples // (WINDOWS * longest)) * longest
        time = np.arange(self.window * WINDOWS) / sample_rate
        slow = 2.0 * np.pi * np.outer(time, self.rates)
        sway = 1.0 - np.cos(slow)
        self._bands = [self._band(int(n)) for n in HARMONICS]
        self._rotations = [self._rotation(sway, n) for n in range(1, len(STRIDES) + 1)]
        # deviation of the instantaneous frequency in units of the depth, as a histogram for each rate and window
        edges = np.linspace(-1.0, 1.0, 25)
        self._deviations = (edges[1:] + edges[:-1]) / 2
        bins = np.clip(np.digitize(np.sin(slow), edges) - 1, 0, len(self._deviations) - 1)
        self._bins = bins.reshape(WINDOWS, self.window, -1)
        self._gate_powers: dict[int, Floats] = {}

    def __len__(self) -> int:
        return int(np.prod(self.sizes))

    def numbers_to_classes(self, numbers: ArrayLike) -> Classes:
        """Return carrier, rate and depth classes, (n, 3)."""
        return np.stack(np.unravel_index(np.asarray(numbers), self.sizes), axis=-1)

    def harmonics(self, response: Any, share: float = 0.9, most: int = 4) -> Classes:
        """Return the harmonics that carry `share` of the energy of a saw or square behind a filter, `most` at most.

        Args: response: maps hertz to power.
        """
        middle = self.frequencies[[0, len(self.frequencies) // 2, -1]]
        power = np.mean([response(HARMONICS * f) / HARMONICS**2 for f in middle], axis=0)
        order = np.argsort(-power)
        needed = int(np.searchsorted(np.cumsum(power[order]) / power.sum(), share)) + 1
        return np.sort(HARMONICS[order[: min(needed, most)]]).astype(np.int64)

    def correlate(
        self, audio: ArrayLike, harmonics: Classes, quadrature: bool = False, pool: Executor | None = None
    ) -> Audio:
        """Correlate sounds with sin(n phase) of every shape, for each harmonic n.

        Args:
            audio: sounds to which the adjoint of filter and gater has been applied. quadrature: also correlate with
                cos(n phase), so that initial phases can be fitted. pool: threads to share the work between.
        Shapes: audio (r, samples or fewer) -> (r, parts, harmonics, windows, shapes) float32; parts is 1, or 2 with
            sine before cosine.
        """
        rows = np.atleast_2d(np.asarray(audio, np.float32))
        padded = np.zeros((len(rows), WINDOWS * self.window), np.float32)
        padded[:, : rows.shape[1]] = rows
        spectra = scipy.fft.fft(padded)
        count, parts, around = len(rows), 2 if quadrature else 1, self.sizes[1] * self.sizes[2]
        frequencies = self.sizes[0]
        out = np.empty((count, parts, len(harmonics), WINDOWS, frequencies, around), np.float32)
        bands = [self._demodulate(spectra, int(n)) for n in harmonics]

        def work(window: int) -> None:
            for place, n in enumerate(harmonics):
                sound, table = bands[place][:, :, window], self._table(int(n), window)
                left = np.empty((count, parts, frequencies, 2, sound.shape[-1]), np.float32)
                left[:, 0, :, 0], left[:, 0, :, 1] = -sound.imag, sound.real
                if quadrature:
                    left[:, 1, :, 0], left[:, 1, :, 1] = sound.real, sound.imag
                flat = left.reshape(count * parts * frequencies, -1) @ table.reshape(-1, around)
                out[:, :, place, window] = flat.reshape(count, parts, frequencies, around)

        with threadpool_limits(1, user_api="blas"):  # products this small gain nothing from BLAS threads
            list((map if pool is None else pool.map)(work, range(WINDOWS)))
        return out.reshape(count, parts, len(harmonics), WINDOWS, -1)

    def modulations(self) -> Any:
        """Return what modulation adds to a fundamental: exp(i phase), (windows, window / STRIDES[0], v * b) complex."""
        return self._rotations[0][:, 0] + np.complex64(1j) * self._rotations[0][:, 1]

    def _rotation(self, sway: Floats, n: int) -> Audio:
        """Return cosine and sine of n times the phase that modulation adds, (windows, 2, window / stride, v * b).

        It is filled window by window: angles of all windows in float64 would take four times its memory.
        """
        ratios, length = self.depths / self.rates[:, None], self.window // STRIDES[n - 1]
        rotation = np.empty((WINDOWS, 2, length, ratios.size), np.float32)
        for cosine_sine, part in zip(rotation, sway[:: STRIDES[n - 1]].reshape(WINDOWS, length, -1, 1), strict=True):
            angles = (n * (part * ratios)).reshape(length, -1)
            np.cos(angles, out=cosine_sine[0], casting="same_kind")
            np.sin(angles, out=cosine_sine[1], casting="same_kind")
        return rotation

    def _table(self, n: int, window: int) -> Audio:
        """Return cosine and sine of one window; those of higher harmonics are products of the ones that are kept."""
        if n <= len(STRIDES):
            return self._rotations[n - 1][window]
        power = self._rotations[1][window].copy()
        while n > 5:
            lower = 3 if n % 2 else 2
            _multiply(power, self._rotations[lower - 1][window])
            n -= lower
        _multiply(power, self._rotations[n - 3][window])
        return power

    def _demodulate(self, spectra: Any, n: int) -> Any:
        """Shift the n-th harmonic of every carrier to 0 Hz and decimate the band around it, complex.

        Shapes: spectra (r, windows * window) -> (r, frequencies, windows, window / stride).
        """
        index, shift = self._bands[n - 1]
        band = scipy.fft.ifft(spectra[:, index]) * shift
        return band.reshape(len(spectra), len(self.frequencies), WINDOWS, -1)

    def _band(self, n: int) -> tuple[Classes, Any]:
        """Return the bins around the n-th harmonic of every carrier, and the factors that shift it to exactly 0 Hz."""
        stride = STRIDES[min(n, len(STRIDES)) - 1]
        samples = self.window * WINDOWS
        kept = samples // stride
        middles = np.rint(n * self.frequencies * samples / self.sample_rate).astype(np.int64)
        around = np.fft.fftfreq(kept, 1.0 / kept).astype(np.int64)
        beside = n * self.frequencies - middles * (self.sample_rate / samples)
        time = np.arange(kept) * (stride / self.sample_rate)
        shift = np.exp(-2j * np.pi * np.outer(beside, time)).astype(np.complex64)
        return (middles[:, None] + around) % samples, shift

    def energies(self, response: Any, gate: Audio, harmonics: Classes) -> Audio:
        """Estimate the energy of sin(n phase) behind filter and gater in every window.

        The filter is taken to answer at once: each moment counts by the filter's power at its instantaneous frequency.
        Args: response: maps hertz to power. gate: (samples,).
        Shapes: returns (harmonics, windows, shapes) float32.
        """
        instantaneous = self.frequencies[:, None, None] + self.depths[:, None] * self._deviations
        passed = np.stack([response(np.abs(n * instantaneous)) for n in harmonics])
        energy = 0.5 * np.einsum("wvp,nfbp->nwfvb", self._gate_power(gate), passed, optimize=True)
        return energy.reshape(len(harmonics), WINDOWS, -1).astype(np.float32)

    def _gate_power(self, gate: Audio) -> Floats:
        """Return a gater's power by deviation of the instantaneous frequency, (windows, rates, deviations); cached."""
        key = hash(gate.tobytes())
        if key not in self._gate_powers:
            if len(self._gate_powers) >= MAX_GATES:
                self._gate_powers.clear()
            power = np.zeros(self.window * WINDOWS)
            power[: len(gate)] = np.square(gate)
            weights = np.zeros((WINDOWS, len(self.rates), len(self._deviations)))
            for window, square in enumerate(power.reshape(WINDOWS, -1)):
                for rate in range(len(self.rates)):
                    weights[window, rate] = np.bincount(self._bins[window, :, rate], square, len(self._deviations))
            self._gate_powers[key] = weights
        return self._gate_powers[key]


@lru_cache(maxsize=2)
def find_dictionary(
    frequencies: tuple[float, ...], rates: tuple[float, ...], depths: tuple[float, ...], samples: int, sample_rate: int
) -> Dictionary:
    """Return the dictionary of these levels; the two used last are kept."""
    return Dictionary(frequencies, rates, depths, samples, sample_rate)


def power_response(filters: Audio, sample_rate: int, emphasis: float = 0.0) -> Any:
    """Return a function from hertz to power: what a low-pass, `filters` (1, 3), and an emphasis let through."""
    b0, a1, a2 = (float(x) for x in filters[0])

    def response(hertz: Any) -> Any:
        turn = np.exp(-2j * np.pi * np.asarray(hertz) / sample_rate)
        return np.abs((1.0 - emphasis * turn) * b0 * (1.0 + turn) ** 2 / (1.0 + a1 * turn + a2 * turn**2)) ** 2

    return response


@compile_kernel
def _multiply(power: Any, rotation: Any) -> None:
    """Multiply complex tables in place; both (2, rows, columns), real before imaginary parts."""
    _, rows, columns = power.shape
    for i in range(rows):
        for j in range(columns):
            a, b, x, y = power[0, i, j], power[1, i, j], rotation[0, i, j], rotation[1, i, j]
            power[0, i, j] = a * x - b * y
            power[1, i, j] = a * y + b * x
