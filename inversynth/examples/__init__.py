"""Five short sounds to try an inversion on: two of the `fm` synthesizer, and three recordings in the public domain.

The recordings are CC0, shortened, mixed to mono and resampled by `inversynth.examples.cut`; their
sources are in LICENCES.md beside them.
"""

from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Example:
    """A bundled sound: its file, a description, and for a sound of `fm` the seed and row of its `sample_classes`."""

    file: str
    summary: str
    seed: int | None = None
    row: int = 0

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    def truth(self) -> NDArray | None:
        """Return the classes (parameters,) that made the sound, where the `fm` synth did."""
        if self.seed is None:
            return None
        from generators.registry import find_synth
        from generators.sampling import sample_classes

        return sample_classes(find_synth("fm").space, self.row, self.row + 1, self.seed)[0]


EXAMPLES: tuple[Example, ...] = (
    Example("fm_first.flac", "a random patch of the fm synth", seed=3030, row=0),
    Example("fm_second.flac", "another one, 12 dB down", seed=3030, row=2),
    Example("guitar_harmonic.flac", "a harmonic on a guitar"),
    Example("bell.flac", "a struck bell"),
    Example("cowbell.flac", "a cowbell"),
)
