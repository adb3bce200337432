"""Inputs, targets and published figures of the NeuroSynth protocol, and what needs no network to be measured by it.

Seven sets of waveforms, every triple of classes. Inputs and targets follow the original's recipe (its ramps, its noise)
whatever ramps a network was trained with; the published figures were measured from the original's last checkpoint.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dsp.envelopes import attack_sustain_release
from generators.envelope_generator import (
    ATTACKS,
    JITTER,
    NOISE,
    PERIOD_DIVISOR,
    RELEASES,
    SAMPLES,
    SUSTAINS,
    waveform,
)
from models.neurosynth.metrics import MEASURES, score

Sounds = NDArray[np.floating[Any]]
Scores = dict[str, dict[str, float]]
"""Set -> measure -> figure."""

SEED = 20180904
"""Of the protocol."""

DRAWS = 20
"""Noise draws a set; each meets all 27 triples of classes."""

SETS = {
    "sin": ("sin", NOISE),
    "saw": ("saw", NOISE),
    "square": ("square", NOISE),
    "invsaw": ("invsaw", NOISE),
    "triangle": ("triangle", NOISE),
    "sin_noise3x": ("sin", 3 * NOISE),
    "sin_noise6x": ("sin", 6 * NOISE),
}
"""Waveform and noise factor of each set; the order is that of the random numbers."""

POOLS = {"seen": ("sin", "saw", "square"), "unseen": ("invsaw", "triangle", "sin_noise3x", "sin_noise6x")}
"""What the networks were trained on, and what they were not."""

ORDER = (*POOLS["seen"], "seen", *POOLS["unseen"], "unseen")

PUBLISHED = {
    "sin": (0.0712, 0.0977, 0.209, 0.981, 0.974, 0.0547, 0.0303, 0.0416, 1.000, 0.989, 0.991, 0.980),
    "saw": (0.0651, 0.0974, 0.258, 0.970, 0.949, 0.0674, 0.0327, 0.0547, 0.989, 0.972, 0.946, 0.907),
    "square": (0.0738, 0.1127, 0.171, 0.986, 0.969, 0.0807, 0.0445, 0.0426, 1.000, 0.993, 0.983, 0.976),
    "seen": (0.0700, 0.1028, 0.200, 0.979, 0.959, 0.0676, 0.0358, 0.0463, 0.996, 0.985, 0.974, 0.954),
    "invsaw": (0.1592, 0.2074, 0.549, 0.872, 0.841, 0.1096, 0.0810, 0.1061, 0.889, 0.982, 0.970, 0.863),
    "triangle": (0.1255, 0.1732, 0.457, 0.893, 0.860, 0.1113, 0.0645, 0.1174, 0.891, 0.876, 0.596, 0.500),
    "sin_noise3x": (0.1257, 0.1720, 0.363, 0.936, 0.908, 0.0917, 0.0507, 0.0789, 1.000, 0.933, 0.837, 0.774),
    "sin_noise6x": (0.2121, 0.2899, 0.606, 0.805, 0.730, 0.1528, 0.0865, 0.1855, 0.870, 0.411, 0.600, 0.191),
    "unseen": (0.1556, 0.2160, 0.502, 0.877, 0.778, 0.1164, 0.0707, 0.1220, 0.913, 0.800, 0.751, 0.582),
}
"""The original's generator after 1000 epochs, in the order of MEASURES; from running its published checkpoint."""

ORIGINAL = "original, published"

GOALS = (
    ("seen", "mae", 0.030),
    ("seen", "env_rms", 0.015),
    ("seen", "joint", 0.99),
    ("unseen", "mae", 0.08),
    ("unseen", "r_mean", 0.97),
    ("unseen", "joint", 0.90),
)
"""What a network of ours is to reach: at most these errors, at least these correlations and recoveries."""

ERRORS = frozenset({"mae", "rmse", "nrmse", "env_peak", "env_rms", "env_gain"})


@dataclass(frozen=True)
class Inputs:
    """The inputs of the protocol, set after set, the noise draws within a set, the triples within a draw.

    Shapes, with n = 3780: basic, target (n, samples) float32; label (n, 3) classes of attack, sustain and release; cls
    (n,) their number 0..26; sets (n,) names; draw (n,); ideals (27, samples), levels (27, 3).
    """

    basic: NDArray[np.float32]
    target: NDArray[np.float32]
    label: NDArray[np.intp]
    cls: NDArray[np.intp]
    sets: NDArray[np.str_]
    draw: NDArray[np.intp]
    ideals: Sounds
    levels: Sounds

    def scores(self, output: Sounds, names: Iterable[str] = ORDER) -> Scores:
        """Measure an output (n, samples) on sets and pools of them, by name."""
        found = {}
        for name in names:
            rows = np.isin(self.sets, POOLS.get(name, (name,)))
            found[name] = score(output[rows], self.target[rows], self.basic[rows], self.label[rows], self.ideals)
        return found


def input_sets(seed: int = SEED) -> Inputs:
    """Draw the inputs: for each draw first the phase jitter of all samples, then what is added to them."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(SAMPLES) * (SAMPLES // PERIOD_DIVISOR) / SAMPLES
    waves = []
    for (wave, noise), _ in itertools.product(SETS.values(), range(DRAWS)):
        jitter = rng.uniform(-JITTER * noise, JITTER * noise, SAMPLES)
        waves.append(waveform(wave, phase + jitter) + rng.uniform(-noise, noise, SAMPLES))
    grid = np.array(list(itertools.product(range(len(ATTACKS)), range(len(SUSTAINS)), range(len(RELEASES)))))
    levels = np.stack([np.take(each, grid[:, i]) for i, each in enumerate((ATTACKS, SUSTAINS, RELEASES))], axis=-1)
    ideals = attack_sustain_release(*levels.T, SAMPLES, legacy=True)
    basic = np.repeat(waves, len(grid), axis=0)
    cls = np.tile(np.arange(len(grid)), len(waves))
    return Inputs(
        basic.astype(np.float32),
        (basic * ideals[cls]).astype(np.float32),
        grid[cls],
        cls,
        np.repeat(list(SETS), DRAWS * len(grid)),
        np.repeat(np.tile(np.arange(DRAWS), len(SETS)), len(grid)),
        ideals,
        levels,
    )


BASELINES: dict[str, Callable[[Inputs], Sounds]] = {
    "input unchanged": lambda inputs: inputs.basic,
    "input x mean of the 27 envelopes": lambda inputs: inputs.basic * inputs.ideals.mean(axis=0),
    "silence": lambda inputs: np.zeros_like(inputs.basic),
    "input x exact ramps": lambda inputs: inputs.basic * attack_sustain_release(*inputs.levels.T, SAMPLES)[inputs.cls],
    "input x ideal envelope": lambda inputs: inputs.basic * inputs.ideals[inputs.cls],
}
"""What needs no network. The exact ramps are those of our dataset, which differ from the original's by a sample."""


def published() -> Scores:
    """Return the original's figures as ours are."""
    return {name: dict(zip(MEASURES, row, strict=True)) for name, row in PUBLISHED.items()}
