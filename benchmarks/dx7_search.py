"""How near the search for DX7 voices comes: `python -m benchmarks.dx7_search`.

Two tables: voices of Debian's `hexter` package (drawn by a seed, in no index), rendered at C4 and found again, compared
at 44.1 kHz with a floor of -80 dB; and recordings (Debian's sonic-pi-samples) with a pitch, the first second from the
onset, compared at 16,384 Hz with the recording's own noise as the floor, as `benchmarks.real_sounds` compares `fm`.
Beside the search stand the nearest voice of the index and the nearest after the first stage. All by our own engine.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from benchmarks.dx7_prior import HOLD, LENGTH, NATIVE_RATE, NOTE, VELOCITY, draw_targets, play
from benchmarks.page import markdown_table
from benchmarks.real_sounds import PITCHED, find_recordings
from generators.analysis.distance import LogMelDistance
from generators.analysis.pitch import find_note
from generators.audio import resample
from generators.command import run_command
from generators.dx7.engine import render
from generators.dx7.synth import SAMPLE_RATE, Dx7Synth, values_to_bytes, voice_values
from generators.dx7.voice_index import bundled_index
from generators.errors import AudioError
from generators.settings import Settings
from inversynth.inversion.target import read_target
from inversynth.search.search import Refinement, refine

Audio = NDArray[np.float32]

FLOOR = -80.0
COMPARED = 16384
"""Hz at which recordings are compared, as `fm` is."""

COLUMNS = ("", "n", "nearest of the index", "after the first stage", "found, mean", "median", "below 1 dB", "s")


class Dx7SearchSettings(Settings):
    """Find DX7 voices for voices of others and for recordings."""

    flags_only: ClassVar = frozenset({"voices", "targets", "seed", "recordings", "num", "renders"})

    voices: Path = Field(Path("/usr/share/hexter"), description="folder of voice files: Debian's hexter")
    targets: int = Field(100, ge=0, description="voices of the folder that are drawn")
    seed: int = Field(18, ge=0, description="by which those are drawn")
    recordings: Path = Field(Path("/usr/share/sonic-pi/samples"), description="a folder of sounds (FLAC or WAV)")
    num: int = Field(200, ge=0, description="recordings at most, evenly spread over the folder")
    renders: int | None = Field(None, ge=1, description="renders of each search; by default those of the budget fast")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(Dx7SearchSettings, _run, argv, "python -m benchmarks.dx7_search")


def _run(settings: Dx7SearchSettings) -> None:
    rows = []
    if settings.targets:
        rows.append(_summary("voices of hexter, 44.1 kHz", _find_voices(settings)))
    if settings.num:
        rows.append(_summary("recordings with a pitch, 16,384 Hz", _match_recordings(settings)))
    print(markdown_table(COLUMNS, rows))


def _find_voices(settings: Dx7SearchSettings) -> list[list[float]]:
    found = []
    for voice in tqdm(draw_targets(settings.voices, settings.targets, settings.seed), desc="voices", disable=None):
        wanted = play(voice[None], NATIVE_RATE)[0]
        measure = LogMelDistance(wanted, NATIVE_RATE, FLOOR)
        began = time.perf_counter()
        result, nearest = _search(resample(wanted, NATIVE_RATE, SAMPLE_RATE), NOTE, settings.renders)
        seconds = time.perf_counter() - began
        answers = np.concatenate([nearest, values_to_bytes(result.values[None])])
        distances = measure.distance(render(answers, NOTE, VELOCITY, HOLD, LENGTH, NATIVE_RATE))
        found.append([float(distances[0]), result.stages[0].distance, float(distances[1]), seconds])
        print(" ".join(f"{value:.2f}" for value in found[-1]), file=sys.stderr, flush=True)
    return found


def _match_recordings(settings: Dx7SearchSettings) -> list[list[float]]:
    found = []
    for path in tqdm(find_recordings(settings.recordings, settings.num), desc="recordings", disable=None):
        try:
            target = read_target(path, SAMPLE_RATE, LENGTH)
        except AudioError as fault:
            print(fault, file=sys.stderr)
            continue
        note = find_note(target.audio, SAMPLE_RATE)
        if note is None or note.confidence < PITCHED:
            continue
        began = time.perf_counter()
        result, nearest = _search(target.audio, round(note.midi), settings.renders)
        seconds = time.perf_counter() - began
        measure = LogMelDistance(resample(target.audio, SAMPLE_RATE, COMPARED), COMPARED)
        answers = np.concatenate([nearest, values_to_bytes(result.values[None])])
        audio = render(answers, round(note.midi), VELOCITY, HOLD, LENGTH, SAMPLE_RATE)
        distances = measure.distance(np.stack([resample(one, SAMPLE_RATE, COMPARED) for one in audio]))
        found.append([float(distances[0]), result.stages[0].distance, float(distances[1]), seconds])
        print(path.stem, " ".join(f"{value:.2f}" for value in found[-1]), file=sys.stderr, flush=True)
    return found


def _search(audio: Audio, note: int, renders: int | None) -> tuple[Refinement, NDArray[np.int64]]:
    """Search for a sound as `inversynth invert --synth dx7` does; also returns the nearest voice, (1, 155)."""
    synth = Dx7Synth(SAMPLE_RATE, len(audio) / SAMPLE_RATE).at_root(float(note))
    nearest, _ = bundled_index().nearest(audio, SAMPLE_RATE, note, 1)
    start = voice_values(nearest)[0].astype(np.float64)
    uniform = np.ones(synth.space.size)
    found = refine(synth, audio, uniform, "fast", limit=renders, start=start, level="fit")
    return found, nearest.astype(np.int64)


def _summary(name: str, rows: list[list[float]]) -> list[str]:
    """Return a row of `COLUMNS` for the distances in dB and seconds of each sound."""
    if not rows:
        return [name, "0", *[""] * (len(COLUMNS) - 2)]
    table = np.array(rows)
    nearest, first, found, seconds = table.T
    return [
        name,
        str(len(table)),
        f"{nearest.mean():.2f}",
        f"{first.mean():.2f}",
        f"{found.mean():.2f}",
        f"{np.median(found):.2f}",
        f"{100.0 * np.mean(found < 1.0):.0f} %",
        f"{np.median(seconds):.1f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
