"""Learning curves of a run as PNG and PDF: loss and percentile rank over epochs, of training and validation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.files import written_whole
from models.figure_text import figure_text
from models.training.runs import best_epoch, epoch_row

PANELS = (
    ("loss", "loss"),
    ("mpr", "mean percentile rank"),
    ("top1", "top-1 accuracy"),
    ("critic_loss", "loss of the critic"),
    ("generator_loss", "loss of the generator"),
    ("reconstruction", "reconstruction error"),
    ("latent", "latents from the prior"),
    ("discriminator_accuracy", "discriminator accuracy"),
)
COLOURS = {"training": "#8a8f98", "validation": "#1f5fa8"}
"""Grey for training, blue for validation; distinguishable without colour vision."""


def draw_curves(history: Sequence[Mapping[str, float]], title: str, paths: Sequence[Path]) -> None:
    """Draw a history into files; the suffix of each determines its format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(name, label) for name, label in PANELS if name in history[0]]
    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    best = best_epoch(history)
    for number, (name, label) in enumerate(panels, start=1):
        _draw_panel(figure.add_subplot(1, len(panels), number), history, name, label, best)
    figure.suptitle(figure_text(title), fontsize=11, parse_math=False)
    for path in paths:
        with written_whole(path) as partial:
            # Without a date in it, equal histories give equal files.
            figure.savefig(partial, dpi=150, metadata={"CreationDate": None} if path.suffix == ".pdf" else None)


def _draw_panel(axes: Any, history: Sequence[Mapping[str, float]], name: str, label: str, best: int) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) < 3 else None
    for part, prefix in (("training", ""), ("validation", "val_")):
        if prefix + name not in history[0]:
            continue
        axes.plot(
            epochs,
            [row[prefix + name] for row in history],
            color=COLOURS[part],
            label=part,
            marker=marker,
            markersize=4,
        )
    value = epoch_row(history, best).get("val_" + name)
    if value is not None:
        axes.plot([best], [value], "o", color=COLOURS["validation"], markersize=6)
        axes.annotate(f"{value:.4g}", (best, value), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes.margins(y=0.15)
    axes.set_xlabel("epoch")
    axes.set_title(label, fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if name == PANELS[0][0]:
        axes.legend(frameon=False, fontsize=8)
