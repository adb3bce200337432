"""Parameter spaces: the settings of a synthesizer, declared once and converted between all representations.

A setting has five representations, named the same everywhere: `values` (Hz, s, …), `classes` (0..levels-1), `unit`
(0..1), `one_hot` and `probabilities` (both concatenated over the parameters, in the order of the network head). A
network head, a metric and a prediction all take their meaning from here.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ParameterError, shown
from generators.json_reader import JsonError, parse_json

MAX_PARAMETERS = 4096
"""Parameters of a space: 16 times those of the largest synthesizers."""

MAX_TEXT = 1000
"""Characters of a name, unit or description in a space that is read."""

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Parameter:
    """One knob: its quantised levels, which rise or fall, with unit, meaning and the group it is reported under."""

    name: str
    levels: tuple[float, ...]
    unit: str = ""
    description: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.levels) <= 256:
            raise ParameterError(f"a parameter has 1 to 256 levels. Received: {len(self.levels)} for '{self.name}'")
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.diff(self.levels)
        if not np.all(np.isfinite(self.levels)) or not (np.all(steps > 0) or np.all(steps < 0)):
            raise ParameterError(
                f"levels must be finite, and each above the one before or each below it. Received: "
                f"{list(self.levels)} for '{self.name}'"
            )

    @property
    def low(self) -> float:
        """The lowest level, whichever class that is."""
        return min(self.levels)

    @property
    def high(self) -> float:
        """The highest level."""
        return max(self.levels)

    def nearest(self, values: ArrayLike) -> Integers:
        """Return the class of the nearest level, of any shape; halfway between two, the lower class."""
        levels = np.asarray(self.levels) * self._sign
        return np.searchsorted((levels[1:] + levels[:-1]) / 2, np.asarray(values) * self._sign)

    def position(self, values: ArrayLike) -> Floats:
        """Return the knob position 0..1 of values of any shape: evenly spaced over the levels, clipped to the range."""
        steps = np.linspace(0.0, 1.0, len(self.levels)) if len(self.levels) > 1 else np.zeros(1)
        return np.asarray(
            np.interp(np.asarray(values) * self._sign, np.asarray(self.levels) * self._sign, steps), np.float64
        )

    @property
    def _sign(self) -> float:
        """Factor that makes the levels ascending."""
        return -1.0 if self.levels[-1] < self.levels[0] else 1.0


def even_steps(first: float, last: float, count: int = 16) -> tuple[float, ...]:
    """Return `count` evenly spaced levels whose ends are the range limits."""
    return tuple(float(level) for level in np.linspace(first, last, count))


@dataclass(frozen=True)
class ParameterSpace:
    """An ordered set of parameters of one synthesizer.

    Shapes, with p parameters and `size` the sum of their level counts: `values`, `classes` and `unit` are
    (batch, p) or (p,); `one_hot` and `probabilities` are (batch, size) or (size,).
    """

    synth: str
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if not names or len(set(names)) != len(names):
            raise ParameterError(f"a parameter space needs one or more distinct names. Received: {names}")

    def __len__(self) -> int:
        return len(self.parameters)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Level count of each parameter."""
        return tuple(len(parameter.levels) for parameter in self.parameters)

    @cached_property
    def size(self) -> int:
        """Width of a network head: all levels of all parameters."""
        return sum(self.sizes)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The slice of the head that belongs to each parameter."""
        ends = np.cumsum(self.sizes)
        return tuple(slice(int(end) - size, int(end)) for end, size in zip(ends, self.sizes, strict=True))

    @cached_property
    def combinations(self) -> int:
        """Number of patches in the complete grid (an exact Python integer)."""
        count = 1
        for size in self.sizes:
            count *= size
        return count

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Column numbers by reporting group, in order of first appearance."""
        groups: dict[str, list[int]] = {}
        for column, parameter in enumerate(self.parameters):
            groups.setdefault(parameter.group or "All", []).append(column)
        return {name: tuple(columns) for name, columns in groups.items()}

    def index(self, name: str) -> int:
        """Return the column of a parameter by name."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ParameterError(f"unknown parameter '{name}'. Known: {', '.join(self.names)}") from None

    def levels(self, name: str) -> tuple[float, ...]:
        """Return the levels of a parameter by name. Raises ParameterError for an unknown one."""
        return self.parameters[self.index(name)].levels

    # --- conversions -------------------------------------------------------------------------------------------

    def classes_to_values(self, classes: ArrayLike) -> Floats:
        """Look up physical values, float64. Raises ParameterError for a class outside its levels."""
        classes = self.check_classes(classes)
        columns = [np.asarray(p.levels)[classes[..., i]] for i, p in enumerate(self.parameters)]
        return np.stack(columns, axis=-1)

    def values_to_classes(self, values: ArrayLike) -> Integers:
        """Return the nearest level of each value, uint8; values beyond the range take its end."""
        values = self._check(values, "values")
        columns = [parameter.nearest(values[..., i]) for i, parameter in enumerate(self.parameters)]
        return np.stack(columns, axis=-1).astype(np.uint8)

    def values_to_unit(self, values: ArrayLike) -> Floats:
        """Map values to knob positions 0..1, evenly spaced over the levels; clipped to the range."""
        values = self._check(values, "values")
        columns = [parameter.position(values[..., i]) for i, parameter in enumerate(self.parameters)]
        return np.stack(columns, axis=-1)

    def unit_to_values(self, unit: ArrayLike) -> Floats:
        """Map knob positions to values, linear between neighbouring levels; clipped to 0..1."""
        unit = self._check(unit, "unit")
        columns = []
        for i, parameter in enumerate(self.parameters):
            steps = np.linspace(0.0, 1.0, len(parameter.levels))
            columns.append(np.interp(unit[..., i], steps, parameter.levels))
        return np.stack(columns, axis=-1)

    def classes_to_unit(self, classes: ArrayLike) -> Floats:
        """Map classes to knob positions 0..1."""
        return self.check_classes(classes) / np.maximum(np.asarray(self.sizes) - 1, 1)

    def unit_to_classes(self, unit: ArrayLike) -> Integers:
        """Return the nearest class of each knob position, uint8."""
        unit = np.clip(self._check(unit, "unit"), 0.0, 1.0)
        return np.rint(unit * (np.asarray(self.sizes) - 1)).astype(np.uint8)

    def classes_to_one_hot(self, classes: ArrayLike) -> Floats:
        """Encode classes as concatenated one-hot vectors, float32 (…, size)."""
        classes = self.check_classes(classes)
        starts = np.asarray([s.start for s in self.slices])
        one_hot = np.zeros((*classes.shape[:-1], self.size), np.float32)
        np.put_along_axis(one_hot, classes.astype(np.int64) + starts, 1.0, axis=-1)
        return one_hot

    def probabilities_to_classes(self, probabilities: ArrayLike) -> Integers:
        """Return the most probable class of each parameter, uint8."""
        probabilities = self._check(probabilities, "probabilities", self.size)
        return np.stack([probabilities[..., s].argmax(axis=-1) for s in self.slices], axis=-1).astype(np.uint8)

    def normalise_probabilities(self, probabilities: ArrayLike) -> Floats:
        """Scale the scores of each parameter to sum to one (sigmoid heads do not), float64 (…, size)."""
        scores = np.maximum(self._check(probabilities, "probabilities", self.size), 1e-12).astype(np.float64)
        for part in self.slices:
            scores[..., part] /= scores[..., part].sum(axis=-1, keepdims=True)
        return scores

    # --- checks ------------------------------------------------------------------------------------------------

    def check_classes(self, classes: ArrayLike) -> Integers:
        """Return classes as integers. Raises ParameterError for a wrong width, a fraction or a class out of range."""
        array = np.asarray(classes)
        if array.dtype.kind not in "iu":
            raise ParameterError(f"classes must be integers. Received: {array.dtype}")
        self._check_width(array, "classes", len(self))
        outside = (array < 0) | (array >= np.asarray(self.sizes))
        if np.any(outside):
            column = int(np.argwhere(outside)[0][-1])
            raise ParameterError(
                f"classes of '{self.names[column]}' run from 0 to {self.sizes[column] - 1}. "
                f"Received: {int(array[..., column].flat[int(outside[..., column].argmax())])}"
            )
        return array

    def check_values(self, values: ArrayLike) -> Floats:
        """Return values as float64. Raises ParameterError for a wrong width or a value that is not finite."""
        return self._check(values, "values")

    def _check(self, array: ArrayLike, representation: str, width: int | None = None) -> Floats:
        floats = np.asarray(array, np.float64)
        self._check_width(floats, representation, width or len(self))
        if not np.all(np.isfinite(floats)):
            raise ParameterError(f"{representation} must be finite. Received: NaN or infinity")
        return floats

    def _check_width(self, array: NDArray[Any], representation: str, width: int) -> None:
        if array.ndim == 0 or array.shape[-1] != width:
            raise ParameterError(
                f"{representation} of synth '{self.synth}' have {width} columns. "
                f"Received: an array of shape {array.shape}"
            )

    # --- as text -----------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Write the whole space as JSON text, ready for an HDF5 attribute or a `parameters_file`."""
        parameters = [
            {"name": p.name, "levels": list(p.levels), "unit": p.unit, "description": p.description, "group": p.group}
            for p in self.parameters
        ]
        return json.dumps({"synth": self.synth, "parameters": parameters}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ParameterSpace":
        """Read what `to_json` wrote. Raises ParameterError where it is something else."""
        try:
            card = parse_json(text)
            if len(card["parameters"]) > MAX_PARAMETERS:
                raise ValueError(f"{len(card['parameters']):,} parameters, of at most {MAX_PARAMETERS:,}")
            parameters = tuple(
                Parameter(
                    _text(row["name"]),
                    tuple(float(level) for level in row["levels"]),
                    _text(row.get("unit", "")),
                    _text(row.get("description", "")),
                    _text(row.get("group", "")),
                )
                for row in card["parameters"]
            )
            return cls(_text(card["synth"]), parameters)
        except JsonError as error:
            raise ParameterError(f"a parameter space is JSON with 'synth' and 'parameters': it {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ParameterError(
                f"a parameter space is JSON with 'synth' and 'parameters'. Received: {shown(str(error), 200)}"
            ) from None

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of what predictions depend on: synth, names and levels (descriptions may change freely)."""
        essence = [self.synth, [[p.name, [f"{level:.9g}" for level in p.levels]] for p in self.parameters]]
        return hashlib.sha256(json.dumps(essence).encode()).hexdigest()[:16]

    def difference(self, other: "ParameterSpace") -> str:
        """Name the first thing in which another space differs, or return an empty string."""
        if self.fingerprint == other.fingerprint:
            return ""
        if self.synth != other.synth:
            return f"synth '{self.synth}' against '{other.synth}'"
        if self.names != other.names:
            return f"parameters {_differing(self.names, other.names)}"
        for mine, theirs in zip(self.parameters, other.parameters, strict=True):
            if mine.levels != theirs.levels:
                return (
                    f"levels of '{mine.name}': {len(mine.levels)} from {mine.levels[0]:g} to {mine.levels[-1]:g} "
                    f"against {len(theirs.levels)} from {theirs.levels[0]:g} to {theirs.levels[-1]:g}"
                )
        return "levels"


def _text(value: Any) -> str:
    text = str(value)
    if len(text) > MAX_TEXT:
        raise ValueError(f"a text of {len(text):,} characters, of at most {MAX_TEXT:,}")
    return text


def _differing(mine: Sequence[str], theirs: Iterable[str]) -> str:
    only = sorted(set(mine) ^ set(theirs))
    return ", ".join(only) if only else "in another order"
