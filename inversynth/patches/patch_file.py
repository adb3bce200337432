"""The schema of `patch.json`, as pydantic models, and one line for whatever is wrong with such a file.

The models hold what the JSON says, name by name; `inversynth.patches.patch` gives it the meaning of a synth's space.
"""

import json
import math
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from generators.errors import ParameterError, shown, unknown
from generators.json_reader import JsonError, parse_json

SCHEMA = "inversynth-patch/2"

MAX_BYTES = 4 << 20
"""Size of a patch: a hundred times that of the largest synth here with all probabilities."""

MAX_TEXT = 4096
"""Characters of a name in a patch, which may be a path."""

LEVEL_RANGE = 200.0
"""Decibels; what lies beyond cannot be told from silence in float32."""


def _number(value: Any) -> int | float:
    beyond = isinstance(value, int) and abs(value) > sys.float_info.max
    if isinstance(value, bool) or not isinstance(value, int | float) or beyond or not math.isfinite(value):
        raise PydanticCustomError("number", "must be a finite number")
    return value


def _level(value: Any) -> int | float:
    if abs(_number(value)) > LEVEL_RANGE:
        raise PydanticCustomError("level", f"must lie in +-{LEVEL_RANGE:g} dB")
    return _number(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise PydanticCustomError("flag", "must be true or false")
    return value


def _object(value: Any) -> dict[str, Any]:
    if value and not isinstance(value, dict):
        raise PydanticCustomError("object", "must be an object")
    return value or {}


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise PydanticCustomError("objects", "must be a list of objects")
    return value


def _text(value: Any) -> str:
    text = str(value)
    if len(text) > MAX_TEXT:
        raise PydanticCustomError("text", f"must have at most {MAX_TEXT} characters")
    return text


Number = Annotated[int | float, BeforeValidator(_number)]
Level = Annotated[int | float, BeforeValidator(_level)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Object = Annotated[dict[str, Any], BeforeValidator(_object)]
Text = Annotated[str, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())


class ParameterRow(_Part):
    """One parameter: its value and, where a network chose it, its class's probability and those of all classes."""

    name: Text
    value: Number
    unit: Any = ""
    number: Any = Field(None, alias="class")
    probability: Any = None
    probabilities: Any = None
    determined: Flag | None = None


class AlternativeRow(_Part):
    """Another patch with nearly the same sound; `values` by parameter."""

    distance: Number
    residual_db: Number
    level_db: Level = 0.0
    values: Annotated[dict[str, Number], BeforeValidator(_object)]


class PatchFile(_Part):
    """All of `patch.json`. The schema's first version knew neither levels nor the results of a search.

    Patches without a `root`, which versions before it wrote, have A4.
    """

    version: Literal["inversynth-patch/1", "inversynth-patch/2"] = Field(alias="schema")
    synth: Text
    sample_rate: Number
    length: Number
    root: Number = 69.0
    space_fingerprint: Text | None = None
    model: Text = ""
    software: Text = ""
    source: Annotated[dict[str, Any], BeforeValidator(lambda value: value if isinstance(value, dict) else {})] = {}
    level_db: Level = 0.0
    parameters: Annotated[list[ParameterRow], BeforeValidator(_objects)]
    scores: Annotated[dict[str, Number], BeforeValidator(_object)] = {}
    refinement: Object = {}
    alternatives: Annotated[list[AlternativeRow], BeforeValidator(lambda value: _objects(value or []))] = []
    verdict: Object = {}

    def to_json(self) -> str:
        """Write what has been set as JSON text: one line a parameter, so that it reads like a table."""
        card = self.model_dump(by_alias=True, exclude_unset=True)
        rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in card["parameters"])
        text = json.dumps(card | {"parameters": []}, indent=2, ensure_ascii=False, allow_nan=False)
        return text.replace('\n  "parameters": []', f'\n  "parameters": [\n{rows}\n  ]', 1) + "\n"


def parse_patch_file(text: str, label: str) -> PatchFile:
    """Read JSON text; `label` names it in errors. Raises ParameterError naming the first thing that is wrong."""
    try:
        card = parse_json(text, MAX_BYTES)
    except JsonError as error:
        raise ParameterError(f"{label} {error}") from None
    if not isinstance(card, dict):
        raise ParameterError(f"{label} must be a JSON object. Received: {type(card).__name__}")
    return check_patch_file(card, label)


def check_patch_file(card: Mapping[str, Any], label: str) -> PatchFile:
    """Check the content of a patch file. Raises ParameterError naming the first thing that is wrong."""
    try:
        return PatchFile.model_validate(card)
    except ValidationError as error:
        raise ParameterError(_explain(error, card, label)) from None


def _explain(error: ValidationError, card: Mapping[str, Any], label: str) -> str:
    """Say in one line what must hold at the first place that is wrong, and what came."""
    fault = error.errors(include_url=False)[0]
    *path, key = fault["loc"]
    key = shown(str(key), 60)
    if key == "schema":
        return f"{label} must have schema '{SCHEMA}'. Received: {card.get('schema')!r:.60}"
    place = label
    model: type[_Part] = PatchFile
    if path[:1] == ["parameters"]:
        name = shown(str(card["parameters"][path[1]].get("name")), 60)
        place, model = f"'{name}' in {label}", ParameterRow
    elif path[:1] == ["alternatives"]:
        place, model = f"an alternative of {label}", AlternativeRow
    if path[-1:] in (["scores"], ["values"]):
        place = f"'{path[-1]}' in {place}"
    if fault["type"] == "extra_forbidden":
        known = sorted(field.alias or name for name, field in model.model_fields.items())
        return f"{place} has an {unknown('key', key, known)}"
    if fault["type"] == "missing":
        return f"'{key}' of {place} is required. Received: nothing"
    return f"'{key}' of {place} {fault['msg']}. Received: {fault['input']!r:.60}"
