"""Training examples: voices of the prior played at random notes as a recording may hold them, some classes hidden.

A batch is a pure function of the seed and its number, so that a training that was killed goes on with the very examples
it would have seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.audio import resample
from generators.dx7.engine import render
from generators.dx7.prior import draw_voices
from generators.dx7.single_note import drop_inaudible, fold_scaling, heard_operators
from generators.dx7.voice import OPERATORS
from models.dx7.features import LENGTH, SAMPLE_RATE, note_features
from models.dx7.tokens import FIELDS, STAGE_OF_COLUMN, STAGES, TOKEN_OF_COLUMN, UNKNOWN, columns_of, voices_to_classes

Floats = NDArray[np.float32]

RENDER_RATE = 44100
"""Hertz at which voices are played: the engine's blocks and aliases are those of the instrument there."""

NOTES = (28, 100)
"""MIDI notes between which voices are played; half of them within a fifth of middle C."""

QUIETEST, LOUDEST = 0.02, 4.0
"""Peaks between which a sound is used, as in the prior."""

UNHEARD = 0.02
"""Weight of the parameters of operators that are not heard, and of those that a voice leaves at rest."""

STRUCTURE = ("algorithm", "coarse", "mode", "output_level")
STRUCTURE_WEIGHT = 2.0
"""Parameters that decide most of a sound, and the weight of each."""


@dataclass(frozen=True)
class Notes:
    """Notes as the network hears them, and the voices that play them.

    Shapes: sound (n, FRAMES, CHANNELS) in half precision, note (n,) MIDI as it is estimated, voices (n, 155), folded to
    what a note tells.
    """

    sound: NDArray[np.float16]
    note: NDArray[np.float64]
    voices: NDArray[np.uint8]


def play_notes(count: int, seed: int, number: int, *, clean: bool = False) -> Notes:
    """Draw voices of the prior and play them, for batch `number` of a seed.

    Args: clean: middle C held for 0.75 s without noise and room: what a search begins with.
    """
    rng = np.random.default_rng((seed, number))
    voices, audio, notes = _played(count, rng, clean)
    if not clean:
        audio = np.stack([_recorded(sound, rng) for sound in audio])
        notes = notes + rng.normal(0.0, 0.1, count)
    return Notes(note_features(audio, notes).astype(np.float16), notes, voices.astype(np.uint8))


def examples_of(notes: Notes, hidden: NDArray[np.bool_]) -> tuple[tuple[Floats, Floats, NDArray[np.int32]], Floats]:
    """Return inputs of the network, and targets of `TokenCrossentropy`: the hidden classes, as they count.

    Shapes: hidden (n, columns) -> sound (n, FRAMES, CHANNELS), note (n, 1), classes (n, columns); targets
    (n, 2 x columns).
    """
    voices = notes.voices.astype(np.int64)
    classes = voices_to_classes(voices)
    given = np.where(hidden, UNKNOWN, classes).astype(np.int32)
    weights = np.where(hidden, column_weights(voices), 0.0)
    targets = np.concatenate([classes, weights], axis=1).astype(np.float32)
    return (notes.sound.astype(np.float32), notes.note[:, None].astype(np.float32), given), targets


def draw_hidden(count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which classes are hidden: all, those of some tokens, of some kinds, or any. Shapes: (count, columns)."""
    hidden = np.ones((count, len(FIELDS)), bool)
    for row in range(count):
        way = rng.random()
        if way < 0.2:
            continue
        if way < 0.6:  # as in drawing: kinds of parameters are settled in turn, the last kind operator by operator
            stage = rng.integers(0, len(STAGES))
            hidden[row] = stage <= STAGE_OF_COLUMN
            known = rng.random(OPERATORS + 1) < rng.random()
            current = stage == STAGE_OF_COLUMN
            hidden[row] &= ~(current & known[TOKEN_OF_COLUMN])
        elif way < 0.85:  # whole operators, as a search redraws them
            known = rng.random(OPERATORS + 1) < rng.random()
            hidden[row] = ~known[TOKEN_OF_COLUMN]
        else:
            hidden[row] = rng.random(len(FIELDS)) < rng.random()
    return hidden


def column_weights(voices: NDArray[np.int64]) -> Floats:
    """Return how much each column of voices counts: unheard operators hardly. Shapes: (n, 155) -> (n, columns)."""
    weights = np.ones((len(voices), len(FIELDS)), np.float32)
    weights[:, columns_of(*STRUCTURE)] = STRUCTURE_WEIGHT
    silent = ~heard_operators(voices)
    level = np.zeros(len(FIELDS), bool)
    level[columns_of("output_level")] = True
    unheard = np.concatenate([silent, np.zeros((len(voices), 1), bool)], axis=1)[:, TOKEN_OF_COLUMN]
    weights[unheard & ~level] = UNHEARD
    rest = columns_of(*STAGES[-1])
    weights[:, rest] *= 0.3  # mostly at rest; a wrong one is soon found
    return weights


def _played(count: int, rng: np.random.Generator, clean: bool) -> tuple[NDArray[np.int64], Floats, NDArray[np.float64]]:
    """Draw voices and play them, until as many are heard; folded to what their note tells. -> voices, audio, notes."""
    found: list[tuple[NDArray[np.int64], Floats, NDArray[np.float64]]] = []
    missing = count
    while missing > 0:
        voices, _ = draw_voices(max(32, missing + missing // 8), rng)
        size = len(voices)
        near, far = rng.integers(53, 68, size), rng.integers(*NOTES, size)
        notes = np.full(size, 60) if clean else np.where(rng.random(size) < 0.5, near, far)
        velocities = np.full(size, 100) if clean else np.where(rng.random(size) < 0.5, 100, rng.integers(30, 128, size))
        hold = np.full(size, 0.75) if clean else np.where(rng.random(size) < 0.5, 0.75, rng.uniform(0.2, 1.2, size))
        folded = drop_inaudible(fold_scaling(voices, notes, velocities))
        audio = render(folded, notes, 100, hold, LENGTH, RENDER_RATE, 1)
        peaks = np.abs(audio).max(axis=1)
        kept = np.flatnonzero((peaks >= QUIETEST) & (peaks <= LOUDEST))[:missing]
        sounds = np.stack([resample(audio[row], RENDER_RATE, SAMPLE_RATE) for row in kept]) if len(kept) else audio[:0]
        found.append((folded[kept].astype(np.int64), sounds, notes[kept].astype(np.float64)))
        missing -= len(kept)
    return (
        np.concatenate([part[0] for part in found]),
        np.concatenate([part[1] for part in found]),
        np.concatenate([part[2] for part in found]),
    )


def _recorded(sound: Floats, rng: np.random.Generator) -> Floats:
    """Return a sound as it may be recorded: shifted by some samples, filtered, in a room, with noise."""
    from scipy.fft import irfft, next_fast_len, rfft

    shift = int(rng.integers(0, round(0.004 * SAMPLE_RATE)))
    made = np.concatenate([np.zeros(shift, np.float32), sound])[: len(sound)]
    if rng.random() < 0.3:  # a tilt of at most 3 dB an octave, and a ripple
        spectrum = rfft(made)
        octaves = np.log2(np.maximum(np.fft.rfftfreq(len(made), 1.0 / SAMPLE_RATE), 20.0) / 1000.0)
        gain = rng.normal(0.0, 1.5) * octaves + rng.normal(0.0, 2.0) * np.sin(
            octaves * rng.uniform(0.5, 2.0) + rng.uniform(0, 6.3)
        )
        made = irfft(spectrum * 10.0 ** (gain / 20.0), len(made)).astype(np.float32)
    if rng.random() < 0.15:  # exponential noise as the tail of a room
        seconds = rng.uniform(0.05, 0.4)
        tail = rng.normal(size=round(seconds * SAMPLE_RATE)) * np.exp(
            -np.linspace(0.0, 6.9, round(seconds * SAMPLE_RATE))
        )
        tail *= 10.0 ** (rng.uniform(-30.0, -10.0) / 20.0) / np.sqrt(np.sum(tail**2))
        tail[0] = 1.0
        length = next_fast_len(len(made) + len(tail), real=True)
        made = irfft(rfft(made, length) * rfft(tail, length), length)[: len(made)].astype(np.float32)
    if rng.random() < 0.3:
        level = float(np.sqrt(np.mean(made**2))) * 10.0 ** (-rng.uniform(25.0, 70.0) / 20.0)
        made = made + rng.normal(0.0, level, len(made)).astype(np.float32)
    return np.asarray(made, np.float32)
