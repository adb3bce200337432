"""Under which conditions sounds are heard in an evaluation: as they are, in noise, late, or begun at other phases.

Each takes the clean sound and gives what is heard and what an answer is compared with. All that is drawn for a sound
follows from the seed and the sound's row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.errors import ParameterError, unknown
from generators.synth import Synth

Sound = NDArray[np.float32]

NOISE_DB = 20.0
"""Level of a sound above the white noise it is heard in, decibels."""

LATEST = 0.05
"""Seconds of silence that a late sound may have in front."""


@dataclass(frozen=True)
class Condition:
    """`hear` takes (synth, audio (samples,), classes (parameters,), generator) and returns heard and expected audio."""

    name: str
    summary: str
    hear: Callable[[Synth, Sound, NDArray[np.integer], np.random.Generator], tuple[Sound, Sound]]


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
    from generators.fm_generator import FmSynth
    from inversynth.search.fm_search import OscillatorSearch

    if not isinstance(synth, FmSynth):
        raise ParameterError(f"random phases need a synth of oscillators: fm. Received: {synth.name}")
    search = OscillatorSearch(synth, audio, np.full(synth.space.size, 1.0))
    begun = search.render(classes.astype(np.int64)[None], rng.random(len(synth.oscillators)))[0]
    return begun, begun


CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition("clean", "as the synth makes them", _clean),
        Condition("noise", f"in white noise {NOISE_DB:g} dB below; compared with the clean sound", _noise),
        Condition("late", f"after 0 to {1000 * LATEST:g} ms of silence", _late),
        Condition("phases", "each oscillator begun at a random phase, which the synth itself never does", _phases),
    )
}


def find_condition(name: str) -> Condition:
    """Return a condition by name. Raises ParameterError."""
    if name not in CONDITIONS:
        raise ParameterError(unknown("condition", name, CONDITIONS))
    return CONDITIONS[name]


def hear(
    condition: Condition, synth: Synth, audio: Sound, classes: NDArray[np.integer], rows: NDArray[np.intp], seed: int
) -> tuple[Sound, Sound]:
    """Hear a batch. Shapes: audio (batch, samples), classes (batch, parameters), rows (batch,) -> heard, expected."""
    pairs = [
        condition.hear(synth, sound, patch, np.random.default_rng([seed, 3, int(row)]))
        for sound, patch, row in zip(audio, classes, rows, strict=True)
    ]
    heard, expected = zip(*pairs, strict=True)
    return np.stack(heard), np.stack(expected)
