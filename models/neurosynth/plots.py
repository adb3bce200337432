"""Pictures of sounds that a network shapes: each input beside the output, which lies over what it should be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.files import written_whole
from models.figure_text import figure_text
from models.training.curves import COLOURS

IDEAL, OUTPUT = COLOURS["training"], COLOURS["validation"]
"""Grey for what should be, blue for what is."""

LONGEST = 960
"""Samples up to which a waveform is drawn whole: two for a pixel of its panel."""

COLUMNS = 240
"""Steps of a longer one, two pixels wide; each holds the least and the greatest sample that it covers."""

Floats = NDArray[np.floating[Any]]


def draw_shapes(basic: ArrayLike, output: ArrayLike, ideal: ArrayLike, titles: Sequence[str], path: Path) -> None:
    """Draw a row for each sound into a PNG: the input, and the output over the ideal with its mean absolute error.

    Shapes: basic, output and ideal (n, samples), for n titles; numbers that are not finite leave gaps.
    Raises: OSError as the system words it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 0.5 + 1.35 * len(titles)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(titles), 2, sharex=True, sharey="row", squeeze=False)
    arrays = (np.asarray(sounds, np.float32) for sounds in (basic, output, ideal))
    for (left, right), title, *sounds in zip(panels, titles, *arrays, strict=True):
        before, after, meant = map(_with_gaps, sounds)
        _draw(left, before, IDEAL, "input")
        _draw(right, meant, IDEAL, "ideal", wide=True)
        _draw(right, after, OUTPUT, "output", filled=False)
        # A title is a user's words: nothing in it is mathematics.
        left.set_title(figure_text(title), loc="left", fontsize=9, parse_math=False)
        right.set_title(
            f"mean absolute error {np.mean(np.abs(after - meant), dtype=np.float64):.4f}", loc="right", fontsize=9
        )
        peak = max(float(np.fmax.reduce(np.abs(sound), initial=0.0)) for sound in (before, after, meant)) or 1.0
        left.set_ylim(-1.08 * peak, 1.08 * peak)
        for axes in (left, right):
            axes.margins(x=0.01)
            axes.grid(alpha=0.25, linewidth=0.6)
            axes.tick_params(labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)
    panels[0, 1].legend(loc="upper left", bbox_to_anchor=(0.0, 1.22), ncols=2, frameon=False, fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("sample", fontsize=8)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=120, metadata={"Software": None})


def _with_gaps(audio: Floats) -> Floats:
    return audio if np.all(np.isfinite(audio)) else np.where(np.isfinite(audio), audio, np.nan)


def outline(audio: Floats, columns: int) -> tuple[Floats, Floats]:
    """Return the least and greatest sample of each of at most `columns` steps. Shapes: (samples,) -> (steps,) twice."""
    edges = np.linspace(0, len(audio), min(columns, len(audio)) + 1).astype(int)[:-1]
    return np.minimum.reduceat(audio, edges), np.maximum.reduceat(audio, edges)


def _draw(axes: Any, audio: Floats, colour: str, label: str, *, wide: bool = False, filled: bool = True) -> None:
    """Draw one waveform, line by line; a long one as the range that each step covers, `filled` or by its borders."""
    if len(audio) <= LONGEST:
        axes.plot(audio, color=colour, label=label, linewidth=2.6 if wide else 1.1, alpha=0.55 if wide else 1.0)
        return
    low, high = outline(audio, COLUMNS)
    middles = (np.arange(len(low)) + 0.5) * len(audio) / len(low)
    if filled:
        axes.fill_between(middles, low, high, color=colour, label=label, alpha=0.55, linewidth=0)
        return
    for number, border in enumerate((low, high)):
        axes.plot(middles, border, color=colour, label=None if number else label, linewidth=1.1)
