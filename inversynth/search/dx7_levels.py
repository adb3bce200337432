"""Levels of carriers, fitted: what each stack of a voice sounds like alone tells how loud each must be.

Stacks do not modulate each other, so the power of a voice is nearly the sum of the powers of its stacks. Rendered one
by one they are mixed in the log-mel domain until the mix is nearest to the sound; one more render tells what it is.
"""

from typing import Any

import numpy as np

from generators.analysis.distance import log_mel_levels
from generators.dx7.algorithms import routing
from inversynth.search.dx7_population import genes
from inversynth.search.state import Classes, Floats, SearchState

STEP = 0.75
"""Decibels of one step of output level, from `LOWEST` on; below, a carrier is silent."""

LOWEST, HIGHEST = 20, 99

STRIDES = (16, 8, 4, 2, 1)
"""Steps of level by which carriers are moved, one after another, until none comes nearer."""


def fit_carriers(state: SearchState, voices: Classes) -> Classes:
    """Return voices with other levels of their carriers, fewer where they have one or none comes nearer.

    Costs one render for each carrier that sounds. Shapes: (n, 145) -> (m, 145).
    """
    columns = genes().levels
    solos, owners = _solo_voices(state, voices, columns)
    if not len(solos):
        return voices[:0]
    audio = state.synth.render(state.synth.space.classes_to_values(solos))  # at their own levels, unlike state.render
    state.renders += len(solos)
    energies = np.mean(np.square(audio, dtype=np.float64), axis=1)
    wanted = [level[0] for level in log_mel_levels(state.target[None], state.synth.sample_rate)]
    levels = log_mel_levels(audio, state.synth.sample_rate)
    fitted = []
    for row, voice in enumerate(voices):
        own = np.flatnonzero(owners[:, 0] == row)
        own = own[energies[own] > 0.0]
        if len(own) < 2:
            continue
        powers = [10.0 ** (level[own].astype(np.float64) / 10.0) for level in levels]
        begun = voice[columns[owners[own, 1]]]
        found = _mix(begun, energies[own], powers, wanted)
        if (found != begun).any():
            made = voice.copy()
            made[columns[owners[own, 1]]] = np.where(found < LOWEST, 0, found)
            fitted.append(made)
    return np.array(fitted, np.int64).reshape(-1, voices.shape[1])


def _solo_voices(state: SearchState, voices: Classes, columns: Classes) -> tuple[Classes, Classes]:
    """Return voices with one carrier each, of those that have several, and (row, place of the operator) of each."""
    algorithm = state.synth.space.names.index("algorithm")
    carriers = routing()[1]
    solos, owners = [], []
    for row, voice in enumerate(voices):
        places = np.flatnonzero(carriers[voice[algorithm]])
        sounding = [place for place in places if voice[columns[place]] > 0]
        for place in sounding if len(sounding) > 1 else ():
            solo = voice.copy()
            solo[columns[places[places != place]]] = 0
            solos.append(solo)
            owners.append((row, place))
    return np.array(solos, np.int64), np.array(owners, np.int64).reshape(-1, 2)


def _mix(begun: Classes, energies: Floats, powers: list[Floats], wanted: list[Any]) -> Classes:
    """Move levels one by one until the mix is nearest.

    Shapes: begun (k,), energies (k,), powers of sounds at one RMS (k, frames, bands) and wanted levels (frames,
    bands) dB, for each resolution -> (k,), `LOWEST` - 1 for silence.
    """
    floors = [10.0 ** (float(level.min()) / 10.0) for level in wanted]

    def distance(levels: Classes) -> float:
        gains = np.where(levels < LOWEST, 0.0, 10.0 ** (STEP * (levels - begun) / 10.0)) * energies
        total = gains.sum()
        if total <= 0.0:
            return np.inf
        errors = [
            np.abs(10.0 * np.log10(np.maximum(np.tensordot(gains / total, power, 1), floor)) - level).mean()
            for power, floor, level in zip(powers, floors, wanted, strict=True)
        ]
        return float(np.mean(errors))

    best, cost = begun.copy(), distance(begun)
    for stride in STRIDES:
        better = True
        while better:
            better = False
            for place in range(len(best)):
                for move in (-stride, stride):
                    tried = best.copy()
                    tried[place] = np.clip(tried[place] + move, LOWEST - 1, HIGHEST)
                    found = distance(tried)
                    if found < cost - 1e-6:
                        best, cost, better = tried, found, True
    return best
