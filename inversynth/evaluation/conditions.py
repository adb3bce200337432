"""Conditions of an evaluation: sounds as they are, in noise, as recordings and files have them, or at random phases.

Each takes the clean sound and returns the sound that methods get as input, and the one that their results are compared
with. All that is drawn for a sound follows from the seed and the sound's row.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from generators.analysis.alignment import cut, fit_offset
from generators.audio import resample
from generators.errors import ParameterError, unknown
from generators.synth import Synth

Sound = NDArray[np.float32]

NOISE_DB = 20.0
"""Decibels by which a sound lies above the white noise added to it."""

LATEST = 0.05
"""Seconds of silence that a late sound may have in front."""

OFFSET = 0.05
"""Constant offset of a sound, as of a recorder without a coupling capacitor."""

QUIET_DB = 30.0
"""Decibels by which a quiet sound is turned down."""

MP3_RATE, MP3_DELAY = 44100, 4000
"""Hertz at which MP3 is coded, and the samples by which coder and decoder delay it at most."""


@dataclass(frozen=True)
class Condition:
    """`apply` takes (synth, audio (samples,), classes (parameters,), generator); returns input and reference audio.

    `any_level` says that the level of its sounds is not the synth's.
    """

    name: str
    summary: str
    apply: Callable[[Synth, Sound, NDArray[np.integer], np.random.Generator], tuple[Sound, Sound]]
    any_level: bool = False


def _clean(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    return audio, audio


def _noise(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    level = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) * 10.0 ** (-NOISE_DB / 20.0)
    return audio + (level * rng.standard_normal(len(audio))).astype(np.float32), audio


def _late(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    late = _delay(synth, audio, rng)
    return _dither(late, rng), late


def _offset(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    late = _delay(synth, audio, rng)
    return _dither(late, rng) + np.float32(OFFSET), late


def _quiet(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    quiet = _delay(synth, audio, rng) * np.float32(10.0 ** (-QUIET_DB / 20.0))
    return _dither(quiet, rng), quiet


def _at_rate(rate: int) -> Callable[[Synth, Sound, NDArray[np.integer], np.random.Generator], tuple[Sound, Sound]]:
    def apply(
        synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator
    ) -> tuple[Sound, Sound]:
        late = _delay(synth, audio, rng)
        there = _dither(resample(late, synth.sample_rate, rate), rng)
        return resample(there, rate, synth.sample_rate)[: len(audio)], late

    return apply


def _mp3(synth: Synth, audio: Sound, classes: NDArray[np.integer], rng: np.random.Generator) -> tuple[Sound, Sound]:
    """Code and decode as MP3, without the delay of both."""
    late = _delay(synth, audio, rng)
    there, file = resample(late, synth.sample_rate, MP3_RATE), io.BytesIO()
    soundfile.write(file, there, MP3_RATE, format="MP3")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    delay = fit_offset(decoded, there, (-MP3_DELAY, MP3_DELAY)).offset
    return resample(cut(decoded, round(delay), len(there)), MP3_RATE, synth.sample_rate)[: len(audio)], late


def _delay(synth: Synth, audio: Sound, rng: np.random.Generator) -> Sound:
    """Put silence before a sound, and cut it at the end."""
    silence = int(rng.integers(0, round(LATEST * synth.sample_rate) + 1))
    return np.concatenate([np.zeros(silence, np.float32), audio])[: len(audio)]


def _dither(audio: Sound, rng: np.random.Generator) -> Sound:
    """Round to 16 bits with triangular dither, silence too."""
    noise = rng.triangular(-1.0, 0.0, 1.0, len(audio))
    return (np.round(audio * 32768.0 + noise) / 32768.0).astype(np.float32)


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
        Condition(
            "late", f"in 16 bits with dither, after 0 to {1000 * LATEST:g} ms of silence; so are those below", _late
        ),
        Condition("offset", f"on a constant offset of {OFFSET:g}", _offset),
        Condition("quiet", f"turned down by {QUIET_DB:g} dB", _quiet, any_level=True),
        Condition("44.1kHz", "resampled to 44.1 kHz and back", _at_rate(44100)),
        Condition("48kHz", "resampled to 48 kHz and back", _at_rate(48000)),
        Condition("mp3", "coded as MP3 at 44.1 kHz, and without dither", _mp3),
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
