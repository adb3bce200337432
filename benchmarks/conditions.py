"""Sounds of `fm` under the conditions of recordings: `python -m benchmarks.conditions`.

Each condition does to a sound what recording, editing and coding do: quiet before it, noise, an offset, rumble, other
rates, MP3. By default each sound is inverted as `inversynth invert` does; what stands is how many of its knobs were
found. `--measure onsets` asks only where sounds are found to begin: by the first guess (`find_onset`), and by the fit
of the true render around it (`fit_offset`), in samples at 16,384 Hz. `--measure alarms` inverts sounds that `fm` cannot
make, and counts those that are called reachable.
"""

import io
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from benchmarks.page import markdown_table
from generators.analysis.alignment import find_onset, fit_offset, remove_drift
from generators.audio import resample
from generators.command import run_command
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from generators.settings import Settings

Floats = NDArray[np.float64]
Values = NDArray[np.floating[Any]]

RATE = 16384
LATE = (0.3, 0.9)
"""Seconds of quiet before a late sound."""

DITHER = 0.5 / 32768
"""RMS of triangular dither and of rounding to 16 bits together."""

NEAR = 4000
"""Samples around the true beginning within which a render is fitted: more than the first guess errs but for 20 dB."""


@dataclass(frozen=True)
class Recorded:
    """A sound under a condition.

    Attributes:
        audio: (any,) at `rate` Hz. begin: where it begins, in samples at 16,384 Hz. snr: decibels from its dither or
            noise up to the sound, where the condition makes some sounds very quiet.
    """

    audio: Floats
    begin: float
    rate: int = RATE
    snr: float = np.inf


Condition = Callable[[Floats, Values, np.random.Generator], Recorded]
"""Takes a sound (samples,) at 16,384 Hz, the values that made it, (23,), and a generator."""


class ConditionsSettings(Settings):
    """Measure inversions of `fm` sounds under the conditions of recordings."""

    flags_only: ClassVar = frozenset(
        {"num", "seed", "only", "measure", "budget", "model", "recordings", "soundfont", "first"}
    )

    measure: Literal["inversions", "onsets", "alarms"] = Field(
        "inversions", description="what is measured: knobs found, beginnings found, or false alarms"
    )
    num: int = Field(200, ge=1, description="sounds a condition")
    first: int = Field(0, ge=0, description="sounds of the seed that are left out, so that runs can share the work")
    seed: int = Field(90210, ge=0, description="draws patches, pauses and noise; thresholds were set on seed 4242")
    only: str = Field("", description="parts of the names of conditions to measure, separated by |; by default all")
    budget: Literal["fast", "full"] = Field("fast", description="of the search")
    model: str = Field("inverter", description="the model whose estimates the searches begin with")
    recordings: Path = Field(Path("/usr/share/sonic-pi/samples"), description="a folder of sounds, for false alarms")
    soundfont: Path = Field(Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"), description="an SF2 file, likewise")


def _late(sound: Floats, rng: np.random.Generator, rate: int = RATE) -> tuple[Floats, int]:
    pause = int(rng.uniform(*LATE) * rate)
    return np.concatenate([np.zeros(pause), sound]), pause


def _dithered(sound: Floats, rng: np.random.Generator) -> Floats:
    """Round to 16 bits with triangular dither."""
    return np.asarray(np.round((sound + rng.triangular(-1, 0, 1, len(sound)) / 32768) * 32768) / 32768)


def _noisy(sound: Floats, decibels: float, rng: np.random.Generator) -> Floats:
    """Add white noise so far below the RMS of the part that sounds."""
    level = _rms_of_sound(sound) * 10.0 ** (-decibels / 20.0)
    return sound + level * rng.standard_normal(len(sound))


def _rms_of_sound(sound: Floats) -> float:
    """Return the RMS of the part that sounds."""
    return float(np.sqrt(np.mean(np.square(sound[sound != 0.0]))))


def _at_rate(sound: Floats, rate: int) -> Floats:
    return resample(sound.astype(np.float32), RATE, rate).astype(np.float64)


def _resampled(rate: int, dither: bool = True) -> Condition:
    def condition(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
        late, pause = _late(_at_rate(sound, rate), rng, rate)
        return Recorded(_dithered(late, rng) if dither else late, pause * RATE / rate, rate)

    return condition


def _rendered(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    """Render at 44.1 kHz, where the filter and the highest partials are others: -20 to -50 dB apart."""
    rate = 44100
    late, pause = _late(FmSynth(rate).render(values).astype(np.float64), rng, rate)
    return Recorded(_dithered(late, rng), pause * RATE / rate, rate)


def _dither(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    late, pause = _late(sound, rng)
    return Recorded(_dithered(late, rng), pause)


def _gain(factor: float) -> Condition:
    def condition(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
        snr = 20.0 * np.log10(abs(factor) * _rms_of_sound(sound) / DITHER)
        return replace(_dither(factor * sound, values, rng), snr=float(snr))

    return condition


def _offset(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    late, pause = _late(sound, rng)
    return Recorded(_dithered(late, rng) + 0.05, pause)


def _rumble(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    late, pause = _late(sound, rng)
    time = np.arange(len(late)) / RATE
    return Recorded(_dithered(late, rng) + 0.03 * np.sin(2.0 * np.pi * (7.0 * time + rng.random())), pause)


def _white_noise(decibels: float) -> Condition:
    def condition(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
        late, pause = _late(sound, rng)
        return Recorded(_noisy(late, decibels, rng), pause)

    return condition


def _quiet_noise(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    late, pause = _late(sound, rng)
    return Recorded(late + 1e-4 * rng.standard_normal(len(late)), pause)


def _four_samples(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    return Recorded(np.concatenate([1e-4 * rng.standard_normal(4), sound]), 4.0)


def _mp3(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    """Code as MP3 at 44.1 kHz; whatever delay coder and decoder leave is measured and counted in."""
    rate = 44100
    late, pause = _late(_at_rate(sound, rate), rng, rate)
    file = io.BytesIO()
    soundfile.write(file, late, rate, format="MP3")
    file.seek(0)
    decoded, _ = soundfile.read(file)
    delay = fit_offset(decoded, late, (-4000, 4000)).offset
    return Recorded(decoded, (pause + delay) * RATE / rate, rate)


def _independent(sound: Floats, values: Values, rng: np.random.Generator) -> Recorded:
    """Render by the second renderer of the tests: -25 to -50 dB apart."""
    from tests.independent_fm import render_independently

    return Recorded(render_independently(values)[0], 0.0)


CONDITIONS: dict[str, Condition] = {
    "clean, at sample 0": lambda sound, values, rng: Recorded(sound, 0.0),
    "offset of 0.05, at sample 0": lambda sound, values, rng: Recorded(sound + 0.05, 0.0),
    "inverted, at sample 0": lambda sound, values, rng: Recorded(-sound, 0.0),
    "noise 40 dB below, at sample 0": lambda sound, values, rng: Recorded(_noisy(sound, 40.0, rng), 0.0),
    "begun 16 samples late": lambda sound, values, rng: Recorded(sound[16:], -16.0),
    "four samples of noise in front": _four_samples,
    "late, 16-bit dither": _dither,
    "late, inverted, 16-bit dither": _gain(-1.0),
    "late, -30 dB, 16-bit dither": _gain(10.0**-1.5),
    "late, noise at -80 dB": _quiet_noise,
    "late, offset of 0.05": _offset,
    "late, rumble at 7 Hz": _rumble,
    "late, 44.1 kHz, digital silence": _resampled(44100, dither=False),
    "late, 44.1 kHz": _resampled(44100),
    "late, 48 kHz": _resampled(48000),
    "late, rendered at 44.1 kHz": _rendered,
    "late, MP3": _mp3,
    "late, noise 40 dB below": _white_noise(40.0),
    "late, noise 20 dB below": _white_noise(20.0),
    "rendered independently, at sample 0": _independent,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(ConditionsSettings, _run, argv, "python -m benchmarks.conditions")


def _run(settings: ConditionsSettings) -> None:
    from benchmarks import inverted_conditions  # TensorFlow, which the onsets need not wait for

    if settings.measure == "alarms":
        rows = inverted_conditions.measure_alarms(settings)
        print(markdown_table(inverted_conditions.ALARM_COLUMNS, rows))
        return
    synth = FmSynth(RATE)
    classes = sample_classes(synth.space, 0, settings.first + settings.num, settings.seed)[settings.first :]
    values = synth.space.classes_to_values(classes)
    sounds = synth.render(values).astype(np.float64)
    parts = [part.strip() for part in settings.only.split("|")] if settings.only else [""]
    chosen = {name: one for name, one in CONDITIONS.items() if any(part in name for part in parts)}
    if settings.measure == "inversions":
        rows = inverted_conditions.measure_inversions(settings, chosen, classes, sounds)
        print(markdown_table(inverted_conditions.COLUMNS, rows))
        return
    rows = [[name, *_measure_onsets(one, sounds, values, settings)] for name, one in chosen.items()]
    columns = ["condition", "guess, median", "90 %", "95 %", "worst", "fit, median", "95 %", "worst", "left, dB", "ms"]
    print(markdown_table(columns, rows))


def _measure_onsets(condition: Condition, sounds: Floats, values: Values, settings: ConditionsSettings) -> list[str]:
    guesses, fits, left, seconds = [], [], [], []
    for row, sound in enumerate(tqdm(sounds, disable=None), start=settings.first):
        one = condition(sound, values[row - settings.first], np.random.default_rng([settings.seed, row]))
        began = time.perf_counter()
        cleaned, _ = remove_drift(one.audio, one.rate)
        audio = resample(cleaned, one.rate, RATE)
        guesses.append(abs(find_onset(audio, RATE).position - one.begin))
        seconds.append(time.perf_counter() - began)
        fit = fit_offset(audio, sound, (round(one.begin) - NEAR, round(one.begin) + NEAR))
        fits.append(abs(fit.offset - one.begin))
        left.append(fit.residual)
    return [
        *(f"{each:.0f}" for each in np.quantile(guesses, (0.5, 0.9, 0.95, 1.0))),
        *(f"{each:.3f}" for each in np.quantile(fits, (0.5, 0.95, 1.0))),
        f"{10.0 * np.log10(max(float(np.median(left)), 1e-15)):.0f}",
        f"{1000.0 * np.median(seconds):.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
