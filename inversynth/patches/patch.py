"""A patch: one setting of one synthesizer, as the small JSON file (`patch.json`) that `inversynth invert` writes.

It can be read by people and by other programs: every parameter stands with its value, unit, class and, where a network
chose it, its probability and the whole distribution. It names the synth and the fingerprint of its parameter space, so
that a patch made for another synth is refused and never misread. The schema is in `inversynth.patches.patch_file`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators import __version__
from generators.errors import ParameterError, os_reason, shown
from generators.files import check_readable_file, write_text
from generators.parameters import Floats, ParameterSpace
from generators.synth import A4, Synth
from inversynth.patches.patch_file import (
    MAX_BYTES,
    SCHEMA,
    AlternativeRow,
    ParameterRow,
    PatchFile,
    check_patch_file,
    parse_patch_file,
)

PROBABILITY_TOLERANCE = 1e-3
"""How far printed probabilities may be from a sum of 1: they are rounded to six digits."""


@dataclass(frozen=True)
class Alternative:
    """Another patch with nearly the same sound.

    Attributes: values (p,). distance: by `inversynth.search.objective`. residual_db: what it leaves of the waveform.
    level_db: how much louder than the synth's own the sound was.
    """

    values: Floats
    distance: float
    residual_db: float
    level_db: float = 0.0


@dataclass(frozen=True)
class Patch:
    """One setting of a synth, and where it came from.

    Shapes, with p parameters: values (p,); probabilities (size,), each parameter's summing to 1, or None; determined
    (p,) says which parameters the sound fixes, or None where that was not measured.
    `scores` are those of the sound it makes against the sound it was made from; `source` describes the latter.
    `level_db` is how much louder than the synth's own the sound was; `render_patch` renders at that level.
    `refinement` records the search: budget, renders, residual_db, offset and its stages. `alternatives` are
    clearly different patches with nearly the same sound, and `verdict` says whether the synth can make the sound at all
    (`inversynth.inversion.verdict`). `root` is the MIDI number that the pitch of A4 in the values stands for
    (`Synth.at_root`).
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
    root: float = A4

    def synth(self, sample_rate: int | None = None) -> Synth:
        """Build the synth of this patch at its length and root, and at its sample rate or another.

        Raises: ParameterError where the root does not fit the sample rate.
        """
        from generators.registry import build_synth  # the concrete synths are needed by those who render alone

        return build_synth(self.space.synth, sample_rate or self.sample_rate, self.length, self.root)

    @property
    def classes(self) -> NDArray[np.integer[Any]]:
        """The nearest level of each value, (p,)."""
        return self.space.values_to_classes(self.values)

    def distribution(self, column: int) -> Floats | None:
        """Probabilities of one parameter's levels, or None."""
        return None if self.probabilities is None else self.probabilities[self.space.slices[column]]

    def to_json(self) -> str:
        """Write the patch as JSON text, one line a parameter."""
        card: dict[str, Any] = {
            "schema": SCHEMA,
            "synth": self.space.synth,
            "sample_rate": self.sample_rate,
            "length": self.length,
            **self.stated_root(),
            "space_fingerprint": self.space.fingerprint,
            "model": self.model,
            "software": self.software,
            "source": dict(self.source),
            "level_db": round(self.level_db, 6),
            "parameters": self._rows(),
            "scores": dict(self.scores),
        }
        if self.refinement:
            card["refinement"] = dict(self.refinement)
            card["alternatives"] = [self._alternative(other) for other in self.alternatives]
        if self.verdict:
            card["verdict"] = dict(self.verdict)
        return PatchFile(**card).to_json()

    def stated_root(self) -> dict[str, float]:
        """Return what files say of the root: nothing for a synth that is not transposed."""
        from generators.registry import find_synth

        return {"root": float(self.root)} if find_synth(self.space.synth).transposes else {}

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
    return patch_from_json(read_patch_text(path), str(path))


def read_patch_text(path: str | os.PathLike[str], encoding: str = "utf-8") -> str:
    """Read the text of a patch, of at most MAX_BYTES. Raises ParameterError."""
    path = Path(path)
    hint = "Make one with: inversynth invert"
    check_readable_file(path, "patch", ParameterError, most_bytes=MAX_BYTES, hint=hint)
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise ParameterError(f"cannot read {path} as a patch: it must be UTF-8. Received: {error.reason}") from None
    except OSError as error:
        raise ParameterError(f"cannot read {path} as a patch: {os_reason(error)}") from None


def patch_from_json(text: str, label: str = "a patch") -> Patch:
    """Read a patch from JSON text; `label` names it in errors. Raises ParameterError."""
    return _patch(parse_patch_file(text, label), label)


def patch_from_card(card: Mapping[str, Any], label: str = "a patch") -> Patch:
    """Read a patch from what its JSON holds; `label` names it in errors. Raises ParameterError."""
    return _patch(check_patch_file(card, label), label)


def _patch(file: PatchFile, label: str) -> Patch:
    sample_rate, length = round(file.sample_rate), float(file.length)
    root = float(file.root)
    space = _space(file, sample_rate, length, root, label)
    by_name = {row.name: row for row in file.parameters}
    if len(file.parameters) != len(space) or set(by_name) != set(space.names):
        odd = sorted(set(by_name) ^ set(space.names)) or ["one of them twice"]
        raise ParameterError(
            f"{label} must set the {len(space)} parameters of synth '{space.synth}', each once. "
            f"Received: {len(file.parameters)} parameters; at odds: {shown(', '.join(odd), 200)}"
        )
    rows = [by_name[name] for name in space.names]
    values = np.asarray([_value(row, space, column, label) for column, row in enumerate(rows)])
    distributions = [_distribution(row, space, column, label) for column, row in enumerate(rows)]
    known = [distribution for distribution in distributions if distribution is not None]
    determined = [row.determined for row in rows]
    return Patch(
        space,
        values,
        sample_rate,
        length,
        np.concatenate(known) if len(known) == len(space) else None,
        model=file.model,
        source=file.source,
        scores={name: float(score) for name, score in file.scores.items()},
        software=file.software,
        level_db=float(file.level_db),
        determined=None if None in determined else np.asarray(determined),
        refinement=file.refinement,
        alternatives=tuple(_alternative(row, space, label) for row in file.alternatives),
        verdict=file.verdict,
        root=root,
    )


def render_patch(patch: Patch, velocity: int | None = None) -> NDArray[np.float32]:
    """Render a patch with its synth, at its rate, length, root and level; (samples,) float32.

    Args: velocity: of the note, where the synth knows one and it is not its own.
    """
    synth = patch.synth()
    if velocity is not None and synth.plays_keys:
        synth = synth.at_key(round(synth.root), velocity)
    audio = synth.render(patch.values)
    return audio * np.float32(10.0 ** (patch.level_db / 20.0))


def _space(file: PatchFile, sample_rate: int, length: float, root: float, label: str) -> ParameterSpace:
    from generators.registry import build_synth  # the concrete synths are needed by readers of files alone

    synth = build_synth(file.synth, sample_rate, length)
    try:
        space = synth.at_root(root).space
    except ParameterError as error:
        raise ParameterError(f"'root' of {label} does not fit: {error}") from None
    if file.space_fingerprint not in (None, space.fingerprint):
        raise ParameterError(
            f"{label} belongs to another version of synth '{space.synth}' (fingerprint {space.fingerprint}). "
            f"Received: {shown(file.space_fingerprint or '', 60)}. Invert the sound again"
        )
    return space


def _value(row: ParameterRow, space: ParameterSpace, column: int, label: str) -> float:
    parameter = space.parameters[column]
    value = _within(float(row.value), space, column, label)
    nearest = int(parameter.nearest(value))
    if row.number not in (None, nearest):
        raise ParameterError(
            f"'class' of '{parameter.name}' in {label} must be the level nearest to its value {value:g}, which is "
            f"{nearest}. Received: {row.number!r:.60}. Correct one of the two, or leave 'class' out"
        )
    return value


def _within(value: float, space: ParameterSpace, column: int, label: str) -> float:
    parameter = space.parameters[column]
    if not parameter.low <= value <= parameter.high:
        raise ParameterError(
            f"'{parameter.name}' in {label} must lie in {parameter.low:g}..{parameter.high:g}. Received: {value:g}"
        )
    return value


def _distribution(row: ParameterRow, space: ParameterSpace, column: int, label: str) -> NDArray[np.float64] | None:
    if row.probabilities is None:
        return None
    name, count = space.names[column], space.sizes[column]
    try:
        distribution = np.asarray(row.probabilities, np.float64)
    except (TypeError, ValueError, OverflowError):
        distribution = np.empty(0)
    if distribution.shape != (count,) or not np.all((distribution >= 0) & (distribution <= 1)):
        raise ParameterError(f"'probabilities' of '{name}' in {label} must be {count} numbers in 0..1")
    total = float(distribution.sum())
    if abs(total - 1.0) > PROBABILITY_TOLERANCE:
        raise ParameterError(f"'probabilities' of '{name}' in {label} must sum to 1. Received: {total:g}")
    return distribution / total


def _alternative(row: AlternativeRow, space: ParameterSpace, label: str) -> Alternative:
    if set(row.values) != set(space.names):
        raise ParameterError(f"an alternative of {label} must set the {len(space)} parameters of '{space.synth}'")
    values = [_within(float(row.values[name]), space, column, label) for column, name in enumerate(space.names)]
    return Alternative(np.asarray(values), float(row.distance), float(row.residual_db), float(row.level_db))
