"""The path of the timbre over a piece: latents at even times, and arcs between neighbours.

Source: Engel et al. 2019, GANSynth, arXiv 1902.08710, and its code, which draws int(seconds / spacing) latents and
fails for fewer than two; here there are at least two.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inversynth.gansynth.latents import slerp
from inversynth.report import charts, plots
from inversynth.report.figures import PAGE, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from models.gansynth.inference import GanSynthModel

SIZE = (9.6, 3.4)
"""Inches: as wide as the page."""

STRIPES = 2400
"""Columns of a spectrogram drawn at most: as many as a wide page can show."""

NAMED = 24
"""Timbres up to which each is numbered in the plot."""


@dataclass(frozen=True)
class LatentPath:
    """Latents (n, latent) at even times over a piece of so many seconds, from its beginning to its end.

    A single latent stays constant.
    """

    keys: NDArray[np.float32]
    seconds: float

    def at(self, times: ArrayLike) -> NDArray[np.float32]:
        """Return the latents at times in seconds. Shapes: (notes,) -> (notes, latent)."""
        times = np.atleast_1d(np.asarray(times, np.float64))
        if len(self.keys) == 1:
            return np.repeat(self.keys, len(times), axis=0)
        places = np.clip(times / self.seconds, 0.0, 1.0) * (len(self.keys) - 1)
        before = np.minimum(places.astype(int), len(self.keys) - 2)
        between = [slerp(self.keys[i], self.keys[i + 1], place - i) for i, place in zip(before, places, strict=True)]
        return np.asarray(between, np.float32).reshape(len(times), self.keys.shape[1])

    @property
    def times(self) -> NDArray[np.float64]:
        """Time of each latent in seconds."""
        return np.linspace(0.0, self.seconds, len(self.keys))


def random_latent_path(gansynth: "GanSynthModel", seconds: float, spacing: float, seed: int) -> LatentPath:
    """Draw a latent for every `spacing` seconds, at least two."""
    return LatentPath(gansynth.draw_latents(max(2, int(seconds / spacing)), seed), seconds)


def draw_latent_path(
    audio: charts.Samples, sample_rate: int, latent_path: LatentPath, palette: Palette = PAGE
) -> "Figure":
    """Draw the spectrogram of a piece, and below it the weights of the latents over time. Shapes: audio (samples,)."""
    figure = plots.spectrogram(audio, sample_rate, charts.decibel_limits([audio]), SIZE, palette)
    (sound,) = figure.axes
    _thin(sound.images[0])
    x, y, width, height = sound.get_position().bounds
    share = 0.25 * height
    sound.set_position((x, y + share, width, height - share))
    sound.tick_params(labelbottom=False)
    strip = figure.add_axes((x, y, width, 0.7 * share), sharex=sound)
    times = latent_path.times if len(latent_path.keys) > 1 else np.array([0.0, latent_path.seconds])
    odd = np.arange(len(times)) % 2 if len(latent_path.keys) > 1 else np.zeros(2)
    for weights, colour in ((1 - odd, palette.target), (odd, palette.match)):
        strip.fill_between(times, weights, color=colour, alpha=0.45, linewidth=0)
    if len(latent_path.keys) <= NAMED:
        for number, time in enumerate(latent_path.times):
            side = {0: "left", len(latent_path.keys) - 1: "right"}.get(number, "center")
            strip.text(time, 0.1, f"  {number + 1}  ", color=palette.ink, fontsize=8, ha=side)
    strip.set(xlim=(0.0, max(latent_path.seconds, len(audio) / sample_rate)), ylim=(0.0, 1.0), yticks=[])
    strip.set_ylabel("timbre", color=palette.ink, fontsize=8)
    strip.tick_params(colors=palette.ink, labelsize=8, length=0, pad=4)
    for edge in strip.spines.values():
        edge.set_visible(False)
    return figure


def _thin(image: Any) -> None:
    """Keep the loudest of neighbouring columns where there are more than STRIPES."""
    levels = np.asarray(image.get_array())
    step = -(-levels.shape[1] // STRIPES)
    if step > 1:
        image.set_data(np.maximum.reduceat(levels, np.arange(0, levels.shape[1], step), axis=1))
