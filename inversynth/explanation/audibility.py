"""How much each knob of a patch is heard: how far the sound moves when that knob alone moves by one class.

Measured by rendering both neighbours of every knob and taking the larger log-mel distance from the patch's own sound
(`generators.analysis.distance`). A knob that hardly moves the sound matters little, wherever it stands.
"""

import numpy as np
from numpy.typing import NDArray

from generators.analysis.distance import LogMelDistance
from generators.parameters import Floats
from inversynth.patches.patch import Patch

HEARD = 0.1
"""Distance in dB below which a knob counts as unheard: listeners miss a step of 0.1 dB in every band."""

ROUNDING = 1e-9
"""Part of a knob's range by which a position may lie outside of it."""


def knob_audibility(patch: Patch) -> Floats:
    """Return by how many dB the sound of a patch moves when each knob moves by one class, (parameters,).

    A silent patch has no sound to move: all 0.
    """
    synth, space = patch.synth(), patch.space
    sound = synth.render(patch.values)
    if not sound.any():
        return np.zeros(len(space))
    columns, variants = neighbours(patch)
    moved = np.zeros(len(space))
    if len(variants):
        distances = LogMelDistance(sound, patch.sample_rate).distance(synth.render(variants))
        np.maximum.at(moved, columns, distances)
    return moved


def neighbours(patch: Patch) -> tuple[NDArray[np.intp], Floats]:
    """Return patches in which one knob is moved by one class, and the column of that knob.

    A value between two levels moves to between the next two.
    Shapes: (n,) and (n, parameters); a knob at an end of its range has one neighbour, one without a choice none.
    """
    position = patch.space.values_to_unit(patch.values)
    columns, rows = [], []
    for column, size in enumerate(patch.space.sizes):
        for step in (-1.0 / (size - 1), 1.0 / (size - 1)) if size > 1 else ():
            moved = np.array(position, np.float64)
            moved[column] += step
            if -ROUNDING <= moved[column] <= 1.0 + ROUNDING:
                columns.append(column)
                rows.append(np.clip(moved, 0.0, 1.0))
    units = np.array(rows).reshape(len(rows), len(patch.space))
    return np.array(columns, np.intp), patch.space.unit_to_values(units)
