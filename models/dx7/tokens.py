"""Voices as tokens: what one note tells of a voice, in classes that a network can name.

A voice is seven tokens, one for each operator (6 first) and one for what they share. Each holds the classes of its
parameters: all their values, but rates of the pitch envelope and settings of the LFO in steps of three. Parameters that
one note cannot tell are left out (`generators.dx7.single_note`). A class of -1 is unknown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dx7.single_note import UNTOLD_OF_OPERATOR, UNTOLD_SHARED
from generators.dx7.voice import OPERATORS, PARAMETERS, Parameter, Voice

Classes = NDArray[np.int64]

UNKNOWN = -1

STEPS = 34
"""Classes of a parameter of 100 values that is heard roughly."""

ROUGH = ("pitch_rate", "lfo_")
"""Beginnings of the names of those. Steps of three for all numbers would cost 2.0 dB of log-mel distance (median)."""

NUMBERS = ("rate", "level", "output_level", "detune", "pitch_rate", "pitch_level", "lfo_", "transpose")
"""Beginnings of the names of parameters whose neighbouring values sound alike."""


@dataclass(frozen=True)
class Field:
    """A parameter within a token.

    Attributes:
        name: without its operator. byte: in the voice, or in the operator. highest: its largest value. size: its
            classes. ordinal: whether neighbouring classes sound alike.
    """

    name: str
    byte: int
    highest: int
    size: int

    @property
    def ordinal(self) -> bool:
        return self.name.startswith(NUMBERS) and self.name not in ("lfo_wave", "lfo_sync")


def _field(row: Parameter, name: str) -> Field:
    size = row.highest + 1
    return Field(name, row.byte, row.highest, STEPS if size == 100 and name.startswith(ROUGH) else size)


OPERATOR_FIELDS: tuple[Field, ...] = tuple(
    _field(row, row.name.removeprefix("op6_"))
    for row in PARAMETERS
    if row.name.startswith("op6_") and row.name.removeprefix("op6_") not in UNTOLD_OF_OPERATOR
)
"""The 14 fields of an operator's token."""

SHARED_FIELDS: tuple[Field, ...] = tuple(
    _field(row, row.name) for row in PARAMETERS if not row.name.startswith("op") and row.name not in UNTOLD_SHARED
)
"""The fields of the shared token."""

FIELDS: tuple[Field, ...] = OPERATOR_FIELDS * OPERATORS + SHARED_FIELDS
"""The fields of all tokens, operator by operator, as columns of classes."""

STAGES: tuple[tuple[str, ...], ...] = (
    ("algorithm", "feedback", "transpose"),
    ("mode", "coarse", "output_level"),
    ("fine", "detune"),
    ("level_1", "level_2", "level_3", "level_4", "rate_1", "rate_2", "rate_3", "rate_4"),
    tuple(one.name for one in (*OPERATOR_FIELDS, *SHARED_FIELDS) if one.name.startswith(("am_", "pitch_", "lfo_"))),
)
"""Kinds of parameters, in the order in which a voice is drawn."""

_STAGE_OF_NAME = {name: number for number, stage in enumerate(STAGES) for name in stage}

STAGE_OF_COLUMN: NDArray[np.int64] = np.array([_STAGE_OF_NAME[one.name] for one in FIELDS])
"""The stage in which each column is drawn."""

TOKEN_OF_COLUMN: NDArray[np.int64] = np.array(
    [place for place in range(OPERATORS) for _ in OPERATOR_FIELDS] + [OPERATORS] * len(SHARED_FIELDS)
)
"""The token that holds each column: an operator by its place in a voice, or the shared one."""

BYTES: NDArray[np.int64] = np.array(
    [21 * place + one.byte for place in range(OPERATORS) for one in OPERATOR_FIELDS]
    + [one.byte for one in SHARED_FIELDS],
    np.int64,
)
"""The byte of a voice that each column holds."""

SIZES: NDArray[np.int64] = np.array([one.size for one in FIELDS], np.int64)
"""Classes of each column."""

_HIGHEST = np.array([one.highest for one in FIELDS], np.int64)
_INITIAL = Voice().values.astype(np.int64)


def voices_to_classes(voices: ArrayLike) -> Classes:
    """Return the classes of voices. Shapes: (n, 155) -> (n, columns)."""
    values = np.asarray(voices, np.int64)[:, BYTES]
    return np.rint(values * (SIZES - 1) / _HIGHEST).astype(np.int64)


def classes_to_voices(classes: ArrayLike) -> Classes:
    """Return voices of classes; what tokens leave out is the initial voice's. Shapes: (n, columns) -> (n, 155)."""
    found = np.asarray(classes, np.int64)
    voices = np.repeat(_INITIAL[None], len(found), axis=0)
    voices[:, BYTES] = np.rint(found * _HIGHEST / (SIZES - 1)).astype(np.int64)
    return voices


def columns_of(*names: str) -> NDArray[np.int64]:
    """Return the columns of fields by name, of all operators."""
    return np.array([column for column, one in enumerate(FIELDS) if one.name in names], np.int64)
