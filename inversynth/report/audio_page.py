"""Sounds that a note model has made, as files: a WAV and a spectrogram each, and one page to listen to them all."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import full_scale_gain, open_audio, read_header, write_audio
from generators.errors import ModelError
from generators.files import write_text, writing
from inversynth.report import charts, plots, report
from inversynth.report.figures import PAGE, PAPER, Palette, to_png, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

PAGE_FILE = "index.html"

MOST_EMBEDDED = 12_000_000
"""Samples that a page holds, 32 MB of it: 25 minutes at 8 kHz."""


@dataclass(frozen=True)
class WrittenSound:
    """A mono WAV that a command has written piece by piece: a slice of it reads that part of the file.

    A clip takes it in place of an array, so that the sounds of a page need not be held.
    """

    path: Path

    @cached_property
    def samples(self) -> int:
        return read_header(self.path).frames

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        start, stop, _ = part.indices(self.samples)
        with open_audio(self.path) as file:
            file.seek(start)
            blocks = [block[:, 0] for block in file.blocks(most=max(stop - start, 0))]
        return np.concatenate([np.empty(0, np.float32), *blocks])


@dataclass(frozen=True)
class Clip:
    """One sound: `name` names its files, `caption` describes it, `audio` is (samples,), or written already.

    `draw` makes a plot in the colours of a palette, in place of the spectrogram.
    """

    name: str
    audio: NDArray[np.float32] | WrittenSound
    caption: str = ""
    draw: "Callable[[Palette], Figure] | None" = None


@dataclass(frozen=True)
class ClipRow:
    """Sounds side by side; one alone is shown large.

    `picture` is drawn above them in the colours of a palette, `name` names its file, and `label` describes it.
    """

    title: str
    sounds: Sequence[Clip]
    words: str = ""
    name: str = ""
    label: str = ""
    picture: "Callable[[Palette], Figure] | None" = None


@dataclass(frozen=True)
class AudioPage:
    """The sounds of one call, and the texts of their page.

    Attributes: title and `lead`, a sentence below it, head the page, and above them in small print the `maker`. facts:
    further names and values, at its foot. table: lines of words above them, the first its head.
    """

    title: str
    lead: str
    rows: Sequence[ClipRow]
    sample_rate: int
    facts: Mapping[str, str] = field(default_factory=dict)
    maker: str = ""
    table: Sequence[Sequence[str]] = ()

    @property
    def sounds(self) -> list[Clip]:
        return [clip for row in self.rows for clip in row.sounds]


def finite(sounds: NDArray[np.float32], maker: str) -> NDArray[np.float32]:
    """Return sounds as they are. Raises ModelError where a sample is not finite."""
    if not np.all(np.isfinite(sounds)):
        raise ModelError(f"{maker} must give finite sounds. Received: NaN or infinity. Train it again")
    return sounds


def write_audio_page(audio_page: AudioPage, folder: Path, *, pictures: bool = True, page: bool = True) -> Path | None:
    """Write `<name>.wav` for each sound, 32-bit float and as loud as it was made, `<name>.png`, and the page.

    Where one is above full scale, all are turned down alike, which is logged. A sound in a file is left as it is, and
    read in parts.

    Returns: the path of the page; None without one. Raises: AudioError, InversynthError for what cannot be written.
    """
    from tqdm import tqdm

    if not audio_page.sounds:
        return None
    gain = full_scale_gain(clip.audio for clip in audio_page.sounds if not isinstance(clip.audio, WrittenSound))
    limits = charts.decibel_limits([clip.audio for clip in audio_page.sounds])
    for clip in tqdm(audio_page.sounds, desc="writing", unit="sounds", disable=None if pictures else True):
        if not isinstance(clip.audio, WrittenSound):
            write_audio(folder / f"{clip.name}.wav", clip.audio * np.float32(gain), audio_page.sample_rate)
        if pictures:
            path = folder / f"{clip.name}.png"
            with writing(path):
                to_png(_drawn(clip, audio_page.sample_rate, limits, PAPER), path)
    for row in audio_page.rows:
        if pictures and row.picture:
            with writing(folder / f"{row.name}.png"):
                to_png(row.picture(PAPER), folder / f"{row.name}.png")
    samples = sum(len(clip.audio) for clip in audio_page.sounds)
    if page and samples > MOST_EMBEDDED:
        minutes = samples / audio_page.sample_rate / 60
        log.info("no page: %.0f minutes of sound are too much for one. The WAV files hold them", minutes)
    if not page or samples > MOST_EMBEDDED:
        return None
    return write_text(folder / PAGE_FILE, render_audio_page(audio_page, limits))


def render_audio_page(audio_page: AudioPage, limits: tuple[float, float] | None = None) -> str:
    """Return the page as HTML; it needs nothing beside itself."""
    sounds = [clip.audio for clip in audio_page.sounds]
    limits = limits or charts.decibel_limits(sounds)
    players, gain = report.embed_sounds(sounds, audio_page.sample_rate)
    sources = iter(players)
    lengths = {len(row.sounds) for row in audio_page.rows}
    return report.render(
        "sounds.html",
        maker=audio_page.maker,
        title=audio_page.title,
        lead=audio_page.lead,
        rows=[
            {
                "title": row.title,
                "words": row.words,
                "drawing": to_svg(row.picture(PAGE), row.label) if row.picture else "",
                "cells": [_cell(clip, next(sources), audio_page.sample_rate, limits, row) for clip in row.sounds],
            }
            for row in audio_page.rows
        ],
        columns=lengths.pop() if len(audio_page.rows) > 1 and len(lengths) == 1 else 0,
        facts=audio_page.facts,
        table=audio_page.table,
        gain=gain,
        limits=limits,
        colours=charts.colour_stops(),
    )


def _cell(clip: Clip, player: str, sample_rate: int, limits: tuple[float, float], row: ClipRow) -> dict[str, Any]:
    seconds = len(clip.audio) / sample_rate
    cell = {"name": clip.name, "caption": clip.caption, "player": player, "seconds": f"{seconds:.3g} s"}
    if len(row.sounds) == 1:
        label = f"Spectrogram of {clip.name} over {seconds:.3g} s"
        return cell | {"drawing": to_svg(_drawn(clip, sample_rate, limits, PAGE, (9.6, 2.6)), label)}
    return cell | {"picture": report.data_uri("image/png", charts.spectrogram_png(clip.audio, limits, pairs=True))}


def _drawn(
    clip: Clip,
    sample_rate: int,
    limits: tuple[float, float],
    palette: Palette,
    size: tuple[float, float] = (4.4, 2.55),
) -> "Figure":
    if clip.draw:
        return clip.draw(palette)
    return plots.spectrogram(clip.audio, sample_rate, limits, size, palette)
