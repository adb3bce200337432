"""Variations of a patch: `vary_patch`. A DX7 voice is varied by operator stack, any other patch along its levels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.distance import FLOOR_DB, LogMelDistance
from generators.dsp.units import midi_to_hz
from generators.dx7.synth import Dx7Synth, values_to_bytes
from generators.errors import AudioError
from generators.oscillator_spec import oscillator_columns
from generators.parameters import Floats
from generators.synth import Synth
from inversynth.patches.patch import Patch
from inversynth.variation.dx7_edits import NO_TRANSPOSITION, shared, vary_voice

TRIES = 8
"""Draws of a variation, each by a smaller amount, until one is neither silent nor too far away nor, where the original
is in tune, out of it."""

NEAR, FARTHER = 4.0, 16.0
"""Decibels of log-mel distance that a variation may have, and how many more for each unit of the amount: at 0.2 7 dB,
a random algorithm, and at 1 20 dB, unrelated voices."""

SPREAD = 0.15
"""Standard deviation at amount 1 of how far a knob turns, as a fraction of its range."""

INTERVALS = (4, 5, 7, 12)
"""Semitones by which an oscillator that does not carry the pitch may move: third, fourth, fifth, octave."""

INTERVAL_CHANCE = 0.6
"""Chance at amount 1 that it does."""

QUIETEST = 0.01
"""Peak of a variation, as a fraction of the original's, below which it counts as silent (-40 dB)."""


@dataclass(frozen=True)
class Variation:
    """A variation: its patch, its sound (samples,) and the log-mel distance of that from the original, in dB."""

    patch: Patch
    audio: NDArray[np.float32]
    distance: float


def vary_patch(patch: Patch, count: int, amount: float, seed: int = 0) -> list[Variation]:
    """Return variations of a patch, rendered; the first of them are the same for every count.

    Args:
        amount: 0, which gives the patch itself, to 1. seed: variation k is a function of the patch, it and k.
    Raises: AudioError for a patch that is silent.
    """
    synth = patch.synth()
    original = synth.render(patch.values)
    if not original.any():
        raise AudioError("a patch to vary must be heard. Received: one that is silent")
    measure = LogMelDistance(original, synth.sample_rate, FLOOR_DB)
    draw, fits = _ways(patch, synth, original)
    found = []
    for number in range(count):
        for attempt in range(TRIES + 1):
            rng = np.random.default_rng((seed, number, attempt))
            values = draw(amount * (1.0 - attempt / TRIES), rng)  # in the end the patch itself, which fits
            audio = synth.render(values)
            distance = float(measure.distance(audio))
            if distance <= NEAR + FARTHER * amount and fits(values, audio):
                break
        source = {**patch.source, "variation": number + 1, "amount": amount, "seed": seed}
        varied = replace_values(patch, values, source)
        found.append(Variation(varied, audio * _gain(patch), distance))
    return found


def replace_values(patch: Patch, values: Floats, source: dict[str, Any]) -> Patch:
    """Return a patch of other values, without what was measured and estimated of the old ones."""
    return Patch(
        patch.space,
        np.asarray(values, np.float64),
        patch.sample_rate,
        patch.length,
        source=source,
        level_db=patch.level_db,
        root=patch.root,
    )


Draw = Callable[[float, np.random.Generator], Floats]
Fits = Callable[[Floats, NDArray[np.float32]], bool]


def _ways(patch: Patch, synth: Synth, original: NDArray[np.float32]) -> tuple[Draw, Fits]:
    """Return how values are drawn, by an amount and a generator, and whether values with their sound may stay."""
    quietest = QUIETEST * float(np.abs(original).max())

    def is_heard(values: Floats, audio: NDArray[np.float32]) -> bool:
        return np.array_equal(values, patch.values) or float(np.abs(audio).max()) >= quietest

    if patch.space.synth != Dx7Synth.name:
        return lambda amount, rng: vary_values(synth, patch.values, amount, rng), is_heard

    from generators.dx7.prior import LEAST_HARMONIC

    in_tune = _harmonic_share(patch.values) >= LEAST_HARMONIC

    def fits(values: Floats, audio: NDArray[np.float32]) -> bool:
        return is_heard(values, audio) and (not in_tune or _harmonic_share(values) >= LEAST_HARMONIC)

    return lambda amount, rng: vary_voice(np.rint(patch.values), amount, rng).astype(np.float64), fits


def _harmonic_share(values: Floats) -> float:
    """Return the share of a voice's power that is harmonic, in the way of the prior."""
    from generators.dx7 import prior
    from generators.dx7.engine import render

    voice, rate = values_to_bytes(values[None]), prior.SAMPLE_RATE
    audio = render(voice, prior.NOTE, prior.VELOCITY, prior.HOLD, prior.LENGTH, rate, 1)
    played = prior.NOTE + float(values[shared("transpose")]) - NO_TRANSPOSITION
    return float(prior.harmonic_share(audio, rate, [float(midi_to_hz(played))])[0])


def vary_values(synth: Synth, values: Floats, amount: float, rng: np.random.Generator) -> Floats:
    """Return a variation of a patch along the levels of its space; a knob that is turned stands on a level.

    Oscillators that a synth declares keep their frequency, or move by a common interval where another one, louder than
    they are, carries the pitch. The random numbers do not depend on the amount.

    Shapes: (parameters,) -> (parameters,).
    """
    space = synth.space
    exact = amount * SPREAD * rng.normal(size=len(space)) * (np.asarray(space.sizes) - 1)
    columns = oscillator_columns(space, synth.oscillators)
    exact[[frequency for frequency, *_ in columns]] = 0.0
    turns = np.rint(exact).astype(np.int64)
    if not turns.any():  # a small amount moves the knob that was nearest to its next level
        furthest = int(np.argmax(np.abs(exact)))
        turns[furthest] = np.sign(exact[furthest])
    chances = rng.random(len(space))
    intervals = rng.choice((*INTERVALS, *(-each for each in INTERVALS)), len(space))
    classes = np.asarray(space.values_to_classes(values), np.int64)
    turned = np.clip(classes + turns, 0, np.asarray(space.sizes) - 1)
    loudest = max((values[amplitude] for _, _, amplitude, _ in columns), default=0.0)
    for column, _, amplitude, _ in columns:
        turned[column] = classes[column]
        wanted = values[column] * 2.0 ** (intervals[column] / 12.0)
        frequency = space.parameters[column]
        is_free = values[amplitude] < loudest and frequency.low <= wanted <= frequency.high
        if is_free and chances[column] < INTERVAL_CHANCE * amount:
            turned[column] = frequency.nearest(wanted)
    return np.where(turned == classes, values, space.classes_to_values(turned))


def _gain(patch: Patch) -> np.float32:
    return np.float32(10.0 ** (patch.level_db / 20.0))
