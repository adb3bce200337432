"""Patches in formats that other programs read, and back: CSV for spreadsheets, a MIDI file of control changes for
instruments, and voices for the DX7.

CSV and MIDI carry the synth, its fingerprint, sample rate and length, and go through the same checks as `patch.json`;
where a patch came from, its scores and probabilities stay behind. All come back exactly. Two control changes carry 14
bits, so the MIDI file keeps the exact values as text beside them; a program that drops these, or moves a controller,
leaves levels exact and values between them to within half a step of 1/16383 of the range.
"""

import csv
import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators import __version__
from generators.dx7.synth import SAMPLE_RATE, Dx7Synth, patch_voice, voice_values
from generators.dx7.sysex import SINGLE_HEADER, read_voice, split_address, write_syx
from generators.dx7.voice import Voice
from generators.errors import InversynthError, ParameterError, os_reason, shown
from generators.files import write_text, written_whole
from generators.parameters import ParameterSpace
from generators.registry import find_synth
from generators.synth import DEFAULT_LENGTH
from inversynth.midi_file import read_midi
from inversynth.patches.patch import Patch, patch_from_card, read_patch, read_patch_text, write_patch
from inversynth.patches.patch_file import SCHEMA

HEAD = ("schema", "synth", "sample_rate", "length", "level_db", "root", "space_fingerprint")
"""Keys beside the values of a patch."""

NUMBERS = ("sample_rate", "length", "level_db", "root")
OPTIONAL = {"level_db", "root", "space_fingerprint"}
"""What a patch written by hand may leave out, and patches of older versions do."""

COLUMNS = ("name", "value", "unit", "class")

MIDDLE_C = 60.0
"""The MIDI note at which voices are rendered where no other is known."""

FULL = (1 << 14) - 1
"""The highest 14-bit value: a parameter at the end of its range."""

CONTROLLERS = tuple(number for number in range(32) if number not in (0, 6, 7, 10, 11))
"""Coarse controllers, each with its fine one 32 higher (MIDI 1.0): all but bank select, data entry, volume, pan and
expression, which a host answers by itself."""

FINE = 32
MARK = "inversynth "
"""Begins the text events of a patch in a MIDI file."""

EXACT = f"{MARK}value "
"""Begins those that hold an exact value."""

SUFFIXES: dict[str, str] = {"json": ".json", "csv": ".csv", "midi-cc": ".mid", "syx": ".syx"}
"""The formats, and how their files end."""


def read_any_patch(path: str | os.PathLike[str]) -> Patch:
    """Read a patch from JSON, CSV (by its ending), MIDI (by its ending or first bytes), or a DX7 voice (likewise).

    One voice of a bank is named by its number: `bank.syx#5`.

    Raises: InversynthError naming the first thing that is wrong.
    """
    name, number = split_address(path)
    if number is not None or Path(name).suffix.lower() == SUFFIXES["syx"] or _begins(Path(name), SINGLE_HEADER[:2]):
        return patch_from_voice(read_voice(path), shown(Path(name).name))
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".csv" and path.is_file():
        return patch_from_csv(read_patch_text(path, "utf-8-sig"), str(path))  # spreadsheets put a mark before it
    if suffix in (".mid", ".midi") or _begins(path, b"MThd"):
        return read_controls(path)
    return read_patch(path)


def write_any_patch(path: str | os.PathLike[str], patch: Patch, form: str) -> Path:
    """Write a patch as `json`, `csv`, `midi-cc` or `syx`, whole or not at all.

    Raises: InversynthError where it cannot be written; for `syx` ParameterError for a patch of another synth.
    """
    if form == "syx":
        return write_syx(path, [voice_from_patch(patch)])
    if form == "json":
        return write_patch(path, patch)
    return write_text(path, patch_to_csv(patch)) if form == "csv" else write_controls(path, patch)


# --- DX7 voices ------------------------------------------------------------------------------------------------


def patch_from_voice(voice: Voice, file: str = "") -> Patch:
    """Return the patch of a DX7 voice at middle C; its name, and that of its `file`, stand in the patch's source."""
    values = voice_values(voice.values).astype(np.float64)
    source = {"voice": voice.name} | ({"file": file} if file else {})
    return Patch(Dx7Synth.space, values, SAMPLE_RATE, DEFAULT_LENGTH, source=source, root=MIDDLE_C)


def voice_from_patch(patch: Patch) -> Voice:
    """Return the DX7 voice of a patch, named as in its source. Raises ParameterError for a patch of another synth."""
    if patch.space.synth != Dx7Synth.name:
        raise ParameterError(
            f"only a patch of synth '{Dx7Synth.name}' is a DX7 voice. Received: one of '{patch.space.synth}'. Make one "
            f"with: inversynth invert SOUND --synth {Dx7Synth.name}"
        )
    name = patch.source.get("voice") or Path(str(patch.source.get("file", ""))).stem.upper()
    return patch_voice(patch.values, str(name))


# --- CSV -------------------------------------------------------------------------------------------------------


def patch_to_csv(patch: Patch) -> str:
    """Return name, value, unit and class, a row each; rows whose name begins with # hold the keys of the patch."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([f"#{name}", value, "", ""] for name, value in _head(patch).items())
    for parameter, value, number in zip(patch.space.parameters, patch.values, patch.classes, strict=True):
        rows.writerow([parameter.name, repr(float(value)), parameter.unit, int(number)])
    return text.getvalue()


def patch_from_csv(text: str, label: str = "a patch") -> Patch:
    """Read what `patch_to_csv` wrote, in any order of rows; unit and class may be empty. Raises ParameterError."""
    try:
        lines = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise ParameterError(f"{label} must be comma-separated values. Received: {error}") from None
    if not lines or tuple(lines[0][:2]) != COLUMNS[:2] or tuple(lines[0]) != COLUMNS[: len(lines[0])]:
        raise ParameterError(
            f"{label} must begin with the line {','.join(COLUMNS)}. Received: {shown(str(lines[:1]), 100)}"
        )
    head, rows = {}, []
    for line in lines[1:]:
        if not any(line):
            continue
        name, value, _, number = (*line, "", "", "")[:4]
        if name.startswith("#"):
            head[name[1:]] = value
            continue
        row: dict[str, Any] = {"name": name, "value": _number(value)}
        rows.append(row | {"class": _number(number)} if number else row)
    return _patch(head, rows, label)


# --- MIDI ------------------------------------------------------------------------------------------------------


def controller(column: int) -> tuple[int, int]:
    """Return the channel (from 0) and the coarse controller of a parameter, by its place in the space."""
    return divmod(column, len(CONTROLLERS))[0], CONTROLLERS[column % len(CONTROLLERS)]


def write_controls(path: str | os.PathLike[str], patch: Patch) -> Path:
    """Write a MIDI file (format 0) of one 14-bit control change per parameter, whole or not at all.

    Raises: InversynthError where it cannot be written.
    """
    from mido import Message, MetaMessage, MidiFile, MidiTrack

    head = [MetaMessage("text", text=f"{MARK}{name}={value}") for name, value in _head(patch).items()]
    track = MidiTrack([MetaMessage("track_name", name=f"{MARK}{patch.space.synth} patch"), *head])
    for column, value in enumerate(patch.values):
        code = _code(patch.space, column, value)
        channel, coarse = controller(column)
        track.append(MetaMessage("text", text=f"{EXACT}{patch.space.names[column]}={float(value)!r}"))
        for number, part in ((coarse, code >> 7), (coarse + FINE, code & 127)):
            track.append(Message("control_change", channel=channel, control=number, value=part))
    path = Path(path)
    try:
        with written_whole(path) as partial:
            MidiFile(type=0, tracks=[track]).save(partial)
    except OSError as error:
        raise InversynthError(f"cannot write {path}: {os_reason(error)}. Name another --output") from None
    return path


def read_controls(path: str | os.PathLike[str]) -> Patch:
    """Read what `write_controls` wrote; of two changes of one controller the later counts.

    A coarse controller without its fine one is taken at 7 bits. Raises: InversynthError.
    """
    head: dict[str, str] = {}
    exact: dict[str, str] = {}
    coarse: dict[tuple[int, int], int] = {}
    fine: dict[tuple[int, int], int] = {}
    for message in read_midi(path):
        if message.kind == "text" and message.text.startswith(MARK):
            within, mark = (exact, EXACT) if message.text.startswith(EXACT) else (head, MARK)
            name, _, written_as = message.text.removeprefix(mark).partition("=")
            within[name] = written_as
        elif message.kind == "control_change":
            is_fine = FINE <= message.first < 2 * FINE
            (fine if is_fine else coarse)[message.channel, message.first - FINE * is_fine] = message.second
    if "synth" not in head:
        raise ParameterError(f"a MIDI file with a patch names its synth in a text event. Received: {path}, without one")
    space = find_synth(head["synth"]).space
    named = {controller(column): column for column in range(len(space))}
    odd = sorted((coarse.keys() | fine.keys()) - named.keys())
    if odd:
        channel, number = odd[0]
        raise ParameterError(
            f"controllers in {path} must stand for parameters of synth '{space.synth}'. "
            f"Received: controller {number} on channel {channel + 1}"
        )
    rows = []
    for key, value in coarse.items():
        column, code = named[key], (value << 7) + fine.get(key, 0)
        written = _number(exact.get(space.names[column], ""))
        kept = isinstance(written, float) and math.isfinite(written) and _code(space, column, written) == code
        rows.append({"name": space.names[column], "value": written if kept else _value(space, column, code)})
    return _patch(head, rows, str(path))


def _code(space: ParameterSpace, column: int, value: float) -> int:
    """Return the 14 bits of a value: its position, evenly spaced over the levels."""
    return round(float(space.parameters[column].position(value)) * FULL)


def _value(space: ParameterSpace, column: int, code: int) -> float:
    """Return the value of 14 bits; the level itself where they are those of a level."""
    levels = space.parameters[column].levels
    at = [level for level in levels if _code(space, column, level) == code]
    return at[0] if at else float(np.interp(code / FULL, _positions(len(levels)), levels))


def _positions(levels: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, levels) if levels > 1 else np.zeros(1)


# --- both ------------------------------------------------------------------------------------------------------


def _head(patch: Patch) -> dict[str, str]:
    numbers = {"length": patch.length, "level_db": patch.level_db, **patch.stated_root()}
    return {
        "schema": SCHEMA,
        "synth": patch.space.synth,
        "sample_rate": str(patch.sample_rate),
        **{name: repr(float(number)) for name, number in numbers.items()},
        "space_fingerprint": patch.space.fingerprint,
    }


def _patch(head: Mapping[str, str], rows: list[dict[str, Any]], label: str) -> Patch:
    """Check a patch in the way of patch.json."""
    unknown = sorted(head.keys() - set(HEAD))
    if unknown or set(HEAD) - OPTIONAL - head.keys():
        said = shown(", ".join(head), 200) or "nothing"
        raise ParameterError(f"{label} must say {', '.join(HEAD)} of itself. Received: {said}")
    numbers = {name: _number(head[name]) for name in NUMBERS if name in head}
    card = {**head, **numbers, "software": f"inversynth {__version__}", "parameters": rows}
    return patch_from_card(card, label)


def _number(text: str) -> float | str:
    """Return the number that a text is, else the text, which the checks of a patch then name."""
    try:
        return float(text.replace("_", "?"))  # Python reads 1_000
    except ValueError:
        return text


def _begins(path: Path, mark: bytes) -> bool:
    try:
        if not path.is_file():  # a pipe may never begin
            return False
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False
