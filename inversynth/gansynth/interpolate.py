"""What lies between two timbres: `inversynth gansynth interpolate`.

Latents at even steps along the arc from one to the other, at one note or at several: a grid whose rows are notes.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.command import run_command
from generators.notes.pitches import note_list, note_name
from inversynth.gansynth.common import MAKER, GansynthSettings
from inversynth.gansynth.latents import arc, read_latent, write_latents
from inversynth.gansynth.model_pair import contenders, facts, told
from inversynth.gansynth.sample import LATENTS_FILE
from inversynth.report.audio_page import SHARED, Row, Showing, check_count, tell_showing

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel


class InterpolateSettings(GansynthSettings):
    """Go from one timbre to another along the arc between their latents: a WAV and a picture each, and a page."""

    flags_only: ClassVar = SHARED | {"steps", "note", "origin", "target", "compare"}
    other_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {"origin": ("from",), "target": ("to",)}

    steps: int = Field(9, ge=2, le=1000, description="sounds at each note, both ends among them")
    note: str = Field("", description="C4, 60, or several as 48:71:12 or C3,E3,G3; by default the model's middle one")
    origin: str = Field("", description="FILE or FILE:ROW of latents to begin with; by default drawn by the seed")
    target: str = Field("", description="FILE or FILE:ROW of latents to end with; by default the next drawn")
    compare: str = Field("", description="a second model, which makes the same latents and notes")
    output_directory: Path = Field(
        Path("output/gansynth/interpolate"),
        description=f"where the sounds, {LATENTS_FILE}, pictures and page are written",
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth interpolate") -> int:
    """Interpolate between two latents; returns the exit code."""
    return run_command(InterpolateSettings, _run, argv, prog, resumes=False)


def _run(settings: InterpolateSettings) -> None:
    asked = note_list(settings.note) if settings.note else ()
    check_count(settings.steps * len(asked), f"{settings.steps} steps at {len(asked)} notes")
    models = contenders(settings.model, settings.compare)
    player = models[0].player
    notes = asked or (player.notes[len(player.notes) // 2],)
    for model in models:
        model.player.check_notes(notes)
    way = arc(*ends(settings, player), settings.steps)
    captions = [f"{100 * part:.0f} %" for part in np.linspace(0.0, 1.0, settings.steps)]
    names = [f"step{step:03d}_{note_name(note)}" for note in notes for step in range(settings.steps)]
    latents, played = np.tile(way, (len(notes), 1)), np.repeat(notes, settings.steps)
    made = [model.shown(latents, played, names, captions * len(notes), settings.batch_size) for model in models]
    write_latents(settings.output_directory / LATENTS_FILE, way, player)
    showing = Showing(
        maker=MAKER,
        title="From one timbre to another",
        lead=f"Made by {told(models)}: {settings.steps} latents at even steps along an arc, both ends among them"
        f"{f', each at {len(notes)} notes' if len(notes) > 1 else ''}.",
        rows=[
            Row(
                f"{note_name(note)} · {model.label}" if model.beside else note_name(note),
                sounds[first:][: settings.steps],
            )
            for first, note in zip(range(0, len(names), settings.steps), notes, strict=True)
            for model, sounds in zip(models, made, strict=True)
        ],
        sample_rate=player.sample_rate,
        facts=facts(models)
        | {
            "From": settings.origin or f"drawn, seed {settings.seed}",
            "To": settings.target or f"drawn, seed {settings.seed}",
        },
    )
    tell_showing(showing, settings)


def ends(settings: InterpolateSettings, player: "GanSynthModel") -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both ends of the way: read where they are named, else the first and second that the seed draws."""
    drawn = player.draw_latents(2, settings.seed)
    first = read_latent(settings.origin, player) if settings.origin else drawn[0]
    last = read_latent(settings.target, player) if settings.target else drawn[1]
    return first, last


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.interpolate"))
