"""Where in a recording a sound of oscillators begins: to a fraction of a sample, with its polarity.

A shape of the dictionary, correlated with the recording at every lag, peaks where its modulation begins, whatever the
initial phases are; and as all oscillators of a synth start at phase 0, their carriers then agree on one place within a
period, and on one polarity. Both follow from one table of complex correlations (`likely_begins`). What a candidate is
worth, a patch built there tells; laid over the recording, that patch moves it to where it fits best (`Alignment`).
"""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from generators.analysis.alignment import Onset, cut, fit_offset
from generators.fm.atoms import Audio, shape
from generators.synth import Synth
from inversynth.search.fm_amplitude_fit import Classes, Floats, minimise_within
from inversynth.search.fm_dictionary import STRIDES, WINDOWS, Dictionary
from inversynth.search.fm_rendering import Candidate
from inversynth.search.fm_screening import SCREENED_PER_ATOM, Screening
from inversynth.search.fm_search import EMPHASIS, TILTED, OscillatorSearch

STRIDE = STRIDES[0]
"""Samples between lags: the decimation of the fundamental, whose band holds every deviation of the frequency."""

PEAKS = 5
"""Maxima over all lags around which phases are compared: with more, no sound of 200 was found that was not before."""

FINE = 0.125
"""Samples between beginnings at which phases are compared: a C6 turns by 3 degrees."""

NEAR = 24
"""Samples around a maximum in which phases are compared: more than half a period of A4, as the lag of a shape with
little modulation is no nearer."""

APART = 1.0
"""Samples between two candidates, at least: a search that begins so near is moved to the true place."""

DEEPEST = 1e-6
"""Power relative to the greatest (-60 dB) up to which a low-pass is undone: 16 bits hold no more of the highest
carriers behind the lowest cutoff."""

SPREADS = 3.0
"""Standard deviations of the first guess at which the weights of lags have fallen to a half."""

NEAREST = 60.0
"""Samples at which they have, at least: the guess errs by more for one sound of twenty, however sure it is."""

WIDE = 500.0
"""Samples at which they have in every second candidate: a soft attack is found so late, with a spread of 25."""

UPRIGHT = 1.25
"""Weight of the polarity that is heard more often, that of the synth itself."""

BUILDS = 12
"""Patches built at most: nearly all sounds of `fm` need one or two."""

TRIED = 0.1
"""Samples around a beginning that was tried in which no other is."""

LEFT = 0.01
"""Part of the energy of a recording that lies behind a beginning, at least: the end of a click is none."""

HOPELESS = 0.5
"""Energy left (-3 dB) by a patch above which it tells nothing of where it begins."""

IN_PLACE, STILL = 0.1, 0.02
"""Energy left (-10 dB) below which a patch tells where it begins, and samples by which it may be off there."""

MOVES = 6
"""Times that a patch is laid over the recording and improved there: each time it is nearer by half or more."""

SAME_PLACE = 0.005
"""Samples that it is moved at last: at 1 kHz they leave -54 dB."""

PRECISE = 1e-5
"""Energy left (-50 dB) below which only the last moves of a search are missing."""

WHOLE = 0.03
"""Samples from a whole one within which that is tried: what was cut and not resampled begins there."""

BESIDE = (0.0, -1.0, 1.0, -2.0, -0.4, 0.4)
"""Samples beside a place, of the nearest whole one but for the fractions, at which a patch is built anew: one with a
wrong oscillator fits best beside the true place."""

BESIDE_FROM = 0.25
"""Energy left (-6 dB) below which patches are built beside a place: one sample beside the true one they leave -8 dB."""

BESIDE_GAIN = 2.0
"""Times the energy left (3 dB) up to which a patch that was built beside a place is improved: no move has been yet."""

FILTER_STEP = 2
"""Every second cutoff and every second quality is tried where a patch is laid over a recording with any filter."""

LAID = 24
"""Places and filters of those that are compared with amplitudes above 0, out of all compared with any."""

TAPS = 17
"""Lags on either side from which values between two lags are interpolated."""


@dataclass(frozen=True)
class Begin:
    """Where a sound may begin.

    Attributes:
        position: samples into the recording, with a fraction; negative where the recording begins within the sound.
        polarity: 1 or -1. weight: the greater the likelier, comparable within one recording.
    """

    position: float
    polarity: int
    weight: float


class LagCorrelation:
    """Correlates recordings with every shape of a dictionary at all lags of one window (1/16 of the sound).

    The tables take 17 MB for one second of `fm`, and are made once for each size.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self.frequencies, self.sample_rate = dictionary.frequencies, dictionary.sample_rate
        self.lags = dictionary.window // STRIDE
        self.samples = (WINDOWS + 1) * dictionary.window
        spectra = scipy.fft.fft(dictionary.modulations(), 2 * self.lags, axis=1)  # window, bin, shape
        self._shapes = np.ascontiguousarray(np.conj(spectra).transpose(1, 0, 2)).astype(np.complex64)
        kept = self.samples // STRIDE
        middles = np.rint(self.frequencies * self.samples / self.sample_rate).astype(np.int64)
        around = np.fft.fftfreq(kept, 1.0 / kept).astype(np.int64)
        self._bins = (middles[:, None] + around) % self.samples
        beside = self.frequencies - middles * (self.sample_rate / self.samples)
        time = np.arange(kept) * (STRIDE / self.sample_rate)
        self._shift = np.exp(-2j * np.pi * np.outer(beside, time)).astype(np.complex64)

    def correlate(self, audio: Audio) -> Any:
        """Correlate one sound, cut or padded to `samples`: pieces of two windows with each window of every shape.

        Shapes: audio (any,) -> (lags, carriers, rates * depths) complex64; lag k is a beginning STRIDE * k samples in.
        """
        spectrum = scipy.fft.fft(np.asarray(audio, np.float32), self.samples)
        bands = scipy.fft.ifft(spectrum[self._bins], axis=1) * self._shift
        pieces = np.stack([bands[:, k * self.lags : (k + 2) * self.lags] for k in range(WINDOWS)], axis=1)
        parts = np.ascontiguousarray(scipy.fft.fft(pieces, axis=2).transpose(2, 0, 1))  # bin, carrier, window
        with threadpool_limits(1, user_api="blas"):
            products = np.matmul(parts, self._shapes)
        return scipy.fft.ifft(products, axis=0, overwrite_x=True)[: self.lags]


@lru_cache(maxsize=2)
def find_correlation(dictionary: Dictionary) -> LagCorrelation:
    """Return the correlation of a dictionary; the two used last are kept."""
    return LagCorrelation(dictionary)


def likely_begins(screening: Screening, recording: Audio, onset: Onset, classes: Classes) -> Iterator[Begin]:
    """Yield where a sound may begin, the likeliest first: near a guess, then half a window and more away from it.

    Args:
        recording: (any,). onset: a first guess. classes: of a patch whose filter is about that of the sound.
    """
    correlation = find_correlation(screening.dictionary)
    half = correlation.lags * STRIDE // 2
    middle = round(onset.position)
    yield from _candidates(screening, correlation, recording, onset, [middle - half], classes)
    if onset.spread * SPREADS > half / 2:
        sides = [middle - 3 * half, middle + half]
        yield from _candidates(screening, correlation, recording, onset, sides, classes)


def _candidates(
    screening: Screening,
    correlation: LagCorrelation,
    recording: Audio,
    onset: Onset,
    starts: list[int],
    classes: Classes,
) -> list[Begin]:
    """Return the candidates in the windows of lags that begin at some samples of a recording, the likeliest first.

    Those near the guess and those of a wide surrounding take turns.
    """
    renderer = screening.renderer
    widths = max(SPREADS * onset.spread, NEAREST), max(SPREADS * onset.spread, WIDE)
    found: list[list[Begin]] = [[] for _ in widths]
    low_pass = renderer.filters[renderer.filter_row(classes)]
    before = recording[: max(int(onset.position - SPREADS * onset.spread), 0)]
    noise = float(np.sqrt(np.mean(np.square(before, dtype=np.float64)))) if len(before) else 0.0
    for start in starts:
        sound = cut(recording, start, correlation.samples)
        back = deconvolve(sound, low_pass, noise)
        table = correlation.correlate(back)
        places = start + STRIDE * np.arange(correlation.lags)
        renderer.atoms += 2 * len(screening.dictionary) // SCREENED_PER_ATOM
        curve = np.square(np.square(np.abs(table)).max(axis=2)).sum(axis=1)
        for width, begins in zip(widths, found, strict=True):
            prior = partial(_prior, middle=onset.position, width=width)
            for place in _peaks(curve * prior(places)):
                begins += _phased(correlation, table, place, start, prior)
    kept = list[Begin]()
    orders = (sorted(begins, key=lambda begin: -begin.weight) for begins in found)
    for one in (one for turn in itertools.zip_longest(*orders) for one in turn if one is not None):
        if all(abs(one.position - other.position) > APART or one.polarity != other.polarity for other in kept):
            kept.append(one)
    return kept


def deconvolve(audio: Audio, low_pass: Audio, noise: float) -> Audio:
    """Undo a low-pass as far as noise allows, taking what went into it for white.

    Args: low_pass: b0, a1 and a2 of H(z) = b0 (1 + 1/z)^2 / (1 + a1/z + a2/z^2). noise: RMS of white noise in it.
    Shapes: audio (samples,) -> (samples,). Source: Wiener 1949.
    """
    size = scipy.fft.next_fast_len(2 * len(audio), real=True)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    b0, a1, a2 = (float(coefficient) for coefficient in low_pass)
    response = b0 * np.square(1.0 + turn) / (1.0 + a1 * turn + a2 * np.square(turn))
    power = np.square(np.abs(response))
    share = noise * noise / max(float(np.mean(np.square(audio, dtype=np.float64))), 1e-30)
    floor = max(share * float(power.mean()), DEEPEST * float(power.max()))
    spectrum = scipy.fft.rfft(audio.astype(np.float64), size) * np.conj(response) / (power + floor)
    return scipy.fft.irfft(spectrum, size)[: len(audio)].astype(np.float32)


def _prior(places: ArrayLike, middle: float, width: float) -> Floats:
    """Weigh beginnings by their distance from the first guess, whose errors have long tails, (n,) -> (n,)."""
    return 1.0 / (1.0 + np.square((np.asarray(places) - middle) / width))


def _peaks(curve: Floats) -> Classes:
    """Return the places of the highest maxima, highest first."""
    wide = np.concatenate([[-1.0], curve, [-1.0]])
    places = np.flatnonzero((curve > wide[:-2]) & (curve >= wide[2:]))
    return places[np.argsort(-curve[places])][:PEAKS].astype(np.int64)


def _phased(
    correlation: LagCorrelation, table: Any, place: int, start: int, prior: Callable[[ArrayLike], Floats]
) -> list[Begin]:
    """Return where, near one lag, the best shape of each carrier is at phase 0, in either polarity.

    A sine that begins at b correlates as A exp(-2 pi i f b) / 2i with its carrier: turned back, a positive number.
    """
    lags, carriers = len(table), np.arange(len(correlation.frequencies))
    shapes = np.abs(table[max(place - 1, 0) : place + 2]).max(axis=0).argmax(axis=1)
    first, last = max(place - TAPS - NEAR // STRIDE, 0), min(place + TAPS + NEAR // STRIDE + 1, lags)
    values = table[first:last, carriers, shapes]
    fine = STRIDE * place + np.arange(-NEAR, NEAR + FINE, FINE)
    apart = (fine[:, None] - STRIDE * np.arange(first, last)) / STRIDE
    window = np.cos(0.5 * np.pi * np.clip(apart / TAPS, -1.0, 1.0)) ** 2
    turns = np.outer(fine, correlation.frequencies) / correlation.sample_rate
    real = np.real(1j * np.exp(2j * np.pi * turns) * ((np.sinc(apart) * window) @ values))
    found = []
    for polarity, favour in ((1, UPRIGHT), (-1, 1.0)):
        weights = favour * np.square(np.square(np.maximum(polarity * real, 0.0))).sum(axis=1)
        weights *= prior(start + fine)
        for peak in _peaks(weights)[:2]:
            found.append(Begin(float(start + fine[peak]), polarity, float(weights[peak])))
    return found


@dataclass(frozen=True)
class Placed:
    """A patch and where its sound lies in a recording.

    Attributes:
        candidate: the patch. position, polarity: as of `Begin`. head: (n,) its first samples, where they lie before the
            recording. finished: whether nothing but noise is left beside it.
    """

    candidate: Candidate
    position: float
    polarity: int
    head: Audio
    finished: bool


class Alignment:
    """The search for the beginning of one sound.

    Args:
        recording: (any,). posterior: (size,) probabilities. any_level: as of `OscillatorSearch`. limit: atoms that may
            be rendered; no patch is built beyond.
    """

    def __init__(
        self,
        synth: Synth,
        recording: Audio,
        posterior: Floats,
        pool: Executor | None,
        any_level: bool,
        limit: float = np.inf,
    ) -> None:
        self.synth, self.recording, self.posterior = synth, recording, posterior
        self.pool, self.any_level, self.limit = pool, any_level, limit
        self._search: OscillatorSearch | None = None
        self._spent, self._builds = 0, 0

    @property
    def atoms(self) -> int:
        """Atoms rendered so far."""
        return self._spent + (0 if self._search is None else self._search.atoms)

    def in_place(self, patch: Candidate, position: float) -> bool:
        """Tell whether a patch explains much of the sound and fits best where it is."""
        if patch.residual > IN_PLACE:
            return False
        found, _ = self._lay(self._at(position, 1), patch, position)
        return abs(found - position) < STILL

    def search(
        self, onset: Onset, classes: Classes, upright: float | None = None, matched: Begin | None = None
    ) -> Iterator[Placed]:
        """Yield patches at their places, each leaving less than the one before, until one leaves only noise.

        Args: onset: a first guess. classes: of a patch whose filter is about that of the sound. upright: a likely place
        where patches of polarity 1 were searched already, and which is first tried in the other. matched: where
        `classes` are themselves a patch that sounds like the recording, which is improved before another is built.
        """
        best: Placed | None = None
        beside: Placed | None = None  # the last around which patches were built
        tried: list[tuple[float, int]] = []
        trusted = classes
        if matched is not None:
            patch = Candidate(classes, 1.0, np.zeros(len(self.synth.oscillators)))
            patch = self._at(matched.position, matched.polarity, patch).fitting.refit(patch)
            best = self._placed(*self._settle(patch, matched.position, matched.polarity))
            yield best
            if self._is_enough(best):
                return
            trusted = classes = best.candidate.classes
        search = self._at(max(onset.position, 0.0), 1)
        begins = likely_begins(search.screening, self.recording, onset, classes)
        if upright is not None:
            begins = itertools.chain([Begin(upright, -1, np.inf)], begins)
        while not self._exhausted():
            begin = next((one for one in begins if _is_new(one.position, one.polarity, tried)), None)
            if begin is not None:
                tried.append((begin.position, begin.polarity))
                if not self._lies_before_its_sound(begin.position):
                    continue
                placed = self._build(begin.position, begin.polarity, trusted, tried)
                if best is None or placed.candidate.residual < best.candidate.residual:
                    best = placed
                    yield best
                    if self._is_enough(best):
                        return
                    found = best.candidate.classes
                    if best.candidate.residual < HOPELESS and self._filter(found) != self._filter(trusted):
                        trusted, tried = found, []  # the filter turns phases: a better one gives better places
                        screening = self._at(best.position, 1).screening
                        begins = likely_begins(screening, self.recording, onset, found)
                        continue
            if best is not None and best is not beside and best.candidate.residual < BESIDE_FROM:
                beside = self._build_beside(best)
                if beside is not best:
                    best = beside
                    yield best
                    if self._is_enough(best):
                        return
            elif begin is None:
                return

    def _exhausted(self) -> bool:
        return self._builds >= BUILDS or self.atoms >= self.limit

    def _is_enough(self, placed: Placed) -> bool:
        return placed.finished or placed.candidate.residual < PRECISE

    def _lies_before_its_sound(self, position: float) -> bool:
        energy = np.square(self.recording, dtype=np.float64)
        return bool(energy[max(round(position), 0) :].sum() > LEFT * energy.sum())

    def _build(self, position: float, polarity: int, classes: Classes, tried: list[tuple[float, int]]) -> Placed:
        """Build a patch at a place, and move and improve it, unless it is moved to a place that was tried."""
        search = self._at(position, polarity)
        patch = self._begun(search, position, polarity, classes)
        if patch.residual < HOPELESS:
            moved, turned, classes = self._lay_with_any_filter(search, patch, position)
            new = abs(moved - position) < TRIED or _is_new(moved, turned, tried)
            if new and self._lies_before_its_sound(moved):
                there = self._at(moved, turned, patch).fitting.refit(Candidate(classes, patch.residual, patch.phases))
                if there.residual < patch.residual:
                    patch, position, polarity = there, moved, turned
                patch, position, polarity = self._settle(patch, position, polarity)
                tried.append((position, polarity))
        return self._placed(patch, position, polarity)

    def _begun(self, search: OscillatorSearch, position: float, polarity: int, classes: Classes) -> Candidate:
        """Build a patch at a place, on differences of samples where a low-pass leaves its lowest frequencies alone."""
        self._builds += 1
        if search.screening.tilt(classes) <= TILTED:
            return search.build(classes)
        emphasised = OscillatorSearch(
            self.synth,
            cut(self.recording, position, search.samples, polarity),
            self.posterior,
            self.pool,
            emphasis=EMPHASIS,
            any_level=self.any_level,
        )
        patch = emphasised.round(emphasised.build(classes))
        self._spent += emphasised.atoms
        return search.fitting.refit(patch)

    def _build_beside(self, placed: Placed) -> Placed:
        """Build patches beside a place, and take the first that leaves much less there."""
        whole = round(placed.position)
        for step in BESIDE:
            if self._exhausted() or placed.finished:
                break
            place = whole + step if step == round(step) else placed.position + step
            if abs(place - placed.position) < WHOLE:
                continue
            there = self._at(place, placed.polarity)
            patch = self._begun(there, place, placed.polarity, placed.candidate.classes)
            if patch.residual < BESIDE_GAIN * placed.candidate.residual:
                other = self._placed(*self._settle(patch, place, placed.polarity))
                if other.candidate.residual < 0.5 * placed.candidate.residual:
                    placed = other
        return placed

    def _settle(self, patch: Candidate, position: float, polarity: int) -> tuple[Candidate, float, int]:
        """Lay a patch over the recording and improve it there, until it stays; then try the whole sample beside it."""
        for number in range(MOVES):
            moved, turned = self._lay(self._at(position, polarity, patch), patch, position)
            if number and abs(moved - position) < SAME_PLACE:
                break
            position, polarity = moved, turned
            search = self._at(position, polarity, patch)
            patch = search.fitting.refit(patch)
            if patch.residual < PRECISE:
                break
            patch = search.round(patch)
            if patch.residual > HOPELESS:
                break
        if 0.0 < abs(position - round(position)) < WHOLE:
            whole = self._at(round(position), polarity, patch).fitting.refit(patch)
            if whole.residual < 1.05 * patch.residual:
                return whole, float(round(position)), polarity
        return patch, position, polarity

    def _lay(self, search: OscillatorSearch, patch: Candidate, position: float) -> tuple[float, int]:
        """Return the place near another at which a patch leaves least of the recording, and its polarity."""
        first = int(np.floor(position)) - NEAR
        around = cut(self.recording, first, search.samples + 2 * NEAR + 1)
        render = search.render(patch.classes[None], patch.phases)[0]
        if not around.any() or not render.any():
            return position, 1
        fit = fit_offset(around, render, (0, 2 * NEAR + 1))
        return first + fit.offset, fit.polarity

    def _lay_with_any_filter(
        self, search: OscillatorSearch, patch: Candidate, position: float
    ) -> tuple[float, int, Classes]:
        """Return where near a place the oscillators of a patch leave least, in which polarity and by which filter.

        A wrong filter turns the phases of oscillators, and so moves the place at which they fit best.
        """
        renderer, columns, m = search.renderer, search.columns, len(search.numbers)
        first, samples = int(np.floor(position)) - NEAR, search.samples
        cutoffs, qualities = (len(renderer.levels[column]) for column in (columns.cutoff, columns.quality))
        grid = np.indices((cutoffs, qualities))[:, ::FILTER_STEP, ::FILTER_STEP].reshape(2, -1)
        variants = np.repeat(patch.classes[None], grid.shape[1] + 1, axis=0)  # the last with the filter it has
        variants[:-1, columns.cutoff], variants[:-1, columns.quality] = grid
        atoms = shape(
            renderer.waves(patch),
            renderer.effects(renderer.envelope(patch.classes[None])),
            np.tile(np.arange(m), len(variants)),
            0,
            np.repeat(renderer.filter_row(variants), m),
            patch.classes[columns.gate],
            renderer.pool,
        )
        renderer.atoms += len(atoms)
        around = np.lib.stride_tricks.sliding_window_view(cut(self.recording, first, samples + 2 * NEAR), samples)
        products = (around @ atoms.T).reshape(len(around), len(variants), m).astype(np.float64)
        each = atoms.reshape(len(variants), m, samples)
        grams = np.matmul(each, each.transpose(0, 2, 1)).astype(np.float64)
        power = np.square(around, dtype=np.float64).sum(axis=1)
        ridge = 1e-6 * np.einsum("nii->n", grams)[:, None, None] * np.eye(m) + 1e-30 * np.eye(m)
        explained = np.einsum("lni,nij,lnj->ln", products, np.linalg.inv(grams + ridge), products) / power[:, None]
        least, found = np.inf, (position, 1, patch.classes)
        for place in np.argsort(-explained, axis=None)[:LAID]:
            lag, row = np.unravel_index(place, explained.shape)
            for polarity in (1, -1):
                left = minimise_within(grams[row], polarity * products[lag, row], power[lag], 0.0, np.inf, np.zeros(m))
                if left / power[lag] < least:
                    least, found = left / power[lag], (float(first + lag), polarity, variants[row])
        return found

    def _placed(self, patch: Candidate, position: float, polarity: int) -> Placed:
        search = self._at(position, polarity, patch)
        unknown = max(int(np.ceil(-position)), 0)
        return Placed(patch, position, polarity, search.fitting.match(patch)[:unknown], search.finished(patch))

    def _at(self, position: float, polarity: int, patch: Candidate | None = None) -> OscillatorSearch:
        """Return the search of the sound from a place on; where it lies before the recording, a patch fills the gap."""
        known = min(self.synth.samples, len(self.recording) - int(np.ceil(position)))
        known = max(known, self.synth.samples // WINDOWS)
        if self._search is None or abs(self._search.samples - known) > NEAR:
            self._spent = self.atoms
            self._search = OscillatorSearch(
                self.synth, np.zeros(known, np.float32), self.posterior, self.pool, any_level=self.any_level
            )
        search = self._search
        sound = cut(self.recording, position, search.samples, polarity)
        search.listen(sound)
        unknown = max(int(np.ceil(-position)), 0)
        if unknown and patch is not None:
            sound[:unknown] = search.fitting.match(patch)[:unknown]
            search.listen(sound)
        return search

    def _filter(self, classes: Classes) -> int:
        return 0 if self._search is None else int(self._search.renderer.filter_row(classes))


def _is_new(position: float, polarity: int, tried: list[tuple[float, int]]) -> bool:
    return all(abs(position - other) > TRIED or polarity != turned for other, turned in tried)
