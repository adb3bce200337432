"""Sounds of a model of notes as they leave the house: a WAV and a picture each, and one page to listen to them.

What the commands that make such sounds share is here too: their settings, and notes with a bar.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.audio import write_audio
from generators.errors import ModelError, SettingsError
from generators.files import write_text, writing
from generators.settings import Settings
from inversynth.report import charts, plots, report
from inversynth.report.figures import PAGE, PAPER, Palette, to_png, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

PAGE_FILE = "index.html"

MOST_EMBEDDED = 12_000_000
"""Samples that a page holds, 32 MB of it: 25 minutes at 8 kHz."""

MOST_SOUNDS = 2000
"""Of one call: more than anybody listens to, and at 50 ms a note under two minutes of work."""


@dataclass(frozen=True)
class Shown:
    """One sound: `name` names its files, `caption` tells what it is, `audio` is (samples,).

    `draw` makes a picture of its own in the colours of a palette, where the spectrogram is not all there is to see.
    """

    name: str
    audio: NDArray[np.float32]
    caption: str = ""
    draw: "Callable[[Palette], Figure] | None" = None


@dataclass(frozen=True)
class Row:
    """Sounds that belong side by side; one alone is shown large.

    `picture` is drawn above them in the colours of a palette, and `name` names its file; `label` says what it shows.
    """

    title: str
    sounds: Sequence[Shown]
    words: str = ""
    name: str = ""
    label: str = ""
    picture: "Callable[[Palette], Figure] | None" = None


@dataclass(frozen=True)
class Showing:
    """What one call made.

    Attributes: title and `lead`, a sentence below it, head the page, and above them in small print the `maker`. facts:
    further names and values, at its foot. table: lines of words above them, the first its head.
    """

    title: str
    lead: str
    rows: Sequence[Row]
    sample_rate: int
    facts: Mapping[str, str] = field(default_factory=dict)
    maker: str = ""
    table: Sequence[Sequence[str]] = ()

    @property
    def sounds(self) -> list[Shown]:
        return [shown for row in self.rows for shown in row.sounds]


class ShowingSettings(Settings):
    """What the commands share that make sounds to listen to."""

    flags_only: ClassVar = frozenset({"model", "seed", "output_dir", "batch_size", "pictures", "page"})
    renamed: ClassVar = {"output_directory": "output_dir"}

    model: str = Field(description="a bundled model, a run folder, or a .keras file")
    seed: int = Field(0, ge=0, description="of all that is drawn")
    output_dir: Path = Field(Path("output"), description="where sounds, pictures and page are written")
    batch_size: int = Field(8, ge=1, le=1024, description="notes made at once")
    pictures: bool = Field(True, description="also write a spectrogram of each sound as PNG")
    page: bool = Field(True, description=f"also write {PAGE_FILE}, a page to listen to all sounds")


SHARED = ShowingSettings.flags_only


def check_count(count: int, received: str) -> None:
    """Raise SettingsError where one call would make too many sounds."""
    if count > MOST_SOUNDS:
        raise SettingsError(f"one call makes {MOST_SOUNDS:,} sounds at most. Received: {received}. Take fewer")


def with_bar(
    make: Callable[..., NDArray[np.float32]], count: int, maker: str, doing: str = "making"
) -> NDArray[np.float32]:
    """Make `count` sounds with a bar on a terminal; `make` takes `on_notes`, which it tells how many more are ready.

    Raises: ModelError where some of it is no number.
    """
    from tqdm import tqdm

    with tqdm(total=count, desc=doing, unit="notes", disable=None) as bar:
        return finite(make(on_notes=bar.update), maker)


def finite(sounds: NDArray[np.float32], maker: str) -> NDArray[np.float32]:
    """Return sounds as they are. Raises ModelError where some of it is no number."""
    if not np.all(np.isfinite(sounds)):
        raise ModelError(f"{maker} must give finite sounds. Received: NaN or infinity. Train it again")
    return sounds


def tell_showing(showing: Showing, settings: ShowingSettings) -> None:
    """Write what was made, with a line for each sound."""
    folder = settings.output_dir
    page = write_showing(showing, folder, pictures=settings.pictures, page=settings.page)
    for shown in showing.sounds:
        print(f"{shown.name}: {shown.caption} -> {folder / shown.name}.wav")
    if page:
        print(page)


def write_showing(showing: Showing, folder: Path, *, pictures: bool = True, page: bool = True) -> Path | None:
    """Write `<name>.wav` for each sound, 32-bit float and as loud as it was made, `<name>.png`, and the page.

    Returns: the path of the page; None without one. Raises: AudioError, InversynthError for what cannot be written.
    """
    from tqdm import tqdm

    if not showing.sounds:
        return None
    limits = charts.decibel_limits([shown.audio for shown in showing.sounds])
    for shown in tqdm(showing.sounds, desc="writing", unit="sounds", disable=None if pictures else True):
        write_audio(folder / f"{shown.name}.wav", shown.audio, showing.sample_rate)
        if pictures:
            path = folder / f"{shown.name}.png"
            with writing(path):
                to_png(_drawn(shown, showing.sample_rate, limits, PAPER), path)
    for row in showing.rows:
        if pictures and row.picture:
            with writing(folder / f"{row.name}.png"):
                to_png(row.picture(PAPER), folder / f"{row.name}.png")
    samples = sum(len(shown.audio) for shown in showing.sounds)
    if page and samples > MOST_EMBEDDED:
        minutes = samples / showing.sample_rate / 60
        log.info("no page: %.0f minutes of sound are too much for one. The WAV files hold them", minutes)
    if not page or samples > MOST_EMBEDDED:
        return None
    return write_text(folder / PAGE_FILE, render_showing(showing, limits))


def render_showing(showing: Showing, limits: tuple[float, float] | None = None) -> str:
    """Return the page as HTML; it needs nothing beside itself."""
    sounds = [shown.audio for shown in showing.sounds]
    limits = limits or charts.decibel_limits(sounds)
    players, gain = report.embed_sounds(sounds, showing.sample_rate)
    sources = iter(players)
    lengths = {len(row.sounds) for row in showing.rows}
    return report.render(
        "sounds.html",
        maker=showing.maker,
        title=showing.title,
        lead=showing.lead,
        rows=[
            {
                "title": row.title,
                "words": row.words,
                "drawing": to_svg(row.picture(PAGE), row.label) if row.picture else "",
                "cells": [_cell(shown, next(sources), showing.sample_rate, limits, row) for shown in row.sounds],
            }
            for row in showing.rows
        ],
        columns=lengths.pop() if len(showing.rows) > 1 and len(lengths) == 1 else 0,
        facts=showing.facts,
        table=showing.table,
        gain=gain,
        limits=limits,
        colours=charts.colour_stops(),
    )


def _cell(shown: Shown, player: str, sample_rate: int, limits: tuple[float, float], row: Row) -> dict[str, Any]:
    seconds = len(shown.audio) / sample_rate
    cell = {"name": shown.name, "caption": shown.caption, "player": player, "seconds": f"{seconds:.3g} s"}
    if len(row.sounds) == 1:
        label = f"Spectrogram of {shown.name} over {seconds:.3g} s"
        return cell | {"drawing": to_svg(_drawn(shown, sample_rate, limits, PAGE, (9.6, 2.6)), label)}
    return cell | {"picture": report.data_uri("image/png", charts.spectrogram_png(shown.audio, limits, pairs=True))}


def _drawn(
    shown: Shown,
    sample_rate: int,
    limits: tuple[float, float],
    palette: Palette,
    size: tuple[float, float] = (4.4, 2.55),
) -> "Figure":
    if shown.draw:
        return shown.draw(palette)
    return plots.spectrogram(shown.audio, sample_rate, limits, size, palette)
