"""Notes held for any time: the steady part of a recorded note is looped, and its decay goes on.

The level of the steady part is a line in dB over time. The note is divided by it, so that it is level; the best loop of
its steady part (`inversynth.playback.loops.best_loop`) is repeated; and the result is multiplied by the line again,
which goes on behind the steady part where the note decays, and stays where it is where the note is level or grows. So
an organ stays level and a plucked string fades as it began to. The pitch of networks' notes wanders by some cents, so
the loop is resampled to the pitch of the note as a whole. A recorded release can follow at any time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.pitch import find_note
from inversynth.playback.loops import best_loop

Audio = NDArray[np.float32]

LEVEL_SECONDS, LEAST_FRAMES = 0.05, 20
"""Seconds of a frame of which the level is taken, and how many frames a sound has at least."""

MIDDLE, LATEST = (0.3, 0.6), 0.8
"""Parts of a sound between which it is held, with attack and first decay over, and at which its release begins at the
latest: notes of NSynth are held for 3 of their 4 s, those of the bundled network for 0.8 of 1 s."""

RISEN, RELEASED = 3.0, 6.0
"""Decibels below the level of the middle: nearer than the first the attack is over; the release is where the level
stays below the second, which the sounds of networks do not cross while they are held."""

SETTLED = 0.25
"""Part of the held note that is left to the attack and the decay behind it."""

SIGNIFICANT = 2.5
"""Standard errors by which a level must fall for a note to decay: a level one passes for decaying in 2 of 100 cases."""

STEEPEST = 200.0
"""Decibels per second of a line: a sound is inaudible after half a second of it."""

JOIN_SECONDS, JOIN_SEARCH = 0.03, 0.04
"""Seconds of the cross-fade into a release, and of the time before it in which the most alike place is searched: a
period of 25 Hz."""

MOST_CENTS = 50.0
"""By which a loop may be retuned: what is further off is another partial, as of bells."""

LEAST_RATE = 4000
"""Hertz from which on a pitch can be found."""

LEAST_TUNED = 0.6
"""Seconds of a loop, repeated, of which the pitch is measured."""


@dataclass(frozen=True)
class Sustain:
    """A note that can be held for any time.

    Attributes:
        audio: (samples,), as recorded. begin, end: samples between which it is steady. slope: dB/s of its level there.
        decay: dB/s behind it, 0 or less. loop: (samples,), of the note divided by its line of level, which comes again
        and again from `start` on. cents: by which it was retuned.
    """

    audio: Audio
    sample_rate: int
    begin: int
    end: int
    slope: float
    decay: float
    loop: NDArray[np.float64]
    start: int
    cents: float

    def held(self, samples: int) -> Audio:
        """Return the note as it sounds while it is held, (samples,)."""
        return self._levelled(self._looped(samples))

    def released(self, samples: int) -> Audio:
        """Return the note held so long that its recorded release ends with the last of `samples`, (samples,).

        The release begins up to `JOIN_SEARCH` earlier, where the waveforms are most alike; silence follows it. Where
        there is no room for both attack and release, the note is cut and faded.
        """
        flat = self._flat(np.arange(len(self.audio)))
        tail = flat[self.end :]
        join = min(round(JOIN_SECONDS * self.sample_rate), (self.end - self.begin) // 4)
        latest = samples - len(tail)  # where the release begins in the result
        if latest - join < self.begin + join:
            return self._cut(samples)
        held = self._looped(latest)
        earliest = max(latest - round(JOIN_SEARCH * self.sample_rate), self.begin + 2 * join)
        arriving = flat[self.end - join : self.end]
        place = _most_alike(held[earliest - join :], arriving) + earliest - join
        gain = np.linspace(0.0, 1.0, join + 2)[1:-1]
        joined = (1.0 - gain) * held[place : place + join] + gain * arriving
        whole = np.concatenate([held[:place], joined, tail])
        return np.pad(self._levelled(whole), (0, samples - len(whole)))

    def _cut(self, samples: int) -> Audio:
        cut = self.held(samples)
        fade = min(max(len(self.audio) - self.end, 1), samples // 2)
        cut[samples - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        return cut

    def _looped(self, samples: int) -> NDArray[np.float64]:
        repeated = np.resize(self.loop, max(samples - self.start, 0))
        return np.concatenate([self._flat(np.arange(min(self.start, samples))), repeated])

    def _flat(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.audio[places] / _gain(places, self.sample_rate, self.begin, self.end, self.slope, self.decay)

    def _levelled(self, flat: NDArray[np.float64]) -> Audio:
        gain = _gain(np.arange(len(flat)), self.sample_rate, self.begin, self.end, self.slope, self.decay)
        return np.asarray(flat * gain, np.float32)


def lengthen(audio: Audio, sample_rate: int, samples: int) -> Audio:
    """Return a note with its recorded release at another length, (samples,); see `Sustain.released`."""
    return audio if samples == len(audio) else find_sustain(audio, sample_rate).released(samples)


def find_sustain(audio: NDArray[np.floating[Any]], sample_rate: int) -> Sustain:
    """Find where a note is steady, how its level falls there, and the loop by which it is held.

    Shapes: (samples,), from the beginning of the note, with or without its release.
    """
    note = np.asarray(audio, np.float32)
    if len(note) < LEAST_FRAMES:
        note = np.pad(note, (0, LEAST_FRAMES - len(note)))
    size = max(min(round(LEVEL_SECONDS * sample_rate), len(note) // LEAST_FRAMES), 1)
    levels = _levels(note, size)
    first, last = _steady_frames(levels)
    slope, error = _line(levels[first:last])
    slope, error = (value * sample_rate / size for value in (slope, error))
    slope = float(np.clip(slope, -STEEPEST, STEEPEST))
    decay = slope if slope < -SIGNIFICANT * error else 0.0
    begin, end = first * size, last * size
    flat = note[:end] / _gain(np.arange(end), sample_rate, begin, end, slope, decay)
    found = best_loop(flat, begin, end, sample_rate)
    loop, cents = _retuned(found.audio[found.start : found.end], note, sample_rate)
    return Sustain(note, sample_rate, begin, end, slope, decay, loop, found.start, cents)


def _retuned(loop: Audio, note: Audio, sample_rate: int) -> tuple[NDArray[np.float64], float]:
    """Resample a loop, which is periodic, to the pitch of a note, if both have one. Returns: also the cents it rose."""
    if sample_rate < LEAST_RATE:
        return loop.astype(np.float64), 0.0
    whole = find_note(note, sample_rate)
    part = find_note(np.tile(loop, -(-round(LEAST_TUNED * sample_rate) // len(loop))), sample_rate)
    if whole is None or part is None or abs(100.0 * (whole.midi - part.midi)) > MOST_CENTS:
        return loop.astype(np.float64), 0.0
    from scipy.signal import resample

    size = max(round(len(loop) * 2.0 ** ((part.midi - whole.midi) / 12.0)), 1)
    tuned = np.asarray(resample(loop.astype(np.float64), size), np.float64)
    return tuned, 1200.0 * float(np.log2(len(loop) / size))


def _levels(note: Audio, size: int) -> NDArray[np.float64]:
    frames = note[: len(note) // size * size].astype(np.float64).reshape(-1, size)
    return np.asarray(10.0 * np.log10(np.maximum(np.square(frames).mean(axis=1), 1e-12)))


def _steady_frames(levels: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first frame behind the attack, and the first of the release."""
    count = len(levels)
    middle = slice(round(MIDDLE[0] * count), round(MIDDLE[1] * count))
    level, slope = float(np.median(levels[middle])), min(_line(levels[middle])[0], 0.0)
    line = level + slope * (np.arange(count) - 0.5 * (middle.start + middle.stop - 1))
    held = np.flatnonzero(levels >= line - RELEASED)
    last = int(held[-1]) if len(held) else 0  # the release begins within this frame
    last = min(max(last, middle.stop), round(LATEST * count))
    risen = int(np.flatnonzero(levels >= min(level - RISEN, float(levels.max())))[0])
    return min(max(risen + 1, round(SETTLED * last)), last // 2), last


def _line(levels: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope of levels, per frame, and its standard error."""
    places = np.arange(len(levels)) - 0.5 * (len(levels) - 1)
    slope = float(places @ levels / (places @ places))
    residual = levels - levels.mean() - slope * places
    return slope, float(np.sqrt(residual @ residual / (len(levels) - 2) / (places @ places)))


def _gain(
    places: NDArray[np.int64], sample_rate: int, begin: int, end: int, slope: float, decay: float
) -> NDArray[np.float64]:
    """Return the line of level at places, as a factor that is 1 where the steady part begins."""
    within = np.minimum(places, end) - begin
    decibels = (slope * within + decay * np.maximum(places - end, 0)) / sample_rate
    return np.asarray(10.0 ** (decibels / 20.0))


def _most_alike(sound: NDArray[np.float64], pattern: NDArray[np.float64]) -> int:
    """Return where the waveform of a pattern is most like that of a sound, by energy of the difference."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(sound))])
    energies = sums[len(pattern) :] - sums[: -len(pattern)]
    return int(np.argmin(energies - 2.0 * np.correlate(sound, pattern, mode="valid")))
