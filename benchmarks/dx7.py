"""The DX7 engine against `dexed-py`, its referee: `python -m benchmarks.dx7`.

Three tables: the log-mel distance between the two engines over the voices of Debian's `hexter` package and over random
bytes, the correlation of their waveforms by feedback, and their speeds in the same run. The voices are read where the
package has them installed; dexed-py comes with the extra `referee` and runs in a process of its own.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarks import machine
from benchmarks.dexed_referee import Job, Referee, installed
from benchmarks.page import markdown_table
from generators.analysis.distance import LogMelDistance
from generators.command import run_command
from generators.dx7.engine import render
from generators.dx7.sysex import read_syx
from generators.dx7.voice import HIGHEST, stack_values
from generators.errors import DatasetError, SettingsError
from generators.settings import Settings

SAMPLE_RATE = 44100
HOLD, LENGTH = 1.0, 1.5
NOTES = ((36, 40), (60, 100), (84, 120))
"""Notes with their velocities, by which each of hexter's voices is played."""

RANDOM_VOICES = 500
FLOOR_DB = -80.0
CHUNK = 64
"""Notes that are rendered and compared at once."""

ROUNDS = 5
SPEED_VOICES = 128
ENOUGH = 0.9995
"""Correlation that 95 % of the voices with feedback up to 5 are to reach."""


class Dx7Settings(Settings):
    """Compare the DX7 engine with dexed-py."""

    flags_only: ClassVar = frozenset({"voices", "num", "seed"})

    voices: Path = Field(Path("/usr/share/hexter"), description="folder of voice files: Debian's hexter")
    num: int = Field(RANDOM_VOICES, ge=1, description="voices of each set at most")
    seed: int = Field(0, ge=0, description="of the random voices, notes and velocities")


@dataclass(frozen=True)
class NoteSet:
    """Notes to render: values (notes, 155), note numbers and velocities."""

    name: str
    values: NDArray[np.int64]
    notes: NDArray[np.int64]
    velocities: NDArray[np.int64]

    def jobs(self, part: slice, hold: float = HOLD, length: float = LENGTH) -> list[Job]:
        """Return some of the notes as the referee takes them."""
        rows = zip(self.values[part].tolist(), self.notes[part].tolist(), self.velocities[part].tolist(), strict=True)
        return [Job(values, note, velocity, hold, length) for values, note, velocity in rows]


@dataclass(frozen=True)
class Comparison:
    """What was measured of a set of notes: distance in dB, correlation, whether equal to the bit, all (notes,)."""

    distances: NDArray[np.float64]
    correlations: NDArray[np.float64]
    equal: NDArray[np.bool_]


def installed_voices(folder: Path, num: int) -> NoteSet:
    """Return the voices of a folder's files, each by three notes. Raises DatasetError where it has none."""
    files = sorted(path for path in folder.glob("*") if path.suffix in (".dx7", ".syx"))
    voices = [voice for path in files for voice in read_syx(path).voices]
    if not voices:
        raise DatasetError(f"no DX7 voices in {folder}. Install Debian's package hexter, or name a folder by --voices")
    chosen = np.linspace(0, len(voices) - 1, min(num, len(voices))).astype(int)
    values = stack_values(voices)[chosen].astype(np.int64)
    notes, velocities = np.array(NOTES).T
    repeated = np.repeat(values, len(NOTES), axis=0)
    return NoteSet("installed", repeated, np.tile(notes, len(values)), np.tile(velocities, len(values)))


def random_voices(num: int, seed: int) -> NoteSet:
    """Return voices of uniform random bytes, each by a random note from C1 to C7 and velocity."""
    generator = np.random.default_rng(seed)
    count = min(num, RANDOM_VOICES)
    values = generator.integers(0, HIGHEST.astype(np.int64) + 1, (count, len(HIGHEST)))
    return NoteSet("random", values, generator.integers(24, 97, count), generator.integers(1, 128, count))


def compare(notes: NoteSet, referee: Referee) -> Comparison:
    """Render all notes by both engines and compare each pair."""
    distances, correlations, equal = [], [], []
    for start in range(0, len(notes.values), CHUNK):
        part = slice(start, start + CHUNK)
        wanted, _ = referee.render(notes.jobs(part))
        found = render(notes.values[part], notes.notes[part], notes.velocities[part], HOLD, LENGTH, SAMPLE_RATE)
        for target, match in zip(wanted, found, strict=True):
            same = bool(np.array_equal(target, match))
            equal.append(same)
            distances.append(0.0 if same else distance(target, match))
            correlations.append(1.0 if same else correlation(target, match))
    return Comparison(np.array(distances), np.array(correlations), np.array(equal))


def distance(target: NDArray[np.float32], match: NDArray[np.float32]) -> float:
    """Return the log-mel distance; where the referee is silent, that of its silence from our sound."""
    if not target.any():
        target, match = match, target
    return float(LogMelDistance(target, SAMPLE_RATE, FLOOR_DB).distance(match))


def correlation(target: NDArray[np.float32], match: NDArray[np.float32]) -> float:
    """Return the correlation of two waveforms, 0 where only one of them moves."""
    if target.std() == 0 or match.std() == 0:
        return 0.0
    return float(np.corrcoef(target, match)[0, 1])


def distance_table(sets: Sequence[tuple[NoteSet, Comparison]]) -> str:
    """Return the table of distances."""
    rows = [
        [
            notes.name,
            f"{len(found.distances):,}",
            f"{100 * found.equal.mean():.1f}",
            f"{found.distances.mean():.5f}",
            f"{np.median(found.distances):.5f}",
            f"{found.distances.max():.3f}",
        ]
        for notes, found in sets
    ]
    return markdown_table(("voices", "notes", "equal to the bit, %", "mean, dB", "median, dB", "maximum, dB"), rows)


def correlation_table(sets: Sequence[tuple[NoteSet, Comparison]]) -> str:
    """Return the table of correlations by feedback, over all sets."""
    feedback = np.concatenate([notes.values[:, 135] for notes, _ in sets])
    found = np.concatenate([each.correlations for _, each in sets])
    rows = []
    for label, chosen in [
        *((str(level), feedback == level) for level in range(8)),
        ("0 to 5", feedback <= 5),
        ("6 and 7", feedback > 5),
    ]:
        if chosen.any():
            part = found[chosen]
            share = 100 * (part >= ENOUGH).mean()
            rows.append([label, f"{len(part):,}", f"{np.median(part):.7f}", f"{share:.1f}", f"{part.min():.6f}"])
    return markdown_table(("feedback", "notes", "median", f"at least {ENOUGH}, %", "minimum"), rows)


def speed_table(notes: NoteSet, referee: Referee) -> str:
    """Measure both engines in turns, on one core each, by processor time; return the table."""
    chosen = np.linspace(0, len(notes.values) - 1, min(SPEED_VOICES, len(notes.values))).astype(int)
    some = NoteSet(notes.name, notes.values[chosen], notes.notes[chosen], notes.velocities[chosen])
    sound = LENGTH * len(chosen)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        render(some.values, some.notes, some.velocities, HOLD, LENGTH, SAMPLE_RATE, workers=1)
        ours.append(sound / (time.process_time() - started))
        _, seconds = referee.render(some.jobs(slice(None)), fresh=False)
        theirs.append(sound / seconds)
    rows = [
        [name, f"{statistics.median(speeds):,.0f}", f"{max(speeds):,.0f}"]
        for name, speeds in (("generators.dx7", ours), ("dexed-py", theirs))
    ]
    return markdown_table(("engine", "x real time per core, median", "best"), rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(Dx7Settings, _run, argv, "python -m benchmarks.dx7")


def _run(settings: Dx7Settings) -> None:
    if not installed():
        raise SettingsError("dexed-py must be installed. Received: none. Install the extra: pip install .[referee]")
    sets = [installed_voices(settings.voices, settings.num), random_voices(settings.num, settings.seed)]
    with Referee(SAMPLE_RATE) as referee:
        found = [(notes, compare(notes, referee)) for notes in sets]
        speeds = speed_table(sets[0], referee)
    print(f"{machine.describe()}; {machine.software('numpy', 'numba', 'dexed-py')}\n")
    print(f"Log-mel distance to dexed-py, {SAMPLE_RATE:,} Hz, floor {FLOOR_DB:g} dB:\n\n{distance_table(found)}\n")
    print(f"Correlation with dexed-py:\n\n{correlation_table(found)}\n")
    print(f"Speed, {ROUNDS} rounds in turns:\n\n{speeds}")


if __name__ == "__main__":
    sys.exit(main())
