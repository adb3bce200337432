"""Mel spectrograms of a note and its reconstruction, and one frame of both overlaid, as the authors show them.

Source: Esling et al. 2019, arXiv 1904.06215, the figures of its companion page.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inversynth.report.figures import PAGE, Palette
from inversynth.report.plots import COLOURS, bare_figure, dress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (9.6, 2.7)
"""Inches: as wide as the page."""


def draw_reconstruction(target: NDArray[Any], found: NDArray[Any], seconds: float, palette: Palette = PAGE) -> "Figure":
    """Draw two spectrograms on one scale, and overlay the frame in which the first is loudest.

    Shapes: (bands, frames) both, log(1 + magnitude).
    """
    places = [(0.055, 0.14, 0.265, 0.74), (0.355, 0.14, 0.265, 0.74), (0.685, 0.14, 0.3, 0.74)]
    figure, (left, right, overlay) = bare_figure(*SIZE, places)
    bands, frames = target.shape
    top = float(max(target.max(), found.max(), 1e-6))
    for axes, spectrogram, title, colour in (
        (left, target, "Input", palette.target),
        (right, found, "Reconstruction", palette.match),
    ):
        axes.imshow(
            spectrogram,
            origin="lower",
            aspect="auto",
            extent=(0.0, seconds, 0.0, bands),
            vmin=0.0,
            vmax=top,
            cmap=COLOURS,
            interpolation="none" if palette is PAGE else "nearest",
        )
        dress(axes, "s", "mel band" if axes is left else "", palette)
        axes.grid(visible=False)
        axes.set_title(title, loc="left", fontsize=10, color=colour, fontweight="bold")
    right.tick_params(labelleft=False)
    frame = int(np.argmax(target.sum(axis=0)))
    for spectrogram, colour in ((target, palette.target), (found, palette.match)):
        overlay.plot(np.arange(bands), spectrogram[:, frame], color=colour, linewidth=1.2, alpha=0.9)
    dress(overlay, "", "log(1 + magnitude)", palette)
    overlay.set(xlim=(0, bands - 1), ylim=(0.0, 1.08 * top))
    overlay.set_title(
        f"Frame at {seconds * (frame + 0.5) / frames:.2f} s, over mel bands", loc="left", fontsize=10, color=palette.ink
    )
    return figure
