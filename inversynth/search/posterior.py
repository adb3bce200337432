"""What is known of each parameter after a search: which classes sound alike, and how probable each is.

Every knob of the patch found is turned through its classes, alone. A class is weighed by the network's posterior times
a likelihood of what it leaves of the sound; where classes leave the same, the posterior chooses among them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inversynth.search.objective import residual
from inversynth.search.state import Floats, SearchState

INAUDIBLE = 1e-6
"""Change of a sound, relative to it (-60 dB), that counts as none: the bound of `inversynth.evaluation.identifiability`."""

DOUBT = 3e-3
"""Share of the energy left unexplained that two classes may differ by and still both be likely. White noise alone would
allow 1e-4 on a second of sound; what a wrong patch leaves is no white noise."""

TIED = 1e-9
"""Change of a sound, relative to it (-90 dB), that is rounding: classes this near are the same to any search."""

LAST_TURNS = 4
"""Times that all knobs are turned, as long as one of them comes nearer: most often once."""

TAIL = 4.0
"""Exponent of the likelihood's tail, (1 + difference/scale)^-4: a class 10 dB above the scale keeps 1e-4, not e^-10, as
it may be another parameter that is wrong."""


def class_posterior(course: SearchState) -> tuple[NDArray[np.bool_], Floats]:
    """Turn every knob of the best patch through its classes: which sound alike, and how probable each is.

    The patch takes, among classes that render the same, those the network likes best. Returns alike (size,) and
    probabilities (size,).
    """
    space = course.synth.space
    for _ in range(LAST_TURNS):
        match = course.match(course.classes)[0]
        change, left = np.zeros(space.size), np.zeros(space.size)
        for column, audio in _turned(course):
            part = space.slices[column]
            same = audio[course.classes[column]]
            change[part], left[part] = energies(audio - same, match), energies(audio - course.target, course.target)
        if not _improve(course, left):
            break
    _settle(course, match, change)
    worse = np.maximum(left - course.left, 0.0)
    log = np.log(np.maximum(course.posterior, 1e-12)) - TAIL * np.log1p(worse / max(INAUDIBLE, DOUBT * course.left))
    probabilities = np.exp(log)
    for column, part in enumerate(space.slices):
        scores = probabilities[part]
        scores[course.classes[column]] = max(scores[course.classes[column]], scores.max() * 1.0001)
        probabilities[part] = scores / scores.sum()
    return change < INAUDIBLE, probabilities


def energies(audio: NDArray[np.float32], reference: NDArray[np.float32]) -> Floats:
    """Return the energy of sounds (n, samples) relative to that of another, (n,)."""
    return np.einsum("ns,ns->n", audio, audio).astype(np.float64) / max(float(reference @ reference), 1e-30)


def _turned(course: SearchState) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield, for each parameter, the sounds of the best patch with each of its classes."""
    search = course.shared.get(f"turned {course.offset}")
    if search is not None:  # one that knows the structure needs fewer atoms
        spent = search.atoms
        silence = np.zeros((1, course.offset), np.float32)
        for column, audio in search.turned(course.classes, course.phases):
            yield column, course.level(np.concatenate([np.repeat(silence, len(audio), axis=0), audio], axis=1))
        course.renders += (search.atoms - spent) // 4
        return
    for column, size in enumerate(course.synth.space.sizes):
        variants = np.repeat(course.classes[None], size, axis=0)
        variants[:, column] = np.arange(size)
        yield column, course.match(variants)


def _improve(course: SearchState, left: Floats) -> bool:
    """Take the one class that leaves less of the sound than the patch does, where one does and is heard as nearer."""
    place = int(left.argmin())
    if left[place] > 0.9 * course.left - TIED / 10:
        return False
    column = next(i for i, part in enumerate(course.synth.space.slices) if part.start <= place < part.stop)
    classes = course.classes.copy()
    classes[column] = place - course.synth.space.slices[column].start
    return course.offer(classes, course.offset, course.phases, float(left[place]))


def _settle(course: SearchState, match: NDArray[np.float32], change: Floats) -> None:
    """Among classes that render the same, take those the network likes best, as long as all together do so too."""
    classes = course.classes
    for column, part in enumerate(course.synth.space.slices):
        tied = np.flatnonzero(change[part] < TIED)
        best = tied[int(course.posterior[part][tied].argmax())] if len(tied) else classes[column]
        if best != classes[column]:
            other = classes.copy()
            other[column] = best
            if float(residual(match, course.match(other)[0])) < TIED:
                classes = other
    course.classes = classes
