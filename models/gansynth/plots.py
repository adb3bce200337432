"""Pictures on the way: what a generator makes of a few latents, magnitude above and phase below."""

from pathlib import Path
from typing import Any

import numpy as np

from generators.files import written_whole

SHOWN = 6
"""Notes in a picture, each of a timbre of its own, the same ones all the time."""


def draw_notes(system: Any, source: Any, path: Path) -> None:
    """Draw notes of a system, at the resolution that it has reached, into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    latents = np.random.default_rng(0).normal(size=(SHOWN, source.size.latent)).astype(np.float32)
    notes = source.notes[np.linspace(0, len(source.notes) - 1, SHOWN).astype(np.intp)]
    progress = np.full((SHOWN, 1), source.now, np.float32)
    made = np.asarray(system.generator.predict_on_batch([latents, source.one_hot(notes), progress]))
    figure = Figure(figsize=(1.9 * SHOWN, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, SHOWN, sharex=True, sharey=True, squeeze=False)
    for column, (picture, note) in enumerate(zip(made, notes, strict=True)):
        for row, colours in enumerate(("magma", "twilight")):
            axes = panels[row, column]
            axes.imshow(picture[..., row].T, origin="lower", aspect="auto", vmin=-1, vmax=1, cmap=colours)
            axes.tick_params(labelsize=7)
        panels[0, column].set_title(f"note {note}", fontsize=9)
    panels[0, 0].set_ylabel("magnitude, bin", fontsize=8)
    panels[1, 0].set_ylabel("phase, bin", fontsize=8)
    for axes in panels[1]:
        axes.set_xlabel("frame", fontsize=8)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=100, metadata={"Software": None})
