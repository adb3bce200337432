"""Words of a user are drawn as they are, in any script, and no library warns of them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.figure_text import LONGEST, MISSING, figure_text
from models.neurosynth.plots import draw_shapes
from models.training.curves import draw_curves
from models.wae.plots import Attribute, draw_grid

ODD = ["$\\frac{$", "🎹 \u97f3", "_hidden", "caf\udce9", "a\nb\x1b[31m", "n" * 5000, ""]


@pytest.mark.parametrize("text", ODD)
def test_any_text_is_drawn_without_a_warning(text: str) -> None:
    """Warnings are errors in these tests; matplotlib warns of each character that its font lacks."""
    drawn = figure_text(text)
    assert len(drawn) <= LONGEST + 1
    figure = Figure()
    figure.suptitle(drawn, parse_math=False)
    figure.draw_without_rendering()


def test_only_what_the_font_lacks_is_replaced() -> None:
    assert figure_text("Flöte, C♯ – 8′") == "Flöte, C♯ – 8′"
    assert figure_text("🎹 x") == f"{MISSING} x"


def test_every_entry_of_a_legend_is_shown_and_none_is_a_formula() -> None:
    attribute = Attribute("style", np.arange(len(ODD)), ODD)
    figure = draw_grid({"$a_$": np.zeros((len(ODD), 2)), "🎹": np.ones((len(ODD), 3))}, [attribute])
    figure.draw_without_rendering()
    legend = figure.axes[-1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [figure_text(name, 40) for name in ODD]
    assert not any(text.get_parse_math() for text in legend.get_texts())


@pytest.mark.parametrize("name", ODD)
def test_curves_and_shapes_of_odd_names_are_drawn(name: str, tmp_path: Path) -> None:
    draw_curves([{"epoch": 1, "loss": 1.0, "val_loss": 1.0}], name, [tmp_path / "curves.png"])
    draw_shapes(*np.zeros((3, 1, 64)), [name], tmp_path / "shapes.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert (tmp_path / "shapes.png").stat().st_size > 1000
