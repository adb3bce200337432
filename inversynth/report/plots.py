"""Plots of sounds and patches: spectrograms on one scale, waveforms overlaid, a panel of knobs.

Each function draws one matplotlib `Figure`, which `inversynth.report.figures` puts on a page or into a file. Reports of
inversions draw their own, faster (`inversynth.report.charts`). The spectrogram is that of
`generators.analysis.spectrogram`, which is also what the networks take as input. The README's plots come from
`docs.gallery`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inversynth.report.charts import COLUMNS, Samples, decibel_columns, decibel_limits, greatest_peak
from inversynth.report.controls import format_value, on_circle
from inversynth.report.figures import PAGE, Palette
from models.figure_text import figure_text
from models.neurosynth.plots import outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from inversynth.patches.patch import Patch


LONGEST_NAME = 40
"""Characters of a parameter under its knob."""

COLOURS = "magma"
"""Rises evenly in lightness, so that it also reads in grey and in print."""


def spectrogram(
    audio: Samples,
    sample_rate: int,
    limits: tuple[float, float],
    size: tuple[float, float] = (4.4, 2.55),
    palette: Palette = PAGE,
) -> "Figure":
    """Draw one log spectrogram, hertz over seconds; `limits` are the decibels of the darkest and the brightest colour.

    Shapes: audio (samples,). `size` is width and height in inches, for letters of 8 points.
    """
    width, height = size
    figure, (axes,) = bare_figure(*size, [[0.55 / width, 0.2 / height, 1.0 - 0.77 / width, 1.0 - 0.28 / height]])
    _draw_spectrogram(axes, audio, sample_rate, limits, palette)
    return figure


def spectrogram_pair(target: NDArray[Any], match: NDArray[Any], sample_rate: int, palette: Palette = PAGE) -> "Figure":
    """Draw target and match side by side on one colour scale, with its bar."""
    figure, panels = bare_figure(
        9.6, 3.0, [[0.065, 0.10, 0.40, 0.79], [0.505, 0.10, 0.40, 0.79], [0.925, 0.10, 0.012, 0.79]]
    )
    limits = decibel_limits([target, match])
    for axes, audio, name, colour in (
        (panels[0], target, "Target", palette.target),
        (panels[1], match, "Match", palette.match),
    ):
        image = _draw_spectrogram(axes, audio, sample_rate, limits, palette)
        axes.set_title(name, loc="left", fontsize=11, color=colour, fontweight="bold")
    panels[1].set_ylabel("")
    panels[1].tick_params(labelleft=False)
    bar = figure.colorbar(image, cax=panels[2])
    bar.outline.set_visible(False)
    bar.set_label("dB", color=palette.ink, fontsize=9)
    bar.ax.tick_params(colors=palette.ink, labelsize=8, length=0)
    return figure


def spectrogram_grid(sounds: NDArray[Any], sample_rate: int, palette: Palette = PAGE, columns: int = 4) -> "Figure":
    """Draw many sounds small, each on its own scale of 80 dB: what a synth can do. Shapes: sounds (n, samples)."""
    rows = math.ceil(len(sounds) / columns)
    width, height = 1.0 / columns, 1.0 / rows
    places = [
        (column * width + 0.004, 1.0 - (row + 1) * height + 0.01, width - 0.008, height - 0.02)
        for row in range(rows)
        for column in range(columns)
    ][: len(sounds)]
    figure, panels = bare_figure(2.4 * columns, 1.4 * rows, places)
    for axes, audio in zip(panels, sounds, strict=True):
        _draw_spectrogram(axes, audio, sample_rate, decibel_limits([audio]), palette)
        axes.axis("off")
    return figure


def waveforms(target: NDArray[Any], match: NDArray[Any], sample_rate: int, palette: Palette = PAGE) -> "Figure":
    """Overlay two waveforms: amplitude over seconds, drawn as the range that each step covers."""
    figure, (axes,) = bare_figure(4.4, 1.9, [[0.11, 0.1, 0.85, 0.88]])
    seconds = len(target) / sample_rate
    for audio, colour, strength in ((target, palette.target, 0.55), (match, palette.match, 0.55)):
        low, high = outline(audio, COLUMNS)
        time = np.linspace(0.0, seconds, len(low))
        axes.fill_between(time, low, high, color=colour, alpha=strength, linewidth=0)
    dress(axes, "s", "amplitude", palette)
    peak = greatest_peak(target, match)
    axes.set(xlim=(0.0, seconds), ylim=(-1.05 * peak, 1.05 * peak))
    return figure


def knob_panel(
    patch: "Patch", truth: Sequence[int] | None = None, columns: int = 8, palette: Palette = PAGE
) -> "Figure":
    """Draw every parameter as a knob with its value; a dot outside the scale marks the true class where it is known."""
    rows, values = math.ceil(len(patch.space) / columns), patch.synth().rendered_values(patch.values)
    figure, (axes,) = bare_figure(1.2 * columns, 1.5 * rows, [[0.0, 0.0, 1.0, 1.0]])
    axes.set(xlim=(0, columns), ylim=(1.25 * rows, 0), aspect="equal")
    axes.axis("off")
    # A name is no formula, whatever dollar signs it holds.
    centred: dict[str, Any] = {"ha": "center", "va": "center", "color": palette.ink, "parse_math": False}
    for column, parameter in enumerate(patch.space.parameters):
        x, y = column % columns + 0.5, 1.25 * (column // columns) + 0.46
        position = float(patch.space.values_to_unit(patch.values)[column])
        _arc(axes, x, y, 0.30, 0.0, 1.0, palette.line)
        _arc(axes, x, y, 0.30, 0.0, position, palette.match)
        tip = on_circle(x, y, 0.30, position)
        axes.plot([x, tip[0]], [y, tip[1]], color=palette.ink, linewidth=1.6, solid_capstyle="round")
        if truth is not None:
            steps = max(patch.space.sizes[column] - 1, 1)
            axes.plot(*on_circle(x, y, 0.40, int(truth[column]) / steps), "o", color=palette.target, markersize=4)
        axes.text(
            *(x, y + 0.44, figure_text(parameter.name, LONGEST_NAME)),
            **centred,
            fontsize=9,
            fontweight="bold",
        )
        value = format_value(float(values[column]), parameter.unit)
        axes.text(x, y + 0.62, value, **centred, fontsize=8)
    return figure


def bare_figure(width: float, height: float, places: Sequence[Sequence[float]]) -> tuple["Figure", list["Axes"]]:
    """Return a figure of so many inches, with axes at places: left, bottom, width and height as parts of it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, [figure.add_axes((place[0], place[1], place[2], place[3])) for place in places]


def dress(axes: "Axes", x_unit: str, y_label: str, palette: Palette) -> None:
    """Give axes the look that all plots share: no box, a faint grid, small labels."""
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(colors=palette.ink, labelsize=8, length=0, pad=4)
    axes.grid(visible=True, color=palette.line, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(_steps(6))
    axes.yaxis.set_major_locator(_steps(4))
    axes.xaxis.set_major_formatter(lambda place, _: f"{place:g} {x_unit}")
    axes.set_ylabel(y_label, color=palette.ink, fontsize=8, loc="top", labelpad=2)


# --- drawing ---------------------------------------------------------------------------------------------------


def _draw_spectrogram(
    axes: "Axes", audio: Samples, sample_rate: int, limits: tuple[float, float], palette: Palette
) -> Any:
    decibels = decibel_columns(audio)
    seconds = len(audio) / sample_rate
    image = axes.imshow(
        decibels.T,
        origin="lower",
        aspect="auto",
        extent=(0.0, seconds, 0.0, sample_rate / 2.0),
        vmin=limits[0],
        vmax=limits[1],
        cmap=COLOURS,
        interpolation="none" if palette is PAGE else "bilinear",
    )
    dress(axes, "s", "Hz", palette)
    axes.grid(visible=False)
    axes.yaxis.set_major_formatter(lambda hertz, _: f"{hertz:,.0f}")
    axes.yaxis.set_major_locator(_steps(5))
    return image


def _steps(count: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, steps=[1, 2, 2.5, 5, 10])


def _arc(axes: "Axes", x: float, y: float, radius: float, start: float, stop: float, colour: str) -> None:
    points = [on_circle(x, y, radius, place) for place in np.linspace(start, stop, 60)]
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=3.2, solid_capstyle="round")
