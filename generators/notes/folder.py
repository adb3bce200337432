"""Notes from a folder of sounds named `<sound>_<note>.wav`, with an optional table of labels.

Every sound must have the required format; if any has not, all problems of all sounds are listed at once, so that a
folder can be fixed in one pass. Long recordings can be cut into pieces and short ones padded, as the scripts of the
SOPI course do.
"""

import csv
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, gcd
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from generators.audio import RINGING, Header, read_audio, read_header, resample
from generators.errors import AudioError, DatasetError, InversynthError, ParameterError
from generators.files import check_readable_file
from generators.notes.labels import MOST_NOTES, TYPES, note_table
from generators.notes.pitches import SCIENTIFIC, NoteNames, midi_number
from generators.notes.source import NoteSource

SUFFIXES = frozenset({".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3"})

MOST_TABLE_BYTES = 64 << 20
"""Of a table of labels: 64 bytes for each of the most notes."""

HASHED_AT_ONCE = 1 << 20

DELIMITERS = (",", ";", "\t")
LONGEST_HEAD = 1 << 16
"""Characters of the first line of a table that are looked at."""

FULL_VELOCITY = 100
"""Velocity of a note without a label for it."""

NUMBERS = ("pitch", "velocity")
KNOWN = (*NUMBERS, *TYPES)
"""Labels that a table or a tag may have besides user-defined tags."""


@dataclass(frozen=True)
class Fit:
    """The required format of sounds, and the conversions that are allowed.

    Attributes: sample_rate in hertz; samples; bits of an integer sample, or None for any. `convert` mixes channels down
    and changes the rate; `pad` adds silence to the end; `trim` cuts the end off; `chop` cuts into pieces that begin
    `step` samples apart, the last one only where it is whole or padded.
    """

    sample_rate: int = 16000
    samples: int = 64000
    bits: int | None = None
    convert: bool = False
    pad: bool = False
    trim: bool = False
    chop: bool = False
    step: int | None = None

    def mismatches(self, info: Header) -> list[str]:
        """Return in what a sound, by its header, differs from the required format."""
        found = []
        if info.sample_rate != self.sample_rate and not self.convert:
            found.append(f"{info.sample_rate} Hz")
        if info.channels != 1 and not self.convert:
            found.append(f"{info.channels} channels")
        if self.bits and info.subtype != f"PCM_{self.bits}":
            found.append(f"stored as {info.subtype}")
        samples = self.length(info)
        if not samples:
            return [*found, "no samples"]
        allowed = (samples < self.samples and self.pad) or (samples > self.samples and (self.trim or self.chop))
        if samples != self.samples and not allowed:
            found.append(f"{samples} samples")
        return found

    def starts(self, info: Header) -> range:
        """Return the first samples of the pieces of a sound, at the rate of this fit."""
        if not self.chop:
            return range(1)
        samples = self.length(info)
        last = samples if self.pad else max(samples - self.samples + 1, 1)
        return range(0, last, self.step or self.samples)

    def length(self, info: Header) -> int:
        """Return the samples of a sound at the rate of this fit, after a conversion if that is allowed."""
        if not self.convert:
            return info.frames
        return -(-info.frames * self.sample_rate // info.sample_rate)


def folder_source(
    path: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    tags: Mapping[str, str] | None = None,
    pitch: int | None = None,
    fit: Fit | None = None,
    note_names: NoteNames = SCIENTIFIC,
) -> NoteSource:
    """List the sounds of a folder and its subfolders as notes.

    Args:
        labels: a CSV file with a column `file` (within the folder), and any of `pitch`, `velocity`, labels and
            user-defined tags; it overrides names. `qualities` are separated by blanks. tags: labels of all sounds.
        pitch: MIDI number of sounds without a note in their name. fit: the required format. note_names: how octaves are
            counted, in names and in the table.
    Raises: DatasetError where there is no sound, AudioError listing every sound that does not fit, ParameterError for
        invalid labels.
    """
    path, fit = Path(path), fit or Fit()
    files = sound_files(path)
    table = _read_labels(Path(labels), path, files, note_names) if labels is not None else {}
    rows: list[dict[str, Any]] = []
    pieces: list[tuple[Path, int]] = []
    mismatches: list[str] = []
    digest = hashlib.sha256()
    for file in files:
        name = str(file.relative_to(path))
        digest.update(os.fsencode(name) + b"\0")
        _add_content(digest, file)
        label = {**labels_in_name(file.stem, note_names), **(tags or {}), **table.get(name, {})}
        if pitch is not None:
            label.setdefault("pitch", pitch)
        wrong, info = check_sound(file, fit)
        if "pitch" not in label:
            wrong.append("no note in its name")
        if wrong:
            mismatches.append(f"{name} ({', '.join(wrong)})")
            continue
        assert info is not None  # or it would be wrong
        starts = fit.starts(info)
        if len(pieces) + len(starts) > MOST_NOTES:
            raise DatasetError(
                f"a dataset has at most {MOST_NOTES:,} notes. Received: {len(pieces) + len(starts):,} or more, with "
                f"the pieces of {file}. Take fewer sounds, or raise chop_step"
            )
        for number, start in enumerate(starts):
            piece = {"piece": str(number)} if fit.chop else {}
            rows.append({"velocity": FULL_VELOCITY, **label, **piece})
            pieces.append((file, start))
    if mismatches:
        raise AudioError(sounds_must_fit(path, fit, mismatches, len(files)))
    own = sorted({tag for row in rows for tag in row} - set(KNOWN))

    def read(numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.stack([_piece(*pieces[int(number)], fit) for number in numbers])

    facts: dict[str, Any] = {"kind": "folder", "files": digest.hexdigest()[:16], "trim": fit.trim, "pad": fit.pad}
    if fit.chop:
        facts["step"] = fit.step or fit.samples
    has_split = any("split" in row for row in rows)
    numbers = {file: number for number, file in enumerate(files)}
    cut_from = np.array([numbers[file] for file, _ in pieces], np.intp) if fit.chop else None
    return NoteSource(note_table(rows, own), fit.sample_rate, fit.samples, facts, read, has_split, cut_from)


def _add_content(digest: Any, file: Path) -> None:
    """Add a file to a hash, in blocks; what is no readable file is found later, with all that is wrong with sounds."""
    try:
        check_readable_file(file)
        with file.open("rb") as content:
            while block := content.read(HASHED_AT_ONCE):
                digest.update(block)
    except (InversynthError, OSError):
        digest.update(b"unreadable")


def sound_files(path: Path) -> list[Path]:
    """Return the sounds in a folder and its subfolders, in order. Raises DatasetError where there are none."""
    if not path.is_dir():
        raise DatasetError(f"notes are read from a folder of sounds. Received: {path}. Name one: --notes_from FOLDER")
    files = sounds_below(path)
    if not files:
        raise DatasetError(f"a folder of notes holds sounds ({', '.join(sorted(SUFFIXES))}). Received: none in {path}")
    return files


def sounds_below(path: Path) -> list[Path]:
    """Return the sounds in a folder and its subfolders, in order; the list may be empty."""
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def check_sound(file: Path, fit: Fit) -> tuple[list[str], Header | None]:
    """Return the mismatches of a sound with the required format, and its header; None for a file that is no sound."""
    try:
        info = read_header(file)
    except AudioError:
        return ["no readable audio"], None
    return fit.mismatches(info), info


def sounds_must_fit(path: Path, fit: Fit, mismatches: Sequence[str], count: int) -> str:
    """Return the message that lists every sound of a folder that does not fit."""
    bits = f"{fit.bits} bits, " if fit.bits else ""
    return (
        f"the sounds of {path} must be mono, {bits}{fit.sample_rate} Hz, {fit.samples} samples, and named "
        f"<sound>_<note>. Received: {'; '.join(mismatches)}: {len(mismatches)} of {count}. Fix them, or set convert, "
        "pad, trim, chop or default_pitch"
    )


def labels_in_name(stem: str, names: NoteNames = SCIENTIFIC) -> dict[str, Any]:
    """Parse `<sound>_<note>`: all before the last underscore is the instrument; without a note there is no `pitch`.

    Bytes that are not UTF-8 stand in the instrument as they are shown, `caf\\xe9`: labels are text.
    """
    stem = os.fsencode(stem).decode("utf-8", "backslashreplace")
    sound, _, note = stem.rpartition("_")
    if sound and re.fullmatch(r"\d{1,3}|[A-Ga-g][#b]?(-?\d|10)", note):
        try:
            return {"instrument": sound, "pitch": midi_number(note, names)}
        except ParameterError:
            pass
    return {"instrument": stem}


def _read_labels(path: Path, folder: Path, files: Sequence[Path], note_names: NoteNames) -> dict[str, dict[str, Any]]:
    """Read the labels of each sound from a CSV file, by its name within the folder."""
    check_readable_file(path, "table of labels", DatasetError, most_bytes=MOST_TABLE_BYTES)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter=_delimiter(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"labels are a CSV file in UTF-8. Received: {path}, {error}") from None
    if not rows or "file" not in rows[0]:
        raise DatasetError(f"labels have a column 'file' and a row for each sound. Received: {path} without")
    names = {str(file.relative_to(folder)) for file in files}
    absent = [str(row["file"]) for row in rows if row["file"] not in names]
    if absent:
        raise DatasetError(f"{path} must name sounds of {folder}. Received: {', '.join(absent)}, which are not there")
    labels = {}
    for row in rows:
        cells: dict[str, Any] = {key: value.strip() for key, value in row.items() if key and value and value.strip()}
        labels[cells.pop("file")] = checked_labels(cells, str(path), note_names)
    return labels


def _delimiter(file: TextIO) -> str:
    """Return what separates the cells of a table by its first line: most often a comma, in some countries ';'."""
    head = file.readline(LONGEST_HEAD)
    file.seek(0)
    return max(DELIMITERS, key=head.count)


def checked_labels(labels: dict[str, Any], place: str, note_names: NoteNames = SCIENTIFIC) -> dict[str, Any]:
    """Parse the numbers and lists among labels given as text. Raises ParameterError naming the place of an error."""
    read = dict(labels)
    try:
        if "pitch" in read:
            read["pitch"] = midi_number(read["pitch"], note_names)
        if "velocity" in read:
            read["velocity"] = midi_number(read["velocity"])
    except ParameterError as error:
        raise ParameterError(f"{place}: {error}") from None
    if "qualities" in read:
        read["qualities"] = str(read["qualities"]).split()
    wrong = [tag for tag in read if tag not in KNOWN and not re.fullmatch(r"[A-Za-z]\w*", tag)]
    taken = [tag for tag in read if tag in ("audio", "classes", "values", "done", "piece")]
    if wrong or taken:
        raise ParameterError(
            f"{place}: a tag is a word of letters, digits and underscores that names no existing column. Received: "
            f"'{(wrong + taken)[0]}'"
        )
    return read


def _piece(file: Path, start: int, fit: Fit) -> NDArray[np.float32]:
    """Read the piece of a sound that begins at a sample, (samples,)."""
    rate = read_header(file).sample_rate if fit.convert else fit.sample_rate
    if rate == fit.sample_rate:
        audio = read_audio(file, start=start / rate, length=fit.samples / rate).audio
    else:
        audio = _converted(file, rate, start, fit)
    out = np.zeros(fit.samples, np.float32)
    out[: len(audio)] = audio[: fit.samples]
    return out


def _converted(file: Path, rate: int, start: int, fit: Fit) -> NDArray[np.float32]:
    """Read a piece at another rate: no more is read than the piece, and what rings into it on either side."""
    divisor = gcd(rate, fit.sample_rate)
    unit, made = rate // divisor, fit.sample_rate // divisor  # of whole numbers of samples at both rates
    margin = ceil(2 * RINGING / min(unit, made))  # what is farther away is below -110 dB
    first, last = max(start // made - margin, 0), ceil((start + fit.samples) / made) + margin
    sound = read_audio(file, start=first * unit / rate, length=(last - first) * unit / rate)
    return resample(sound.audio, rate, fit.sample_rate)[start - first * made :]
