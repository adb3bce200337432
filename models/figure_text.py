"""Words of a user in a figure: names of runs, styles and parameters, which are no formulas and may have any characters.

The lowest layer of `models`, beside `backend`; every figure of the project that shows such words draws them through it.
"""

from functools import cache
from typing import Any

from generators.errors import shown

LONGEST = 120
"""Characters; a run may have a longer name than a figure has room for."""

MISSING = "□"
"""Stands for a character that the font lacks, as matplotlib draws it, which then also prints a warning."""


def figure_text(text: str, longest: int = LONGEST) -> str:
    """Return text as the default font of matplotlib can draw it, in one line of bounded length.

    A leading underscore, by which matplotlib leaves an entry out of a legend, gets a space before it. Set
    `parse_math=False` where the text is drawn: dollar signs are no formula.
    """
    drawn = "".join(character if ord(character) in _characters() else MISSING for character in shown(text, longest))
    return f" {drawn}" if drawn.startswith("_") else drawn


@cache
def _characters() -> frozenset[int]:
    from matplotlib import font_manager, ft2font

    return frozenset(ft2font.FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap())


def without_formulas(legend: Any) -> None:
    """Draw the entries of a legend of matplotlib as they are written."""
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)
