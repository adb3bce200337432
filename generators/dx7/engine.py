"""Rendering DX7 voices: a batch of notes, each with its voice, velocity and hold time, at any sample rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dx7.kernel import STEP_TABLE, render_voices, trace_control
from generators.dx7.tables import BLOCK, FULL_ATTENUATION, LFO_SPEEDS, LFO_UNIT, OCTAVE, REFERENCE_RATE
from generators.dx7.voice import HIGHEST, VOICE_BYTES, Voice, stack_values
from generators.errors import ParameterError
from generators.parallel import available_cores, ordered_map

LONGEST = 600.0
"""Seconds of a sound: the longest that an argument may ask for."""

VECTOR, SMALLEST_PART = 8, 16
"""Voices whose feedback is one vector, and voices for which another thread is worth its start."""

SAMPLE_RATES = (4000, 192000)
"""Hz between which sounds are rendered."""


def render(
    voices: Voice | Sequence[Voice] | ArrayLike,
    note: ArrayLike = 60,
    velocity: ArrayLike = 100,
    hold: ArrayLike = 1.0,
    length: float = 2.0,
    sample_rate: int = 44100,
    workers: int | None = None,
) -> NDArray[np.float32]:
    """Render notes; a carrier at full level has the amplitude 1, and the sum of six may reach 6.

    Args:
        voices: one, several, or their bytes (batch, 155). note, velocity: MIDI numbers. hold: seconds from the
            beginning to note-off, which takes effect at the next block of 64 samples. These broadcast over the batch.
        length: seconds of each sound. sample_rate: Hz; frequencies and times are the same at every rate, aliases are
            not. workers: threads; one for each core if left out.
    Returns: (batch, samples) float32, one row for a single voice and note. A sound does not depend on its batch.
    Raises: ParameterError for what is no voice, note, velocity, time or rate.
    """
    values = _voice_values(voices)
    notes, velocities = _midi_numbers("note", note), _midi_numbers("velocity", velocity)
    seconds = _check_seconds(hold, length)
    if not SAMPLE_RATES[0] <= sample_rate <= SAMPLE_RATES[1]:
        raise ParameterError(f"sample_rate is {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]} Hz. Received: {sample_rate}")
    try:
        (batch,) = np.broadcast_shapes((len(values),), notes.shape, velocities.shape, seconds.shape)
    except ValueError:
        shapes = f"{len(values)} voices, {notes.shape}, {velocities.shape} and {seconds.shape}"
        raise ParameterError(f"voices, notes, velocities and holds must be as many. Received: {shapes}") from None
    # Copies, for Numba would compile the kernel anew for each mixture of arrays that may and may not be written.
    rows = np.array(np.broadcast_to(values, (batch, VOICE_BYTES)), order="C")
    holds = _hold_samples(seconds, sample_rate)
    columns = [np.array(np.broadcast_to(each, (batch,)), order="C") for each in (notes, velocities, holds)]
    audio = np.empty((batch, round(length * sample_rate)), np.float32)
    steps, lfo_steps = _phase_steps(int(sample_rate)), _lfo_steps(int(sample_rate))

    def render_part(part: slice) -> None:
        render_voices(
            rows[part], *(column[part] for column in columns), float(sample_rate), steps, lfo_steps, audio[part]
        )

    workers = workers or available_cores()
    size = max(-(-batch // (VECTOR * workers)) * VECTOR, SMALLEST_PART)
    for _ in ordered_map(render_part, (slice(k, k + size) for k in range(0, batch, size)), workers):
        pass
    return audio


@dataclass(frozen=True)
class Trace:
    """What the envelopes and the LFO of one note do, block by block of 64 samples.

    Shapes: times (blocks,) in seconds, the ends of the blocks; levels (blocks, 6) in dB, 0 being a carrier of amplitude
    1, operator 1 first; stages (blocks, 6), the segment that each envelope is in, 0 to 3, and 4 behind its last; bends
    (blocks,) in octaves, what pitch envelope and LFO add to the pitch.
    """

    times: NDArray[np.float64]
    levels: NDArray[np.float64]
    stages: NDArray[np.int64]
    bends: NDArray[np.float64]


UNIT_ATTENUATION = 1024
"""Attenuation at which a carrier has the amplitude 1, in 1/1024 octave: that of a full output and envelope level."""


def trace(voice: Voice, note: int = 60, velocity: int = 100, hold: float = 1.0, length: float = 2.0) -> Trace:
    """Return the envelopes of one note as `render` makes them, at 44.1 kHz, without rendering it.

    Args: note, velocity: MIDI numbers. hold: seconds until note-off. length: seconds that are traced.
    Raises: ParameterError as `render` does.
    """
    _check_seconds(hold, length)
    row = _voice_values(voice)
    blocks = max(1, round(length * REFERENCE_RATE / BLOCK))
    attenuations, stages = np.zeros((blocks, 6), np.int64), np.zeros((blocks, 6), np.int64)
    bends, rate = np.zeros(blocks, np.int64), int(REFERENCE_RATE)
    trace_control(
        row,
        int(_midi_numbers("note", note)),
        int(_midi_numbers("velocity", velocity)),
        int(_hold_samples(np.asarray(hold, np.float64), rate)),
        float(rate),
        _phase_steps(rate),
        _lfo_steps(rate),
        attenuations,
        stages,
        bends,
    )
    levels = (UNIT_ATTENUATION - np.minimum(attenuations, FULL_ATTENUATION)) * (20.0 * np.log10(2.0) / 1024)
    times = np.arange(1, blocks + 1, dtype=np.float64) * (BLOCK / REFERENCE_RATE)
    return Trace(times, levels[:, ::-1], stages[:, ::-1], bends / OCTAVE)


def _check_seconds(hold: ArrayLike, length: float) -> NDArray[np.float64]:
    """Return the hold times. Raises ParameterError for what is no time, or too long."""
    seconds = np.asarray(hold, np.float64)
    if not (np.isfinite(seconds).all() and (seconds >= 0).all()):
        raise ParameterError(f"hold is a number of seconds from 0. Received: {hold!r}")
    if not 0 < length <= LONGEST:
        raise ParameterError(f"length is above 0 and at most {LONGEST:g} seconds. Received: {length:g}")
    return seconds


def _hold_samples(seconds: NDArray[np.float64], sample_rate: int) -> NDArray[np.int64]:
    return np.minimum(np.ceil(seconds * sample_rate - 1e-6), np.iinfo(np.int64).max // 2).astype(np.int64)


def _voice_values(voices: Voice | Sequence[Voice] | ArrayLike) -> NDArray[np.int64]:
    """Return the bytes of voices, (batch, 155). Raises ParameterError for values out of their range."""
    if isinstance(voices, Voice):
        return voices.values[None].astype(np.int64)
    if isinstance(voices, Sequence) and voices and all(isinstance(voice, Voice) for voice in voices):
        return stack_values(voices).astype(np.int64)  # type: ignore[arg-type]
    values = np.atleast_2d(np.asarray(voices))
    if values.ndim != 2 or values.shape[1] != VOICE_BYTES or not np.issubdtype(values.dtype, np.integer):
        raise ParameterError(
            f"voices are integers of shape (batch, {VOICE_BYTES}). Received: {values.dtype} of shape {values.shape}"
        )
    if (values < 0).any() or (values > HIGHEST).any():
        row, byte = np.argwhere((values < 0) | (values > HIGHEST))[0]
        raise ParameterError(f"byte {byte} of a voice is 0 to {HIGHEST[byte]}. Received: {values[row, byte]}")
    return values.astype(np.int64)


def _midi_numbers(name: str, numbers: ArrayLike) -> NDArray[np.int64]:
    found = np.asarray(numbers)
    if not np.issubdtype(found.dtype, np.integer) or (found < 0).any() or (found > 127).any():
        raise ParameterError(f"{name} is a whole number from 0 to 127. Received: {numbers!r}")
    return found.astype(np.int64)


@lru_cache(maxsize=16)
def _phase_steps(sample_rate: int) -> NDArray[np.int64]:
    """Return the phase increments of frequencies from 2 ** 20 Hz over one octave, of 2 ** 24, (1025,)."""
    exact = OCTAVE * (1 << 20) / sample_rate * 2.0 ** (np.arange(STEP_TABLE + 1) / STEP_TABLE)
    return np.floor(exact + 0.5).astype(np.int64)


@lru_cache(maxsize=16)
def _lfo_steps(sample_rate: int) -> NDArray[np.int64]:
    """Return the phase increments of the LFO a block, of 2 ** 32, (100,)."""
    return np.floor(LFO_SPEEDS * int(BLOCK * LFO_UNIT / sample_rate + 0.5)).astype(np.int64)
