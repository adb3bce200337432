"""Patches that a command made, as files: a WAV and a patch.json each, one bank for DX7 voices, and a page to listen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.dx7.synth import Dx7Synth
from generators.dx7.sysex import write_syx
from generators.dx7.voice import NAME_LENGTH, uniquely_named
from generators.errors import one_line
from inversynth.patches.formats import read_any_patch, voice_from_patch
from inversynth.patches.patch import Patch, write_patch
from inversynth.report.audio_page import AudioPage, write_audio_page
from inversynth.report.tables import text_table

BANK_FILE = "voices.syx"
"""The voices of a folder, in the order of its sounds."""


@dataclass(frozen=True)
class MadePatch:
    """A patch with the name of its files, its sound (samples,) at its level, and the name of its voice in a bank."""

    name: str
    patch: Patch
    audio: NDArray[np.float32]
    voice: str = ""


def write_patch_set(folder: Path, made: Sequence[MadePatch], page: AudioPage, write_page: bool = True) -> list[Path]:
    """Write all files of a set; returns those that hold all of them: the bank, and the page.

    Raises: InversynthError for what cannot be written.
    """
    for each in made:
        write_patch(folder / f"{each.name}.json", each.patch)
    written = write_audio_page(page, folder, pictures=False, page=write_page)
    found = [] if written is None else [written]
    if made[0].patch.space.synth == Dx7Synth.name:
        voices = [voice_from_patch(each.patch).replaced(name=each.voice[:NAME_LENGTH]) for each in made]
        found.insert(0, write_syx(folder / BANK_FILE, uniquely_named(voices)))
    return found


def print_set(table: Sequence[Sequence[str]], files: Sequence[Path]) -> None:
    """Print a table, its head first, and the files that hold everything."""
    print(text_table(table[0], table[1:]))
    for path in files:
        print(one_line(path))


def patch_name(path: Path, patch: Patch) -> str:
    """Return what a patch is called: its voice's name, else that of its sound's folder or of its file."""
    folder = path.parent.name
    return str(patch.source.get("voice") or (folder if path.name == "patch.json" and folder else path.stem))


def voice_name(name: str, ending: str) -> str:
    """Return a name of at most ten ASCII characters that ends in `ending`: `E.PIANO 1` and `v2` give `E.PIANO v2`."""
    plain = "".join(each if each.isascii() and each.isprintable() else "?" for each in name).strip()
    return f"{plain[: NAME_LENGTH - len(ending) - 1].rstrip()} {ending}"


def open_patch(path: Path) -> tuple[Patch, str]:
    """Read a patch of any format, with what it is called. Raises InversynthError."""
    patch = read_any_patch(path)
    return patch, patch_name(path, patch)
