"""Training data of the note autoencoders: log-mel spectrograms of whole notes, with pitch and one label, the style.

Any label can be the style: the instrument, the playing style, or a tag of one's own. Spectrograms are computed on
demand and cached. Source: Esling et al. 2019, arXiv 1904.06215.
"""

from contextlib import ExitStack
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.mel import MelAnalysis, mel_magnitudes, mel_to_log_mel, prepare_notes
from generators.dataset import Dataset
from generators.errors import DatasetError, unknown
from models.notes.data import WholeNotes
from models.training.data import Batch, Rows
from models.wae.conditions import conditions
from models.wae.presets import WaePreset, find_preset

CACHE_BYTES = 1 << 30
"""Size of the cache of spectrograms."""


class StyledNotes(WholeNotes):
    """Notes of a dataset file as log-mel spectrograms, with the conditions of the decoder.

    Args:
        size: of spectrograms. label: the label that is the style: `instrument`, `style`, `family` or a tag.
    Attributes:
        analysis: at the rate of the dataset; notes are cut or padded to its samples. styles: names, in order.
        style, pitch: of all rows, (n,); indices of styles, and MIDI notes.
    Batches: (spectrograms (batch, bands, frames, 1), conditions (batch, 21 + styles)).
    Raises: DatasetError for a dataset of something else, a label that it lacks, fewer than two styles, or a style
        without a note in the training; ModelError for notes outside of C0 to B8.
    """

    def __init__(self, dataset: Dataset, *, size: WaePreset, label: str = "instrument", **options: Any) -> None:
        super().__init__(dataset, **options)
        rate = dataset.card.sample_rate
        self.analysis = MelAnalysis(rate, size.samples, size.fft_length, size.hop_length, size.bands)
        self.label, (self.styles, self.style) = label, _styles(dataset, label)
        self.pitch = dataset.read_columns(slice(None), ("classes",))[0][:, 0].astype(np.intp)
        self.conditions = conditions(self.pitch, np.eye(len(self.styles), dtype=np.float32)[self.style])
        in_training = np.bincount(self.style[self.rows("training")], minlength=len(self.styles))
        if not in_training.all():
            absent = self.styles[int(in_training.argmin())]
            raise DatasetError(
                f"every style must have notes in the training. Received: none of {absent} in {dataset.path}. "
                "Generate it with --split_by note"
            )
        self._spectrogram = lru_cache(maxsize=max(1, CACHE_BYTES // (4 * size.bands * size.frames)))(self._compute)

    @property
    def known(self) -> dict[str, Any]:
        notes, counts = np.unique(self.pitch[self.rows("training")], return_counts=True)
        return {
            "analysis": asdict(self.analysis),
            "styles": list(self.styles),
            "notes": notes.tolist(),
            "counts": counts.tolist(),
        }

    def examples(self) -> Rows:
        return _SpectrogramRows(self)

    def spectrograms(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return log(1 + magnitude) of rows. Shapes: (n,) -> (n, bands, frames)."""
        return np.stack([self._spectrogram(int(row)) for row in rows])

    def audio(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the audio behind the spectrograms of rows. Shapes: (n,) -> (n, samples), at a peak of 1."""
        return prepare_notes(self._dataset.read_columns(rows, ("audio",))[0], self.analysis.samples)

    def _compute(self, row: int) -> NDArray[np.float32]:
        mels = mel_magnitudes(self.audio(np.asarray([row])), self.analysis)
        return np.asarray(mel_to_log_mel(mels)[0].T, np.float32)


class _SpectrogramRows:
    def __init__(self, source: StyledNotes) -> None:
        self._source = source

    def read(self, rows: NDArray[np.integer[Any]]) -> Batch:
        return self._source.spectrograms(rows)[..., None], self._source.conditions[rows]


class PairedNotes(StyledNotes):
    """Notes as spectrograms and as audio, for training a decoder and a vocoder together.

    Batches: ((spectrograms, conditions, MIDI notes (batch, 1)), {picture, sound (batch, samples)}).
    """

    def examples(self) -> Rows:
        return _PairRows(self)


class _PairRows:
    def __init__(self, source: PairedNotes) -> None:
        self._source = source

    def read(self, rows: NDArray[np.integer[Any]]) -> Batch:
        spectrograms, audio = self._source.spectrograms(rows)[..., None], self._source.audio(rows)
        targets: Any = {"picture": spectrograms, "sound": audio}
        return (spectrograms, self._source.conditions[rows], self._source.pitch[rows, None].astype(np.float32)), targets


def _styles(dataset: Dataset, label: str) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return the names of the styles that occur, and the index of the style of each row."""
    known = [name for name in dataset.labels if name not in ("split", "qualities")]
    if label not in known:
        raise DatasetError(f"{unknown('label', label, known)}, in {dataset.path}")
    (column,) = dataset.read_columns(slice(None), (label,))
    occurring, style = np.unique(column.astype(np.intp), return_inverse=True)
    known_names = dataset.card.names_of(label)
    names = tuple(known_names[number] for number in occurring)
    if len(names) < 2:
        raise DatasetError(
            f"notes must be of two styles or more to tell them apart. Received: {dataset.path} with {label} "
            f"{', '.join(names)} alone. Add notes of others, or name another label with --style_label: "
            f"{', '.join(known)}"
        )
    return names, style


def open_notes(settings: Any, stack: ExitStack) -> tuple[StyledNotes, str]:
    """Open the notes that settings name; returns them and the name of the run. `stack` closes the dataset.

    Raises: DatasetError and ModelError as `StyledNotes` does.
    """
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    source = StyledNotes(dataset, size=find_preset(settings.size), label=settings.style_label, **settings.split)
    return source, dataset.name
