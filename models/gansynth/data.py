"""Training data of GANSynth: spectrograms of notes at the resolution of a stage, and latents and notes to generate.

Everything counts images, one spectrogram each. Batch b of an epoch follows from the seed, the epoch and b, so that a
run that was killed resumes with the same batches. A batch holds the examples of two steps: those of the generator,
which needs no real spectrogram, and those of the critic.
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
from models.gansynth.presets import GanSynthSize, find_size, growth_of
from models.gansynth.representation import PUBLISHED, Kind, Normaliser, SpectrogramFormat
from models.gansynth.schedule import Growth
from models.notes.data import ShuffledPasses, WholeNotes
from models.training.data import Batch, Batches
from models.training.splits import evenly_spaced

CACHE_BYTES = 1 << 30
"""Size of the cache of spectrograms."""

MEASURED = 1000
"""Training notes, evenly spaced, on which the range of magnitudes is measured."""


class NoteSpectrograms(WholeNotes):
    """Notes of a dataset file as spectrograms.

    Args:
        size: of spectrograms and networks. kind, aliased: see `SpectrogramFormat`. growth: the stages of the training.
        epoch_images: images of an epoch. normaliser: that of the published weights, or measured here.
    Attributes:
        progress: of the fade-in of blocks, at the end of the current epoch.
    Raises: DatasetError for a dataset of something else; ModelError for sounds longer than a spectrogram.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        size: GanSynthSize,
        growth: Growth,
        epoch_images: int,
        kind: Kind = "mel",
        aliased: bool = False,
        normaliser: Normaliser | None = None,
        **options: Any,
    ) -> None:
        super().__init__(dataset, **options)
        frames, bins = size.resolution(size.blocks)
        self.format = SpectrogramFormat(kind, frames, bins, dataset.samples, dataset.card.sample_rate, aliased)
        self.size, self.growth, self.epoch_images = size, growth, epoch_images
        self._pitch = dataset.read_columns(slice(None), ("classes",))[0][:, 0].astype(np.intp)
        self.notes, self.counts = np.unique(self._pitch[self.rows("training")], return_counts=True)
        self.normaliser = normaliser or self._measure_range()
        self.settings = {name: value for name, value in self.settings.items() if name != "steps_per_epoch"}
        self.progress = float(size.blocks - 1)
        self._set_blocks(size.blocks)

    @property
    def known(self) -> dict[str, Any]:
        return {
            "picture": asdict(self.format),
            "scale": list(self.normaliser.scale),
            "offset": list(self.normaliser.offset),
            "notes": self.notes.tolist(),
            "counts": self.counts.tolist(),
        }

    def at(self, stage: int) -> "NoteSpectrograms":
        """Return the same notes at the resolution of a stage."""
        (found,) = (one for one in self.growth.stages() if one.number == stage)
        view = copy(self)
        view._set_blocks(found.blocks)
        return view

    def training(self, batch_size: int) -> "SpectrogramBatches":
        return SpectrogramBatches(self, self.rows("training"), batch_size, seed=self.seed)

    def validation(self, batch_size: int) -> "SpectrogramBatches":
        return SpectrogramBatches(self, self.rows("validation"), batch_size)

    def test(self, batch_size: int) -> "SpectrogramBatches":
        return SpectrogramBatches(self, self.rows("test"), batch_size)

    def held_out(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Return test notes, evenly spaced: audio (n, samples) and MIDI notes (n,)."""
        rows = evenly_spaced(np.sort(self.rows("test")), count)
        return self._dataset.read_columns(rows, ("audio",))[0], self.pitch(rows)

    def one_hot(self, notes: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Encode MIDI notes one-hot. Shapes: (n,) -> (n, pitches), all zero for a note that is not in the training."""
        return np.equal.outer(notes, self.notes).astype(np.float32)

    def draw_notes(self, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
        """Draw MIDI notes with the frequencies of the training. Shapes: (count,)."""
        return rng.choice(self.notes, count, p=self.counts / self.counts.sum())

    def draw_rows(self, rng: np.random.Generator, note: int, count: int) -> NDArray[np.intp]:
        """Draw training rows of one note, without replacement if there are enough."""
        rows = self.rows("training")
        rows = rows[self._pitch[rows] == note]
        return rng.choice(rows, count, replace=len(rows) < count)

    def pitch(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the MIDI notes of rows."""
        return self._pitch[rows]

    def spectrograms(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return normalised spectrograms at the resolution of the stage. Shapes: (n,) -> (n, frames, bins, 2)."""
        return np.stack([self._spectrogram(int(row)) for row in rows])

    def blended(self, rows: NDArray[np.intp], progress: float) -> NDArray[np.float32]:
        """Return spectrograms blended with the next coarser resolution, as the generator's while a block fades in."""
        spectrograms, share = self.spectrograms(rows), np.float32(min(1.0, progress - (self.blocks - 2)))
        if share == 1.0:
            return spectrograms
        coarse = _downscaled(spectrograms, 2).repeat(2, axis=1).repeat(2, axis=2)
        return (share * spectrograms + (1 - share) * coarse).astype(np.float32)

    def _set_blocks(self, blocks: int) -> None:
        self.blocks, (frames, bins) = blocks, self.size.resolution(blocks)
        self.repeats = self.format.frames // frames
        self._spectrogram = lru_cache(maxsize=max(1, CACHE_BYTES // (8 * frames * bins)))(self._compute)

    def _compute(self, row: int) -> NDArray[np.float32]:
        (audio,) = self._dataset.read_columns(np.asarray([row]), ("audio",))
        return _downscaled(self.normaliser.apply(self.format.from_audio(audio)), self.repeats)[0].astype(np.float32)

    def _measure_range(self) -> Normaliser:
        rows = evenly_spaced(self.rows("training"), MEASURED)
        parts = (rows[first : first + 64] for first in range(0, len(rows), 64))
        return Normaliser.measure(
            self.format.from_audio(self._dataset.read_columns(np.sort(p), ("audio",))[0]) for p in parts
        )


class SpectrogramBatches(Batches):
    """Real spectrograms, with the latents and notes of generated ones.

    Args:
        seed: of order, latents and notes; None for rows in their order, each with its own latent at its own note.
    Batches: ((latents (batch, latent), target notes (batch, pitches), progress (batch, 1), notes of the real
        spectrograms (batch, pitches)), real spectrograms (batch, frames, bins, 2)). In training a batch has twice as
        many rows, and the real spectrograms of its first half are zero.
    """

    def __init__(
        self, source: NoteSpectrograms, rows: NDArray[np.intp], batch_size: int, *, seed: int | None = None
    ) -> None:
        super().__init__(len(rows) if seed is None else source.epoch_images, batch_size, len(rows))
        self._source, self._rows, self._seed = source, rows, seed
        self._passes = ShuffledPasses(rows, seed or 0)

    def start_epoch(self, epoch: int) -> None:
        super().start_epoch(epoch)
        self._source.progress = self._source.growth.progress((epoch + 1) * self.count - 1)

    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.rows_of(number)
        source, count = self._source, last - first
        if self._seed is None:
            rows, progress = self._rows[first:last], source.progress
            spectrograms, notes = source.blended(rows, progress), source.one_hot(source.pitch(rows))
            latents = _latents(np.random.default_rng([0, number]), count, source.size.latent)
            return (latents, notes, np.full((count, 1), progress, np.float32), notes), spectrograms
        image = epoch * self.count + first
        progress, group = source.growth.progress(image), max(source.size.minibatch_std_group, 1)
        rng = np.random.default_rng([self._seed, epoch, number])
        latents = _latents(rng, 2 * count, source.size.latent)
        targets = source.one_hot(source.draw_notes(rng, 2 * count // group).repeat(group))
        if source.size.minibatch_std_group:
            rows = np.concatenate(
                [source.draw_rows(rng, note, group) for note in source.draw_notes(rng, count // group)]
            )
        else:
            rows = self._passes.rows_at(np.arange(image, image + count))
        spectrograms = source.blended(rows, progress)
        notes = source.one_hot(source.pitch(rows))
        columns = (latents, targets, np.full((2 * count, 1), progress, np.float32), _after_zeros(notes))
        return columns, _after_zeros(spectrograms)


def _latents(rng: np.random.Generator, count: int, latent: int) -> NDArray[np.float32]:
    return rng.normal(size=(count, latent)).astype(np.float32)


def _after_zeros(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros_like(rows), rows])


def _downscaled(spectrograms: NDArray[np.floating[Any]], factor: int) -> NDArray[np.floating[Any]]:
    """Average blocks of factor x factor points."""
    count, frames, bins, channels = spectrograms.shape
    return spectrograms.reshape(count, frames // factor, factor, bins // factor, factor, channels).mean(axis=(2, 4))


def open_spectrograms(settings: Any, stack: ExitStack) -> tuple[NoteSpectrograms, str]:
    """Open the notes that settings name; returns them and the name of the run. `stack` closes the dataset.

    Raises: DatasetError and ModelError as `NoteSpectrograms` does; SettingsError where epochs do not fill a stage.
    """
    growth = growth_of({name: getattr(settings, name) for name in type(settings).model_fields})
    size = replace(find_size(settings.size), latent=settings.latent, minibatch_std_group=settings.minibatch_std_group)
    _check_epochs(growth, settings.epoch_images, settings.batch_size)
    group = settings.minibatch_std_group
    if group and settings.batch_size % group:
        raise SettingsError(
            f"batch_size must be a multiple of minibatch_std_group, {group}. "
            f"Received: --batch_size {settings.batch_size}"
        )
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    source = NoteSpectrograms(
        dataset,
        size=size,
        growth=growth,
        epoch_images=settings.epoch_images,
        kind=settings.kind,
        aliased=settings.aliased,
        normaliser=PUBLISHED if settings.normaliser == "published" else None,
        **settings.split,
    )
    return source, dataset.name


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
