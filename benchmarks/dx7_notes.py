"""What several notes tell of a DX7 voice that one does not: `python -m benchmarks.dx7_notes`.

Voices of Debian's `hexter` package (drawn by a seed, in no index) are rendered at C2, C4 and C6 with velocities 40 and
100 and found again, once from C4 at velocity 100 alone, once from all six as `inversynth invert --one_patch` does, with
equal renders. Both are compared with the voice at notes and velocities that neither was given, at 44.1 kHz with a floor
of -80 dB; errors of level are those beside the gain that is best for all of them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from tqdm import tqdm

from benchmarks.dx7_prior import HOLD, LENGTH, NATIVE_RATE, draw_targets
from benchmarks.page import markdown_table
from generators.analysis.distance import LogMelDistance
from generators.command import run_command
from generators.dx7.engine import render
from generators.dx7.synth import SAMPLE_RATE, values_to_bytes
from generators.notes.pitches import note_name
from generators.settings import Settings
from inversynth.inversion.one_voice import invert_notes, main_place
from inversynth.inversion.target import Target
from inversynth.inversion.voices import invert_voice
from inversynth.search.dx7_keyboard import PlayedNote

Audio = NDArray[np.float32]

FLOOR = -80.0
GIVEN = tuple(PlayedNote(note, velocity) for note in (36, 60, 84) for velocity in (40, 100))
HELD_OUT = tuple(PlayedNote(note, velocity) for note in (43, 67, 72) for velocity in (60, 100))
QUIETEST = 1e-3
"""Peak of a note below which a voice is left out: it is silent there."""

COLUMNS = ("found from", "n", "C4, velocity 100, dB", "the six notes", "notes held out", "level there, error in dB")


class Dx7NotesSettings(Settings):
    """Find DX7 voices from one note and from several."""

    flags_only: ClassVar = frozenset({"voices", "targets", "seed", "renders"})

    voices: Path = Field(Path("/usr/share/hexter"), description="folder of voice files: Debian's hexter")
    targets: int = Field(20, ge=1, description="voices of the folder that are drawn")
    seed: int = Field(18, ge=0, description="by which those are drawn")
    renders: int = Field(2600, ge=100, description="notes that each search may render")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(Dx7NotesSettings, _run, argv, "python -m benchmarks.dx7_notes")


def _run(settings: Dx7NotesSettings) -> None:
    found = []
    for voice in tqdm(draw_targets(settings.voices, settings.targets, settings.seed), desc="voices", disable=None):
        sounds = play(voice, (*GIVEN, *HELD_OUT), SAMPLE_RATE)
        if np.abs(sounds).max(axis=1).min() < QUIETEST:
            continue
        targets = [
            Target(sound, SAMPLE_RATE, note_name(one.note), {"note": {"midi": float(one.note)}})
            for one, sound in zip(GIVEN, sounds, strict=False)
        ]
        alone = invert_voice(targets[main_place(targets, GIVEN)], "fast", limit=settings.renders)
        together = invert_notes(targets, GIVEN, "fast", limit=settings.renders)
        found.append([_compare(voice, values_to_bytes(one.patch.values[None])[0]) for one in (alone, together)])
        print(" ".join(f"{value:.2f}" for row in found[-1] for value in row), file=sys.stderr, flush=True)
    if not found:
        print("no voice sounds at all of the notes")
        return
    means = np.mean(found, axis=0)
    rows = [
        [name, str(len(found)), *(f"{value:.2f}" for value in row)]
        for name, row in zip(("C4 at velocity 100", "six notes (--one_patch)"), means, strict=True)
    ]
    print(markdown_table(COLUMNS, rows))


def play(voice: ArrayLike, notes: Sequence[PlayedNote], sample_rate: int) -> Audio:
    """Render notes of a voice, (notes, samples)."""
    played, velocities = ([getattr(one, name) for one in notes] for name in ("note", "velocity"))
    return render(np.asarray(voice, np.int64), np.array(played), np.array(velocities), HOLD, LENGTH, sample_rate)


def _compare(wanted: ArrayLike, answer: ArrayLike) -> list[float]:
    """Return distances at the main note, the given and the held-out ones, and the error of level at these, in dB."""
    distances, levels = [], []
    for notes in (GIVEN, HELD_OUT):
        pairs = list(zip(play(wanted, notes, NATIVE_RATE), play(answer, notes, NATIVE_RATE), strict=True))
        distances.append([float(LogMelDistance(a, NATIVE_RATE, FLOOR).distance(b)) for a, b in pairs])
        levels.append([_level(b) - _level(a) for a, b in pairs])
    main = GIVEN.index(PlayedNote(60, 100))
    error = np.abs(np.array(levels[1]) - np.median(levels[1])).mean()
    return [distances[0][main], float(np.mean(distances[0])), float(np.mean(distances[1])), float(error)]


def _level(audio: Audio) -> float:
    return float(10.0 * np.log10(max(float(np.mean(np.square(audio, dtype=np.float64))), 1e-12)))


if __name__ == "__main__":
    sys.exit(main())
