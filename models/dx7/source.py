"""The stream of notes that the network for DX7 voices learns from."""

import threading
from collections import OrderedDict

import numpy as np

from generators.dx7.synth import Dx7Synth
from models.dx7.data import Notes, draw_hidden, examples_of, play_notes
from models.dx7.features import LENGTH, SAMPLE_RATE
from models.dx7.tokens import FIELDS
from models.training.data import STREAM_SEED, Batch, Batches, Source

EXAMPLES = 512
"""Notes of validation and of test."""

VALIDATION, TEST = 1 << 40, 1 << 41
"""Numbers of their first batches, which training never reaches."""


class VoiceStream(Source):
    """Notes of the prior's voices, each played once and heard in `repeats` epochs with other settings hidden."""

    def __init__(self, seed: int, steps: int, repeats: int) -> None:
        synth = Dx7Synth(SAMPLE_RATE, LENGTH)
        self.space, self.synth, self.sample_rate, self.length = synth.space, synth.name, SAMPLE_RATE, LENGTH
        self.normalise, self.seed = False, seed
        self.identity = {"synth": synth.name, "space": synth.space.fingerprint, "notes": "prior"}
        self.settings = {"stream": True, "steps_per_epoch": steps, "repeats": repeats}
        self._steps, self._repeats = steps, repeats

    def training(self, batch_size: int) -> "_PlayedBatches":
        return _PlayedBatches(self._steps * batch_size, batch_size, self.seed, repeats=self._repeats)

    def validation(self, batch_size: int) -> "_PlayedBatches":
        return _PlayedBatches(EXAMPLES, batch_size, self.seed, first=VALIDATION)

    def test(self, batch_size: int) -> "_PlayedBatches":
        return _PlayedBatches(EXAMPLES, batch_size, self.seed, first=TEST)


class _PlayedBatches(Batches):
    """Batches of training; with `first`, of notes as a search hears them: clean, and no setting given."""

    def __init__(self, count: int, batch_size: int, seed: int, *, repeats: int = 1, first: int | None = None) -> None:
        super().__init__(count, batch_size)
        self._seed, self._repeats, self._start = STREAM_SEED + seed, repeats, first
        self._played: OrderedDict[int, Notes] = OrderedDict()
        self._guard = threading.Lock()

    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.rows_of(number)
        if self._start is not None:
            notes = play_notes(last - first, self._seed, self._start + number, clean=True)
            return examples_of(notes, np.ones((last - first, len(FIELDS)), bool))
        notes = self._notes(epoch // self._repeats * self.num_batches + number, last - first)
        return examples_of(notes, draw_hidden(last - first, np.random.default_rng((self._seed, epoch, number))))

    def _notes(self, number: int, count: int) -> Notes:
        """Play the notes of a batch, or return them as they were played in an earlier epoch."""
        with self._guard:
            known = self._played.get(number)
        if known is None:
            known = play_notes(count, self._seed, number)
            if self._repeats > 1:
                with self._guard:
                    self._played[number] = known
                    while len(self._played) > self.num_batches:
                        self._played.popitem(last=False)
        return known
