"""Timbres drawn at random: `inversynth gansynth random`.

Each latent follows from the seed and its number; notes are drawn as often as the model met them, or named. The latents
are written beside the sounds, and `--latents` takes them again: with other notes, or for another model.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag

from generators.command import run_command
from generators.errors import SettingsError
from generators.notes.pitches import note_list, note_name
from inversynth.gansynth.common import MAKER, GansynthSettings
from inversynth.gansynth.latents import read_latents, write_latents
from inversynth.gansynth.model_pair import contenders, facts, side_by_side, told
from inversynth.report.audio_page import SHARED, Showing, tell_showing

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

LATENTS_FILE = "latents.npz"

FEW = 8
"""Sounds that are made where nobody says how many."""


class RandomSettings(GansynthSettings):
    """Draw timbres at random and hear them: a WAV and a picture each, their latents, and a page."""

    flags_only: ClassVar = SHARED | {"count", "note", "latents", "same_latent", "compare"}

    count: int | None = Field(None, ge=1, le=1000, description=f"how many; {FEW}, or one for each note or latent named")
    note: str = Field("", description="C4, 60, or several as 48:71 or C3,E3,G3; by default drawn as the model met them")
    latents: Path | None = Field(None, description="a file of latents to take in place of drawing them")
    same_latent: CliToggleFlag[bool] = Field(False, description="one timbre at all notes, or at those of --note")
    compare: str = Field("", description="a second model, which makes the same latents and notes")
    output_directory: Path = Field(
        Path("output/gansynth/random"), description=f"where the sounds, {LATENTS_FILE}, pictures and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth random") -> int:
    """Make random notes; returns the exit code."""
    return run_command(RandomSettings, _run, argv, prog, resumes=False)


def _run(settings: RandomSettings) -> None:
    if settings.same_latent and settings.count:
        raise SettingsError("--same_latent plays the notes of --note. Received: --count as well. Leave one of them out")
    asked = note_list(settings.note) if settings.note else ()
    models = contenders(settings.model, settings.compare)
    latents, notes = choose(settings, models[0].player, asked)
    for model in models:
        model.player.check_notes(notes)
    names = [f"timbre{number:03d}_{note_name(int(note))}" for number, note in enumerate(notes)]
    words = [note_name(int(note)) for note in notes]
    captions = words if settings.same_latent else [f"{number} · {word}" for number, word in enumerate(words)]
    made = [model.shown(latents, notes, names, captions, settings.batch_size) for model in models]
    write_latents(settings.output_directory / LATENTS_FILE, latents, models[0].player)
    showing = Showing(
        maker=MAKER,
        title=f"One timbre at {len(notes)} notes" if settings.same_latent else f"{len(notes)} timbres at random",
        lead=f"Made by {told(models)}: {'one latent' if settings.same_latent else 'each a latent'} "
        f"of {latents.shape[1]} numbers, {'given' if settings.latents else 'drawn'}, at the note that it is told.",
        rows=side_by_side(models, made, "Sounds"),
        sample_rate=models[0].player.sample_rate,
        facts=facts(models) | {"Latents": str(settings.latents or f"{LATENTS_FILE}, seed {settings.seed}")},
    )
    tell_showing(showing, settings)


def choose(
    settings: RandomSettings, player: "GanSynthModel", asked: Sequence[int] = ()
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return latents (n, latent) and notes (n,) that settings ask for; `asked` are the notes of --note.

    Raises: DatasetError for a file without as many latents; ModelError for notes that the model does not know.
    """
    given = None if settings.latents is None else read_latents(settings.latents, player)
    if settings.same_latent:
        notes = player.check_notes(asked or player.notes)
        latent = player.draw_latents(1, settings.seed) if given is None else given[:1]
        return latent.repeat(len(notes), axis=0), notes
    fitting = len(given) if given is not None else len(asked) if len(asked) > 1 else FEW
    count = settings.count or fitting
    if given is not None and count > len(given):
        raise SettingsError(f"{settings.latents} holds {len(given)} latents. Received: --count {count}")
    latents = player.draw_latents(count, settings.seed) if given is None else given[:count]
    if not asked:
        return latents, player.draw_notes(count, settings.seed)
    return latents, np.resize(player.check_notes(asked), count)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.sample"))
