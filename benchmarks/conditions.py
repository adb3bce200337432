"""Where sounds of `fm` are found to begin, and how a render is laid over them: `python -m benchmarks.conditions`.

Each condition does to a sound what recording, editing and coding do: quiet before it, noise, an offset, rumble, other
rates, MP3. For each stand the error of the first guess (`find_onset`), of the fit of the true render (`fit_offset`)
around it, both in samples at 16,384 Hz, the energy that the fit leaves and the time of the guess.
"""

import io
import sys
import time
from collections.abc import Callable, Sequence
from math import gcd
from typing import Any, ClassVar

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from benchmarks.page import markdown_table
from generators.analysis.alignment import find_onset, fit_offset, remove_drift
from generators.command import run_command
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from generators.settings import Settings

Floats = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
Condition = Callable[[Floats, Values, np.random.Generator], tuple[Floats, float]]

RATE = 16384
LATE = (0.3, 0.9)
"""Seconds of quiet before a late sound."""

NEAR = 4000
"""Samples around the true beginning within which a render is fitted: more than the first guess errs but for 20 dB."""


class ConditionsSettings(Settings):
    """Measure onsets and fits of `fm` sounds under the conditions of recordings."""

    flags_only: ClassVar = frozenset({"num", "seed", "only"})

    num: int = Field(200, ge=1, description="sounds a condition")
    seed: int = Field(90210, ge=0, description="draws patches, pauses and noise; thresholds were set on seed 4242")
    only: str = Field("", description="conditions to measure, separated by commas; by default all")


def _late(sound: Floats, rng: np.random.Generator, rate: int = RATE) -> tuple[Floats, int]:
    pause = int(rng.uniform(*LATE) * rate)
    return np.concatenate([np.zeros(pause), sound]), pause


def _dithered(sound: Floats, rng: np.random.Generator) -> Floats:
    """Round to 16 bits with triangular dither."""
    return np.asarray(np.round((sound + rng.triangular(-1, 0, 1, len(sound)) / 32768) * 32768) / 32768)


def _noisy(sound: Floats, decibels: float, rng: np.random.Generator) -> Floats:
    """Add white noise so far below the RMS of the part that sounds."""
    level = np.sqrt(np.mean(np.square(sound[sound != 0.0]))) * 10.0 ** (-decibels / 20.0)
    return sound + level * rng.standard_normal(len(sound))


def _resampled(sound: Floats, rate: int) -> Floats:
    """Bring a sound to 16,384 Hz by a linear-phase filter, without stretching it."""
    from scipy.signal import resample_poly

    divisor = gcd(rate, RATE)
    return np.asarray(resample_poly(sound, RATE // divisor, rate // divisor))


def _at_rate(rate: int) -> Condition:
    def condition(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
        late, pause = _late(FmSynth(rate).render(values).astype(np.float64), rng, rate)
        return _resampled(_dithered(late, rng), rate), pause * RATE / rate

    return condition


def _dither(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    late, pause = _late(sound, rng)
    return _dithered(late, rng), pause


def _faint(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    late, pause = _late(10.0**-1.5 * sound, rng)
    return _dithered(late, rng), pause


def _offset(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    late, pause = _dither(sound, values, rng)
    return late + 0.05, pause


def _rumble(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    late, pause = _dither(sound, values, rng)
    time = np.arange(len(late)) / RATE
    return late + 0.03 * np.sin(2.0 * np.pi * (7.0 * time + rng.random())), pause


def _white_noise(decibels: float) -> Condition:
    def condition(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
        late, pause = _late(sound, rng)
        return _noisy(late, decibels, rng), pause

    return condition


def _quiet_noise(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    late, pause = _late(sound, rng)
    return late + 1e-4 * rng.standard_normal(len(late)), pause


def _four_samples(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    return np.concatenate([1e-4 * rng.standard_normal(4), sound]), 4.0


def _mp3(sound: Floats, values: Values, rng: np.random.Generator) -> tuple[Floats, float]:
    """Code as MP3 at 44.1 kHz; whatever delay coder and decoder leave is measured and counted in."""
    rate = 44100
    late, pause = _late(FmSynth(rate).render(values).astype(np.float64), rng, rate)
    file = io.BytesIO()
    soundfile.write(file, late, rate, format="MP3")
    file.seek(0)
    decoded, _ = soundfile.read(file)
    delay = fit_offset(decoded, late, (-4000, 4000)).offset
    return _resampled(decoded, rate), (pause + delay) * RATE / rate


CONDITIONS: dict[str, Condition] = {
    "clean, at sample 0": lambda sound, values, rng: (sound, 0.0),
    "offset of 0.05, at sample 0": lambda sound, values, rng: (sound + 0.05, 0.0),
    "noise 40 dB below, at sample 0": lambda sound, values, rng: (_noisy(sound, 40.0, rng), 0.0),
    "begun 16 samples late": lambda sound, values, rng: (sound[16:], -16.0),
    "four samples of noise in front": _four_samples,
    "late, 16-bit dither": _dither,
    "late, -30 dB, 16-bit dither": _faint,
    "late, noise at -80 dB": _quiet_noise,
    "late, offset of 0.05": _offset,
    "late, rumble at 7 Hz": _rumble,
    "late, 44.1 kHz": _at_rate(44100),
    "late, 48 kHz": _at_rate(48000),
    "late, MP3": _mp3,
    "late, noise 40 dB below": _white_noise(40.0),
    "late, noise 20 dB below": _white_noise(20.0),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(ConditionsSettings, _run, argv, "python -m benchmarks.conditions")


def _run(settings: ConditionsSettings) -> None:
    synth = FmSynth(RATE)
    values = synth.space.classes_to_values(sample_classes(synth.space, 0, settings.num, settings.seed))
    sounds = synth.render(values).astype(np.float64)
    names = [name.strip() for name in settings.only.split(",")] if settings.only else list(CONDITIONS)
    rows = []
    for name, condition in CONDITIONS.items():
        if any(part in name for part in names):
            rows.append([name, *_measure(condition, sounds, values, settings.seed)])
    columns = ["condition", "guess, median", "90 %", "95 %", "worst", "fit, median", "95 %", "worst", "left, dB", "ms"]
    print(markdown_table(columns, rows))


def _measure(condition: Condition, sounds: Floats, values: Values, seed: int) -> list[str]:
    guesses, fits, left, seconds = [], [], [], []
    for row, sound in enumerate(tqdm(sounds, disable=None)):
        recorded, begin = condition(sound, values[row], np.random.default_rng([seed, row]))
        began = time.perf_counter()
        cleaned, _ = remove_drift(recorded, RATE)
        guesses.append(abs(find_onset(cleaned, RATE).position - begin))
        seconds.append(time.perf_counter() - began)
        fit = fit_offset(cleaned, sound, (round(begin) - NEAR, round(begin) + NEAR))
        fits.append(abs(fit.offset - begin))
        left.append(fit.residual)
    return [
        *(f"{each:.0f}" for each in np.quantile(guesses, (0.5, 0.9, 0.95, 1.0))),
        *(f"{each:.3f}" for each in np.quantile(fits, (0.5, 0.95, 1.0))),
        f"{10.0 * np.log10(max(float(np.median(left)), 1e-15)):.0f}",
        f"{1000.0 * np.median(seconds):.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
