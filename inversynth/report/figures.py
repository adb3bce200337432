"""From a matplotlib figure to its output: an inline SVG in the colours of its page, or a PNG on white."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generators.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """The colours of a plot: text, the two sounds, and lines in the background."""

    ink: str
    target: str
    match: str
    line: str


PAPER = Palette("#57544d", "#2f6bd0", "#d9661f", "#dedad1")
"""On white. Blue and orange can be distinguished with every common kind of colour vision."""

PAGE = Palette("#010203", "#010204", "#010205", "#010206")
"""Stand-ins, which `to_svg` replaces by the colours of the page that the drawing stands in."""

_PAGE_COLOURS = {
    PAGE.ink: "currentColor",
    PAGE.target: "var(--target)",
    PAGE.match: "var(--match)",
    PAGE.line: "var(--line)",
}


def to_svg(figure: "Figure", label: str) -> str:
    """Turn a figure into an inline SVG with the width and the colours of its page; `label` is its alternative text.

    Everything that a page does not need is left out: the declaration, the metadata, fixed sizes and namespaces.
    """
    from html import escape

    import matplotlib

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for pattern, replacement in _PRUNINGS:
        svg = pattern.sub(replacement, svg)
    for stand_in, colour in _PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg.replace("<svg", f'<svg class="plot" role="img" aria-label="{escape(label)}"', 1).strip()


_PRUNINGS = tuple(
    (re.compile(pattern, re.DOTALL), replacement)
    for pattern, replacement in (
        (r"<metadata>.*?</metadata>", ""),
        (r"<!--.*?-->", ""),
        (r' xmlns(:\w+)?="[^"]*"', ""),
        (r' version="[^"]*"', ""),
        (r'(<svg[^>]*?) width="[^"]*"', r"\1"),
        (r'(<svg[^>]*?) height="[^"]*"', r"\1"),
        (r' id="(?:figure|axes|image|patch|line2d|text|matplotlib|xtick|ytick|FillBetween\w*|\w*Collection)[^"]*"', ""),
        (r" font-family: [^;]*;", ""),
        (r" font: [^;]*?([\d.]+px)[^;]*;", r" font-size: \1;"),
        (r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", ""),  # it would restyle the whole page
        (r' style="image-rendering:[^"]*"', ""),  # smooth, as in the PNG
        (r' transform="rotate\(-0 [^"]*\)"', ""),
        (r"<g/>", ""),
        (r"(\d\.\d{4})\d+", r"\1"),
        (r"xlink:href", "href"),
        (r"\n\s*", "\n"),
    )
)


def to_png(figure: "Figure", path: Path, pixels_per_inch: int = 120) -> Path:
    """Write a figure (drawn with the palette `PAPER`) as a PNG on white."""
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=pixels_per_inch, facecolor="white", metadata={"Software": None})
    return path
