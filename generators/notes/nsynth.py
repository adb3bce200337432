"""The NSynth dataset as released: folders of `examples.json` and WAV files, or TFRecord files.

Source: Engel et al. 2017. A note is named `<instrument>-<pitch>-<velocity>`, and an instrument
`<family>_<source>_<number>`. The subset that GANSynth was trained on is that of Engel et al. 2019.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import read_audio
from generators.errors import AudioError, DatasetError, os_reason
from generators.json_reader import JsonError, parse_json, read_bounded
from generators.notes.labels import FAMILIES, MOST_NOTES, QUALITIES, SOURCES, SPLITS, note_table
from generators.notes.source import NoteSource
from generators.notes.tfrecord import Record, parse_example, read_record, scan_records

EXAMPLES, AUDIO = "examples.json", "audio"
SAMPLE_RATE, SAMPLES = 16000, 64000

GANSYNTH_PITCHES = range(24, 85)
"""Pitches that GANSynth was trained on, of acoustic instruments."""

NUMBERS = ("pitch", "velocity", "instrument_family", "instrument_source")

MOST_EXAMPLES_BYTES = 512 << 20
"""Of `examples.json`: that of the 289,205 training notes has 130 MB, and takes four times as much in memory."""

LISTED = 5
"""Missing sounds that a message names at most: there may be hundreds of thousands."""


def nsynth_source(
    path: str | os.PathLike[str], *, sample_rate: int = SAMPLE_RATE, samples: int = SAMPLES
) -> NoteSource:
    """List the notes of NSynth.

    Args:
        path: a folder with `examples.json` and `audio`, a TFRecord file, or a folder of several of either. The split
            of each part is read from its name: `nsynth-train`, `nsynth-valid.tfrecord`, …
        sample_rate, samples: required of every sound.
    Raises: DatasetError where nothing of NSynth is found, a file is broken, or sounds are absent.
    """
    path = Path(path)
    rows: list[dict[str, Any]] = []
    places: list[Path | Record] = []
    digest, has_split = hashlib.sha256(), True
    for part in _parts(path):
        read = _read_folder if part.is_dir() else _read_records
        split = re.findall("|".join(SPLITS), part.name.lower())
        has_split = has_split and bool(split)
        for row, place in read(part, samples, digest):
            rows.append({**row, "split": split[-1] if split else SPLITS[0]})
            places.append(place)

    def sounds(numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.stack([_sound(places[int(number)], sample_rate, samples) for number in numbers])

    facts = {"kind": "nsynth", "files": digest.hexdigest()[:16]}
    return NoteSource(note_table(rows), sample_rate, samples, facts, sounds, has_split)


def gansynth_subset(source: NoteSource) -> NoteSource:
    """Keep the notes that GANSynth was trained on: acoustic, of 61 pitches. Raises DatasetError if none is left."""
    return source.select(sources=SOURCES[:1], pitches=GANSYNTH_PITCHES)


def _parts(path: Path) -> list[Path]:
    """Return the dataset folders and record files at a path, in order."""
    if path.is_file():
        return [path]
    if (path / EXAMPLES).is_file():
        return [path]
    inner = sorted(path.iterdir()) if path.is_dir() else []
    parts = [each for each in inner if (each / EXAMPLES).is_file() or (each.is_file() and ".tfrecord" in each.name)]
    if not parts:
        raise DatasetError(
            f"NSynth comes as folders of {EXAMPLES} and {AUDIO}, or as TFRecord files. Received: {path} with neither. "
            "Name one, or a folder of them"
        )
    return parts


def _read_folder(part: Path, samples: int, digest: Any) -> list[tuple[dict[str, Any], Path]]:
    """Read the notes of `examples.json`, in the order of their names."""
    try:
        content = read_bounded(part / EXAMPLES, MOST_EXAMPLES_BYTES)
        examples = parse_json(content, MOST_EXAMPLES_BYTES)
    except JsonError as error:
        raise DatasetError(f"cannot read {part / EXAMPLES} as JSON: it {error}") from None
    except OSError as error:
        raise DatasetError(f"cannot read {part / EXAMPLES}: {os_reason(error)}") from None
    if not isinstance(examples, dict) or not all(isinstance(note, dict) for note in examples.values()):
        raise DatasetError(f"{part / EXAMPLES} maps names of notes to their labels. Received: something else")
    if len(examples) > MOST_NOTES:
        raise DatasetError(
            f"a dataset has at most {MOST_NOTES:,} notes. Received: {len(examples):,} in {part / EXAMPLES}"
        )
    digest.update(content)
    there = {file.name for file in os.scandir(part / AUDIO)} if (part / AUDIO).is_dir() else set()
    absent = [name for name in sorted(examples) if f"{name}.wav" not in there]
    if absent:
        more = f" and {len(absent) - LISTED} more" if len(absent) > LISTED else ""
        raise DatasetError(
            f"{part / AUDIO} must hold a WAV file for each of {len(examples)} notes. Received: it without "
            f"{', '.join(absent[:LISTED])}{more}"
        )
    place = str(part / EXAMPLES)
    return [
        (_labels(name, note, note.get("instrument_str"), place), part / AUDIO / f"{name}.wav")
        for name, note in sorted(examples.items())
    ]


def _read_records(part: Path, samples: int, digest: Any) -> list[tuple[dict[str, Any], Record]]:
    """Read the notes of a TFRecord file, in its order, verifying every checksum."""
    found = []
    for record, data in scan_records(part):
        place = f"record {record.number} of {part}"
        try:
            features = parse_example(data)
            name = features["note_str"][0].decode()
            audio = features["audio"]
            note = {key: int(features[key][0]) for key in NUMBERS}
            note["qualities"] = features["qualities"].tolist()  # type: ignore[union-attr]
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            raise DatasetError(f"a note of NSynth has its features. Received: {place}, at fault: {error}") from None
        if len(audio) != samples:
            raise DatasetError(f"a note has {samples} samples. Received: {len(audio)} in {place}")
        digest.update(name.encode() + record.checksum.to_bytes(4, "little"))
        found.append((_labels(name, note, None, place), record))
    return found


def _labels(name: str, note: Mapping[str, Any], instrument: str | None, place: str) -> dict[str, Any]:
    """Return the labels of a note. Raises DatasetError where one is missing or out of range."""
    try:
        family, source = (int(note[key]) for key in ("instrument_family", "instrument_source"))
        pitch, velocity = int(note["pitch"]), int(note["velocity"])
        qualities = [int(flag) for flag in note["qualities"]]
        fits = 0 <= family < len(FAMILIES) and 0 <= source < len(SOURCES) and len(qualities) == len(QUALITIES)
        if not (fits and 0 <= pitch < 128 and 0 <= velocity < 128):
            raise ValueError("a number out of range")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"a note has pitch, velocity, family, source and ten qualities. Received: {name} in {place}, at fault: "
            f"{error}"
        ) from None
    return {
        **{"pitch": pitch, "velocity": velocity, "instrument": instrument or name.split("-")[0]},
        **{"family": FAMILIES[family], "source": SOURCES[source]},
        "qualities": [quality for quality, flag in zip(QUALITIES, qualities, strict=True) if flag],
    }


def _sound(place: Path | Record, sample_rate: int, samples: int) -> NDArray[np.float32]:
    if isinstance(place, Record):
        return np.asarray(parse_example(read_record(place))["audio"], np.float32)
    sound = read_audio(place)
    if (sound.sample_rate, sound.channels, len(sound.audio)) != (sample_rate, 1, samples):
        raise AudioError(
            f"a note is mono, of {sample_rate} Hz and {samples} samples. Received: {place}, {sound.channels} channels, "
            f"{sound.sample_rate} Hz, {len(sound.audio)} samples"
        )
    return sound.audio
