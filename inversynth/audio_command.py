"""What the commands share that make sounds to listen to: their settings, a progress bar, and a line for each sound."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.errors import SettingsError, one_line
from generators.notes.naming import NoteNaming
from generators.notes.pitches import SCIENTIFIC, middle_c
from inversynth.report.audio_page import PAGE_FILE, AudioPage, finite, write_audio_page

MOST_SOUNDS = 2000
"""Of one call: more than anybody listens to, and at 50 ms a note under two minutes of work."""


class AudioPageSettings(NoteNaming):
    """Settings of commands that make sounds to listen to."""

    flags_only: ClassVar = frozenset({"model", "seed", "output_dir", "batch_size", "pictures", "page", "note_names"})
    renamed: ClassVar = {"output_directory": "output_dir"}

    model: str = Field(description="a bundled model, a run folder, or a .keras file")
    seed: int = Field(0, ge=0, description="of everything random")
    output_dir: Path = Field(Path("output"), description="where sounds, pictures and page are written")
    batch_size: int = Field(8, ge=1, le=1024, description="notes made at once")
    pictures: bool = Field(True, description="also write a spectrogram of each sound as PNG")
    page: bool = Field(True, description=f"also write {PAGE_FILE}, a page to listen to all sounds")


SHARED = AudioPageSettings.flags_only


def check_count(count: int, received: str) -> None:
    """Raise SettingsError where one call would make too many sounds."""
    if count > MOST_SOUNDS:
        raise SettingsError(f"one call makes {MOST_SOUNDS:,} sounds at most. Received: {received}. Take fewer")


def with_bar(
    make: Callable[..., NDArray[np.float32]], count: int, maker: str, doing: str = "making"
) -> NDArray[np.float32]:
    """Make `count` sounds with a progress bar on a terminal; `make` calls its `on_notes` with how many more are ready.

    Raises: ModelError where a sample is not finite.
    """
    from tqdm import tqdm

    with tqdm(total=count, desc=doing, unit="notes", disable=None) as bar:
        return finite(make(on_notes=bar.update), maker)


def write_and_list(page: AudioPage, settings: AudioPageSettings) -> None:
    """Write the sounds and their page, and print a line for each sound."""
    folder = settings.output_dir
    path = write_audio_page(page, folder, pictures=settings.pictures, page=settings.page)
    for clip in page.sounds:
        print(one_line(f"{clip.name}: {clip.caption} -> {folder / clip.name}.wav"))
    if settings.note_names != SCIENTIFIC:
        print(f"names of notes: {middle_c(settings.note_names)}")
    if path:
        print(one_line(path))
