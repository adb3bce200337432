"""Sets of patches to learn from, and which of them the settings of a training mean. Importing this costs no Keras."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.errors import SettingsError
from generators.parameters import ParameterSpace
from generators.registry import build_synth
from models.backend import start_keras
from models.training.settings import TrainingSettings

if TYPE_CHECKING:
    from models.training.data import Source


@dataclass(frozen=True)
class PatchSet:
    """Patches of one synth. Shapes: unit (n, parameters) float32 in 0..1. `label` names them in errors."""

    space: ParameterSpace
    sample_rate: int
    length: float
    unit: NDArray[np.float32]
    label: str
    identity: dict[str, Any]

    def __len__(self) -> int:
        return len(self.unit)

    def read(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what goes in and what must come out: the same."""
        return self.unit[rows], self.unit[rows]


def patch_set(space: ParameterSpace, sample_rate: int, length: float, unit: NDArray[Any], label: str) -> PatchSet:
    """Gather patches, known again by a hash of their knob positions. Shapes: unit (n, parameters) in 0..1."""
    unit = np.ascontiguousarray(unit, np.float32)
    identity = {
        "synth": space.synth,
        "space": space.fingerprint,
        "sample_rate": sample_rate,
        "length": length,
        "patches": len(unit),
        "sha256": hashlib.sha256(unit.tobytes()).hexdigest()[:16],
    }
    return PatchSet(space, sample_rate, length, unit, label, identity)


def dataset_patches(dataset: Dataset) -> PatchSet:
    """Return the patches of a finished dataset; 92 bytes each for `fm`. Raises DatasetError for an unfinished one."""
    dataset.check_finished()
    unit = dataset.space.classes_to_unit(dataset.classes[:]).astype(np.float32)
    card = dataset.card
    return PatchSet(dataset.space, card.sample_rate, card.length, unit, f"dataset {dataset.path}", dataset.identity)


ReadPatches = Callable[[Path], PatchSet]
"""Reads a folder of patch files. The command line hands it down, for the files are known on its floor."""


def open_data(
    settings: TrainingSettings, stack: ExitStack, read_patches: ReadPatches | None = None
) -> "tuple[Source, str]":
    """Return the patches that settings mean, from a folder, a stream or a dataset, and what to name the run after.

    Raises: SettingsError for settings that only sounds have; DatasetError for too few patches.
    """
    if settings.folds > 1:
        raise SettingsError(f"{settings.model} has no folds. Received: --folds {settings.folds}. Leave it out")
    if settings.loss is not None:
        raise SettingsError(f"{settings.model} has a loss of its own. Received: --loss {settings.loss}. Leave it out")
    if settings.stream:
        synth = build_synth(settings.synth, settings.sample_rate, settings.length)
        start_keras()
        from models.macros.data import PatchStream

        return PatchStream(synth, seed=settings.seed, steps=settings.steps_per_epoch), f"{synth.short_name}_stream"
    if settings.patches is not None:
        if read_patches is None:
            raise SettingsError(f"patches are read by `inversynth train`. Received: --patches {settings.patches}")
        patches, name = read_patches(settings.patches), settings.patches.resolve().name
    else:
        path = settings.dataset_path
        with Dataset(path) as dataset:
            patches, name = dataset_patches(dataset), path.stem
    start_keras()
    from models.macros.data import PatchSource

    return PatchSource(patches, macros=settings.macros, **settings.split), name
