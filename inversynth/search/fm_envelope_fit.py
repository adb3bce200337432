"""Envelope and amplitudes of known oscillators, fitted together.

Attack, decay and sustain enter an envelope as a weighted sum of two ramps (`Ramps`), so that the inner products of
some 25 ramps with each other and with the sound score all combinations of the three, 4,096 for `fm`, each with its
best amplitudes.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from generators.dsp.compiler import compile_kernel
from generators.fm.atoms import Audio, EffectChain, shape
from inversynth.search.fm_amplitude_fit import Classes, Floats, fit_levels, fit_proportions, minimise_within


@dataclass(frozen=True)
class Ramps:
    """Every envelope as a weighted sum of two ramps min(t, knot)/knot, each held at its level from note-off on.

    For attack a, decay d and sustain s the level before release is
    first[a, d, s] * ramp[rise[a]] + second[a, d, s] * ramp[turn[a, d]].
    Shapes: knots (k,) in seconds, rise (a,), turn (a, d), first and second (a, d, s).
    """

    knots: Floats
    rise: Classes
    turn: Classes
    first: Floats
    second: Floats

    @classmethod
    def of(cls, attack: ArrayLike, decay: ArrayLike, sustain: ArrayLike, note_length: float) -> "Ramps":
        """Find the knots and weights for all levels of attack and decay (seconds) and sustain (0..1)."""
        a, d, s = (np.asarray(x, np.float64) for x in (attack, decay, sustain))
        ends = a[:, None] + d
        # all knots after note-off are the same: the ramp has not ended when the note has
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
        """Return the ramps with a release in seconds, (knots, samples)."""
        held = np.minimum(time, note_length)
        falling = np.maximum(1.0 - (time - held) / release, 0.0)
        return (np.minimum(held, self.knots[:, None]) / self.knots[:, None] * falling).astype(np.float32)


@dataclass(frozen=True)
class EnvelopeFit:
    """Classes of attack, decay and sustain, of the amplitudes, and the energy of the sound that they leave."""

    envelope: tuple[int, int, int]
    amplitudes: Classes
    residual: float


def ramp_atoms(ramps: Ramps, waves: Audio, effects: EffectChain, gain: float, pool: Executor | None = None) -> Floats:
    """Render every oscillator through every ramp; `effects.envelopes` are those of `Ramps.envelopes`.

    Shapes: waves (m, samples) -> (m * knots, samples) float64, since the two ramps of a short decay nearly cancel.
    """
    count, knots = len(waves), len(ramps.knots)
    atoms = shape(waves, effects, np.repeat(np.arange(count), knots), np.tile(np.arange(knots), count), pool=pool)
    rows = atoms.astype(np.float64)
    rows *= gain  # in place, for this is the largest array of a search
    return rows


def fit_envelope(
    ramps: Ramps,
    gram: Floats,
    products: Floats,
    power: float,
    levels: Floats,
    most: int = 512,
    any_level: bool = False,
) -> EnvelopeFit:
    """Find attack, decay, sustain and amplitudes that leave least of a sound.

    Branch and bound: unrounded amplitudes score every envelope, which bounds what rounded ones can reach; rounded ones
    follow in the order of the bounds, for at most `most` envelopes, until the bound exceeds the best found.

    Args:
        gram: (m * knots, m * knots) of `ramp_atoms`. products: (m * knots,) of atoms and sound. power: energy of the
            sound. levels: of the amplitudes, rising. any_level: fit a gain of the whole sound beside them.
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


@compile_kernel
def _mix(gram: Any, products: Any, p: int, q: int, x: float, y: float, small: Any, right: Any) -> None:
    """Combine two ramps of each oscillator into one envelope: inner products `small` (m, m) and `right` (m,)."""
    m = len(right)
    for i in range(m):
        right[i] = x * products[p, i] + y * products[q, i]
        for j in range(m):
            small[i, j] = (
                x * x * gram[p, p, i, j] + x * y * (gram[p, q, i, j] + gram[q, p, i, j]) + y * y * gram[q, q, i, j]
            )


@compile_kernel
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
                bounds[a, d, s] = minimise_within(small, right, power, low, high, amount)


@compile_kernel
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
            found = fit_proportions(small, right, power, levels, amount, classes)
        else:
            found = fit_levels(small, right, power, levels, amount, classes)
        if found < best:
            best, place = found, number
            amplitudes[:] = classes
    return place, best
