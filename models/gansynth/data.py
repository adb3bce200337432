"""Training data of GANSynth: pictures of notes at the resolution of a stage, and latents and notes to make others of.

Everything counts images. Batch b of an epoch follows from the seed, the epoch and b, so a run that was killed goes on
with what it would have seen. A batch holds the examples of two steps: those of the generator, which look at no picture,
and those of the critic.
"""

from contextlib import ExitStack
from copy import copy
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.errors import SettingsError
from models.gansynth.representation import PUBLISHED, Kind, Normaliser, PictureForm
from models.gansynth.schedule import Growth, growth_of
from models.gansynth.sizes import Size, find_size
from models.notes.data import Turns, WholeNotes
from models.training.data import Batch, Batches

KEPT_BYTES = 1 << 30
"""Pictures that are kept once they are made, at most."""

MEASURED = 1000
"""Notes on which the range of magnitudes is measured, spread evenly over those of the training."""


class NotePictures(WholeNotes):
    """Notes of a dataset file as pictures.

    Args:
        size: of pictures and networks. kind, aliased: see `PictureForm`. growth: the course of the training.
        epoch_images: images of an epoch. normaliser: that of the published weights, or measured here.
    Attributes:
        now: how far the blending has come at the end of the epoch that is being trained.
    Raises: DatasetError for a dataset of something else; ModelError for sounds that do not fit into a picture.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        size: Size,
        growth: Growth,
        epoch_images: int,
        kind: Kind = "mel",
        aliased: bool = False,
        normaliser: Normaliser | None = None,
        **options: Any,
    ) -> None:
        super().__init__(dataset, **options)
        frames, bins = size.resolution(size.blocks)
        self.form = PictureForm(kind, frames, bins, dataset.samples, dataset.card.sample_rate, aliased)
        self.size, self.growth, self.epoch_images = size, growth, epoch_images
        self._pitch = dataset.read_columns(slice(None), ("classes",))[0][:, 0].astype(np.intp)
        self.notes, self.counts = np.unique(self._pitch[self.rows("training")], return_counts=True)
        self.normaliser = normaliser or self._measured()
        self.settings = {name: value for name, value in self.settings.items() if name != "steps_per_epoch"}
        self.now = float(size.blocks - 1)
        self._show(size.blocks)

    @property
    def known(self) -> dict[str, Any]:
        return {
            "picture": asdict(self.form),
            "scale": list(self.normaliser.scale),
            "offset": list(self.normaliser.offset),
            "notes": self.notes.tolist(),
            "counts": self.counts.tolist(),
        }

    def at(self, stage: int) -> "NotePictures":
        """Return the same notes as a stage of the course shows them."""
        (found,) = (one for one in self.growth.stages() if one.number == stage)
        view = copy(self)
        view._show(found.blocks)
        return view

    def training(self, batch_size: int) -> "PictureBatches":
        return PictureBatches(self, self.rows("training"), batch_size, seed=self.seed)

    def validation(self, batch_size: int) -> "PictureBatches":
        return PictureBatches(self, self.rows("validation"), batch_size)

    def test(self, batch_size: int) -> "PictureBatches":
        return PictureBatches(self, self.rows("test"), batch_size)

    def held_out(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Return notes of the test, spread evenly over it: audio (n, samples) and MIDI notes (n,)."""
        rows = np.sort(self.rows("test"))
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.intp))]
        return self._dataset.read_columns(rows, ("audio",))[0], self.pitch(rows)

    def one_hot(self, notes: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Say which note it is. Shapes: (n,) MIDI notes -> (n, pitches), all zero for one that is not trained on."""
        return np.equal.outer(notes, self.notes).astype(np.float32)

    def draw_notes(self, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
        """Draw MIDI notes as often as they are in the training. Shapes: (count,)."""
        return rng.choice(self.notes, count, p=self.counts / self.counts.sum())

    def draw_rows(self, rng: np.random.Generator, note: int, count: int) -> NDArray[np.intp]:
        """Draw so many rows of the training that are of one note, each once if there are enough."""
        rows = self.rows("training")
        rows = rows[self._pitch[rows] == note]
        return rng.choice(rows, count, replace=len(rows) < count)

    def pitch(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the MIDI notes of rows."""
        return self._pitch[rows]

    def pictures(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return normalised pictures at the resolution of the stage. Shapes: (n, frames, bins, 2)."""
        return np.stack([self._picture(int(row)) for row in rows])

    def blended(self, rows: NDArray[np.intp], progress: float) -> NDArray[np.float32]:
        """Return pictures as far faded in as those of the generator are: what its last block adds is there in part."""
        pictures, share = self.pictures(rows), np.float32(min(1.0, progress - (self.blocks - 2)))
        if share == 1.0:
            return pictures
        coarse = _smaller(pictures, 2).repeat(2, axis=1).repeat(2, axis=2)
        return (share * pictures + (1 - share) * coarse).astype(np.float32)

    def _show(self, blocks: int) -> None:
        self.blocks, (frames, bins) = blocks, self.size.resolution(blocks)
        self.repeats = self.form.frames // frames
        self._picture = lru_cache(maxsize=max(1, KEPT_BYTES // (8 * frames * bins)))(self._shown)

    def _shown(self, row: int) -> NDArray[np.float32]:
        (audio,) = self._dataset.read_columns(np.asarray([row]), ("audio",))
        return _smaller(self.normaliser.apply(self.form.pictures(audio)), self.repeats)[0].astype(np.float32)

    def _measured(self) -> Normaliser:
        rows = self.rows("training")
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, MEASURED).astype(np.intp))]
        parts = (rows[first : first + 64] for first in range(0, len(rows), 64))
        return Normaliser.measure(
            self.form.pictures(self._dataset.read_columns(np.sort(p), ("audio",))[0]) for p in parts
        )


class PictureBatches(Batches):
    """Pictures of notes, and what others are made of.

    Args:
        seed: of order, latents and notes; None for rows in their order, each with a latent of its own to play it with.
    Batches: ((latents (batch, latent), notes asked for (batch, pitches), progress (batch, 1), notes of the pictures
        (batch, pitches)), pictures (batch, frames, bins, 2)). In training a batch has twice as many rows, and the
        pictures of its first half are empty.
    """

    def __init__(
        self, source: NotePictures, rows: NDArray[np.intp], batch_size: int, *, seed: int | None = None
    ) -> None:
        super().__init__(len(rows) if seed is None else source.epoch_images, batch_size, len(rows))
        self._source, self._rows, self._seed = source, rows, seed
        self._turns = Turns(rows, seed or 0)

    def start_epoch(self, epoch: int) -> None:
        super().start_epoch(epoch)
        self._source.now = self._source.growth.progress((epoch + 1) * self.count - 1)

    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.rows_of(number)
        source, count = self._source, last - first
        if self._seed is None:
            rows, progress = self._rows[first:last], source.now
            pictures, notes = source.blended(rows, progress), source.one_hot(source.pitch(rows))
            latents = _latents(np.random.default_rng([0, number]), count, source.size.latent)
            return (latents, notes, np.full((count, 1), progress, np.float32), notes), pictures
        seen = epoch * self.count + first
        progress, alike = source.growth.progress(seen), max(source.size.group, 1)
        rng = np.random.default_rng([self._seed, epoch, number])
        latents = _latents(rng, 2 * count, source.size.latent)
        asked = source.one_hot(source.draw_notes(rng, 2 * count // alike).repeat(alike))
        if source.size.group:
            rows = np.concatenate(
                [source.draw_rows(rng, note, alike) for note in source.draw_notes(rng, count // alike)]
            )
        else:
            rows = self._turns.at(np.arange(seen, seen + count))
        pictures = source.blended(rows, progress)
        told = source.one_hot(source.pitch(rows))
        columns = (latents, asked, np.full((2 * count, 1), progress, np.float32), _behind_nothing(told))
        return columns, _behind_nothing(pictures)


def _latents(rng: np.random.Generator, count: int, latent: int) -> NDArray[np.float32]:
    return rng.normal(size=(count, latent)).astype(np.float32)


def _behind_nothing(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros_like(rows), rows])


def _smaller(pictures: NDArray[np.floating[Any]], factor: int) -> NDArray[np.floating[Any]]:
    """Take the mean of factor x factor points."""
    count, frames, bins, channels = pictures.shape
    return pictures.reshape(count, frames // factor, factor, bins // factor, factor, channels).mean(axis=(2, 4))


def open_pictures(settings: Any, stack: ExitStack) -> tuple[NotePictures, str]:
    """Return the pictures that settings mean, and what to name the run after; `stack` closes the dataset.

    Raises: DatasetError and ModelError as `NotePictures` does; SettingsError where epochs do not fill a stage.
    """
    growth = growth_of({name: getattr(settings, name) for name in type(settings).model_fields})
    size = replace(find_size(settings.size), latent=settings.latent, group=settings.alike)
    _check_epochs(growth, settings.epoch_images, settings.batch_size)
    if settings.alike and settings.batch_size % settings.alike:
        raise SettingsError(
            f"batch_size must be a multiple of alike, {settings.alike}. Received: --batch_size {settings.batch_size}"
        )
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    source = NotePictures(
        dataset,
        size=size,
        growth=growth,
        epoch_images=settings.epoch_images,
        kind=settings.kind,
        aliased=settings.aliased,
        normaliser=PUBLISHED if settings.normaliser == "published" else None,
        **settings.split,
    )
    return source, settings.dataset_path.stem


def _check_epochs(growth: Growth, images: int, batch_size: int) -> None:
    if images % batch_size:
        raise SettingsError(
            f"epoch_images must be a multiple of batch_size {batch_size}. Received: --epoch_images {images}"
        )
    uneven = [stage for stage in growth.stages() if stage.images % images]
    if uneven:
        raise SettingsError(
            f"stages must be whole epochs of {images:,} images. Received: stage {uneven[0].number} of "
            f"{uneven[0].images:,}. Change --epoch_images, or --stable_images, --transition_images and --total_images"
        )
