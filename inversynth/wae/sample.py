"""Notes drawn at random: `inversynth wae random`.

Each latent follows from the seed and its number. By default one is heard in every style of the model, at one note.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.command import run_command
from generators.errors import SettingsError
from generators.notes.pitches import note_list, note_name
from generators.settings import Numbers
from inversynth.report.audio_page import Row, Showing, Shown, check_count, tell_showing
from inversynth.wae.session import (
    MAKER,
    NOTES_FILE,
    STYLES,
    WaeSettings,
    apart,
    check_told,
    mixtures,
    open_studio,
    parse_latent,
    told_latent,
    write_notes,
)


class RandomSettings(WaeSettings):
    """Draw notes at random and hear them in each style: a WAV and a picture each, and a page."""

    flags_only: ClassVar = WaeSettings.flags_only | {"count", "note", "style", "latent"}

    count: int = Field(1, ge=1, le=1000, description="how many latents")
    note: str = Field("", description="C4, 60, or several as 48:71 or C3,E3,G3; by default drawn as the model met them")
    style: str = Field("", description=f"{STYLES}; by default each style of the model once")
    latent: Numbers = Field((), description="a latent to take in place of drawing it: --latent=0.1,-1,2")
    output_directory: Path = Field(
        Path("output/wae/random"), description=f"where the sounds, {NOTES_FILE}, pictures and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae random") -> int:
    """Make random notes; returns the exit code."""
    return run_command(RandomSettings, _run, argv, prog, resumes=False)


def _run(settings: RandomSettings) -> None:
    if settings.latent and "count" in settings.model_fields_set:
        raise SettingsError("--latent names one latent. Received: --count as well. Leave one of them out")
    asked = note_list(settings.note) if settings.note else ()
    studio = open_studio(settings)
    maker = studio.maker
    if settings.style:
        check_told(maker)
    styles = mixtures(settings.style if maker.traits.style else maker.styles[0], maker)
    latents = (
        parse_latent(settings.latent, maker) if settings.latent else maker.draw_latents(settings.count, settings.seed)
    )
    places = _places(len(latents), asked or maker.draw_notes(len(latents), settings.seed), len(styles), bool(asked))
    maker.check_notes(places[:, 1])
    check_count(len(places), f"{len(latents)} latents, {max(len(asked), 1)} notes and {len(styles)} styles")
    numbers, notes, kinds = places.T
    weights = np.stack([styles[kind].weights for kind in kinds])
    made = studio.sounds(latents[numbers], notes, weights)
    names = apart(
        f"latent{number:03d}_{note_name(int(note))}{f'_{styles[kind].slug}' if maker.traits.style else ''}"
        for number, note, kind in places
    )
    captions = [_caption(place, styles[place[2]].caption, len(styles), len(asked)) for place in places]
    shown = [Shown(*one) for one in zip(names, made, captions, strict=True)]
    titles = [_title(place, len(styles), len(asked)) for place in places]
    write_notes(settings.output_directory, maker, names, latents[numbers], notes, weights)
    told = f"{len(latents)} latent{'s' if len(latents) > 1 else ''}"
    showing = Showing(
        title=f"{told} in {len(styles)} styles" if len(styles) > 1 else told,
        lead=f"Made by {maker.name}: {maker.latent} numbers, {'given' if settings.latent else 'drawn at random'}, "
        f"make a note{'; sounds of a row share them, and their pitch' if len(styles) > 1 else ''}.",
        rows=_rows(shown, titles, latents[numbers]),
        sample_rate=studio.sample_rate,
        facts=studio.facts()
        | {"Latents": f"in {NOTES_FILE}" + ("" if settings.latent else f", drawn by seed {settings.seed}")},
        maker=MAKER,
    )
    tell_showing(showing, settings)


def _places(latents: int, notes: Sequence[int] | NDArray[np.intp], styles: int, every_note: bool) -> NDArray[np.intp]:
    """Return latent, note and style of each sound: each latent at all notes, or at the one drawn for it, in all styles.

    Shapes: (n, 3), numbers of latents and styles, and MIDI notes.
    """
    pairs = [
        (latent, int(note))
        for latent in range(latents)
        for note in (notes if every_note else notes[latent : latent + 1])
    ]
    return np.asarray([(*pair, style) for pair in pairs for style in range(styles)], np.intp)


def _title(place: NDArray[np.intp], styles: int, notes: int) -> str:
    """Return the row that a sound belongs to."""
    number, note, _ = place
    return (
        f"Latent {number} at {note_name(int(note))}" if styles > 1 else f"Latent {number}" if notes > 1 else "Latents"
    )


def _caption(place: NDArray[np.intp], style: str, styles: int, notes: int) -> str:
    """Return what tells a sound from its neighbours in a row."""
    note = note_name(int(place[1]))
    return style if styles > 1 else note if notes > 1 else f"{place[0]} · {note}"


def _rows(shown: Sequence[Shown], titles: Sequence[str], latents: NDArray[np.float32]) -> list[Row]:
    """Lay sounds of one title in a row, below the latent that they share."""
    rows = []
    for title in dict.fromkeys(titles):
        places = [place for place, its in enumerate(titles) if its == title]
        shared = len(np.unique(latents[places], axis=0)) == 1
        words = f"--latent={told_latent(latents[places[0]])}" if shared else ""
        rows.append(Row(title, [shown[place] for place in places], words))
    return rows


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.sample"))
