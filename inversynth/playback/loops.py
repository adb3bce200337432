"""Where the recording of a held note can be looped: two places with the same waveform, where the sound is steady.

The place to come back to is a rising zero crossing; the place to leave from is the one whose surroundings, past and
future, are most like its own, so that the phases of the partials match. What is left of a difference is cross-faded
before the jump, for 30 ms where the two are alike, and for 400 ms in a longer loop where partials beat and modulations
go on. A sound that still decays is not looped: it would never end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

FRAMES = 40
"""Parts of a held note whose levels say whether it is steady."""

STEADY_FROM, END_FRAMES = 14, 8
"""The first of them that counts, behind attack and decay, and how many are the end of the note."""

MOST_DECAY, MOST_SLOPE = 1.5, 10.0
"""Decibels by which the loudest frame of the end may be below the loudest one, and by which the level may rise or fall
over the whole note. Sustained archetypes of the prior, beating ones too, are below both in 4 s, plucked ones and bells
above one of them."""

WINDOW = 0.03
"""Seconds before and after a place that are compared: a period of 33 Hz."""

BEGIN = (0.3, 0.55)
"""Parts of the held note between which a loop begins."""

STARTS = 12
"""Zero crossings that are tried."""


@dataclass(frozen=True)
class Way:
    """A way to loop: seconds of the shortest loop, seconds of the cross-fade, and the largest energy of the difference
    of the two places, as a fraction of their own.
    """

    shortest: float
    fade: float
    most_mismatch: float


WAYS = (Way(0.25, 0.03, 0.02), Way(1.0, 0.4, 2.0))
"""Tried in turn. In the first, the two are within -17 dB; vibrato of four hertz has a period in the shortest loop. The
second takes any; 2.0 is the energy of the difference of unrelated sounds."""

SHORT_FADE = 0.1
"""Seconds of the longer cross-fade where a loop is part of a short note."""

MOST_LEVEL_STEP = 0.5
"""Decibels by which a part of the loop may be louder or quieter than all parts of the held note: half of what is just
heard."""

MOST_CLICK = 1.0
"""Largest bend of the waveform (second difference) at the jump, as a fraction of the largest one within the loop."""

LEVEL_SECONDS = 0.05
"""Seconds of a part."""

PADDING = 64
"""Samples behind the end of a loop, which go on as the loop does: samplers read ahead to interpolate."""


@dataclass(frozen=True)
class Loop:
    """A note that can be held for any time.

    Attributes: audio (samples,), cross-faded, which ends just behind the loop. start, end: samples; after `end - 1`
        comes `start` again. level_step: decibels, and click: see `MOST_LEVEL_STEP` and `MOST_CLICK`.
    """

    audio: Audio
    start: int
    end: int
    level_step: float
    click: float

    def played(self, samples: int) -> Audio:
        """Return the note as a sampler plays it while a key is down, (samples,)."""
        places = np.arange(samples)
        around = self.start + (places - self.start) % (self.end - self.start)
        return self.audio[np.where(places < self.end, places, around)]


def find_loop(audio: Audio, released: int, sample_rate: int) -> Loop | None:
    """Find the loop of a note; None where the sound is not steady, or no loop keeps its level.

    Args:
        audio: (samples,), of which the note is held for the first `released` ones.
    """
    held = np.asarray(audio[:released], np.float64)
    if not is_steady(held):
        return None
    window = round(WINDOW * sample_rate)
    first, last = (round(part * len(held)) for part in BEGIN)
    starts = _crossings(held, max(first, window), last)
    mismatches = [_mismatches(held, start, window) for start in starts]
    for way in WAYS:
        for mismatch, start, end in _places(starts, mismatches, round(way.shortest * sample_rate)):
            if mismatch > way.most_mismatch:
                break
            loop = _faded(audio[:released], start, end, round(way.fade * sample_rate), sample_rate)
            if loop.level_step <= MOST_LEVEL_STEP and loop.click <= MOST_CLICK:
                return loop
    return None


def best_loop(audio: NDArray[np.floating[Any]], begin: int, end: int, sample_rate: int) -> Loop:
    """Find the best loop of a part of a sound, which is taken to be steady; there always is one.

    The two places are searched as in `find_loop`, with windows and cross-fades that fit the part: a loop is 40 % of it
    at least, and is cross-faded for 30 ms, or for 100 ms where the two are less alike. Of loops that keep level and
    waveform one of the most alike places is taken, else the one that comes nearest to keeping them.

    Args:
        audio: (samples,), of which the part is `begin` to `end`, eight samples at least.
    """
    part = np.asarray(audio[:end], np.float64)
    length = end - begin
    window = max(min(round(WINDOW * sample_rate), length // 8), 1)
    best: tuple[float, Loop] | None = None
    for way in (Way(0.4, WAYS[0].fade, WAYS[0].most_mismatch), Way(0.5, SHORT_FADE, WAYS[1].most_mismatch)):
        fade = min(round(way.fade * sample_rate), length // 5)
        first = begin + max(fade, window)
        starts = _crossings(part, first, begin + length // 2) or [min(first, end - 2)]
        mismatches = [_mismatches(part, start, window) for start in starts]
        for mismatch, start, leaving in _places(starts, mismatches, max(round(way.shortest * length), 1)):
            if mismatch > way.most_mismatch:
                break
            loop = _faded(part, start, leaving, fade, sample_rate, begin)
            fault = max(loop.level_step - MOST_LEVEL_STEP, 0.0) + max(loop.click - MOST_CLICK, 0.0)
            if fault == 0.0:
                return loop
            if best is None or fault < best[0]:
                best = fault, loop
    return best[1] if best else _faded(part, begin + length // 5, end, length // 5, sample_rate, begin)


def is_steady(held: NDArray[np.floating[Any]]) -> bool:
    """Tell whether a held note keeps its level, on the whole, behind attack and decay; silence does not."""
    size = len(held) // FRAMES
    if size < 2:
        return False
    frames = np.square(held[: size * FRAMES], dtype=np.float64).reshape(FRAMES, size).mean(axis=1)[STEADY_FROM:]
    if frames.max() < 1e-12:
        return False
    levels = 10.0 * np.log10(np.maximum(frames, 1e-12))
    slope = float(np.polyfit(np.arange(len(levels)) / FRAMES, levels, 1)[0])
    return bool(levels.max() - levels[-END_FRAMES:].max() <= MOST_DECAY and abs(slope) <= MOST_SLOPE)


def levels_of_parts(audio: Audio, sample_rate: int) -> NDArray[np.float64]:
    """Return the levels of overlapping parts of a sound in dB, (parts,)."""
    size = min(max(round(LEVEL_SECONDS * sample_rate), 1), len(audio))
    sums = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    means = (sums[size:] - sums[:-size])[:: max(size // 4, 1)] / size
    return np.asarray(10.0 * np.log10(np.maximum(means, 1e-12)))


def bend_at_jump(audio: Audio, start: int, end: int) -> float:
    """Return the bend of the waveform where a loop jumps, as a fraction of the largest one within the loop."""
    joint = np.concatenate([audio[end - 3 : end], audio[start : start + 3]]).astype(np.float64)
    inside = np.abs(np.diff(audio[start:end].astype(np.float64), 2)).max()
    return float(np.abs(np.diff(joint, 2)).max() / max(inside, 1e-12))


def _crossings(held: NDArray[np.float64], first: int, last: int) -> list[int]:
    """Return up to `STARTS` rising zero crossings from `first` to below `last`, evenly spread over all of them."""
    crossings = np.flatnonzero((held[:-1] < 0.0) & (held[1:] >= 0.0)) + 1
    crossings = crossings[(crossings >= first) & (crossings < last)]
    if not len(crossings):
        return []
    chosen: list[int] = crossings[np.unique(np.linspace(0, len(crossings) - 1, STARTS).astype(np.int64))].tolist()
    return chosen


def _places(
    starts: Sequence[int], mismatches: Sequence[NDArray[np.float64]], shortest: int
) -> list[tuple[float, int, int]]:
    """Return the best place to leave from for each start, as (mismatch, start, end), the most alike first."""
    found: list[tuple[float, int, int]] = []
    for start, mismatch in zip(starts, mismatches, strict=True):
        later = mismatch[start + shortest :]
        if len(later) and np.isfinite(later.min()):
            end = start + shortest + int(np.argmin(later))
            found.append((float(mismatch[end]), start, end))
    return sorted(found)


def _mismatches(held: NDArray[np.float64], place: int, window: int) -> NDArray[np.float64]:
    """Return how different the surroundings of each place are from those of one, by energy; infinity at the ends."""
    from scipy.signal import correlate

    pattern = held[place - window : place + window]
    energy = float(np.square(pattern).sum())
    sums = np.concatenate([[0.0], np.cumsum(np.square(held))])
    energies = sums[2 * window :] - sums[: -2 * window]
    products = correlate(held, pattern, mode="valid", method="fft")
    found = np.full(len(held), np.inf)
    found[window : window + len(products)] = (energies + energy - 2.0 * products) / max(energy, 1e-12)
    return found


def _faded(
    held: NDArray[np.floating[Any]], start: int, end: int, fade: int, sample_rate: int, steady: int | None = None
) -> Loop:
    """Cut a note behind its loop, and cross-fade its end into what comes before its start; measure what comes out.

    Its level is compared with that of the note from `steady` on, by default from the beginning of the cross-fade.

    The gains keep the level of the sum, as alike as the two sounds are.
    """
    faded = np.array(held[:end], np.float32)
    length = min(fade, start, end - start)
    leaving, coming = faded[end - length :].astype(np.float64), held[start - length : start].astype(np.float64)
    energy = np.sqrt(np.square(leaving).sum() * np.square(coming).sum())
    alike = float(np.clip((leaving * coming).sum() / max(energy, 1e-12), 0.0, 1.0))
    gain = np.linspace(0.0, 1.0, length + 1)[1:]
    norm = np.sqrt(np.square(1.0 - gain) + np.square(gain) + 2.0 * alike * gain * (1.0 - gain))
    faded[end - length :] = ((1.0 - gain) * leaving + gain * coming) / norm
    padding = faded[start + np.arange(PADDING) % (end - start)]
    loop = Loop(np.concatenate([faded, padding]), start, end, 0.0, bend_at_jump(faded, start, end))
    known = levels_of_parts(held[start - length if steady is None else steady :], sample_rate)
    played = levels_of_parts(loop.played(2 * end - start + round(LEVEL_SECONDS * sample_rate))[start:], sample_rate)
    step = max(float(known.min() - played.min()), float(played.max() - known.max()), 0.0)
    return replace(loop, level_step=step)
