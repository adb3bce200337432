"""`inversynth train`: the command of `models.train`, which here also reads folders of patches.

`patch.json` is known on this floor alone; the training below takes knob positions from wherever they come.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from generators.errors import DatasetError
from inversynth.patches.patch import Patch, read_patch
from models.estimation.architectures import MACROS
from models.macros.patch_sets import PatchSet, patch_set
from models.train import main as train_main

log = logging.getLogger(__name__)

ENDING = "patch.json"
"""How the name of a patch file ends: `patch.json`, or `bell.patch.json` among others."""


def read_patches(folder: Path) -> PatchSet:
    """Read all patches below a folder, such as `inversynth invert` wrote it for many sounds; those of macros not.

    Raises: DatasetError where there is none, or where they are not of one synth, rate and length; ParameterError for
        a file that is no patch.
    """
    if not folder.is_dir():
        raise DatasetError(f"patches are read from a folder. Received: {folder}, which is none. Name another --patches")
    paths = sorted(folder.rglob(f"*{ENDING}"))
    first: Patch | None = None
    unit = []
    for path in tqdm(paths, desc="patches", leave=False, disable=not sys.stderr.isatty()):
        patch = read_patch(path)
        if patch.model == MACROS:  # written by `inversynth macros`, which may stand beside what it was learned from
            continue
        first = first or patch
        if _kind(patch) != _kind(first):
            raise DatasetError(
                "patches that are learned from together must be of one synth, rate and length. Received: "
                f"{_kind(first)}, and {_kind(patch)} in {path}. Put them in folders of their own"
            )
        unit.append(patch.space.values_to_unit(patch.values))
    if first is None:
        raise DatasetError(f"{folder} holds no {ENDING}. Make some with: inversynth invert SOUND… --output_directory")
    return patch_set(first.space, first.sample_rate, first.length, np.stack(unit), f"folder {folder}")


def _kind(patch: Patch) -> str:
    return f"{patch.space.synth} ({patch.length:g} s at {patch.sample_rate} Hz)"


def main(argv: Sequence[str] | None = None, prog: str = "inversynth train") -> int:
    """Train a model; returns the exit code."""
    return train_main(argv, prog=prog, read_patches=read_patches)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.train"))
