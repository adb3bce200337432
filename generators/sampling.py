"""Sampling of patches: row i is a pure function of (seed, i), for any number of workers and interruptions."""

import threading

import numpy as np
from numpy.typing import NDArray

from generators.errors import ParameterError
from generators.parameters import ParameterSpace

METHODS = ("random", "sobol", "complete")
BLOCK = 1024
"""Rows that share one random stream; a part of the definition of the data, so it must never change."""

_SOBOL_LOCK = threading.Lock()
"""SciPy reads its direction numbers at the first sequence, into globals, with a parser that two threads may not enter
at once on Python 3.11; the fault would be swallowed and the numbers left unset."""


def sample_classes(
    space: ParameterSpace, start: int, stop: int, seed: int, method: str = "random"
) -> NDArray[np.uint8]:
    """Draw the patches of rows start..stop-1.

    `random`: independent and uniform. `sobol`: a scrambled Sobol sequence, which covers the space more evenly.
    `complete`: the whole grid, the last parameter varying fastest.

    Shapes: returns (stop - start, parameters) uint8.
    Raises: ParameterError for an unknown method, rows beyond the grid, or a negative seed.
    """
    if method not in METHODS:
        raise ParameterError(f"sampling method must be one of {', '.join(METHODS)}. Received: {method}")
    if seed < 0:
        raise ParameterError(f"a seed is zero or positive. Received: {seed}")
    if stop <= start:
        return np.empty((0, len(space)), np.uint8)
    return {"random": _random, "sobol": _sobol, "complete": _complete}[method](space, start, stop, seed)


def _random(space: ParameterSpace, start: int, stop: int, seed: int) -> NDArray[np.uint8]:
    blocks = []
    for block in range(start // BLOCK, (stop - 1) // BLOCK + 1):
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, block))))
        blocks.append(generator.integers(0, space.sizes, size=(BLOCK, len(space)), dtype=np.uint8))
    first = start // BLOCK * BLOCK
    return np.concatenate(blocks)[start - first : stop - first]


def _sobol(space: ParameterSpace, start: int, stop: int, seed: int) -> NDArray[np.uint8]:
    with _SOBOL_LOCK:
        from scipy.stats import qmc  # half a second of import that the default method never needs

        sequence = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
        if start:
            sequence.fast_forward(start)
            points = np.asarray(sequence.random(stop - start))
        else:  # the first point by itself: scipy warns where a sequence begins with a count that is no power of two
            first = sequence.random(1)
            points = np.concatenate([first, sequence.random(stop - 1)]) if stop > 1 else first
    sizes = np.asarray(space.sizes)
    return np.minimum(points * sizes, sizes - 1).astype(np.uint8)


def _complete(space: ParameterSpace, start: int, stop: int, seed: int) -> NDArray[np.uint8]:
    if stop > space.combinations:
        raise ParameterError(f"the whole grid has {space.combinations} patches. Received: a request for row {stop - 1}")
    return np.stack(np.unravel_index(np.arange(start, stop), space.sizes), axis=-1).astype(np.uint8)
