"""How near the prior of DX7 voices comes to voices of others: `python -m benchmarks.dx7_prior`.

Three tables: the log-mel distance from the voices of Debian's `hexter` package (read where it is installed, drawn by a
seed) to the nearest of so many sampled voices, beside voices drawn from the aggregate statistics alone; what sampled
voices sound like beside hexter's; and how well the bundled index finds the nearest, for hexter's voices and for voices
of the prior that are not in it. All by our own engine.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarks import machine
from benchmarks.page import markdown_table
from generators.analysis.distance import log_mel_levels
from generators.command import run_command
from generators.dsp.compiler import compile_kernel
from generators.dsp.units import midi_to_hz
from generators.dx7.engine import render
from generators.dx7.prior import QUIETEST, STATISTICS, harmonic_share, sample_voices
from generators.dx7.sysex import read_syx
from generators.dx7.voice import stack_values, unpack_voice
from generators.dx7.voice_index import bundled_index
from generators.errors import DatasetError
from generators.settings import Settings

SAMPLE_RATE, NATIVE_RATE = 16384, 44100
"""Hz at which distances are measured, and of the sounds that the index is asked for."""

NOTE, VELOCITY, HOLD, LENGTH = 60, 100, 0.75, 1.0
HELD_OUT = 200
TOP = 40
"""Voices that the index gives as starts of a search."""

CHUNK = 64
DESCRIBED = 2000
"""Sampled voices of the table of descriptions."""

FRAME = 0.01
ATTACK_DB, DECAY_DB = 6.0, 20.0
"""Decibels below the greatest level at which a sound counts as begun, and as decayed."""

Values = NDArray[np.uint8]
Audio = NDArray[np.float32]


class Dx7PriorSettings(Settings):
    """Measure the prior of DX7 voices, and its index, against voices of others."""

    flags_only: ClassVar = frozenset({"voices", "num", "targets", "seed"})

    voices: Path = Field(Path("/usr/share/hexter"), description="folder of voice files: Debian's hexter")
    num: int = Field(12_000, ge=1000, description="voices to sample")
    targets: int = Field(100, ge=1, description="voices of the folder that are drawn")
    seed: int = Field(18, ge=0, description="by which those are drawn")


def draw_targets(folder: Path, count: int, seed: int) -> Values:
    """Draw voices of a folder's files that are audible at C4. Raises DatasetError where it has too few."""
    files = sorted(path for path in folder.glob("*") if path.suffix in (".dx7", ".syx"))
    voices = [voice for path in files for voice in read_syx(path).voices]
    if len(voices) < count:
        raise DatasetError(f"{folder} must hold {count} DX7 voices. Received: {len(voices)}. Install Debian's hexter")
    values = stack_values(voices)
    audible = np.flatnonzero(np.abs(play(values, SAMPLE_RATE)).max(axis=1) > QUIETEST / 20)
    chosen = np.random.default_rng(seed).choice(audible, min(count, len(audible)), replace=False)
    return values[np.sort(chosen)]


def play(values: Values, sample_rate: int) -> Audio:
    """Render voices at C4."""
    return render(values, NOTE, VELOCITY, HOLD, LENGTH, sample_rate)


def levels(audio: Audio) -> Audio:
    """Return levels in one row a sound, so weighted that the sum of absolute differences is the log-mel distance."""
    found = log_mel_levels(audio, SAMPLE_RATE)
    return np.concatenate([each.reshape(len(each), -1) / np.float32(3 * each[0].size) for each in found], axis=1)


def distances(targets: Values, voices: Values) -> Audio:
    """Return the log-mel distance of each pair, (targets, voices) dB."""
    wanted = levels(play(targets, SAMPLE_RATE))
    found = np.empty((len(targets), len(voices)), np.float32)
    for first in range(0, len(voices), CHUNK):
        part = levels(play(voices[first : first + CHUNK], SAMPLE_RATE))
        _sum_differences(wanted, part, found[:, first : first + CHUNK])
    return found


@compile_kernel
def _sum_differences(first, second, found):  # type: ignore[no-untyped-def]
    for i in range(len(first)):
        for j in range(len(second)):
            total = np.float32(0.0)
            for k in range(first.shape[1]):
                total += abs(first[i, k] - second[j, k])
            found[i, j] = total


def nearest_table(sets: Sequence[tuple[str, Audio]]) -> str:
    """Return the table of nearest distances for some and for all voices of each set, (targets, voices)."""
    rows = []
    for name, found in sets:
        for count in dict.fromkeys((1000, min(3000, found.shape[1]), found.shape[1])):
            best = found[:, :count].min(axis=1)
            q10, q90 = np.percentile(best, (10, 90))
            rows.append([name, f"{count:,}", *(f"{x:.2f}" for x in (best.mean(), np.median(best), q10, q90))])
    return markdown_table(("voices from", "number", "mean, dB", "median", "tenth", "nine tenths"), rows)


def describe(values: Values) -> dict[str, NDArray[np.float64]]:
    """Return centroid (Hz), inharmonic share of power, attack and decay (s) of voices at C4, (n,) each."""
    audio = play(values, NATIVE_RATE)
    power = np.abs(np.fft.rfft(audio, axis=1)) ** 2
    hertz = np.fft.rfftfreq(audio.shape[1], 1.0 / NATIVE_RATE)
    fundamentals = midi_to_hz(NOTE + values[:, 144].astype(np.float64) - 24)
    frame = round(FRAME * NATIVE_RATE)
    frames = audio[:, : audio.shape[1] // frame * frame].reshape(len(audio), -1, frame)
    envelope = 10.0 * np.log10(np.square(frames, dtype=np.float64).mean(axis=2) + 1e-12)
    envelope -= envelope.max(axis=1, keepdims=True)
    attack = (envelope > -ATTACK_DB).argmax(axis=1)
    decay = envelope.shape[1] - (envelope[:, ::-1] > -DECAY_DB).argmax(axis=1) - attack
    return {
        "centroid, Hz": (power @ hertz) / np.maximum(power.sum(axis=1), 1e-30),
        "inharmonic power, %": 100.0 * (1.0 - harmonic_share(audio, NATIVE_RATE, fundamentals)),
        "attack, ms": 1000.0 * FRAME * attack,
        "time above -20 dB, ms": 1000.0 * FRAME * decay,
    }


def description_table(sets: Sequence[tuple[str, Values]]) -> str:
    """Return quartiles of what voices sound like."""
    rows = []
    for name, values in sets:
        parts = [describe(values[first : first + CHUNK]) for first in range(0, len(values), CHUNK)]
        cells = []
        for key in parts[0]:
            low, middle, high = np.percentile(np.concatenate([part[key] for part in parts]), (25, 50, 75))
            cells.append(f"{low:,.0f} – {middle:,.0f} – {high:,.0f}")
        rows.append([name, f"{len(values):,}", *cells])
    columns = ("centroid, Hz", "inharmonic power, %", "attack, ms", "time above -20 dB, ms")
    return markdown_table(("voices", "number", *columns), rows)


def index_table(sets: Sequence[tuple[str, Values]]) -> str:
    """Compare the nearest of the index's first answers with the nearest of all its voices, by the true distance."""
    index = bundled_index()
    stored = np.array([np.frombuffer(unpack_voice(row.tobytes()), np.uint8) for row in index.packed])
    places = {row.tobytes(): number for number, row in enumerate(stored)}
    rows = []
    for name, targets in sets:
        found, seconds, best = distances(targets, stored), [], {1: [], 10: [], TOP: []}
        for target, sound in enumerate(play(targets, NATIVE_RATE)):
            started = time.perf_counter()
            voices, _ = index.nearest(sound, NATIVE_RATE, NOTE, TOP)
            seconds.append(time.perf_counter() - started)
            chosen = found[target, [places[voice.tobytes()] for voice in voices]]
            for count, distances_of in best.items():
                distances_of.append(float(chosen[:count].min()))
        means = [float(np.mean(each)) for each in best.values()]
        same = np.mean(np.array(best[TOP]) <= found.min(axis=1) + 1e-4)
        cells = [f"{x:.2f}" for x in (*means, float(found.min(axis=1).mean()))]
        rows.append([name, f"{len(targets)}", *cells, f"{100 * same:.0f}", f"{1000 * np.median(seconds):.0f}"])
    columns = ("first, dB", "best of 10", f"best of {TOP}", f"best of {len(index):,}", "the best found, %", "ms")
    return markdown_table(("targets", "number", *columns), rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(Dx7PriorSettings, _run, argv, "python -m benchmarks.dx7_prior")


def _run(settings: Dx7PriorSettings) -> None:
    targets = draw_targets(settings.voices, settings.targets, settings.seed)
    print(f"{machine.describe()}; {machine.software('numpy', 'numba')}\n")
    prior, _ = sample_voices(settings.num, settings.seed)
    statistics, _ = sample_voices(settings.num, settings.seed, [STATISTICS])
    sets = (("the prior", prior), ("statistics alone", statistics))
    _show(
        f"Distance of {len(targets)} of hexter's voices (C4, {SAMPLE_RATE:,} Hz, floor -80 dB) from the nearest",
        lambda: nearest_table([(name, distances(targets, voices)) for name, voices in sets]),
    )
    _show(
        "Lower quartile, median and upper quartile of what voices sound like at C4",
        lambda: description_table(
            [("hexter's", targets), *((name, voices[:DESCRIBED]) for name, voices in sets)],
        ),
    )
    held_out, _ = sample_voices(HELD_OUT, settings.seed + 1)
    _show(
        "Nearest by the bundled index, by the log-mel distance",
        lambda: index_table([("the prior, held out", held_out), ("hexter's", targets)]),
    )


def _show(title: str, table: Callable[[], str]) -> None:
    print(f"{title}:\n\n{table()}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
