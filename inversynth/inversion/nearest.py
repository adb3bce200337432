"""Which of several synths comes nearest to a sound: log-mel distances at one rate, whatever the synths' own."""

from typing import TYPE_CHECKING

import numpy as np

from generators.audio import resample

if TYPE_CHECKING:
    from inversynth.inversion.result import Inversion

COMPARED = 16384
"""Hertz at which synths are compared: the lowest rate of them, that of `fm`."""


def comparable_distance(inversion: "Inversion") -> float:
    """Return the log-mel distance of an inversion from its target in dB, both brought to `COMPARED` Hz."""
    from generators.analysis.distance import LogMelDistance

    rate, audio = inversion.target.sample_rate, (inversion.target.audio, inversion.audio)
    target, match = (resample(np.asarray(one, np.float32), rate, COMPARED) for one in audio)
    samples = min(len(target), len(match))
    return float(LogMelDistance(target[:samples], COMPARED).distance(match[:samples]))
