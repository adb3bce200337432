"""How well the settings behind a sound can be determined at all: the upper bound of every score on parameters.

Some parameters leave no trace: a sustain level that the attack never reaches, a modulation frequency at zero depth. No
method can rank the true class of such a parameter above the others that sound the same. Here one parameter at a time is
varied through all its classes, the others staying true; classes whose sound differs from the target by less than -60 dB
tie with the truth, and an ideal method ranks the truth in the middle of the tie. The bound is optimistic: changes of
several parameters together can be inaudible too (two oscillators of one waveform swapped, for instance).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.audio import normalise_peak
from generators.synth import Synth
from inversynth.search.objective import INAUDIBLE


@dataclass(frozen=True)
class Ceiling:
    """What an ideal method would score, per sound and parameter: `mpr` 0..100 and `top1` 0..1, (n, parameters)."""

    mpr: NDArray[np.float64]
    top1: NDArray[np.float64]


def identifiability(synth: Synth, classes: NDArray[np.integer], normalise: bool = False) -> Ceiling:
    """Measure the bound on some patches, at `space.size` renders each.

    Shapes: classes (n, parameters).
    """
    tied = np.stack([_count_ties(synth, patch, normalise) for patch in classes])
    others = np.maximum(np.asarray(synth.space.sizes) - 1, 1)
    return Ceiling(100.0 * (1.0 - (tied - 1) / 2 / others), 1.0 / tied)


def _count_ties(synth: Synth, patch: NDArray[np.integer], normalise: bool) -> NDArray[np.int64]:
    """Count, per parameter, the classes that sound like the true one, itself included, (parameters,)."""
    counts = np.empty(len(synth.space), np.int64)
    for column, size in enumerate(synth.space.sizes):  # one parameter at a time also in memory
        variants = np.repeat(patch[None].astype(np.int64), size, axis=0)
        variants[:, column] = np.arange(size)
        audio = synth.render_classes(variants)
        if normalise:
            audio = normalise_peak(audio)
        target = audio[int(patch[column])]
        residual = np.square(audio - target).sum(axis=1, dtype=np.float64)
        counts[column] = (residual <= INAUDIBLE * np.square(target).sum(dtype=np.float64)).sum()
    return counts
