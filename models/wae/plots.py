"""Plots of a latent space: notes coloured by their labels, and how they move over a training.

The authors show such grids for their models, and animations of them over the epochs; three axes are drawn here where
there are three.
Source: Esling et al. 2019, arXiv 1904.06215, the figures of its companion page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from generators.files import written_whole
from models.figure_text import figure_text, without_formulas
from models.training.splits import evenly_spaced
from models.wae.conditions import SEMITONES, note_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REACH = 3.5
"""Standard deviations of the prior on either side of an axis."""

SHOWN = 500
"""Notes in a plot, at most, evenly spaced."""

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Of Okabe and Ito, distinguishable with every common kind of colour vision."""

LONGEST_LABEL = 40
"""Characters of a style in a legend."""

MARKERS = "o^sDvP*X"
"""Distinguish classes of the same hue."""

INK = "#57544d"

FRAME_MILLISECONDS, REST_MILLISECONDS = 250, 2000
"""Duration of a frame of an animation, and of its last."""


@dataclass(frozen=True)
class Attribute:
    """A label that notes are coloured by: `numbers` (n,), and the name of each number."""

    title: str
    numbers: NDArray[np.integer[Any]]
    names: Sequence[str]
    ordered: bool = False

    def looks(self) -> list[tuple[str, tuple[Any, str]]]:
        """Return name, colour and marker of each number."""
        import matplotlib

        count = len(self.names)
        if self.ordered:
            ramp = matplotlib.colormaps["viridis"](np.linspace(0.05, 0.95, count))
            return [(name, (colour, "o")) for name, colour in zip(self.names, ramp, strict=True)]
        marks = [(HUES[number % len(HUES)], MARKERS[number // len(HUES) % len(MARKERS)]) for number in range(count)]
        return list(zip(self.names, marks, strict=True))


def attributes_of(
    pitch: NDArray[np.integer[Any]], style: NDArray[np.integer[Any]], styles: Sequence[str]
) -> tuple[Attribute, ...]:
    """Return semitone, octave and style of notes. Shapes: MIDI notes (n,), indices of styles (n,)."""
    semitones, octaves = note_labels(pitch)
    found, places = np.unique(octaves, return_inverse=True)
    return (
        Attribute("semitone", semitones, NAMES[:SEMITONES]),
        Attribute("octave", places, [str(octave) for octave in found], ordered=True),
        Attribute("style", style, styles),
    )


def draw_grid(columns: Mapping[str, NDArray[np.floating[Any]]], attributes: Sequence[Attribute]) -> "Figure":
    """Plot points of several models side by side, in one row for each attribute.

    Args:
        columns: points (n, 2) or (n, 3), plotted in two or three dimensions, by the name of the model.
    """
    across = len(columns) > 1
    rows, width = (len(attributes), len(columns)) if across else (1, len(attributes))
    figure = _figure(2.9 * width + (1.3 if across else 3.0), 2.75 * rows + (0.5 if across else 1.0))
    for row, attribute in enumerate(attributes):
        for column, (name, points) in enumerate(columns.items()):
            place = row * width + column + 1 if across else row + 1
            axes = _panel(figure, (rows, width, place), points)
            drawn = _scatter(axes, points, attribute)
            if not across or row == 0:
                title = figure_text(name if across else attribute.title)
                axes.set_title(title, fontsize=10, color=INK, parse_math=False)
        legend = axes.legend(
            drawn,
            [figure_text(name, LONGEST_LABEL) for name in attribute.names],
            title=attribute.title if across else None,
            loc="center left" if across else "upper center",
            bbox_to_anchor=(1.08, 0.5) if across else (0.5, -0.02),
            ncols=1 if across else 4,
            fontsize=7,
            title_fontsize=8,
            frameon=False,
            handletextpad=0.2,
            columnspacing=0.8,
        )
        without_formulas(legend)
    return figure


def draw_space(system: Any, source: Any, path: Path) -> None:
    """Plot the latents of held-out notes at an epoch of a training into a PNG, with the weight of the adversary.

    Args:
        system: a `NoteAutoencoder`. source: `StyledNotes`. path: `epoch_<number>.png`.
    """
    rows = np.sort(np.concatenate([source.rows("validation"), source.rows("test")]))
    rows = evenly_spaced(rows, SHOWN)
    latents = np.asarray(system.encoder.predict_on_batch(source.spectrograms(rows)[..., None]))[:, : system.latent]
    attributes = attributes_of(source.pitch[rows], source.style[rows], source.styles)
    figure = draw_grid({"": in_space(latents)}, attributes)
    epoch = int(path.stem.rpartition("_")[2])
    weight = (
        ""
        if system.discriminator is None
        else f", adversary weight {float(np.asarray(system.current_adversary_weight())):.2f}"
    )
    figure.suptitle(f"{system.variant.name}, epoch {epoch}{weight}", fontsize=11, color=INK)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=90, facecolor="white", metadata={"Software": None})


def in_space(latents: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return points in three dimensions: the first three of longer latents, shorter ones padded with 0."""
    return np.pad(latents[:, :3], ((0, 0), (0, max(0, 3 - latents.shape[1]))))


def animate(plots: Sequence[Path], path: Path) -> Path:
    """Join plots into an animated GIF. Raises: ModelError where there are none."""
    from PIL import Image

    if not plots:
        raise ModelError(f"an animation needs the plots of a training. Received: none for {path}")
    frames = []
    for plot in plots:
        with Image.open(plot) as image:
            frames.append(image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE))
    times = [FRAME_MILLISECONDS] * (len(frames) - 1) + [REST_MILLISECONDS]
    with written_whole(path) as partial:
        frames[0].save(partial, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return path


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panel(figure: "Figure", place: tuple[int, int, int], points: NDArray[np.floating[Any]]) -> Any:
    """Add axes for points; in three dimensions all span the same range of the prior."""
    if points.shape[1] == 2:
        axes = figure.add_subplot(*place)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#dedad1")
        return axes
    axes = figure.add_subplot(*place, projection="3d")
    for name, number in (("x", 1), ("y", 2), ("z", 3)):
        getattr(axes, f"set_{name}lim")(-REACH, REACH)
        getattr(axes, f"set_{name}ticks")([-2, 0, 2])
        getattr(axes, f"set_{name}label")(f"z{number}", fontsize=8, color=INK, labelpad=-6)
        getattr(axes, f"{name}axis").set_tick_params(labelsize=7, pad=-3, colors=INK)
        getattr(axes, f"{name}axis").set_pane_color((0.97, 0.965, 0.95, 1.0))
    axes.view_init(elev=22, azim=-60)
    return axes


def _scatter(axes: Any, points: NDArray[np.floating[Any]], attribute: Attribute) -> list[Any]:
    """Draw the points of each number of an attribute; returns what stands for each in a legend."""
    deep = {"depthshade": False} if points.shape[1] == 3 else {}
    drawn = []
    for number, (_, (colour, marker)) in enumerate(attribute.looks()):
        chosen = points[attribute.numbers == number]
        drawn.append(axes.scatter(*chosen.T, s=9, color=[colour], marker=marker, linewidths=0, alpha=0.85, **deep))
    return drawn
