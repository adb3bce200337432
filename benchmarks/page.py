"""The page of results: every benchmark rewrites its own section of docs/benchmarks.md and leaves the others alone."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from generators.files import written_whole

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

SECTIONS = ("startup", "render", "dataset", "training", "neurosynth", "wavenet", "nsynth", "gansynth", "wae")
"""In the order of the page."""

PREPARED = frozenset({"nsynth", "gansynth", "wae"})
"""Those that need models and a dataset to be made first, and are run by name alone."""

HEAD = """\
# Benchmarks

Written by the modules of `benchmarks`, each its own section: `python -m benchmarks.startup`, `python -m
benchmarks.render`, `python -m benchmarks.dataset`, `python -m benchmarks.training`, `python -m
benchmarks.neurosynth`, `python -m benchmarks.wavenet`, `python -m benchmarks.nsynth`, `python -m
benchmarks.gansynth`, `python -m benchmarks.wae`.
`python -m benchmarks` (or `make bench`) runs all but the last three, which need trained models and a dataset. Figures
are medians; speeds move by a few percent from one run to the next on the same machine.
"""


@dataclass(frozen=True)
class Section:
    """The results of one benchmark.

    Attributes:
        name: one of SECTIONS. title: its heading. repeats: how often each figure was measured.
        columns, rows: the table, as text. text: what the table means, in Markdown; goes before it.
        after: remarks that follow the table. packages: whose versions are stated.
    """

    name: str
    title: str
    repeats: int
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""
    after: str = ""
    packages: Sequence[str] = ()

    def to_markdown(self) -> str:
        """Return the section as it stands on the page."""
        measured = (
            f"`python -m benchmarks.{self.name}`, {datetime.date.today().isoformat()}, median of n = {self.repeats}. "
            f"{machine.describe()}; {machine.software(*self.packages)}."
        )
        parts = [
            f"## {self.title}",
            self.text.strip(),
            markdown_table(self.columns, self.rows),
            self.after.strip(),
            measured,
        ]
        return "\n\n".join(part for part in parts if part) + "\n"


def publish(section: Section, page: Path = PAGE) -> None:
    """Print a section, and put it on the page in place of the one of its name."""
    markdown = section.to_markdown()
    print(markdown)
    text = page.read_text(encoding="utf-8") if page.exists() else HEAD
    with written_whole(page) as partial:
        partial.write_text(replace_section(text, section.name, markdown), encoding="utf-8")


def replace_section(page: str, name: str, markdown: str) -> str:
    """Return the page with one section written anew; a new one goes where the order of SECTIONS wants it."""
    block = f"<!-- {name} -->\n{markdown}<!-- end of {name} -->\n"
    old = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->\n", re.DOTALL)
    if old.search(page):
        return old.sub(lambda _: block, page)
    for later in SECTIONS[SECTIONS.index(name) + 1 :]:
        start = page.find(f"<!-- {later} -->\n")
        if start >= 0:
            return f"{page[:start]}{block}\n{page[start:]}"
    return f"{page.rstrip()}\n\n{block}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with padded cells, so that it reads as well in a terminal; numbers stand to the right."""
    widths = [max(3, *map(len, column)) for column in zip(columns, *rows, strict=True)]  # a rule has three characters
    right = [all(re.match(r"^([\d,.\-–]|$)", row[i]) for row in rows) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (w - 1) + ":") if r else "-" * w for w, r in zip(widths, right, strict=True)]
    return "\n".join([line(columns), line(rule), *(line(row) for row in rows)])
