"""Where a sound begins, to a fraction of a sample: in noise, after a pause, on an offset, at any level and polarity.

`find_onset` fits a power law to how a sound rises out of its background, which finds a beginning that is itself below
the background; `fit_offset` then lays a rendered sound over the recording, sample by sample or by its envelope.
`remove_drift` first takes away what is no sound: a constant offset and rumble below hearing.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.butterworth import butterworth, filter_both_ways, run_filter, steady_state
from generators.dsp.compiler import compile_exact
from generators.errors import AudioError

Floats = NDArray[np.floating]

RUMBLE = 15.0
"""Hz below which nothing is heard as sound; the lowest note of an organ's longest pipe is 16."""

RUMBLE_SHARE = 1e-4
"""Power of rumble relative to the loudest frame (-40 dB) below which it is let be."""

PAUSE = 0.2
"""Seconds of a pause in which rumble is looked for, three of its periods, and that ends what is not yet the sound."""

STEADY = 0.01
"""Share of the rumble in a pause (-20 dB) that sine waves may leave of it and still be taken for the rumble."""

WAVES, FITTED_PAUSE = 3, 4.0
"""Sine waves of which steady rumble consists at most; they are fitted to so many seconds of pause beside the sound."""

NO_OFFSET = 1e-5
"""Power of an offset relative to the sound's (-50 dB) below which it is let be."""

FRAME = 0.005
"""Seconds in which levels are first measured."""

LOUD_DB = 24.0
"""Decibels below the loudest frame above which a sound has begun, whatever the background."""

RANGE_DB = 75.0
"""Decibels below the loudest frame below which nothing counts: resampling rings up to there before a hard onset."""

DETECTED_DB = 9.0
"""Decibels above the background at which two frames in a row are the sound: 5 ms of noise stray by 1 dB."""

POWERS = (0.0, 1.0, 2.0, 3.0, 4.0)
"""Exponents of the amplitude's rise: 0 a step, 1 a ramp, and 4 a ramp upon a sine through a second-order low-pass."""

CLEAR_DB = 20.0
"""Decibels above the background at which a frame ends what is fitted: from there on tremolo and beats shape levels."""

LONGEST_RISE = 40
"""Frames (0.2 s) behind the first sign of the sound at which the fit ends at the latest."""

STATIONARY = 16.0
"""Ratio of the power of the quietest 40 ms to that of the quietest 5 ms (or 0.5 ms) below which it does not rise."""

MODEL_ERROR = 0.15
"""Part of the length of the fitted rise by which no power law may follow it (200 `fm` sounds, all conditions)."""

LEAST_LEAD = 10
"""Frames (50 ms) of background from which its spectrum can be measured."""

EMPHASIS_DB = 35.0
"""Decibels below the loudest frame above which a background is filtered out before the rise is fitted."""

BLOCKS = 160
"""Blocks of samples in which the rise is fitted: one sample each where the background is faint."""

EDGE = 64
"""Samples beside a piece that are shifted with it: the ripple of its edges falls to 1/200 over them."""


@dataclass(frozen=True)
class Onset:
    """Where a sound begins.

    Attributes:
        position: samples from the start, with a fraction; negative where the rise was under way at the start.
        spread: samples within which it is uncertain (one standard deviation, from the likelihood and the length of
            the rise). A search does well to try 0 first where the position is within a few spreads of it.
        background: RMS of what precedes it; 0 where nothing does.
    """

    position: float
    spread: float
    background: float


@dataclass(frozen=True)
class Fit:
    """How a render lies over a target: target[k] = gain x render[k - offset] + what is left.

    Attributes:
        offset: samples, with a fraction. gain: above 0. polarity: 1 or -1.
        residual: energy of the difference relative to the target's, 0..1.
    """

    offset: float
    gain: float
    polarity: int
    residual: float


def remove_drift(audio: ArrayLike, sample_rate: int) -> tuple[NDArray[np.float32], float]:
    """Take a constant offset and rumble below 15 Hz out of a sound, where they are seen apart from it.

    Sounds may have slow parts of their own (a square swept through 0 Hz does), so nothing is filtered on suspicion. The
    offset is the value around which the sound lies still in its pauses, gaps and first samples; rumble is what is left
    below 15 Hz where it goes on in a pause of 0.2 s. Where a few steady sine waves are all of it, these are taken out
    and the slow parts of the sound stay. A sound that has neither stays bit for bit.

    Shapes: (samples,) -> (samples,) float32, and the offset that was removed.
    """
    given = np.asarray(audio, np.float32)
    sound = given.astype(np.float64)
    if len(sound) < 8 or not sound.any():
        return given, 0.0
    offset, error = _offset(sound, sample_rate)
    power = float(np.mean(np.square(sound - offset)))
    if offset * offset < max(NO_OFFSET * power, 9.0 * error * error):
        offset = 0.0
    slow = _rumble(sound - offset, sample_rate)
    if offset == 0.0 and slow is None:
        return given, 0.0
    sound = sound - offset
    return (sound if slow is None else sound - slow).astype(np.float32), offset


def _offset(sound: NDArray[np.float64], sample_rate: int) -> tuple[float, float]:
    """Estimate a constant offset from the stillest frames, and how far that estimate may err (standard deviation)."""
    length = max(round(0.004 * sample_rate), 4)
    hop = max(length // 4, 1)
    frames = np.lib.stride_tricks.sliding_window_view(sound, length)[::hop] if len(sound) > length else sound[None]
    # The first samples of a sound that begins at once are a still frame of their own.
    first = sound[: max(length // 16, 3)]
    means, spreads = np.append(frames.mean(axis=1), first.mean()), np.append(frames.std(axis=1), first.std())
    weights = 1.0 / np.square(np.maximum(spreads, 1e-3 * max(float(spreads.max()), 1e-12)))
    still = spreads <= np.quantile(spreads, 0.02) * 2.0 + 1e-9
    mean = float(np.average(means[still], weights=weights[still]))
    wander = float(np.sqrt(np.average(np.square(means[still] - mean), weights=weights[still])))
    return mean, max(wander, float(spreads[still].min()))


def _rumble(sound: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64] | None:
    """Return the rumble, without delay, where it goes on in a pause; None where it does not."""
    hop = max(round(0.01 * sample_rate), 1)
    if len(sound) < PAUSE * sample_rate:
        return None
    slow, rest = _below_rumble(sound, sample_rate), sound - _below_rumble(sound, sample_rate, octaves=1)
    places = np.arange(0, len(sound), hop)
    levels, slows = np.add.reduceat(np.square(rest), places), np.add.reduceat(np.square(slow), places)
    quiet = levels < levels.max() * 10.0 ** (-LOUD_DB / 10.0)
    lead = int(np.argmin(np.append(quiet, False)))
    tail = int(np.argmin(np.append(quiet[::-1], False)))
    for still, first in ((slows[:lead], 0), (slows[len(slows) - tail :], len(slows) - tail)):
        middle = still[2 : len(still) - 5]  # the filter smears the sound's own by a few frames
        if len(still) * hop >= PAUSE * sample_rate and middle.mean() > max(
            0.2 * slows.mean(), RUMBLE_SHARE * levels.max()
        ):
            most = round(FITTED_PAUSE * sample_rate) // hop
            begin, end = (max(lead - 5 - most, 0), lead - 5) if first == 0 else (first + 5, len(slows))
            waves = _steady_waves(sound, slow, slice(begin * hop, min(end, begin + most) * hop), sample_rate)
            return slow if waves is None else waves
    return None


def _steady_waves(
    sound: NDArray[np.float64], slow: NDArray[np.float64], pause: slice, sample_rate: int
) -> NDArray[np.float64] | None:
    """Fit sine waves below `RUMBLE` to a pause; returns them over the whole sound, None where they leave too much.

    Args: slow: what of the sound lies below `RUMBLE`.
    """
    time = np.arange(len(sound)) / sample_rate
    heard, at = sound[pause], time[pause]
    block = max(round(0.005 * sample_rate), 1)
    count = len(heard) // block
    means, centres = (each[: count * block].reshape(count, block).mean(axis=1) for each in (heard, at))
    lowest = 1.0 / (at[-1] - at[0])  # one period in the pause
    grid = np.arange(lowest, RUMBLE, 0.05 * lowest)
    turns = np.exp(2j * np.pi * grid[:, None] * (centres - centres[0]))
    frequencies: list[float] = []
    left = means - means.mean()
    total = float(left @ left)
    for _ in range(WAVES):
        frequencies.append(float(grid[int(np.abs(turns @ left).argmax())]))
        frequencies = _fit_frequencies(at, heard, frequencies)
        if not all(0.0 < each <= 1.5 * RUMBLE for each in frequencies):
            return None
        weights = np.linalg.lstsq(_waves(at, frequencies), heard, rcond=None)[0]
        left = means - _waves(centres, frequencies) @ weights
        if float(left @ left) <= STEADY * total:
            found = _waves(time, frequencies) @ weights
            return found if np.square(_below_rumble(sound - found, sample_rate)).sum() < slow @ slow else None
    return None


def _below_rumble(sound: NDArray[np.float64], sample_rate: int, octaves: int = 0) -> NDArray[np.float64]:
    """Return what lies below `RUMBLE`, or so many octaves above it, without delay."""
    padding = min(sample_rate // 2, len(sound) - 1)
    return filter_both_ways(butterworth(4, RUMBLE * 2.0**octaves, sample_rate, "lowpass"), sound, padding)


def _waves(time: NDArray[np.float64], frequencies: list[float]) -> NDArray[np.float64]:
    """Return a constant, and cosine and sine of every frequency, as columns, (len(time), 1 + 2 n)."""
    angles = 2.0 * np.pi * time[:, None] * np.array(frequencies)
    return np.concatenate([np.ones((len(time), 1)), np.cos(angles), np.sin(angles)], axis=1)


def _fit_frequencies(time: NDArray[np.float64], heard: NDArray[np.float64], frequencies: list[float]) -> list[float]:
    """Move frequencies to where their waves leave least, by Gauss-Newton steps."""
    count, found = len(frequencies), np.array(frequencies)
    for _ in range(6):
        waves = _waves(time, list(found))
        weights = np.linalg.lstsq(waves, heard, rcond=None)[0]
        cosines, sines = waves[:, 1 : 1 + count], waves[:, 1 + count :]
        slopes = 2.0 * np.pi * time[:, None] * (cosines * weights[1 + count :] - sines * weights[1 : 1 + count])
        steps = np.linalg.lstsq(np.concatenate([waves, slopes], axis=1), heard, rcond=None)[0][1 + 2 * count :]
        found = found + np.clip(steps, -0.5, 0.5)
    return [float(each) for each in found]


def find_onset(audio: ArrayLike, sample_rate: int) -> Onset:
    """Find where a sound rises out of what precedes it.

    Args:
        audio: (samples,), best after `remove_drift`.
    Raises: AudioError for silence.
    """
    sound = np.asarray(audio, np.float64)
    if sound.ndim != 1 or not sound.any():
        raise AudioError(f"a sound must be audible to begin somewhere. Received: silence, shape {sound.shape}")
    hop = max(round(FRAME * sample_rate), 1)
    sound = _above_rumble(sound, sample_rate)
    levels = _levels(sound, hop)
    loud = _first_loud(levels)
    background = _background(sound, loud * hop, hop, float(levels.max()))
    if loud > LEAST_LEAD and background > float(levels.max()) * 10.0 ** (-EMPHASIS_DB / 10.0):
        sound = _emphasised(sound, loud * hop, hop)
        levels = _levels(sound, hop)
        loud = _first_loud(levels)
        background = _background(sound, loud * hop, hop, float(levels.max()))
    loudest = float(levels.max())
    above = levels > background * 10.0 ** (DETECTED_DB / 10.0)
    detected = _first_sign(above, loud) * hop
    clear = levels > background * 10.0 ** (CLEAR_DB / 10.0)
    clear[: detected // hop + 1] = False
    last = min(int(np.argmax(clear)) if clear.any() else len(levels), detected // hop + LONGEST_RISE) + 1
    lowest = loudest * 10.0 ** (-RANGE_DB / 10.0)
    position, spread = _fit_rise(sound, detected, min(last * hop, len(sound)), hop, background)
    return Onset(position, spread, float(np.sqrt(background)) if background > lowest else 0.0)


def _first_loud(levels: NDArray[np.float64]) -> int:
    """Return the first frame that is certainly the sound: near the loudest, and above the quietest tenth of frames."""
    loudest = float(levels.max())
    noise = float(np.quantile(levels, 0.1)) * 10.0 ** (DETECTED_DB / 10.0)
    threshold = max(loudest * 10.0 ** (-LOUD_DB / 10.0), min(noise, loudest * 10.0 ** (-DETECTED_DB / 10.0)))
    return int(np.argmax(levels >= threshold))


def _first_sign(above: NDArray[np.bool_], loud: int) -> int:
    """Return the first of two frames in a row above the background from which on no pause lasts to the loud frame.

    So a click of the recorder, or what a filter left of rumble at the very start, is not the sound.
    """
    twice = np.flatnonzero(above[: loud + 1] & np.append(above[1 : loud + 1], True))
    gaps = np.flatnonzero(np.diff(twice) > round(PAUSE / FRAME))
    return int(twice[gaps[-1] + 1] if len(gaps) else twice[0]) if len(twice) else loud


def _levels(sound: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    """Return the power of each frame of `hop` samples."""
    places = np.arange(0, len(sound), hop)
    return np.asarray(np.add.reduceat(np.square(sound), places) / np.diff([*places, len(sound)]))


def _above_rumble(sound: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Take rumble away by a causal filter, which sends nothing ahead; before the start the sound goes on, mirrored."""
    sections = butterworth(4, 2.0 * RUMBLE, sample_rate, "highpass")
    wide = np.concatenate([2.0 * sound[0] - sound[1 : round(0.1 * sample_rate)][::-1], sound])
    return run_filter(sections, wide, steady_state(sections) * wide[0])[0][len(wide) - len(sound) :]


def _background(sound: NDArray[np.float64], loud: int, hop: int, loudest: float) -> float:
    """Return the power of what precedes the first loud sample: its quietest 40 ms, or less where those rise."""
    lowest, highest = loudest * 10.0 ** (-RANGE_DB / 10.0), loudest * 10.0 ** (-LOUD_DB / 10.0)
    if loud < hop:
        return lowest
    sums = np.concatenate([[0.0], np.cumsum(np.square(sound[:loud]))])
    widths = (min(8 * hop, loud), hop, max(hop // 10, 1))
    found = [float((sums[width:] - sums[:-width]).min()) / width for width in widths]
    steady = [power for power, shorter in pairwise(found) if power < STATIONARY * shorter]
    return float(np.clip(steady[0] if steady else found[-1], lowest, highest))


def _emphasised(sound: NDArray[np.float64], start: int, hop: int) -> NDArray[np.float64]:
    """Filter by the square root of the ratio of sound to everything, a zero-phase Wiener filter."""
    size = 128
    window = np.hanning(size)

    def density(part: NDArray[np.float64]) -> NDArray[np.float64]:
        frames = np.lib.stride_tricks.sliding_window_view(part, size)[:: size // 2] * window
        return np.asarray(np.square(np.abs(np.fft.rfft(frames, axis=1))).mean(axis=0))

    noise = density(sound[: max(start - 2 * hop, size)])
    clean = np.maximum(density(sound[start : start + max(40 * hop, size)]) - noise, 0.0)
    response = np.sqrt(clean / np.maximum(clean + noise, 1e-30))
    taps = np.fft.fftshift(np.fft.irfft(response)) * window
    return np.convolve(sound, taps, mode="full")[size // 2 : size // 2 + len(sound)]


def _fit_rise(sound: NDArray[np.float64], detected: int, last: int, hop: int, background: float) -> tuple[float, float]:
    """Fit the rise that ends before sample `last`: wide and coarse at first, then finer, as far as the result lets."""
    position, spread = float(detected), float(hop)
    for reach in (32 * hop, 8 * hop, 2 * hop):
        first = max(int(position) - reach, 0)
        size = max((last - first) // BLOCKS, 1)
        first = last - (last - first) // size * size
        if last - first < 8 * size:
            break
        power = np.square(sound[first:last]).reshape(-1, size).mean(axis=1)
        earliest = -0.25 * len(power) if first < size else 0.0
        step = 0.5 if size == 1 else 1.0
        found, sharp = _rise(power, float(size), background, np.asarray(POWERS), earliest, step)
        position, spread = first + found * size, sharp * size
        if spread > 2 * size and size > 1:
            break
    return position, max(float(np.hypot(spread, MODEL_ERROR * (last - position))), 0.5)


@compile_exact
def _rise(
    power: Any, size: float, background: float, exponents: Any, earliest: float, step: float
) -> tuple[float, float]:
    """Fit by maximum likelihood the block at which a power law rises out of a constant background.

    Blocks are taken as means of `size` normal samples of variance background + scale x (time - start)^(2 exponent).
    Returns the start and its standard deviation, both in blocks.
    """
    count = len(power)
    starts = np.arange(earliest, count - 3.0, step)
    likelihood = np.full(len(starts), -1e300)
    for place in range(len(starts)):
        start = starts[place]
        first = max(int(np.ceil(start)), 0)
        base = 0.0
        for k in range(first):
            base -= 0.5 * size * (np.log(background) + power[k] / background)
        for exponent in exponents:
            scale = 0.0
            for k in range(first, count):
                scale += max(power[k] - background, 0.0) / (k + 0.5 - start) ** (2.0 * exponent)
            scale = max(scale / (count - first), 1e-30)
            best = -1e300
            for _ in range(3):  # the scale by expectation maximisation
                total, ratio = base, 0.0
                for k in range(first, count):
                    variance = background + scale * (k + 0.5 - start) ** (2.0 * exponent)
                    total -= 0.5 * size * (np.log(variance) + power[k] / variance)
                    ratio += max(power[k] - background, 0.0) / variance
                best = max(best, total)
                scale *= max(ratio / (count - first), 1e-3)
            likelihood[place] = max(likelihood[place], best)
    top = int(np.argmax(likelihood))
    mass = mean = square = 0.0
    for place in range(len(starts)):
        weight = np.exp(max(likelihood[place] - likelihood[top], -700.0))
        mass += weight
        mean += weight * starts[place]
        square += weight * starts[place] ** 2
    mean /= mass
    return starts[top], np.sqrt(max(square / mass - mean * mean, 0.0) + step * step / 12.0)


def fit_offset(
    target: ArrayLike,
    render: ArrayLike,
    reach: tuple[int, int] | None = None,
    by: Literal["waveform", "envelope"] = "waveform",
    sample_rate: int = 16384,
) -> Fit:
    """Lay a render over a target: the offset, gain and polarity that leave the least of it.

    Args:
        target: (samples,). render: (any,), cut where it leaves the target. reach: the first and the last offset tried,
            in samples; by default all by which half of the render's energy stays. by: "waveform" where phases agree;
            "envelope" compares amplitudes smoothed to 5 ms, whatever the phases, and takes polarity as 1.
    Raises: AudioError where either is silent.
    """
    sound, other = np.asarray(target, np.float64), np.asarray(render, np.float64)
    if not sound.any() or not other.any():
        raise AudioError("an offset needs two audible sounds. Received: silence")
    if by == "envelope":
        sound, other = _envelope(sound, sample_rate), _envelope(other, sample_rate)
    samples, length = len(sound), len(other)
    energies = np.concatenate([[0.0], np.cumsum(np.square(other))])
    lags = np.arange(-length + 1, samples) if reach is None else np.arange(reach[0], reach[1] + 1)
    inside = energies[np.clip(samples - lags, 0, length)] - energies[np.clip(-lags, 0, length)]
    size = 1 << (samples + length - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(other, size)), size)
    around = product[lags % size]
    allowed = inside > 0.5 * energies[-1] if reach is None else inside > 1e-9 * energies[-1]
    gained = np.where(allowed, np.square(around) / np.maximum(inside, 1e-30), -1.0)
    if by == "envelope":
        gained = np.where(around > 0.0, gained, -1.0)
    place = int(np.argmax(gained))
    fraction, peak = _between(product, int(lags[place]), size)
    energy = float(inside[place])
    gain = peak / max(energy, 1e-30)
    left = 1.0 - peak * peak / max(energy * float(sound @ sound), 1e-30)
    return Fit(float(lags[place]) + fraction, abs(gain), 1 if gain > 0.0 else -1, float(np.clip(left, 0.0, 1.0)))


def _between(product: NDArray[np.float64], lag: int, size: int) -> tuple[float, float]:
    """Find the extreme of a band-limited sequence around an integer lag: its place from there, -1..1, and its value."""
    near = np.arange(-48, 49)
    values = product[(lag + near) % size]
    window = np.cos(np.pi * near / 98.0) ** 2

    def at(shift: Floats) -> NDArray[np.float64]:
        return np.asarray(np.sinc(shift[:, None] - near) * window @ values)

    sign = np.sign(product[lag % size])
    shift, step = 0.0, 0.25
    for _ in range(7):
        grid = shift + step * np.arange(-4, 5)
        shift = float(np.clip(grid[int(np.argmax(sign * at(grid)))], -1.0, 1.0))
        step /= 4.0
    return shift, float(at(np.array([shift]))[0])


def _envelope(sound: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Return the RMS in a sliding Hann window of 5 ms, without delay."""
    window = np.hanning(max(round(FRAME * sample_rate) | 1, 3))
    middle = len(window) // 2
    power = np.convolve(np.square(sound), window / window.sum())[middle : middle + len(sound)]
    return np.sqrt(np.maximum(power, 0.0))


def cut(recording: ArrayLike, position: float, samples: int, polarity: int = 1) -> NDArray[np.float32]:
    """Cut a piece that begins between two samples out of a recording, and zeros where it reaches beyond.

    Between samples the piece is shifted by its spectrum; at whole samples it is the recording's own, bit for bit.
    Shapes: recording (any,) -> (samples,) float32.
    """
    sound = np.asarray(recording, np.float32)
    first = int(np.floor(position))
    fraction = position - first
    if fraction == 0.0:
        piece = _padded(sound, first, samples)
    else:
        import scipy.fft

        wide = _padded(sound, first - EDGE, samples + 2 * EDGE).astype(np.float64)
        fade = np.sin(0.5 * np.pi * (np.arange(EDGE // 2) + 0.5) / (EDGE // 2)) ** 2
        wide[: len(fade)] *= fade
        wide[-len(fade) :] *= fade[::-1]
        size = scipy.fft.next_fast_len(len(wide) + EDGE, real=True)
        spectrum = scipy.fft.rfft(wide, size) * np.exp(2j * np.pi * fraction * np.fft.rfftfreq(size))
        piece = scipy.fft.irfft(spectrum, size)[EDGE : EDGE + samples].astype(np.float32)
    return piece if polarity > 0 else -piece


def _padded(sound: NDArray[np.float32], first: int, samples: int) -> NDArray[np.float32]:
    """Return samples from `first` on, zeros where there are none."""
    inside = sound[max(first, 0) : max(first + samples, 0)]
    before = min(max(-first, 0), samples)
    return np.pad(inside, (before, samples - before - len(inside)))
