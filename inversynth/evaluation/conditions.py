"""Conditions of an evaluation: sounds as they are, in noise, late, or with oscillators that start at random phases.

Each takes the clean sound and returns the sound that methods get as input, and the one that their results are compared
with. All that is drawn for a sound follows from the seed and the sound's row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.errors import ParameterError, unknown
from generators.synth import Synth

Sound = NDArray[np.float32]

NOISE_DB = 20.0
"""Decibels by which a sound lies above the white noise added to it."""

LATEST = 0.05
"""Seconds of silence that a late sound may have in front."""


@dataclass(frozen=True)
class Condition:
    """`apply` takes (synth, audio (samples,), classes (parameters,), generator); returns input and reference audio."""

    name: str
    summary: str
    apply: Callable[[Synth, Sound, NDArray[np.integer], np.random.Generator], tuple[Sound, Sound]]


def _clean(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    return audio, audio


def _noise(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    level = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) * 10.0 ** (-NOISE_DB / 20.0)
    return audio + (level * rng.standard_normal(len(audio))).astype(np.float32), audio


def _late(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    silence = int(rng.integers(0, round(LATEST * synth.sample_rate) + 1))
    late = np.concatenate([np.zeros(silence, np.float32), audio])[: len(audio)]
    return late, late


def _phases(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    from inversynth.search.fm_rendering import AtomRenderer

    if synth.structure is None:
        raise ParameterError(f"random phases need a synth of oscillators, such as fm. Received: {synth.name}")
    phases = rng.random(len(synth.structure.oscillators))
    shifted = AtomRenderer(synth).render(classes.astype(np.int64)[None], phases)[0]
    return shifted, shifted


CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition("clean", "as the synth makes them", _clean),
        Condition("noise", f"in white noise {NOISE_DB:g} dB below; compared with the clean sound", _noise),
        Condition("late", f"after 0 to {1000 * LATEST:g} ms of silence", _late),
        Condition("phases", "each oscillator started at a random phase, which the synth itself never does", _phases),
    )
}


def find_condition(name: str) -> Condition:
    """Return a condition by name. Raises ParameterError."""
    if name not in CONDITIONS:
        raise ParameterError(unknown("condition", name, CONDITIONS))
    return CONDITIONS[name]


def apply_condition(
    condition: Condition, synth: Synth, audio: Sound, classes: NDArray[np.integer], rows: NDArray[np.intp], seed: int
) -> tuple[Sound, Sound]:
    """Apply a condition to a batch of sounds.

    Shapes: audio (batch, samples), classes (batch, parameters), rows (batch,). Returns input and reference audio, each
        (batch, samples).
    """
    pairs = [
        condition.apply(synth, sound, patch, np.random.default_rng([seed, 3, int(row)]))
        for sound, patch, row in zip(audio, classes, rows, strict=True)
    ]
    inputs, references = zip(*pairs, strict=True)
    return np.stack(inputs), np.stack(references)
