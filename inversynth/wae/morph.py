"""Morph from one style to another, and beyond: `inversynth wae morph`.

The style weights move evenly from one mixture to the other, past 1 with `--beyond`, at one note or at several. The
latent stays: it is drawn, given, or encoded from a sound. Between two sounds it is interpolated, too.
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
from generators.notes.pitches import NoteNames, note_list, note_name
from generators.settings import Numbers
from inversynth.audio_command import check_count, write_and_list
from inversynth.report.audio_page import AudioPage, Clip, ClipRow
from inversynth.wae.segmentation import SourceNote, midi_note_of, read_whole_note
from inversynth.wae.session import (
    MAKER,
    NOTES_FILE,
    Mixture,
    WaeSettings,
    check_styled,
    format_latent,
    open_session,
    parse_latent,
    parse_mixture,
    write_notes,
)

if TYPE_CHECKING:
    from models.wae.inference import WaeModel


class MorphSettings(WaeSettings):
    """Morph from one style to another, and beyond: a WAV and a spectrogram each, and a page with a row per note."""

    flags_only: ClassVar = WaeSettings.flags_only | {
        *("sounds", "origin", "target", "steps", "beyond", "note", "latent"),
    }
    other_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {"origin": ("from",), "target": ("to",)}

    sounds: CliPositionalArg[list[Path]] = Field(
        [], description="a sound to encode in place of drawing a latent, or two to interpolate between"
    )
    origin: str = Field("", description="first style or mixture; by default the model's first style")
    target: str = Field("", description="last style or mixture; by default the next style")
    steps: int = Field(5, ge=2, le=1000, description="sounds at each note, both ends included")
    beyond: float = Field(
        1.0, gt=0, le=100, allow_inf_nan=False, description="how far to go: 1 ends at the target, 1.5 half as far again"
    )
    note: str = Field("", description="C4, 60, or several as 48:71:12; by default the middle one, or that of the sound")
    latent: Numbers = Field((), description="a latent in place of a drawn one: --latent=0.1,-1,2")
    output_dir: Path = Field(
        Path("output/wae/morph"), description=f"where the sounds, {NOTES_FILE}, spectrograms and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae morph") -> int:
    """Morph between styles; returns the exit code."""
    return run_command(MorphSettings, _run, argv, prog, resumes=False)


def _run(settings: MorphSettings) -> None:
    _check(settings)
    asked = note_list(settings.note, settings.note_names) if settings.note else ()
    check_count(settings.steps * max(len(asked), 1), f"{settings.steps} steps at {len(asked)} notes")
    session = open_session(settings)
    wae = session.wae
    check_styled(wae)
    origin, target = _ends(settings, wae)
    sources = [read_whole_note(path, wae) for path in settings.sounds]
    notes = wae.check_notes(asked or _note(sources, wae, settings.note_names))
    parts = np.linspace(0.0, settings.beyond, settings.steps)
    path = _latents(settings, wae, sources, parts)
    weights = wae.check_weights(np.outer(1.0 - parts, origin.weights) + np.outer(parts, target.weights))
    latents, mixed = np.tile(path, (len(notes), 1)), np.tile(weights, (len(notes), 1))
    played = np.repeat(notes, settings.steps)
    made = session.sounds(latents, played, mixed)
    captions = [f"{100 * part:.0f} %" for part in parts] * len(notes)
    steps = np.tile(np.arange(settings.steps), len(notes))
    names = [
        f"step{step:03d}_{note_name(int(note), settings.note_names)}" for step, note in zip(steps, played, strict=True)
    ]
    shown = [Clip(*one) for one in zip(names, made, captions, strict=True)]
    write_notes(settings.output_dir, wae, names, latents, played, mixed)
    between = " and ".join(one.name for one in sources)
    page = AudioPage(
        title=f"From {origin.caption} to {target.caption}",
        lead=f"Style weights from one end, 0 %, to the other, 100 %, in {settings.steps} even steps"
        f"{', and beyond' if settings.beyond > 1 else ''}; "
        f"{'the latent is interpolated, too' if len(sources) > 1 else 'the latent stays'}.",
        rows=[
            ClipRow(note_name(int(note), settings.note_names), shown[first : first + settings.steps])
            for first, note in zip(range(0, len(names), settings.steps), notes, strict=True)
        ],
        sample_rate=session.sample_rate,
        facts=session.facts()
        | {"From": origin.text, "To": target.text}
        | {"Latent": f"of {between}" if sources else format_latent(path[0])},
        maker=MAKER,
    )
    write_and_list(page, settings)


def _check(settings: MorphSettings) -> None:
    if len(settings.sounds) > 2:
        raise SettingsError(f"a morph goes between two sounds at most. Received: {len(settings.sounds)}")
    if settings.sounds and settings.latent:
        raise SettingsError("the latent comes from the sound. Received: --latent as well. Leave one of them out")


def _ends(settings: MorphSettings, wae: "WaeModel") -> tuple[Mixture, Mixture]:
    """Return both mixtures. Raises ModelError where one is not given and the model has a single style."""
    if not (settings.origin and settings.target) and len(wae.styles) < 2:
        raise ModelError(f"a morph needs two styles. Received: one in {wae.loaded.path}")
    first = parse_mixture(settings.origin or wae.styles[0], wae)
    return first, parse_mixture(settings.target or next(name for name in wae.styles if name != first.text), wae)


def _note(sources: Sequence[SourceNote], wae: "WaeModel", names: NoteNames) -> int:
    return midi_note_of(sources[0], wae, names=names) if sources else wae.notes[len(wae.notes) // 2]


def _latents(
    settings: MorphSettings, wae: "WaeModel", sources: Sequence[SourceNote], parts: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the latent of each step. Shapes: (steps, latent)."""
    if sources:
        found = wae.encode(np.stack([one.audio for one in sources]))
        return np.asarray(found[0] + np.outer(parts, found[-1] - found[0]), np.float32)
    latent = parse_latent(settings.latent, wae) if settings.latent else wae.draw_latents(1, settings.seed)
    return latent.repeat(len(parts), axis=0)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.morph"))
