"""Code files: the NSynth code sequence of a sound, and which model made it.

`<name>.codes.npz` holds `codes` and a card in JSON: the model's fingerprint, hop and sample rate, the note, the length
of the sound, and mean, deviation and range of every code dimension. Bare arrays from other software (`.npy`) have no
card: they are taken as codes of the model in use. Nothing is unpickled.
"""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError, ModelError, shown
from generators.files import writing, written_whole
from generators.json_reader import JsonError, parse_json
from generators.notes.folder import labels_in_name
from generators.notes.pitches import SCIENTIFIC, NoteNames
from inversynth.npz import Content, finite_floats, read_array, read_arrays, write_arrays

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

SCHEMA = "inversynth-codes/1"

MAX_CARD_BYTES = 1 << 20
"""Size of a card: the statistics of a code of 16 numbers have 1 kB, of 1,024 numbers 60 kB."""

MAX_SAMPLE_RATE = 768_000
MAX_HOP = 1 << 16
"""Hertz, and samples per code, of a card; NSynth has 16,000 and 512."""

MAX_NAME = 1000
"""Characters of the name of a sound, and of what names a model."""

ENDING = ".codes.npz"
CONTENT = Content("codes", "a file of codes, as inversynth encode makes")
BARE = ".npy"
BARE_ENDING = "_embeddings.npy"
"""Suffix of the arrays that the published code writes."""


@dataclass(frozen=True)
class Codes:
    """The codes of one sound.

    Attributes:
        codes: (k, width) float32. name: of the sound. pitch: its MIDI note, if known.
        fingerprint: of the model. hop: samples per code. sample_rate: hertz. samples: of the sound, at most k hop.
        These four are unknown, empty or 0, for bare arrays until `of_model` sets them.
    """

    codes: NDArray[np.float32]
    name: str
    pitch: int | None = None
    fingerprint: str = ""
    hop: int = 0
    sample_rate: int = 0
    samples: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def seconds(self) -> float:
        """Length of the sound; 0 for a bare array."""
        return self.samples / self.sample_rate if self.sample_rate else 0.0

    @property
    def digest(self) -> str:
        """Short hash of the codes."""
        return hashlib.sha256(repr(self.codes.shape).encode() + self.codes.tobytes()).hexdigest()[:16]

    @property
    def statistics(self) -> dict[str, list[float]]:
        """Mean, standard deviation, minimum and maximum of each code dimension over time."""
        codes = self.codes.astype(np.float64)
        taken = {"mean": codes.mean(0), "std": codes.std(0), "min": codes.min(0), "max": codes.max(0)}
        return {name: [round(float(number), 6) for number in numbers] for name, numbers in taken.items()}

    def of_model(self, codec: "NSynthCodec") -> "Codes":
        """Return the codes as those of a model: a bare array takes over its fingerprint, hop and sample rate.

        Raises: ModelError for codes of another model, or of another width.
        """
        if self.fingerprint not in ("", codec.fingerprint):
            raise ModelError(
                f"codes are decoded by the model that made them, {self.fingerprint}. Received: {self.name} for "
                f"{codec.loaded.path}, which is {codec.fingerprint}. Name that model with --model, or encode again"
            )
        if self.codes.shape[1] != codec.width:
            raise ModelError(
                f"a code of {codec.loaded.path} has {codec.width} numbers. Received: {self.codes.shape[1]} in "
                f"{self.name}. Name the model that made them with --model"
            )
        if self.fingerprint:
            return self
        return replace(
            self,
            fingerprint=codec.fingerprint,
            hop=codec.hop,
            sample_rate=codec.sample_rate,
            samples=len(self) * codec.hop,
        )


def pitch_in_name(name: str, names: NoteNames = SCIENTIFIC) -> int | None:
    """Return the MIDI note in `<sound>_<note>`, or in a note of NSynth such as `keyboard_acoustic_004-060-025`."""
    instrument, *numbers = name.rsplit("-", 2)
    if len(numbers) == 2 and all(len(number) == 3 and number.isdecimal() for number in (*numbers, instrument[-3:])):
        return int(numbers[0]) if int(numbers[0]) < 128 else None
    pitch = labels_in_name(name, names).get("pitch")
    return None if pitch is None else int(pitch)


def is_code_file(path: Path) -> bool:
    """Return whether a path names codes: a code file, or a bare array."""
    return path.suffix.lower() in (".npz", BARE)


def sound_name(path: Path) -> str:
    """Return the name of the sound that a file belongs to, without the suffixes of code files."""
    for ending in (ENDING, BARE_ENDING):
        if path.name.lower().endswith(ending) and len(path.name) > len(ending):
            return path.name[: -len(ending)]
    return path.stem or "sound"


# --- files -----------------------------------------------------------------------------------------------------


def write_codes(path: str | os.PathLike[str], codes: Codes) -> Path:
    """Write a code file, whole or not at all. Raises DatasetError where it cannot be written."""
    card = {
        "schema": SCHEMA,
        "name": codes.name,
        "fingerprint": codes.fingerprint,
        "hop": codes.hop,
        "sample_rate": codes.sample_rate,
        "samples": codes.samples,
        "pitch": codes.pitch,
        "statistics": codes.statistics,
    }
    return write_arrays(path, codes=codes.codes, card=np.asarray(json.dumps(card, ensure_ascii=False)))


def write_bare_codes(path: str | os.PathLike[str], codes: Codes) -> Path:
    """Write the bare array, (k, width) float32, as other software reads it. Raises DatasetError."""
    path = Path(path)
    with writing(path, DatasetError), written_whole(path) as partial, partial.open("wb") as file:
        np.save(file, codes.codes, allow_pickle=False)
    return path


def read_codes(path: str | os.PathLike[str], names: NoteNames = SCIENTIFIC) -> Codes:
    """Read a code file, or a bare array (k, width) or (1, k, width), whose note is read from its name.

    Raises: DatasetError for a file that is missing, damaged or of another kind, or whose codes are not finite.
    """
    path = Path(path)
    if path.suffix.lower() == BARE:
        codes = read_array(path, CONTENT)
        if codes.ndim == 3 and len(codes) == 1:
            codes = codes[0]
        name = sound_name(path)
        return Codes(_checked(codes, path), name, pitch_in_name(name, names))
    held = read_arrays(path, ("codes", "card"), CONTENT)
    return _with_card(path, _checked(held["codes"], path), str(held["card"]))


def _checked(codes: NDArray[Any], path: Path) -> NDArray[np.float32]:
    if codes.ndim != 2 or not codes.size:
        raise DatasetError(f"codes have shape (k, width), neither of them 0. Received: {codes.shape} in {path}")
    return finite_floats(codes, CONTENT, path)


def _with_card(path: Path, codes: NDArray[np.float32], text: str) -> Codes:
    try:
        card = parse_json(text, MAX_CARD_BYTES)
        if card["schema"] != SCHEMA:
            raise DatasetError(f"{path} must follow schema '{SCHEMA}'. Received: {card['schema']!r:.60}")
        name, fingerprint, pitch = str(card["name"]), str(card["fingerprint"]), card["pitch"]
        hop, sample_rate, samples = (int(card[key]) for key in ("hop", "sample_rate", "samples"))
        sound = Codes(codes, name, None if pitch is None else int(pitch), fingerprint, hop, sample_rate, samples)
        longest = max(len(name), len(fingerprint))
        if longest > MAX_NAME:
            raise ValueError(f"a name of {longest:,} characters, of at most {MAX_NAME}")
    except JsonError as error:
        raise DatasetError(f"{path} has a card that cannot be read: it {error}") from None
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        reason = shown(str(error), 200)
        raise DatasetError(f"{path} has a card that cannot be read: {type(error).__name__} {reason}") from None
    fits = (
        0 < hop <= MAX_HOP
        and 0 < sample_rate <= MAX_SAMPLE_RATE
        and hop * (len(codes) - 1) < samples <= hop * len(codes)
    )
    if not (fits and fingerprint and (sound.pitch is None or 0 <= sound.pitch <= 127)):
        raise DatasetError(
            f"the card of {path} must fit its {len(codes)} codes. Received: {samples} samples, hop {hop}, "
            f"{sample_rate} Hz, pitch {pitch}, model '{fingerprint}'. Encode the sound again"
        )
    return sound
