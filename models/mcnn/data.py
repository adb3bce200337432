"""Training data of MCNN: mel magnitudes of notes with their audio; whole, or in segments of so many frames.

In a note padded with silence, hop k is the middle of frame k, so any frames and their hops form an example.
"""

from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.mel import MelAnalysis, mel_magnitudes, padded_mels, padded_note, prepare_notes
from generators.dataset import Dataset
from generators.errors import SettingsError
from models.mcnn.presets import find_preset, find_size
from models.notes.data import WholeNotes
from models.training.data import Batch, DatasetBatches, Rows

MOST_SAMPLES = 1 << 19
"""Samples in a batch of validation and test: a bank of 96 sines takes 200 MB for them."""


class MelNotes(WholeNotes):
    """Notes of a dataset file as mel magnitudes and audio, padded with silence.

    Args:
        analysis: of the mels. segment: frames of a training example; 0 for whole notes. takes_note: include MIDI notes.
    Attributes: pitch: MIDI notes of all rows, (n,).
    Batches: mels (batch, frames, bands), or (these, MIDI notes (batch, 1) float32), and sound (batch, frames x hop).
    Raises: DatasetError for a dataset of something else.
    """

    def __init__(
        self, dataset: Dataset, *, analysis: MelAnalysis, segment: int, takes_note: bool, **options: Any
    ) -> None:
        super().__init__(dataset, **options)
        self.analysis, self.segment, self.takes_note = analysis, segment, takes_note
        self.pitch = dataset.read_columns(slice(None), ("classes",))[0][:, 0].astype(np.float32)

    @property
    def known(self) -> dict[str, Any]:
        return {"analysis": asdict(self.analysis)}

    def examples(self) -> Rows:
        return _MelRows(self)

    def audio(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return notes as they are trained on, at a peak of 1. Shapes: (n,) -> (n, samples)."""
        return prepare_notes(self._dataset.read_columns(rows, ("audio",))[0], self.analysis.samples)

    def training(self, batch_size: int) -> DatasetBatches:
        rows, seed, steps = self.rows("training"), self.seed, self._steps
        return SegmentBatches(self.examples(), rows, batch_size, seed, steps, segment=self._segment_shape)

    def validation(self, batch_size: int) -> DatasetBatches:
        return self._measured("validation", batch_size)

    def test(self, batch_size: int) -> DatasetBatches:
        return self._measured("test", batch_size)

    def _measured(self, split: str, batch_size: int) -> DatasetBatches:
        size = max(1, min(batch_size, MOST_SAMPLES // self.analysis.samples))
        return SegmentBatches(self.examples(), self.rows(split), size, segment=self._segment_shape)

    @property
    def _segment_shape(self) -> tuple[int, int] | None:
        return (self.segment, self.analysis.hop_length) if self.segment else None


class SegmentBatches(DatasetBatches):
    """Rows of mel magnitudes and audio, whole or in segments: at random places with a seed, else from the middle.

    Args:
        segment: frames of a segment, and samples of a hop; None for whole notes.
    """

    def __init__(self, *table: Any, segment: tuple[int, int] | None, **options: Any) -> None:
        super().__init__(*table, **options)
        self._segment = segment

    def make(self, epoch: int, number: int) -> Batch:
        inputs, sound = super().make(epoch, number)
        if self._segment is None:
            return inputs, sound
        frames, hop = self._segment
        mels = inputs[0] if isinstance(inputs, tuple) else inputs
        last = mels.shape[1] - frames
        starts = np.full(len(mels), last // 2)
        if self._seed is not None:
            starts = np.random.default_rng([self._seed, epoch, number]).integers(0, last + 1, len(mels))
        cut = np.stack([one[first : first + frames] for one, first in zip(mels, starts, strict=True)])
        targets = [one[first * hop : (first + frames) * hop] for one, first in zip(sound, starts, strict=True)]
        return ((cut, *inputs[1:]) if isinstance(inputs, tuple) else cut), np.stack(targets)


class _MelRows:
    def __init__(self, source: MelNotes) -> None:
        self._source = source

    def read(self, rows: NDArray[np.integer[Any]]) -> Batch:
        audio, analysis = self._source.audio(rows), self._source.analysis
        mels = padded_mels(mel_magnitudes(audio, analysis), analysis).astype(np.float32)
        inputs = (mels, self._source.pitch[rows, None]) if self._source.takes_note else mels
        return inputs, padded_note(audio, analysis)


def open_mels(settings: Any, stack: ExitStack) -> tuple[MelNotes, str]:
    """Open the notes that settings name; returns them and the name of the run. `stack` closes the dataset.

    Raises: DatasetError as `MelNotes` does; SettingsError for a segment longer than a note.
    """
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    analysis = find_preset(settings.size).analysis(dataset.card.sample_rate)
    whole = analysis.frames + 2 * analysis.margin
    if settings.segment > whole:
        raise SettingsError(f"a note has {whole} frames. Received: --segment {settings.segment}. Lower it, or take 0")
    takes_note = find_size(settings.size).partials > 0
    source = MelNotes(dataset, analysis=analysis, segment=settings.segment, takes_note=takes_note, **settings.split)
    return source, dataset.name
