"""What trained models of notes with a latent space have in common, once they are loaded: notes, latents, a name."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ModelError
from models.model_files import BEST, TrainedModel

LATENT_SEED = 0x6C61
"""Sets the latents of a seed apart from all else that is drawn from it."""


class NoteModel(TrainedModel):
    """A model that turns a latent and a MIDI note into sound."""

    @property
    def name(self) -> str:
        """The name of its file, or of its run, where all files are called alike."""
        return name_of(self.loaded.path)

    @property
    def latent(self) -> int:
        """Numbers that stand for a timbre."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    @property
    def notes(self) -> tuple[int, ...]:
        """MIDI notes that it was trained on, rising."""
        return tuple(self._features["notes"])

    @property
    def counts(self) -> tuple[int, ...]:
        """How often it met each of them."""
        return tuple(self._features["counts"])

    @property
    def _features(self) -> dict[str, Any]:
        return self.loaded.card.features

    def draw_latents(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        """Draw timbres, each from (seed, its number) alone. Shapes: (count, latent), from N(0, I)."""
        rows = [np.random.default_rng([LATENT_SEED, seed, row]).normal(size=self.latent) for row in range(count)]
        return np.asarray(rows, np.float32).reshape(count, self.latent)

    def draw_notes(self, count: int, seed: int = 0) -> NDArray[np.intp]:
        """Draw MIDI notes, as often as they occurred in the data. Shapes: (count,)."""
        shares = np.asarray(self.counts, float) / np.sum(self.counts)
        return np.random.default_rng([LATENT_SEED, seed]).choice(np.asarray(self.notes, np.intp), count, p=shares)

    def check_latents(self, latents: ArrayLike) -> NDArray[np.float32]:
        """Return latents as an array (n, latent). Raises ModelError for other shapes, and numbers that are none."""
        return self._check_rows("latents", latents, self.latent)

    def _check_rows(self, what: str, rows: ArrayLike, width: int) -> NDArray[np.float32]:
        given = np.asarray(rows, np.float32)
        if given.ndim != 2 or given.shape[1] != width:
            raise ModelError(f"{what} of {self.name} must have shape (n, {width}). Received: {tuple(given.shape)}")
        if not np.isfinite(given).all():
            raise ModelError(f"{what} must be finite. Received: NaN or infinity among {given.size} numbers")
        return given


def name_of(path: Path) -> str:
    """Return what a model file is called: by its own name, or that of its run, where all files are called alike."""
    return path.resolve().parent.name if path.name == BEST else path.stem
