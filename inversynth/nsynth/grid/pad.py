"""The pad: one file of rows and its settings, as the Open NSynth Super reads both, and a page to play it.

The settings are a `settings.json` of the device's application, complete for this pad; the Pure Data patch of the SOPI
course reads the same one. What else there is to know of the pad is in a section of its own, which players pass over.
Source: googlecreativelab/open-nsynth-super, app, version 1.2.0: what it reads, and the settings that come with it.

The page works from disk, without a network: it loads the notes of a pitch, one script each, when that pitch is first
played.
"""

import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import read_audio
from generators.errors import AudioError, DatasetError, shown
from generators.files import scratch_folder, writing
from generators.json_reader import read_json_object
from inversynth.nsynth.grid.job import CARD, MADE_AT, Job
from inversynth.nsynth.grid.trim import LEVEL_DB, cut_note
from inversynth.report import report

SCHEMA = "inversynth-pad/2"
OLD_SCHEMA = "inversynth-pad/1"
"""Of pads whose settings no device reads: all keys side by side."""

OWN = "inversynth"
"""Section of the settings that is ours."""

LOOP = {"how": "ping-pong", "start": 0.2, "end": 0.41}
"""Loop of a held note, as fractions of its length (published)."""

DEVICE = {
    "audio": {"sampleRate": 48000, "bufferSize": 128},
    "midi": {"device": "/dev/ttyAMA0", "channel": 1},
    "osc": {"in": {"port": 8000}},
}
"""Hardware of the device (published), but for the key of the port: its own settings say `portNumber`, which it does not
read."""

DATA_DIRECTORY = "/home/pi/pads"
"""Folder of pads on the device (published)."""

DISPLAYED, ABBREVIATED = 8, 2
"""Characters of a name on the display of the device, and of its abbreviation (published)."""

FULL_SCALE = 1 << 15
"""Of integers of 16 bits, as which notes are written."""

PAGE = "pad.html"
SCRIPTS = "pad"
"""Subfolder of the notes for the page."""


def device_settings(job: Job) -> dict[str, Any]:
    """Return the settings of the Open NSynth Super for a pad, with a section of our own."""
    corners = [
        {"instruments": [{"name": sound, "display": sound[:DISPLAYED].upper(), "abbr": abbreviation}]}
        for sound, abbreviation in zip(job.sounds, _abbreviations(job.sounds), strict=True)
    ]
    own = pad_settings(job)
    return {
        "nsynth": {
            "dataDirectory": DATA_DIRECTORY,
            "resolution": job.resolution,
            "pitches": own.pop("pitches"),
            "length": own.pop("length"),
            "sampleRate": own.pop("sample_rate"),
            "looping": True,
            "loopStart": LOOP["start"],
            "loopEnd": LOOP["end"],
        },
        "corners": corners,
        **DEVICE,
        OWN: {"schema": SCHEMA, "file": f"{job.name}.bin", "sounds": own.pop("corners"), **own}
        | ({MADE_AT: list(job.made)} if job.is_transposed else {}),
    }


def _abbreviations(sounds: Sequence[str]) -> list[str]:
    """Return two characters for each sound, all different: initials or the beginning, else a letter and its number."""
    found: list[str] = []
    for number, sound in enumerate(sounds, 1):
        parts = [part for part in sound.upper().split("-") if part]
        initials = "".join(part[0] for part in parts[:ABBREVIATED])
        tried = (initials, sound.upper()[:ABBREVIATED], f"{sound.upper()[:1]}{number}")
        found.append(next(each for each in tried if each not in found and (each == tried[-1] or len(each) > 1)))
    return found


def pad_settings(job: Job) -> dict[str, Any]:
    """Return what the page must know about a pad."""
    return {
        "corners": list(job.sounds),
        "corner_order": "top-left, top-right, bottom-left, bottom-right",
        "resolution": job.resolution,
        "pitches": list(job.pitches),
        "length": job.final_length,
        "sample_rate": job.sample_rate,
        "row_order": "(y * resolution + x) * len(pitches) + pitch; y downwards; samples are little-endian int16",
        "loop": LOOP,
        "level_db": LEVEL_DB,
        "model": job.model,
        "temperature": job.temperature,
        "seed": job.seed,
    }


def build_pad(job: Job, folder: Path) -> Path:
    """Write rows, settings and page of a rendered pad, each whole or not at all; returns the path of the page.

    Raises: AudioError for a note that cannot be read; DatasetError where the files cannot be written.
    """
    with writing(folder, DatasetError), scratch_folder(folder) as partial:  # its own: shards may end at the same time
        shape = job.resolution**2, len(job.pitches), job.final_length
        rows: NDArray[np.int16] = np.memmap(partial / f"{job.name}.bin", "<i2", "w+", shape=shape)
        flat = rows.reshape(-1, job.final_length)
        for note in job.notes:
            flat[note.row] = cut_note(_read(job.path_of(note, folder)), job.sample_rate, job.final_length)
        for number, pitch in enumerate(job.pitches):
            text = base64.b64encode(np.ascontiguousarray(rows[:, number]).tobytes()).decode()
            _write(partial / SCRIPTS / f"pitch_{pitch}.js", f'received({pitch}, "{text}");\n')
        _write(partial / f"{job.name}.json", json.dumps(device_settings(job), indent=2) + "\n")
        _write(partial / PAGE, render_page(job))
        del rows, flat
        for path in sorted(partial.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(partial)
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
    for state in folder.glob(".batch_*"):  # left by interrupted batches of another size
        state.unlink(missing_ok=True)
    return folder / PAGE


def render_page(job: Job) -> str:
    """Return the page as HTML."""
    return report.render(
        "pad.html", title=", ".join(job.sounds), settings=pad_settings(job), scripts=SCRIPTS, card=CARD
    )


def open_pad(path: str | Path) -> tuple[dict[str, Any], NDArray[np.int16]]:
    """Open a pad by its settings file; that of an older version is returned in the form of today's.

    Shapes: -> settings, rows (resolution, resolution, pitches, length) int16, memory-mapped.
    Raises: DatasetError for another kind of file, or a file of rows of another size.
    """
    path = Path(path)
    try:
        settings = _upgraded(read_json_object(path))
        if settings[OWN]["schema"] != SCHEMA:
            raise ValueError(settings[OWN]["schema"])
        nsynth = settings["nsynth"]
        resolution, length = nsynth["resolution"], nsynth["length"]
        shape = resolution, resolution, len(nsynth["pitches"]), length
        if not all(type(extent) is int and extent > 0 for extent in shape):
            raise ValueError(f"a shape of {shape}")
        file = path.parent / Path(settings[OWN]["file"]).name
        size = file.stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"a pad is opened by the .json file beside its .bin file. Received: {path}, {shown(str(error), 200)}"
        ) from None
    if size != 2 * math.prod(shape):
        raise DatasetError(f"{file} must hold {2 * math.prod(shape):,} bytes. Received: {size:,}. Copy it again")
    return settings, np.memmap(file, "<i2", "r", shape=shape)


def _upgraded(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings in the form of today; those of the first version had all keys side by side."""
    if settings.get("schema") != OLD_SCHEMA:
        return settings
    moved = {"resolution": "resolution", "pitches": "pitches", "length": "length", "sample_rate": "sampleRate"}
    nsynth = {new: settings[old] for old, new in moved.items() if old in settings}
    own = {key: value for key, value in settings.items() if key not in moved}
    return {"nsynth": nsynth, OWN: {**own, "schema": SCHEMA}}


def _read(path: Path) -> NDArray[np.int16]:
    try:
        audio = read_audio(path).audio
    except AudioError as error:
        raise AudioError(f"{error}. Remove it, and run the same command again") from None
    return np.clip(np.rint(audio * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)  # exact for 16 bits


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
