"""Playing the regions of a SoundFont: one voice each, in a Numba kernel, summed to mono.

Source: SoundFont Technical Specification 2.04, sections 8 and 9. A voice reads its sample by cubic interpolation and
passes a resonant low-pass; six-stage envelopes control level, pitch and filter, two triangular oscillators modulate
them. It is rendered at a multiple of the sample rate and decimated through a linear-phase filter, which avoids
aliasing. No reverb or chorus; velocity changes only the level, and initial attenuation is scaled by 0.4, as in the
hardware that fonts were designed for and in FluidSynth.
"""

from math import cos, pi, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dsp.compiler import compile_exact
from generators.notes.soundfont import KEY, MODES, VELOCITY, Region, SoundFont

RENDER_RATE = 64_000
"""Least rate in hertz at which voices are rendered: twice 32 kHz, which few samples exceed."""

BLOCK = 32
"""Samples for which pitch and filter are constant: half a millisecond at 64 kHz."""

ATTENUATION = 0.4
"""Factor of the initial attenuation, as in the EMU8000 and in FluidSynth."""

SILENCE = 100.0
"""Attenuation in decibels at which a voice has ended."""

OPEN = 13500.0
"""Cutoff in absolute cents from which the filter is bypassed (specification 8.1.3)."""

BASE_FREQUENCY = 8.176
"""Hertz at 0 absolute cents, which is MIDI key 0."""

FULL_SCALE = 32768.0

WIDEST = 12700.0
"""Largest transposition of a sample in cents: the whole MIDI range."""

FADE = 0.01
"""Seconds of the fade at the end of a note that has not ended by itself."""


def render_note(
    font: SoundFont,
    bank: int,
    number: int,
    pitch: int,
    velocity: int,
    *,
    held: float,
    samples: int,
    sample_rate: int,
    gain: float = 1.0,
) -> NDArray[np.float32]:
    """Render a note of a preset.

    Args:
        held: seconds until its release. gain: factor.
    Shapes: returns (samples,) float32; silence where the preset does not cover that pitch and velocity.
    Raises: ParameterError for a preset that the font lacks, AudioError for one that is broken.
    """
    from scipy.signal import resample_poly  # half a second of import that `--help` never needs

    factor = -(-RENDER_RATE // sample_rate)
    audio = np.zeros(samples * factor)
    for region in font.regions(bank, number, pitch, velocity):
        _voice(audio, font.samples_of(region), _controls(region, pitch, velocity, held, float(sample_rate * factor)))
    if factor > 1:
        audio = resample_poly(audio, 1, factor)
    rest = min(round(FADE * sample_rate), samples)
    audio[samples - rest :] *= np.linspace(1.0, 0.0, rest + 1)[1:]
    return (gain * audio).astype(np.float32)


def _controls(region: Region, key: int, velocity: int, held: float, rate: float) -> NDArray[np.float64]:
    """Return the controls of a voice, as the numbers that `_voice` names."""
    g = region.generators.astype(np.float64)
    key = int(g[KEY]) if 0 <= g[KEY] <= 127 else key
    velocity = int(g[VELOCITY]) if 0 < g[VELOCITY] <= 127 else velocity
    cents = np.clip((key - region.root) * g[56] + 100.0 * g[51] + g[52] + region.correction, -WIDEST, WIDEST)
    pan = np.clip(g[17] / 1000.0 + 0.5, 0.0, 1.0) * pi / 2.0
    level = (velocity / 127.0) ** 2 * 10.0 ** (-max(g[48], 0.0) * ATTENUATION / 200.0)
    level *= (cos(pan) + sin(pan)) / 2.0 / FULL_SCALE
    modes = int(g[MODES]) & 3 if region.loop_end > region.loop_start else 0

    def seconds(cents: float) -> float:
        return float(2.0 ** (min(cents, 8000.0) / 1200.0)) if cents > -12000 else 0.0

    def stages(first: int, by_key: int) -> list[float]:
        """Delay, attack, hold, decay, raw sustain, release; hold and decay depend on the key."""
        hold, decay = (g[first + 2 + i] + g[by_key + i] * (60 - key) for i in (0, 1))
        times = seconds(g[first]), seconds(g[first + 1]), seconds(hold), seconds(decay)
        return [*times, g[first + 4], seconds(g[first + 5])]

    return np.asarray(
        [
            *(region.start, region.end, region.loop_start, region.loop_end, modes),
            *(region.rate / rate * 2.0 ** (cents / 1200.0), level, held, rate),
            *stages(33, 39),
            *stages(25, 31),
            *(seconds(g[21]), BASE_FREQUENCY * 2.0 ** (g[22] / 1200.0), g[5], g[10], np.clip(g[13], -960, 960)),
            *(seconds(g[23]), BASE_FREQUENCY * 2.0 ** (g[24] / 1200.0), g[6]),
            *(g[7], g[11], min(max(g[8], 1500.0), OPEN), min(max(g[9], 0.0), 960.0) / 10.0),
        ]
    )


@compile_exact
def _rise(time: float, stages: Any) -> float:
    """Return the progress of an envelope: 0..1 during the attack, then 1 + the seconds since the decay began."""
    time -= stages[0]
    if time < 0.0:
        return 0.0
    if time < stages[1]:
        return time / stages[1]
    return 1.0 + max(time - stages[1] - stages[2], 0.0)


@compile_exact
def _level(time: float, stages: Any, held: float) -> float:
    """Return the volume envelope as a factor: linear attack, decay and release straight lines in decibels."""
    progress = _rise(min(time, held), stages)
    if progress <= 0.0:
        return 0.0
    sustain = min(max(stages[4] / 10.0, 0.0), SILENCE)
    fallen = sustain
    if progress < 1.0:
        fallen = -20.0 * np.log10(progress)
    elif stages[3] > 0.0:
        fallen = min(SILENCE * (progress - 1.0) / stages[3], sustain)
    if time > held:
        fallen += SILENCE * (time - held) / max(stages[5], 0.001)
    return 10.0 ** (-fallen / 20.0) if fallen < SILENCE else 0.0


@compile_exact
def _modulation(time: float, stages: Any, held: float) -> float:
    """Return the modulation envelope, 0..1: convex attack, straight decay and release."""
    progress = _rise(min(time, held), stages)
    if progress <= 0.0:
        return 0.0
    sustain = 1.0 - min(max(stages[4] / 1000.0, 0.0), 1.0)
    value = sustain
    if progress < 1.0:
        value = max(1.0 + 20.0 / 96.0 * np.log10(progress), 0.0)
    elif stages[3] > 0.0:
        value = max(1.0 - (progress - 1.0) / stages[3], sustain)
    if time > held:
        value = max(value - (time - held) / max(stages[5], 0.001), 0.0)
    return value


@compile_exact
def _triangle(time: float, delay: float, frequency: float) -> float:
    """Return an oscillator that begins at 0 after its delay and rises, -1..1."""
    if time < delay:
        return 0.0
    cycle = ((time - delay) * frequency + 0.25) % 1.0
    return 4.0 * cycle - 1.0 if cycle < 0.5 else 3.0 - 4.0 * cycle


@compile_exact
def _voice(audio: Any, source: Any, controls: Any) -> None:
    """Add one voice to (samples,) float64."""
    start, end, loop_start, loop_end = int(controls[0]), int(controls[1]), int(controls[2]), int(controls[3])
    modes, step, gain, held, rate = int(controls[4]), controls[5], controls[6], controls[7], controls[8]
    volume, moving = controls[9:15], controls[15:21]
    slow_delay, slow_rate, slow_pitch, slow_filter, slow_level = controls[21:26]
    vibrato_delay, vibrato_rate, vibrato_pitch = controls[26:29]
    moving_pitch, moving_filter, cutoff, resonance = controls[29:33]
    steady = cutoff >= OPEN and moving_filter >= 0.0 and slow_filter == 0.0
    flat = 10.0 ** (-resonance / 40.0)
    quality = 10.0 ** ((resonance - 3.01) / 20.0)
    length = loop_end - loop_start
    position = 0.0
    x1 = x2 = y1 = y2 = 0.0
    before = _level(0.0, volume, held)
    for first in range(0, len(audio), BLOCK):
        time = first / rate
        count = min(BLOCK, len(audio) - first)
        after = _level((first + count) / rate, volume, held)
        if time > held and before == 0.0:
            return
        slow = _triangle(time, slow_delay, slow_rate)
        bend = _modulation(time, moving, held)
        cents = slow * slow_pitch + bend * moving_pitch
        cents += _triangle(time, vibrato_delay, vibrato_rate) * vibrato_pitch
        pace = step * 2.0 ** (cents / 1200.0)
        loud = gain * 10.0 ** (slow * slow_level / 200.0)
        b0, b1, a1, a2 = 1.0, 0.0, 0.0, 0.0
        if not steady:
            place = min(cutoff + bend * moving_filter + slow * slow_filter, OPEN)
            turn = 2.0 * pi * min(BASE_FREQUENCY * 2.0 ** (max(place, 1500.0) / 1200.0) / rate, 0.45)
            alpha = sin(turn) / (2.0 * quality)
            b1 = flat * (1.0 - cos(turn)) / (1.0 + alpha)
            b0 = b1 / 2.0
            a1, a2 = -2.0 * cos(turn) / (1.0 + alpha), (1.0 - alpha) / (1.0 + alpha)
        looping = modes == 1 or (modes == 3 and time < held)
        for i in range(count):
            at = start + int(position)
            if looping:
                if at >= loop_end:
                    back = length * ((at - loop_end) // length + 1)
                    position -= back
                    at -= back
            elif at >= end:
                return
            part = position - int(position)
            previous = float(source[at - 1]) if at > start else 0.0
            here = float(source[at])
            one, two = at + 1, at + 2
            if looping:
                one = one - length if one >= loop_end else one
                two = two - length if two >= loop_end else two
            following = float(source[one]) if one < end else 0.0
            beyond = float(source[two]) if two < end else 0.0
            slope = 0.5 * (following - previous)
            bulge = here - following
            lift = slope + bulge
            twist = lift + bulge + 0.5 * (beyond - here)
            value = ((twist * part - (lift + twist)) * part + slope) * part + here
            if not steady:
                filtered = b0 * (value + x2) + b1 * x1 - a1 * y1 - a2 * y2
                x2, x1, y2, y1 = x1, value, y1, filtered
                value = filtered
            weight = before + (after - before) * i / count
            audio[first + i] += loud * weight * value
            position += pace
        before = after
