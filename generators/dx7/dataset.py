"""Datasets of DX7 voices, and the command `inversynth generate dx7`.

A row is a voice of the prior at a note and a velocity, which stand beside it as labels, as its family does. Voices are
drawn by the block, so that row i is a function of (seed, i) alone, whatever the number of rows, shards and workers.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from generators.command import run_command
from generators.dx7.archetypes import FAMILIES
from generators.dx7.prior import sample_voices
from generators.dx7.synth import SAMPLE_RATE, Dx7Synth, values_to_bytes, voice_values
from generators.errors import ParameterError
from generators.generate import DatasetSettings, generate_from_settings
from generators.notes.pitches import note_list
from generators.notes.settings import velocity_list
from generators.settings import Words
from generators.synth import DEFAULT_LENGTH

BLOCK = 224
"""Rows whose voices, notes and velocities are drawn together; a part of the definition of the data, so it must never
change. Voices are drawn by 256, and of six such batches 231 to 242 were kept: one is enough for a block."""

KEPT_BLOCKS = 4
"""Drawn blocks that are kept: rows are rendered in order, by some threads at once."""

STATISTICS = "statistics"
"""The last family: voices drawn from the statistics alone (`generators.dx7.prior`)."""

NOTES, VELOCITIES = "36:84", "30:127"
"""C2 to C6, where voices are meant to be played; velocities that are played, and at which most voices are heard."""


@dataclass(frozen=True)
class _Block:
    """Rows that are drawn together. Shapes: classes (BLOCK, 145) and the labels (BLOCK,), all uint8."""

    classes: NDArray[np.uint8]
    notes: NDArray[np.uint8]
    velocities: NDArray[np.uint8]
    families: NDArray[np.uint8]


class Dx7Rows(Dx7Synth):
    """The DX7 as it makes a dataset: every row has a voice of the prior, a note and a velocity.

    Args:
        sample_rate: hertz. length: seconds; notes are held for three quarters of it.
        notes, velocities: MIDI numbers, each as probable as the others. families: of voices; all of them if empty.
    Raises: ParameterError for numbers out of 0..127, a velocity of 0, and unknown families.
    """

    labels: ClassVar[tuple[tuple[str, str], ...]] = (("note", "uint8"), ("velocity", "uint8"), ("family", "uint8"))
    own_sampling: ClassVar[str] = "prior"

    def __init__(
        self,
        sample_rate: int = SAMPLE_RATE,
        length: float = DEFAULT_LENGTH,
        *,
        notes: Sequence[int] = note_list(NOTES),
        velocities: Sequence[int] = note_list(VELOCITIES),
        families: Sequence[str] = (),
    ) -> None:
        super().__init__(sample_rate, length)
        for name, numbers, lowest in (("notes", notes, 0), ("velocities", velocities, 1)):
            if not len(numbers) or min(numbers) < lowest or max(numbers) > 127:
                received = f"{min(numbers)} to {max(numbers)}" if len(numbers) else "none"
                raise ParameterError(f"{name} of DX7 voices are MIDI numbers {lowest}..127. Received: {received}")
        self.notes, self.velocities, self.families = tuple(notes), tuple(velocities), tuple(families)
        if families:
            self._draw(0, families)
        self._blocks: OrderedDict[tuple[int, int], _Block] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def options(self) -> dict[str, Any]:
        """What notes, velocities and voices are drawn from, and the names of the families."""
        return {
            "notes": list(self.notes),
            "velocities": list(self.velocities),
            "families": list(self.families),
            "names": {"family": [*FAMILIES, STATISTICS]},
        }

    def draw_classes(self, first: int, last: int, seed: int) -> NDArray[np.uint8]:
        """Draw the voices of rows first..last-1, (rows, 145)."""
        return self._rows(first, last, seed).classes

    def render_rows(
        self, values: ArrayLike, first: int, seed: int
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
        """Render rows at their notes and velocities, which are returned as labels, with the families."""
        table = np.atleast_2d(np.asarray(values, np.float64))
        rows = self._rows(first, first + len(table), seed)
        audio = self.render_keys(table, rows.notes, rows.velocities)
        return audio, {"note": rows.notes, "velocity": rows.velocities, "family": rows.families}

    def render_keys(self, values: ArrayLike, notes: ArrayLike, velocities: ArrayLike) -> NDArray[np.float32]:
        """Render voices at notes and velocities, (n, 145), (n,), (n,) -> (n, samples)."""
        from generators.dx7.engine import render

        voices = values_to_bytes(np.asarray(values, np.float64))
        hold, length = self.note_fraction * self.length, self.samples / self.sample_rate
        return render(voices, notes, velocities, hold, length, self.sample_rate, 1)

    def _rows(self, first: int, last: int, seed: int) -> _Block:
        blocks = [self._block(seed, number) for number in range(first // BLOCK, (last - 1) // BLOCK + 1)]
        part = slice(first % BLOCK, first % BLOCK + last - first)
        return _Block(
            *(
                np.concatenate([getattr(block, name) for block in blocks])[part]
                for name in ("classes", "notes", "velocities", "families")
            )
        )

    def _block(self, seed: int, number: int) -> _Block:
        """Return a block, drawn at most once while it is needed, whichever thread asks for it."""
        with self._lock:
            key = seed, number
            if key not in self._blocks:
                voices, numbers = np.random.SeedSequence((seed, number)).spawn(2)
                high, low = (int(word) for word in voices.generate_state(2, np.uint64))
                values, names = self._draw(BLOCK, self.families, high << 64 | low)
                rng = np.random.default_rng(numbers)
                self._blocks[key] = _Block(
                    voice_values(values).astype(np.uint8),
                    rng.choice(np.asarray(self.notes, np.uint8), BLOCK),
                    rng.choice(np.asarray(self.velocities, np.uint8), BLOCK),
                    np.array([(*FAMILIES, STATISTICS).index(str(name)) for name in names], np.uint8),
                )
                while len(self._blocks) > KEPT_BLOCKS:
                    self._blocks.popitem(last=False)
            return self._blocks[key]

    @staticmethod
    def _draw(count: int, families: Sequence[str], seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
        return sample_voices(count, seed, families or None, workers=1)


class Dx7DatasetSettings(DatasetSettings):
    """Generate a dataset of DX7 voices at notes and velocities into one HDF5 file."""

    flags_only: ClassVar = DatasetSettings.flags_only | {"notes", "velocities"}

    sample_rate: int = Field(SAMPLE_RATE, ge=4000, le=192_000, description="hertz")
    notes: str = Field(NOTES, description="MIDI notes to play, as C2:C6 or 36:84:12 or 48,60,72")
    velocities: str = Field(VELOCITIES, description="MIDI velocities to play, as 30:127 or 40,80,120")
    families: Words = Field(
        (), description=f"families of voices, e.g. bass,organ; by default all: {', '.join(FAMILIES)}, {STATISTICS}"
    )


def main(argv: Sequence[str] | None = None, prog: str = "python -m generators.dx7.dataset") -> int:
    """Generate a dataset of DX7 voices; returns the exit code."""

    def action(settings: Dx7DatasetSettings) -> None:
        synth = Dx7Rows(
            settings.sample_rate,
            settings.length,
            notes=note_list(settings.notes),
            velocities=velocity_list(settings.velocities),
            families=settings.families,
        )
        generate_from_settings(synth, settings, synth.own_sampling)

    return run_command(Dx7DatasetSettings, action, argv, prog)


if __name__ == "__main__":
    sys.exit(main())
