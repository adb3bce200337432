"""From one style to another, and beyond: `inversynth wae morph`.

Weights of styles go evenly from one mixture to the other, past 1 with `--beyond`, at one note or at several. What else
a note is stays: its latent is drawn, typed or found in a sound. Between two sounds the latent goes along.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import ModelError, SettingsError
from generators.notes.pitches import note_list, note_name
from generators.settings import Numbers
from inversynth.report.audio_page import Row, Showing, Shown, check_count, tell_showing
from inversynth.wae.segmentation import Heard, hear_note, note_of
from inversynth.wae.session import (
    MAKER,
    NOTES_FILE,
    Mixture,
    WaeSettings,
    check_told,
    mixture,
    open_studio,
    parse_latent,
    told_latent,
    write_notes,
)

if TYPE_CHECKING:
    from models.wae.inference import WaeModel


class MorphSettings(WaeSettings):
    """Go from one style to another, and beyond it: a WAV and a picture each, and a page with a row for each note."""

    flags_only: ClassVar = WaeSettings.flags_only | {
        *("sounds", "origin", "target", "steps", "beyond", "note", "latent"),
    }
    other_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {"origin": ("from",), "target": ("to",)}

    sounds: CliPositionalArg[list[Path]] = Field(
        [], description="a sound whose latent to take in place of drawing it, or two to go between as styles do"
    )
    origin: str = Field("", description="style or mixture to begin with; by default the model's first")
    target: str = Field("", description="style or mixture to end with; by default the next")
    steps: int = Field(5, ge=2, le=1000, description="sounds at each note, both ends among them")
    beyond: float = Field(
        1.0, gt=0, le=100, allow_inf_nan=False, description="how far to go: 1 ends at the target, 1.5 half as far again"
    )
    note: str = Field("", description="C4, 60, or several as 48:71:12; by default the middle one, or that of the sound")
    latent: Numbers = Field((), description="a latent to take in place of drawing it: --latent=0.1,-1,2")
    output_directory: Path = Field(
        Path("output/wae/morph"), description=f"where the sounds, {NOTES_FILE}, pictures and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae morph") -> int:
    """Morph between styles; returns the exit code."""
    return run_command(MorphSettings, _run, argv, prog, resumes=False)


def _run(settings: MorphSettings) -> None:
    _check(settings)
    asked = note_list(settings.note) if settings.note else ()
    check_count(settings.steps * max(len(asked), 1), f"{settings.steps} steps at {len(asked)} notes")
    studio = open_studio(settings)
    maker = studio.maker
    check_told(maker)
    origin, target = _ends(settings, maker)
    heard = [hear_note(path, maker) for path in settings.sounds]
    notes = maker.check_notes(asked or _note(heard, maker))
    parts = np.linspace(0.0, settings.beyond, settings.steps)
    way = _latents(settings, maker, heard, parts)
    weights = maker.check_weights(np.outer(1.0 - parts, origin.weights) + np.outer(parts, target.weights))
    latents, mixed = np.tile(way, (len(notes), 1)), np.tile(weights, (len(notes), 1))
    played = np.repeat(notes, settings.steps)
    made = studio.sounds(latents, played, mixed)
    captions = [f"{100 * part:.0f} %" for part in parts] * len(notes)
    steps = np.tile(np.arange(settings.steps), len(notes))
    names = [f"step{step:03d}_{note_name(int(note))}" for step, note in zip(steps, played, strict=True)]
    shown = [Shown(*one) for one in zip(names, made, captions, strict=True)]
    write_notes(settings.output_directory, maker, names, latents, played, mixed)
    between = " and ".join(one.name for one in heard)
    showing = Showing(
        title=f"From {origin.caption} to {target.caption}",
        lead=f"Weights of styles go from one end, 0 %, to the other, 100 %, in {settings.steps} even steps"
        f"{', and beyond' if settings.beyond > 1 else ''}; "
        f"{'the latent goes along' if len(heard) > 1 else 'the latent stays'}.",
        rows=[
            Row(note_name(int(note)), shown[first : first + settings.steps])
            for first, note in zip(range(0, len(names), settings.steps), notes, strict=True)
        ],
        sample_rate=studio.sample_rate,
        facts=studio.facts()
        | {"From": origin.text, "To": target.text}
        | {"Latent": f"of {between}" if heard else told_latent(way[0])},
        maker=MAKER,
    )
    tell_showing(showing, settings)


def _check(settings: MorphSettings) -> None:
    if len(settings.sounds) > 2:
        raise SettingsError(f"a morph goes between two sounds at most. Received: {len(settings.sounds)}")
    if settings.sounds and settings.latent:
        raise SettingsError("a sound has a latent of its own. Received: --latent as well. Leave one of them out")


def _ends(settings: MorphSettings, maker: "WaeModel") -> tuple[Mixture, Mixture]:
    """Return both mixtures. Raises: ModelError for a model of one style where none is named."""
    if not (settings.origin and settings.target) and len(maker.styles) < 2:
        raise ModelError(f"a morph needs two styles. Received: one in {maker.loaded.path}")
    first = mixture(settings.origin or maker.styles[0], maker)
    return first, mixture(settings.target or next(name for name in maker.styles if name != first.text), maker)


def _note(heard: Sequence[Heard], maker: "WaeModel") -> int:
    return note_of(heard[0], maker) if heard else maker.notes[len(maker.notes) // 2]


def _latents(
    settings: MorphSettings, maker: "WaeModel", heard: Sequence[Heard], parts: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the latent of each step. Shapes: (steps, latent)."""
    if heard:
        found = maker.encode(np.stack([one.audio for one in heard]))
        return np.asarray(found[0] + np.outer(parts, found[-1] - found[0]), np.float32)
    latent = parse_latent(settings.latent, maker) if settings.latent else maker.draw_latents(1, settings.seed)
    return latent.repeat(len(parts), axis=0)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.morph"))
