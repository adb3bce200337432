"""Training data of NeuroSynth: a waveform and the classes of an envelope in, the waveform under that envelope out.

From a stream, whose noise is new in every example; from one with `fresh` off, where every epoch holds the same
examples, as the original had it; or from a dataset file.
"""

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.envelope_generator import EnvelopeOptions, EnvelopeSynth
from generators.errors import DatasetError, SettingsError
from generators.generate import render_columns
from generators.parameters import ParameterSpace
from models.neurosynth.metrics import ATTRIBUTES
from models.training.data import (
    STREAM_EXAMPLES,
    STREAM_SEED,
    Batch,
    DatasetBatches,
    DatasetSource,
    StreamBatches,
    StreamSource,
)

if TYPE_CHECKING:
    from models.training.data import Batches


def class_one_hot(space: ParameterSpace, classes: NDArray[Any]) -> NDArray[np.float32]:
    """Encode the classes of attack, sustain and release. Shapes: (n, parameters) -> (n, sum of their levels)."""
    whole = space.classes_to_one_hot(classes)
    parts = [whole[:, space.slices[space.index(name)]] for name in ATTRIBUTES]
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.float32)


@dataclass(frozen=True)
class EnvelopeRows:
    """Rows of a dataset of envelopes, or of columns in memory, as examples."""

    space: ParameterSpace
    columns: Dataset | dict[str, NDArray[Any]]

    def read(self, rows: NDArray[np.integer[Any]]) -> Batch:
        """Return ((basic, one-hot), shaped) of some rows."""
        names = ("basic", "classes", "audio")
        if isinstance(self.columns, Dataset):
            basic, classes, audio = self.columns.read_columns(rows, names)
        else:
            basic, classes, audio = (self.columns[name][rows] for name in names)
        return (basic, class_one_hot(self.space, classes)), audio


class EnvelopeStream(StreamSource):
    """Rows of an endless dataset of envelopes, each seen once; with `fresh` off, as many as an epoch has, again.

    Args:
        examples: in an epoch, of the generator. critic_steps: batches that a step takes, one for each of the critic.
    """

    def __init__(
        self, synth: EnvelopeSynth, *, seed: int = 0, examples: int, batch_size: int, critic_steps: int, fresh: bool
    ) -> None:
        super().__init__(synth, seed=seed, steps=-(-examples // batch_size))
        self.identity = {**self.identity, **synth.options}
        self.settings = {"stream": True, "examples": examples, "fresh": fresh}
        self._examples, self._critic_steps, self._fresh = examples, critic_steps, fresh

    def training(self, batch_size: int) -> "Batches":
        first, batch = 2 * STREAM_EXAMPLES, batch_size * self._critic_steps
        if self._fresh:
            return self._batches(first, self._examples * self._critic_steps, batch, moves=True)
        columns = render_columns(self._synth, first, first + self._examples, STREAM_SEED + self.seed)
        return DatasetBatches(EnvelopeRows(self.space, columns), np.arange(self._examples), batch, self.seed)

    def _batches(self, first: int, count: int, batch_size: int, moves: bool = False) -> StreamBatches:
        return _RenderedBatches(self._synth, first, count, batch_size, self.seed, False, moves)


class _RenderedBatches(StreamBatches):
    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.drawn_rows(epoch, number)
        columns = render_columns(self._synth, first, last, STREAM_SEED + self._seed)
        return EnvelopeRows(self._synth.space, columns).read(np.arange(last - first))


class EnvelopeDataset(DatasetSource):
    """A dataset file of envelopes, split by `seed`. Raises: DatasetError for a dataset of another synth."""

    def __init__(self, dataset: Dataset, *, critic_steps: int, **options: Any) -> None:
        if "basic" not in dataset.companions:
            raise DatasetError(
                f"NeuroSynth learns from a dataset of synth envelope. Received: {dataset.path} of "
                f"{dataset.card.synth}. Make one with: inversynth generate envelope"
            )
        super().__init__(dataset, **options)
        self._rows = EnvelopeRows(dataset.space, dataset)
        self._critic_steps = critic_steps

    def examples(self) -> EnvelopeRows:
        return self._rows

    def training(self, batch_size: int) -> "Batches":
        return super().training(batch_size * self._critic_steps)


def check_agreement(settings: EnvelopeOptions, dataset: Dataset) -> None:
    """Raise SettingsError where a setting of envelopes was given that is not the dataset's own."""
    held = {
        **{f"{name}s": dataset.space.levels(name) for name in ATTRIBUTES},
        **json.loads(dataset.card.options),
        "seq_length": dataset.samples,
    }
    for name in sorted(settings.model_fields_set & held.keys()):
        given = getattr(settings, name)
        if given != held[name]:
            raise SettingsError(
                f"{name} of {dataset.path} is {_text(held[name])}. Received: --{name} {_text(given)}. Leave it out, or "
                "generate another dataset"
            )


def _text(value: Any) -> str:
    return ",".join(f"{one:g}" for one in value) if isinstance(value, tuple) else str(value)


def open_data(settings: Any, stack: ExitStack) -> "tuple[EnvelopeStream | EnvelopeDataset, str]":
    """Return the examples that settings mean, and what to name the run after; `stack` closes what was opened.

    Raises: DatasetError, ParameterError where there can be none.
    """
    if settings.dataset_file is None and settings.stream:
        synth = settings.envelope_synth(settings.sample_rate, settings.length)
        steps = settings.steps_per_epoch
        stream = EnvelopeStream(
            synth,
            seed=settings.seed,
            examples=steps * settings.batch_size if steps else settings.dsize,
            batch_size=settings.batch_size,
            critic_steps=settings.critic_steps,
            fresh=settings.fresh,
        )
        return stream, "envelope_stream"
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    source = EnvelopeDataset(dataset, critic_steps=settings.critic_steps, **settings.split)
    check_agreement(settings, dataset)
    return source, dataset.name
