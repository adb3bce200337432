"""What commands take: sounds, one by one or by folder, notes and models; and how they name what they write."""

import importlib
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from generators.errors import ParameterError, SettingsError
from generators.notes.folder import sound_files
from generators.notes.pitches import SCIENTIFIC, midi_number

log = logging.getLogger(__name__)


def _note(text: Any, info: ValidationInfo) -> Any:
    try:
        return midi_number(text, info.data.get("note_names", SCIENTIFIC)) if isinstance(text, str) else text
    except ParameterError:
        raise ValueError("must be a MIDI number, 0 to 127, or a note such as C4") from None


MidiNote = Annotated[int | None, BeforeValidator(_note)]
"""A field of settings: a MIDI number or the name of a note, read as `note_names` says where the settings have it."""


def sound_paths(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder by the sounds in it and below it. Raises DatasetError for a folder without sounds."""
    return [file for path in paths for file in (sound_files(path) if path.is_dir() else [path])]


def unique_names(names: Iterable[str]) -> list[str]:
    """Number the names that occur again, whatever their case: `kick`, `kick-2`."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 2
        while unique.casefold() in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique.casefold())
        found.append(unique)
    return found


def check_inputs_kept(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise SettingsError where an output would replace an input."""
    read = {_identity(path): path for path in inputs}
    for output in outputs:
        if _identity(output) is not None and (path := read.get(_identity(output))):
            raise SettingsError(f"an output must not replace an input: {path}. Write to another folder")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, whatever path leads to it; None where there is no file."""
    with suppress(OSError):
        return (found := path.stat()).st_dev, found.st_ino
    return None


def log_conversion(path: Path, sample_rate: int, channels: int, wanted: int) -> None:
    """Log that a sound was mixed down or resampled, where it was."""
    if (sample_rate, channels) != (wanted, 1):
        was = f"{sample_rate:,} Hz, {channels} channel{'s' if channels > 1 else ''}"
        log.info("converted %s: %s -> %s Hz, mono", path, was, f"{wanted:,}")


def model_loader(name: str, loader: str) -> Callable[[], Any]:
    """Find a model file now, and return a function that loads it, and TensorFlow, at its first call.

    Args:
        name: of a bundled model, a run folder or a `.keras` file. loader: `module:function`, called with its path.
    Raises: ModelError for a name that leads to no model.
    """
    from inversynth.pretrained import find_model

    path = find_model(name)
    module, function = loader.split(":")
    return cache(lambda: getattr(importlib.import_module(module), function)(path))
