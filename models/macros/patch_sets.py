"""Sets of patches to train on, in memory. Importing this costs no Keras."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.parameters import ParameterSpace


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
        """Return inputs and targets of some rows, which are the same."""
        return self.unit[rows], self.unit[rows]


def patch_set(space: ParameterSpace, sample_rate: int, length: float, unit: NDArray[Any], label: str) -> PatchSet:
    """Make a set of patches, identified by a hash of their values. Shapes: unit (n, parameters) in 0..1."""
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
"""Reads a folder of patch files. The application passes it down, because it defines their format."""
