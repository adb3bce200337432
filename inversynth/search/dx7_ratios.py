"""Frequencies that a sound shows, as the settings of operators: where its partials lie, and how far apart.

A carrier sounds at its ratio times the note, and a modulator sets partials at multiples of its own ratio beside it
(Chowning 1973), so that the partials of a sound name the ratios of carriers, and their distances those of modulators.
A search draws ratios by how loud these are; inharmonic ones, as of bells, are hardly found by chance.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from generators.dsp.units import midi_to_hz
from inversynth.search.state import Classes, Floats

WINDOW = 8192
"""Samples in which partials are measured: at 32 kHz they lie 4 Hz apart, a third of a semitone at C2."""

BEGINS = (0.0, 0.1, 0.35)
"""Seconds at which those begin: the attack has partials that fade at once."""

RANGE_DB, CARRIER_DB = 50.0, 35.0
"""Decibels below the loudest partial down to which others are partials, and down to which they may be carriers."""

PARTIALS, PAIRED = 40, 24
"""The loudest partials of a window that are kept, and those of all windows whose distances are taken."""

CLOSEST = 0.3
"""Smallest distance of two partials, in frequencies of the note, that names a modulator."""

DISTANCE_WEIGHT = 0.15
"""Weight of a distance, beside that of a partial as loud."""

LOWEST_COARSE = 0.5
"""The ratio of coarse 0."""


@dataclass(frozen=True)
class Ratios:
    """Ratios to a note that a sound shows. Shapes: ratios (n,), weights (n,)."""

    ratios: Floats
    weights: Floats
    _settings: dict[int, "tuple[Classes, Floats] | None"] = field(default_factory=dict)

    def draw(self, rng: np.random.Generator, semitones: int = 0) -> tuple[int, int] | None:
        """Draw one, as coarse and fine in a voice transposed by semitones; None where none is in reach."""
        if semitones not in self._settings:
            self._settings[semitones] = _settings(self.ratios * 2.0 ** (-semitones / 12.0), self.weights)
        settings = self._settings[semitones]
        if settings is None:
            return None
        chosen = int(rng.choice(len(settings[1]), p=settings[1]))
        return int(settings[0][chosen, 0]), int(settings[0][chosen, 1])


def observed_ratios(audio: NDArray[np.floating], sample_rate: int, note: float) -> Ratios | None:
    """Return the ratios that a sound at a MIDI note shows; None where it has no partials. Shapes: audio (samples,)."""
    partials = _partials(audio, sample_rate)
    if not len(partials):
        return None
    ratios, levels = partials[:, 0] / midi_to_hz(note), partials[:, 1]
    loud = levels > RANGE_DB - CARRIER_DB
    carriers, weights = ratios[loud], np.square(levels[loud] / RANGE_DB)
    loudest = np.argsort(-weights)[:PAIRED]
    one, other = np.triu_indices(len(loudest), 1)
    apart = np.abs(carriers[loudest[one]] - carriers[loudest[other]])
    together = DISTANCE_WEIGHT * weights[loudest[one]] * weights[loudest[other]]
    far = apart > CLOSEST
    return Ratios(np.append(carriers, apart[far]), np.append(weights, together[far]))


def _partials(audio: NDArray[np.floating], sample_rate: int) -> Floats:
    """Return (hertz, decibels above the least loud) of the partials of all windows, (n, 2)."""
    found: list[Floats] = []
    for begin in BEGINS:
        first = round(begin * sample_rate)
        piece = np.asarray(audio[first : first + WINDOW], np.float64)
        if len(piece) < WINDOW and found:
            break
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 2 * WINDOW))
        levels = 20.0 * np.log10(np.maximum(spectrum, 1e-9))
        floor = levels.max() - RANGE_DB
        left, middle, right = levels[:-2], levels[1:-1], levels[2:]
        places = np.flatnonzero((middle > left) & (middle >= right) & (middle > floor)) + 1
        places = places[np.argsort(-levels[places])][:PARTIALS]
        before, at, behind = levels[places - 1], levels[places], levels[places + 1]
        tops = places + 0.5 * (before - behind) / (before - 2.0 * at + behind)  # of a parabola
        found.append(np.stack([tops * sample_rate / (2 * WINDOW), at - floor], axis=1))
    return np.concatenate(found)


def _settings(ratios: Floats, weights: Floats) -> tuple[Classes, Floats] | None:
    """Return coarse and fine (m, 2) of ratios (n,), equal settings once, and their shares (m,)."""
    coarse = np.where(ratios < 1.0, 0, np.minimum(np.floor(ratios), 31)).astype(np.int64)
    fine = np.rint((ratios / np.where(coarse == 0, LOWEST_COARSE, coarse) - 1.0) * 100.0).astype(np.int64)
    within = (fine >= 0) & (fine <= 99)
    if not within.any():
        return None
    settings, places = np.unique(np.stack([coarse[within], fine[within]], axis=1), axis=0, return_inverse=True)
    summed = np.bincount(places.ravel(), weights[within], len(settings))
    return settings, summed / summed.sum()
