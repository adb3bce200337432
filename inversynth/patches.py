"""A patch: one setting of one synthesizer, as the small JSON file (`patch.json`) that `inversynth invert` writes.

It can be read by people and by other programs: every parameter stands with its value, unit, class and, where a network
chose it, its probability and the whole distribution. It names the synth and the fingerprint of its parameter space, so
that a patch made for another synth is refused and never misread.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators import __version__
from generators.errors import InversynthError, ParameterError
from generators.files import written_whole
from generators.parameters import Floats, ParameterSpace

SCHEMA = "inversynth-patch/1"

TOLERANCE = 1e-3
"""How far printed probabilities may be from a sum of 1: they are rounded to six digits."""


@dataclass(frozen=True)
class Patch:
    """One setting of a synth, and where it came from.

    Shapes, with p parameters: values (p,); probabilities (size,), each parameter's summing to 1, or None.
    `scores` are those of the sound it makes against the sound it was made from; `source` describes the latter.
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
            "parameters": [],
            "scores": dict(self.scores),
        }
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
            rows.append(row)
        return rows


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
    if card.get("schema") != SCHEMA:
        raise ParameterError(f"{label} must have schema '{SCHEMA}'. Received: {card.get('schema')!r}")
    sample_rate, length = _number(card, "sample_rate", label), _number(card, "length", label)
    space = _space(card, round(sample_rate), length, label)
    rows = card.get("parameters")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ParameterError(f"'parameters' of {label} must be a list of objects. Received: {type(rows).__name__}")
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
    )


def render_patch(patch: Patch) -> NDArray[np.float32]:
    """Render a patch with its synth, at its rate and length; (samples,) float32."""
    from generators.registry import build_synth

    return build_synth(patch.space.synth, patch.sample_rate, patch.length).render(patch.values)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a UTF-8 text file, whole or not at all. Raises InversynthError where it cannot."""
    path = Path(path)
    try:
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InversynthError(
            f"cannot write {path}: {error.strerror or error}. Name an --output_directory that you may write to"
        ) from None
    return path


def _json_object(text: str, label: str) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except ValueError as error:
        raise ParameterError(f"{label} must be JSON. Received: {error}") from None
    if not isinstance(card, dict):
        raise ParameterError(f"{label} must be a JSON object. Received: {type(card).__name__}")
    return card


def _number(card: Mapping[str, Any], name: str, label: str) -> float:
    number = card.get(name)
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise ParameterError(f"'{name}' of {label} must be a finite number. Received: {number!r}")
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
    name, low, high = parameter.name, parameter.levels[0], parameter.levels[-1]
    value = _number(row, "value", f"'{name}' in {label}")
    if not low <= value <= high:
        raise ParameterError(f"'{name}' in {label} must lie in {low:g}..{high:g}. Received: {value:g}")
    levels = np.asarray(parameter.levels)
    nearest = int(np.searchsorted((levels[1:] + levels[:-1]) / 2, value))
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


def _scores(card: Mapping[str, Any], label: str) -> dict[str, float]:
    scores = card.get("scores") or {}
    if not isinstance(scores, dict):
        raise ParameterError(f"'scores' of {label} must be an object. Received: {type(scores).__name__}")
    return {str(name): _number(scores, name, f"'scores' in {label}") for name in scores}
