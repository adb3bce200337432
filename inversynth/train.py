"""`inversynth train`: the command of `models.train`, with a reader for folders of patches.

`patch.json` is a format of this package; the training below it takes knob positions from any source.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from generators.errors import DatasetError
from inversynth.patches.patch import Patch, read_patch
from models.macros.patch_sets import PatchSet, patch_set
from models.macros.recipe import MACROS
from models.train import main as train_main

log = logging.getLogger(__name__)

ENDING = "patch.json"
"""How the name of a patch file ends: `patch.json`, or `bell.patch.json` among others."""


def read_patches(folder: Path) -> PatchSet:
    """Read all patches below a folder, such as `inversynth invert` writes for many sounds, except those of macros.

    Their roots are left aside: macros say how settings go together, whatever the pitch.
    Raises: DatasetError where there is none, or where they differ in synth, rate or length; ParameterError for a file
        that is no patch.
    """
    if not folder.is_dir():
        raise DatasetError(f"patches are read from a folder. Received: {folder}, which is none. Name another --patches")
    paths = sorted(folder.rglob(f"*{ENDING}"))
    first: Patch | None = None
    unit = []
    for path in tqdm(paths, desc="patches", leave=False, disable=not sys.stderr.isatty()):
        patch = read_patch(path)
        if patch.model == MACROS:  # rendered by `inversynth macros`, possibly in the folder it was trained on
            continue
        first = first or patch
        if _kind(patch) != _kind(first):
            raise DatasetError(
                "patches to train on must be of one synth, rate and length. Received: "
                f"{_kind(first)}, and {_kind(patch)} in {path}. Put them in separate folders"
            )
        unit.append(patch.space.values_to_unit(patch.values))
    if first is None:
        raise DatasetError(f"{folder} holds no {ENDING}. Make some with: inversynth invert SOUND… --output_dir")
    return patch_set(first.space, first.sample_rate, first.length, np.stack(unit), f"folder {folder}")


def _kind(patch: Patch) -> str:
    return f"{patch.space.synth} ({patch.length:g} s at {patch.sample_rate} Hz)"


def main(argv: Sequence[str] | None = None, prog: str = "inversynth train") -> int:
    """Train a model; returns the exit code."""
    return train_main(argv, prog=prog, read_patches=read_patches)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.train"))
