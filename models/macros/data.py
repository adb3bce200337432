"""Training data of macros: parameter values of patches, as inputs and as targets.

They come from a set of patches in memory (`models.macros.patch_sets`), or from a stream that draws patches and never
renders them.
"""

import numpy as np

from generators.errors import DatasetError
from generators.sampling import sample_classes
from models.macros.patch_sets import PatchSet
from models.training.data import STREAM_SEED, Batch, DatasetBatches, Source, StreamBatches, StreamSource
from models.training.splits import split_rows

LEAST = 3
"""Training patches for each macro, at least: fewer determine no direction."""


class PatchSource(Source):
    """Patches in memory, split by `seed`.

    Raises: DatasetError where there are too few for so many macros, or all are the same.
    """

    def __init__(
        self,
        patches: PatchSet,
        *,
        macros: int,
        seed: int = 0,
        validation_split: float = 0.1,
        test_split: float = 0.1,
        steps: int | None = None,
    ) -> None:
        need = LEAST * macros
        self.space, self.synth = patches.space, patches.space.synth
        self.sample_rate, self.length, self.normalise = patches.sample_rate, patches.length, False
        self.identity, self.seed = patches.identity, seed
        self.settings = {
            "stream": False,
            "steps_per_epoch": steps,
            "validation_split": validation_split,
            "test_split": test_split,
        }
        self._patches, self._steps = patches, steps
        small = len(patches) < 3
        self._splits = (
            {} if small else split_rows(len(patches), seed, validation_split, test_split, label=patches.label)
        )
        training = 0 if small else len(self._splits["training"])
        if training < need:
            raise DatasetError(
                f"{macros} macros need {need} patches to train on, {LEAST} each. Received: {training} of the "
                f"{len(patches)} in {patches.label}, the rest being held out. Gather more, or lower --macros"
            )
        if np.all(np.ptp(patches.unit, axis=0) == 0):
            raise DatasetError(f"the patches in {patches.label} must differ. Received: {len(patches)} times the same")

    def training(self, batch_size: int) -> DatasetBatches:
        return DatasetBatches(self._patches, self._splits["training"], batch_size, self.seed, self._steps)

    def validation(self, batch_size: int) -> DatasetBatches:
        return DatasetBatches(self._patches, self._splits["validation"], batch_size)

    def test(self, batch_size: int) -> DatasetBatches:
        return DatasetBatches(self._patches, self._splits["test"], batch_size)


class PatchStream(StreamSource):
    """Random patches of a synth, the same that `StreamSource` renders."""

    def _batches(self, first: int, count: int, batch_size: int, moves: bool = False) -> StreamBatches:
        return _DrawnBatches(self._synth, first, count, batch_size, self.seed, self.normalise, moves)


class _DrawnBatches(StreamBatches):
    def make(self, epoch: int, number: int) -> Batch:
        first, last = self.drawn_rows(epoch, number)
        unit = self._synth.space.classes_to_unit(
            sample_classes(self._synth.space, first, last, STREAM_SEED + self._seed)
        ).astype(np.float32)
        return unit, unit
