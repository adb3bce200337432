"""Trained models, loaded: the base of every class that runs one, and what models of notes with a latent share."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ModelError
from generators.files import real_path
from models.model_files import BEST, LoadedModel, load_model

LATENT_SEED = 0x6C61
"""Part of the seed of latents, so that they are independent of other numbers drawn with the same seed."""


@dataclass(frozen=True)
class TrainedModel:
    """A trained model of a known architecture: the base of what shapes, encodes, classifies and generates sounds."""

    loaded: LoadedModel

    @property
    def sample_rate(self) -> int:
        return self.loaded.sample_rate

    @property
    def samples(self) -> int:
        """Length of the sounds that it was trained on."""
        return self.loaded.samples

    @property
    def fingerprint(self) -> str:
        """The beginning of the hash of its weights, which identifies the model in files made with it."""
        return self.loaded.card.weights_sha256[:16]


def load_model_named(name: str, path: str | os.PathLike[str], purpose: str) -> LoadedModel:
    """Load a model file, or the best model of a run folder, of one model alone.

    Args:
        purpose: what it is for, as the message begins: `notes are classified`.
    Raises: ModelError for one of another name, and as `load_model`.
    """
    loaded = load_model(path)
    if loaded.name != name:
        raise ModelError(f"{purpose} by a model '{name}'. Received: {loaded.name} in {path}")
    return loaded


class NoteModel(TrainedModel):
    """A model that turns a latent and a MIDI note into sound."""

    @property
    def name(self) -> str:
        """The name of its file, or of its run folder for a `best.keras`."""
        return name_of(self.loaded.path)

    @property
    def latent(self) -> int:
        """Dimensions of the latent."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    @property
    def notes(self) -> tuple[int, ...]:
        """MIDI notes that it was trained on, ascending."""
        return tuple(self._features["notes"])

    @property
    def counts(self) -> tuple[int, ...]:
        """How often each of them occurs in the training data."""
        return tuple(self._features["counts"])

    @property
    def _features(self) -> dict[str, Any]:
        return self.loaded.card.features

    def draw_latents(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        """Draw latents from N(0, I), each a function of the seed and its number. Shapes: (count, latent)."""
        rows = [np.random.default_rng([LATENT_SEED, seed, row]).normal(size=self.latent) for row in range(count)]
        return np.asarray(rows, np.float32).reshape(count, self.latent)

    def draw_notes(self, count: int, seed: int = 0) -> NDArray[np.intp]:
        """Draw MIDI notes with the frequencies of the training data. Shapes: (count,)."""
        shares = np.asarray(self.counts, float) / np.sum(self.counts)
        return np.random.default_rng([LATENT_SEED, seed]).choice(np.asarray(self.notes, np.intp), count, p=shares)

    def sample(self, count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Draw latents from the prior, and MIDI notes with the frequencies of the training data, for `decode`.

        Shapes: (count, latent), (count,).
        """
        return self.draw_latents(count, seed), self.draw_notes(count, seed)

    def check_latents(self, latents: ArrayLike) -> NDArray[np.float32]:
        """Return latents as an array (n, latent). Raises ModelError for other shapes, NaN and infinity."""
        return self._check_rows("latents", latents, self.latent)

    def _check_rows(self, what: str, rows: ArrayLike, width: int) -> NDArray[np.float32]:
        given = np.asarray(rows, np.float32)
        if given.ndim != 2 or given.shape[1] != width:
            raise ModelError(f"{what} of {self.name} must have shape (n, {width}). Received: {tuple(given.shape)}")
        if not np.isfinite(given).all():
            raise ModelError(f"{what} must be finite. Received: NaN or infinity among {given.size} numbers")
        return given


def name_of(path: Path) -> str:
    """Return the name of a model file, or of its run folder for a `best.keras`."""
    return real_path(path).parent.name if path.name == BEST else path.stem
