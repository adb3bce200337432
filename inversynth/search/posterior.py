"""What is known of each parameter after a search: which classes cannot be told apart, and how probable each is.

Every parameter of the patch found is varied through its classes, alone. The probability of a class is the network's
posterior times a likelihood of what the class leaves of the sound; among classes that leave the same, the posterior
decides.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inversynth.search.fm_fitting import DOUBT_MISMATCH, DOUBT_NOISE
from inversynth.search.objective import ENOUGH, INAUDIBLE, TAIL, residual
from inversynth.search.state import Floats, SearchState

WRONG = 0.08
"""Probability that a patch is wrong in more than one parameter, so that the network's word counts, where it leaves more
than -40 dB and no white noise. Of knobs that seemed certain without it, 97 % were right (40 sounds of `fm` by an
independent renderer, seed 4242)."""

TIED = 1e-9
"""Energy of a change relative to the sound (-90 dB) that is rounding: such classes are the same to any search."""

MAX_PASSES = 4
"""Times that all parameters are varied, as long as one of them comes nearer: most often once."""

WORTH = 0.9
"""Share of the energy left (-0.5 dB) below which a single class must bring it to be taken: less is rounding."""


def class_posterior(state: SearchState) -> tuple[NDArray[np.bool_], Floats]:
    """Vary every parameter of the best patch: which classes cannot be told from it, and how probable each is.

    Among classes that render the same, the patch takes the most probable of the network. Returns
    `indistinguishable` (size,) and probabilities (size,).
    """
    space = state.synth.space
    for _ in range(MAX_PASSES):
        match = state.render_best(state.classes)[0]
        change, left = np.zeros(space.size), np.zeros(space.size)
        for column, audio in _varied(state):
            part = space.slices[column]
            same = audio[state.classes[column]]
            change[part], left[part] = energies(audio - same, match), energies(audio - state.target, state.target)
        if not _improve(state, left):
            break
    _settle(state, match, change)
    worse = np.maximum(left - state.residual, 0.0)
    mismatch = _is_mismatch(state)
    doubt = (DOUBT_MISMATCH if mismatch else DOUBT_NOISE) * state.residual
    log = np.log(np.maximum(state.posterior, 1e-12)) - TAIL * np.log1p(worse / max(INAUDIBLE, doubt))
    probabilities = np.exp(log)
    for column, part in enumerate(space.slices):
        probabilities[part] = _led_by(probabilities[part], state.classes[column])
    _weigh_scales(state, probabilities)
    if mismatch and state.residual > ENOUGH:
        probabilities = (1.0 - WRONG) * probabilities + WRONG * state.posterior
        for column, part in enumerate(space.slices):
            probabilities[part] = _led_by(probabilities[part], state.classes[column])
    return change < INAUDIBLE, probabilities


def _is_mismatch(state: SearchState) -> bool:
    """Tell whether the best patch leaves something other than white noise, where a search can tell."""
    search = state.structured.get(state.offset)
    return search is not None and not search.leaves_noise(state.classes, state.phases)


def _led_by(scores: Floats, best: int) -> Floats:
    """Return scores scaled to a sum of 1, a little higher for the class of the patch than for any other."""
    led = scores.copy()
    led[best] = max(led[best], led.max() * 1.0001)
    return led / led.sum()


def _weigh_scales(state: SearchState, probabilities: Floats) -> None:
    """Where the level is free, mix the probabilities of amplitudes at every scale of all of them together, in place.

    Taken alone each would seem certain, but another level of the sound with all of them scaled may fit nearly as well.
    """
    search = state.structured.get(state.offset)
    weighed = None if search is None else search.weigh_scales(state.classes, state.phases)
    if weighed is None:
        return
    columns, sets, weights = weighed
    own = np.all(sets == state.classes[columns], axis=1)
    for place, column in enumerate(columns):
        part = state.synth.space.slices[column]
        mixed = probabilities[part] * float(weights[own].sum())
        np.add.at(mixed, sets[~own, place], weights[~own])
        probabilities[part] = _led_by(mixed, state.classes[column])


def energies(audio: NDArray[np.float32], reference: NDArray[np.float32]) -> Floats:
    """Return the energy of sounds (n, samples) relative to that of another, (n,)."""
    return np.einsum("ns,ns->n", audio, audio).astype(np.float64) / max(float(reference @ reference), 1e-30)


def _varied(state: SearchState) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield every column with the sounds (levels, samples) of the best patch in which that parameter is varied."""
    search = state.structured.get(state.offset)
    if search is not None:  # one that knows the structure renders less
        spent = search.atoms
        for column, audio in search.vary_each_parameter(state.classes, state.phases):
            yield column, state.to_level(np.pad(audio, ((0, 0), (state.offset, 0))))
        state.count_atoms(search.atoms - spent)
        return
    for column, size in enumerate(state.synth.space.sizes):
        variants = np.repeat(state.classes[None], size, axis=0)
        variants[:, column] = np.arange(size)
        yield column, state.render_best(variants)


def _improve(state: SearchState, left: Floats) -> bool:
    """Take the one class that leaves least of the sound, if that is less than the patch leaves and is nearer to it."""
    place = int(left.argmin())
    if left[place] > WORTH * state.residual - TIED / 10:
        return False
    column = next(i for i, part in enumerate(state.synth.space.slices) if part.start <= place < part.stop)
    classes = state.classes.copy()
    classes[column] = place - state.synth.space.slices[column].start
    return state.offer(classes, state.offset, state.phases, float(left[place]))


def _settle(state: SearchState, match: NDArray[np.float32], change: Floats) -> None:
    """Take the network's most probable among classes that render the same, as long as all of them together do."""
    classes = state.classes
    for column, part in enumerate(state.synth.space.slices):
        tied = np.flatnonzero(change[part] < TIED)
        best = tied[int(state.posterior[part][tied].argmax())] if len(tied) else classes[column]
        if best != classes[column]:
            other = classes.copy()
            other[column] = best
            if float(residual(match, state.render_best(other)[0])) < TIED:
                classes = other
    state.classes = classes
