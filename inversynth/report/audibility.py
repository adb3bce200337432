"""How much each knob of a patch is heard: how far the sound moves when that knob alone moves by one class.

Measured by rendering both neighbours of every knob and taking the larger log-mel distance from the patch's own sound
(`generators.analysis.distance`). A knob that hardly moves the sound matters little, wherever it stands.
"""

import numpy as np
from numpy.typing import NDArray

from generators.parameters import Floats
from inversynth.patches.patch import Patch

HEARD = 0.1
"""Distance in dB below which a knob counts as unheard: listeners miss a step of 0.1 dB in every band."""


def knob_audibility(patch: Patch) -> Floats:
    """Return by how many dB the sound of a patch moves when each knob moves by one class, (parameters,).

    A silent patch has no sound to move: all 0.
    """
    from generators.analysis.distance import LogMelDistance  # brings Numba, which other pages need not wait for

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

    Shapes: (n,) and (n, parameters); a knob at an end of its range has one neighbour, one without a choice none.
    """
    columns, rows = [], []
    for column, (parameter, number) in enumerate(zip(patch.space.parameters, patch.classes, strict=True)):
        for other in (int(number) - 1, int(number) + 1):
            if 0 <= other < len(parameter.levels):
                row = np.array(patch.values, np.float64)
                row[column] = parameter.levels[other]
                columns.append(column)
                rows.append(row)
    return np.array(columns, np.intp), np.array(rows).reshape(len(rows), len(patch.space))
