"""Principal directions of the activations of a generator's first convolution, over many latents at one note.

A direction there is a way in which timbres differ, whereas a single latent dimension means nothing by itself. They are
found in batches (incremental PCA), so memory does not grow with the number of latents. More directions than requested
are kept on the way, since each batch discards what lies beyond the kept ones.
Source: Tahiroğlu, Kastemaa and Koli 2021, GANSpaceSynth, on Härkönen et al. 2020, GANSpace, arXiv 2004.02546.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import DatasetError, ParameterError
from inversynth.npz import Content, finite_floats, read_arrays, write_arrays

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

ENDING = ".pca.npz"

CONTENT = Content("directions", "a file of directions, as inversynth gansynth pca makes")

BATCH = 512
"""Latents at once: 17 MB of activations at the size of the release."""

KEPT = 64
"""Directions kept on the way, at least; and at least four times as many as requested."""

SEED = 0x706361
"""Separates the latents used here from all others drawn from a seed."""

PER_DIMENSION = 4
"""Default number of latents per activation dimension."""


@dataclass(frozen=True)
class Directions:
    """Directions of one model at one MIDI note.

    Shapes: components (n, width) of length 1, deviations (n,) and shares of the variance (n,), mean (width,), where
        width is the size of an activation. `samples`: number of latents analysed.
    """

    components: NDArray[np.float32]
    deviations: NDArray[np.float32]
    shares: NDArray[np.float32]
    mean: NDArray[np.float32]
    note: int
    samples: int
    fingerprint: str

    def __len__(self) -> int:
        return len(self.components)

    def moved(self, amplitudes: ArrayLike, base: ArrayLike | None = None) -> NDArray[np.float32]:
        """Move the mean, or another activation, by a number of standard deviations along each direction.

        Shapes: amplitudes (n, directions or fewer), base (width,) -> (n, width). Raises: ParameterError for more.
        """
        asked = np.atleast_2d(np.asarray(amplitudes, np.float32))
        count = asked.shape[1]
        if count > len(self):
            raise ParameterError(f"there are {len(self)} directions. Received: amplitudes for {count}")
        start = self.mean if base is None else np.asarray(base, np.float32)
        return np.asarray(start + (asked * self.deviations[:count]) @ self.components[:count], np.float32)


def find_directions(
    gansynth: "GanSynthModel",
    note: int,
    count: int,
    samples: int | None = None,
    seed: int = 0,
    on_latents: Callable[[int], object] = lambda latents: None,
) -> Directions:
    """Find the directions of greatest variance among the activations of random latents at a note.

    Args:
        samples: latents; None takes four per activation dimension. on_latents: takes how many more were analysed.
    Raises: ParameterError for fewer latents than directions, or more directions than dimensions; ModelError for an
        unknown note.
    """
    from sklearn.decomposition import IncrementalPCA

    gansynth.check_notes([note])
    width = activation_width(gansynth)
    samples = PER_DIMENSION * width if samples is None else samples
    if samples < 2 or not 1 <= count <= min(width, samples):
        raise ParameterError(
            f"directions number at most as many as latents, two or more, and as dimensions of an activation, {width}. "
            f"Received: {count} directions of {samples} latents"
        )
    kept = min(max(4 * count, KEPT), samples, width)
    size = max(BATCH, kept)
    analysis = IncrementalPCA(kept, copy=False)
    sizes = [len(part) for part in np.array_split(np.empty(samples, np.bool_), max(1, samples // size))]
    for number, rows in enumerate(sizes):
        latents = np.random.default_rng([SEED, seed, number]).normal(size=(rows, gansynth.latent)).astype(np.float32)
        seen = gansynth.first_block(latents, [note] * rows)
        analysis.partial_fit(seen.reshape(rows, width).astype(np.float64))
        on_latents(rows)
    return Directions(
        analysis.components_[:count].astype(np.float32),
        np.sqrt(analysis.explained_variance_[:count]).astype(np.float32),
        analysis.explained_variance_ratio_[:count].astype(np.float32),
        analysis.mean_.astype(np.float32),
        note,
        samples,
        gansynth.fingerprint,
    )


def activation_width(gansynth: "GanSynthModel") -> int:
    """Return the number of dimensions of an activation."""
    return int(np.prod(activation_shape(gansynth)))


def activation_shape(gansynth: "GanSynthModel") -> tuple[int, ...]:
    """Return frames, bins and filters of an activation."""
    return gansynth.first_block(np.zeros((1, gansynth.latent), np.float32), gansynth.notes[:1]).shape[1:]


def write_directions(path: str | os.PathLike[str], directions: Directions) -> Path:
    """Write directions to an .npz file. Raises DatasetError."""
    return write_arrays(path, **{name: np.asarray(value) for name, value in vars(directions).items()})


def read_directions(path: str | os.PathLike[str], gansynth: "GanSynthModel") -> Directions:
    """Read directions of a model. Raises DatasetError for a file of another kind, or directions of another model."""
    held = read_arrays(path, tuple(Directions.__dataclass_fields__), CONTENT)
    fingerprint = str(held["fingerprint"])
    if fingerprint != gansynth.fingerprint:
        raise DatasetError(
            f"directions belong to the model that they were found in ({fingerprint}). Received: {path} for "
            f"{gansynth.name} ({gansynth.fingerprint}). Name their model with --model, or leave out --pca"
        )
    if any(held[name].shape or held[name].dtype.kind not in "iu" for name in ("note", "samples")):
        raise DatasetError(f"note and samples of directions are whole numbers. Received: others in {path}")
    numbers = {
        name: finite_floats(held[name], CONTENT, path) for name in ("components", "deviations", "shares", "mean")
    }
    count, width = numbers["shares"].size, activation_width(gansynth)
    shapes = {"components": (count, width), "deviations": (count,), "shares": (count,), "mean": (width,)}
    for name, shape in shapes.items():
        if numbers[name].shape != shape or not count:
            raise DatasetError(
                f"{name} of {gansynth.name} have shape {shape}. Received: {numbers[name].shape} in {path}"
            )
    return Directions(**numbers, note=int(held["note"]), samples=int(held["samples"]), fingerprint=fingerprint)
