"""A patch: one setting of one synthesizer, as the small JSON file (`patch.json`) that `inversynth invert` writes.

It can be read by people and by other programs: every parameter stands with its value, unit, class and, where a network
chose it, its probability and the whole distribution. It names the synth and the fingerprint of its parameter space, so
that a patch made for another synth is refused and never misread.
"""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators import __version__
from generators.errors import ParameterError, unknown
from generators.files import write_text
from generators.parameters import Floats, ParameterSpace

SCHEMA = "inversynth-patch/2"

SCHEMAS = ("inversynth-patch/1", SCHEMA)
"""Those that can be read: the first knew neither levels nor what a search finds out."""

HEAD_KEYS = frozenset(("schema", "synth", "sample_rate", "length", "space_fingerprint", "model", "software", "source"))
KEYS = HEAD_KEYS | {"level_db", "parameters", "scores", "refinement", "alternatives", "verdict"}
ROW_KEYS = frozenset(("name", "value", "unit", "class", "probability", "probabilities", "determined"))
ALTERNATIVE_KEYS = frozenset(("values", "distance", "residual_db", "level_db"))

TOLERANCE = 1e-3
"""How far printed probabilities may be from a sum of 1: they are rounded to six digits."""

LEVEL_RANGE = 200.0
"""Decibels; what lies beyond cannot be told from silence in float32."""


@dataclass(frozen=True)
class Alternative:
    """Another patch that sounds alike: values (p,), distance by `inversynth.search.objective`, and what it leaves in dB."""

    values: Floats
    distance: float
    residual_db: float
    level_db: float = 0.0


@dataclass(frozen=True)
class Patch:
    """One setting of a synth, and where it came from.

    Shapes, with p parameters: values (p,); probabilities (size,), each parameter's summing to 1, or None; determined
    (p,) says which parameters the sound fixes, or None where nobody looked.
    `scores` are those of the sound it makes against the sound it was made from; `source` describes the latter.
    `level_db` is how much louder than the synth's own the sound was. `refinement` records the search: budget, renders,
    seconds, residual_db, offset and its stages. `alternatives` are clearly different patches that sound alike, and
    `verdict` says whether the synth can make the sound at all (`inversynth.inversion.verdict`).
    """

    space: ParameterSpace
    values: Floats
    sample_rate: int
    length: float
    probabilities: Floats | None = None
    model: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    software: str = f"inversynth {__version__}"
    level_db: float = 0.0
    determined: NDArray[np.bool_] | None = None
    refinement: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()
    verdict: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> NDArray[np.integer[Any]]:
        """The nearest level of each value, (p,)."""
        return self.space.values_to_classes(self.values)

    def distribution(self, column: int) -> Floats | None:
        """Probabilities of one parameter's levels, or None."""
        return None if self.probabilities is None else self.probabilities[self.space.slices[column]]

    def to_json(self) -> str:
        """Write the patch as JSON text: one line a parameter, so that it reads like a table."""
        head = {
            "schema": SCHEMA,
            "synth": self.space.synth,
            "sample_rate": self.sample_rate,
            "length": self.length,
            "space_fingerprint": self.space.fingerprint,
            "model": self.model,
            "software": self.software,
            "source": dict(self.source),
            "level_db": round(self.level_db, 6),
            "parameters": [],
            "scores": dict(self.scores),
        }
        if self.refinement:
            head["refinement"] = dict(self.refinement)
            head["alternatives"] = [self._alternative(other) for other in self.alternatives]
        if self.verdict:
            head["verdict"] = dict(self.verdict)
        rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in self._rows())
        text = json.dumps(head, indent=2, ensure_ascii=False, allow_nan=False)
        return text.replace('\n  "parameters": []', f'\n  "parameters": [\n{rows}\n  ]', 1) + "\n"

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for column, (parameter, value, number) in enumerate(
            zip(self.space.parameters, self.values, self.classes, strict=True)
        ):
            row = {"name": parameter.name, "value": float(value), "unit": parameter.unit, "class": int(number)}
            distribution = self.distribution(column)
            if distribution is not None:
                row["probability"] = round(float(distribution[number]), 6)
                row["probabilities"] = [round(float(p), 6) for p in distribution]
            if self.determined is not None:
                row["determined"] = bool(self.determined[column])
            rows.append(row)
        return rows

    def _alternative(self, other: Alternative) -> dict[str, Any]:
        values = {name: float(value) for name, value in zip(self.space.names, other.values, strict=True)}
        return {
            "distance": round(other.distance, 6),
            "residual_db": round(other.residual_db, 2),
            "level_db": round(other.level_db, 6),
            "values": values,
        }


def patch_from_probabilities(
    space: ParameterSpace, probabilities: ArrayLike, sample_rate: int, length: float, **details: Any
) -> Patch:
    """Take the most probable class of each parameter.

    Shapes: probabilities (size,), scores of a sigmoid head or a distribution; each parameter's are scaled to sum to 1.
    """
    scores = np.asarray(probabilities, np.float64)
    values = space.classes_to_values(space.probabilities_to_classes(scores))
    return Patch(space, values, sample_rate, length, space.normalise_probabilities(scores), **details)


def write_patch(path: str | os.PathLike[str], patch: Patch) -> Path:
    """Write `patch.json`, whole or not at all."""
    return write_text(path, patch.to_json())


def read_patch(path: str | os.PathLike[str]) -> Patch:
    """Read and check what `write_patch` wrote (or what was written by hand).

    Raises: ParameterError naming the first thing that is wrong.
    """
    path = Path(path)
    if path.is_dir():
        raise ParameterError(f"a patch is a file. Received: the folder {path}. Name the patch.json in it")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParameterError(f"no such patch: {path}. Make one with: inversynth invert") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"cannot read {path} as a patch: {error}") from None
    return patch_from_json(text, str(path))


def patch_from_json(text: str, label: str = "a patch") -> Patch:
    """Read a patch from JSON text; `label` names it in errors. Raises ParameterError."""
    card = _json_object(text, label)
    if card.get("schema") not in SCHEMAS:
        raise ParameterError(f"{label} must have schema '{SCHEMA}'. Received: {card.get('schema')!r}")
    _check_keys(card, KEYS, label)
    sample_rate, length = _number(card, "sample_rate", label), _number(card, "length", label)
    space = _space(card, round(sample_rate), length, label)
    rows = card.get("parameters")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ParameterError(f"'parameters' of {label} must be a list of objects. Received: {type(rows).__name__}")
    for row in rows:
        _check_keys(row, ROW_KEYS, f"'{row.get('name')}' in {label}")
    by_name = {str(row.get("name")): row for row in rows}
    if len(rows) != len(space) or set(by_name) != set(space.names):
        odd = sorted(set(by_name) ^ set(space.names)) or ["one of them twice"]
        raise ParameterError(
            f"{label} must set the {len(space)} parameters of synth '{space.synth}', each once. "
            f"Received: {len(rows)} parameters; at odds: {', '.join(odd)}"
        )
    values = np.asarray([_value(by_name[name], space, i, label) for i, name in enumerate(space.names)])
    distributions = [_distribution(by_name[name], space, i, label) for i, name in enumerate(space.names)]
    known = [row for row in distributions if row is not None]
    return Patch(
        space,
        values,
        round(sample_rate),
        length,
        np.concatenate(known) if len(known) == len(space) else None,
        model=str(card.get("model", "")),
        source=card["source"] if isinstance(card.get("source"), dict) else {},
        scores=_scores(card, label),
        software=str(card.get("software", "")),
        level_db=_level(card, label),
        determined=_determined([by_name[name] for name in space.names], label),
        refinement=_object(card, "refinement", label),
        alternatives=_alternatives(card, space, label),
        verdict=_object(card, "verdict", label),
    )


def render_patch(patch: Patch) -> NDArray[np.float32]:
    """Render a patch with its synth, at its rate, length and level; (samples,) float32."""
    from generators.registry import build_synth

    audio = build_synth(patch.space.synth, patch.sample_rate, patch.length).render(patch.values)
    return audio * np.float32(10.0 ** (patch.level_db / 20.0))


def _json_object(text: str, label: str) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except ValueError as error:
        raise ParameterError(f"{label} must be JSON. Received: {error}") from None
    if not isinstance(card, dict):
        raise ParameterError(f"{label} must be a JSON object. Received: {type(card).__name__}")
    return card


def _level(card: Mapping[str, Any], label: str) -> float:
    level = _number(card, "level_db", label) if "level_db" in card else 0.0
    if abs(level) > LEVEL_RANGE:
        raise ParameterError(f"'level_db' of {label} must lie in +-{LEVEL_RANGE:g} dB. Received: {level:g}")
    return level


def _check_keys(card: Mapping[str, Any], known: Iterable[str], label: str) -> None:
    for key in card:
        if key not in known:
            raise ParameterError(f"{label} has an {unknown('key', str(key), sorted(known))}")


def _number(card: Mapping[str, Any], name: str, label: str) -> float:
    number = card.get(name)
    beyond = isinstance(number, int) and abs(number) > sys.float_info.max
    if isinstance(number, bool) or not isinstance(number, int | float) or beyond or not math.isfinite(number):
        raise ParameterError(f"'{name}' of {label} must be a finite number. Received: {number!r:.60}")
    return float(number)


def _space(card: Mapping[str, Any], sample_rate: int, length: float, label: str) -> ParameterSpace:
    from generators.registry import build_synth  # the concrete synths are needed by readers of files alone

    space = build_synth(str(card.get("synth")), sample_rate, length).space
    if card.get("space_fingerprint", space.fingerprint) != space.fingerprint:
        raise ParameterError(
            f"{label} belongs to another version of synth '{space.synth}' (fingerprint {space.fingerprint}). "
            f"Received: {card['space_fingerprint']}. Invert the sound again"
        )
    return space


def _value(row: Mapping[str, Any], space: ParameterSpace, column: int, label: str) -> float:
    parameter = space.parameters[column]
    name, low, high = parameter.name, parameter.low, parameter.high
    value = _number(row, "value", f"'{name}' in {label}")
    if not low <= value <= high:
        raise ParameterError(f"'{name}' in {label} must lie in {low:g}..{high:g}. Received: {value:g}")
    nearest = int(parameter.nearest(value))
    if row.get("class", nearest) != nearest:
        raise ParameterError(
            f"'class' of '{name}' in {label} must be the level nearest to its value {value:g}, which is {nearest}. "
            f"Received: {row['class']!r}. Correct one of the two, or leave 'class' out"
        )
    return value


def _distribution(row: Mapping[str, Any], space: ParameterSpace, column: int, label: str) -> NDArray[np.float64] | None:
    row_probabilities = row.get("probabilities")
    if row_probabilities is None:
        return None
    name, count = space.names[column], space.sizes[column]
    try:
        distribution = np.asarray(row_probabilities, np.float64)
    except (TypeError, ValueError):
        distribution = np.empty(0)
    if distribution.shape != (count,) or not np.all((distribution >= 0) & (distribution <= 1)):
        raise ParameterError(f"'probabilities' of '{name}' in {label} must be {count} numbers in 0..1")
    total = float(distribution.sum())
    if abs(total - 1.0) > TOLERANCE:
        raise ParameterError(f"'probabilities' of '{name}' in {label} must sum to 1. Received: {total:g}")
    return distribution / total


def _determined(rows: Sequence[Mapping[str, Any]], label: str) -> NDArray[np.bool_] | None:
    for row in rows:
        if not isinstance(row.get("determined", True), bool):
            raise ParameterError(
                f"'determined' of '{row['name']}' in {label} must be true or false. Received: {row['determined']!r}"
            )
    return np.asarray([row["determined"] for row in rows]) if all("determined" in row for row in rows) else None


def _alternatives(card: Mapping[str, Any], space: ParameterSpace, label: str) -> tuple[Alternative, ...]:
    rows = card.get("alternatives") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ParameterError(f"'alternatives' of {label} must be a list of objects. Received: {rows!r:.60}")
    found = []
    for row in rows:
        _check_keys(row, ALTERNATIVE_KEYS, f"an alternative of {label}")
        values = _object(row, "values", f"an alternative of {label}")
        if set(values) != set(space.names):
            raise ParameterError(f"an alternative of {label} must set the {len(space)} parameters of '{space.synth}'")
        numbers = [_value({"value": values[name]}, space, i, label) for i, name in enumerate(space.names)]
        distance, left = (_number(row, key, label) for key in ("distance", "residual_db"))
        found.append(Alternative(np.asarray(numbers), distance, left, _level(row, label)))
    return tuple(found)


def _object(card: Mapping[str, Any], name: str, label: str) -> dict[str, Any]:
    value = card.get(name) or {}
    if not isinstance(value, dict):
        raise ParameterError(f"'{name}' of {label} must be an object. Received: {value!r:.60}")
    return value


def _scores(card: Mapping[str, Any], label: str) -> dict[str, float]:
    scores = _object(card, "scores", label)
    return {str(name): _number(scores, name, f"'scores' in {label}") for name in scores}
