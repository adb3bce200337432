"""The tables of docs/reliability.md, each between its marks."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def published(name: str, page: Path = PAGE) -> str:
    """Return the text between the marks of a name. Raises LookupError for a page without them."""
    marked = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- end of {name} -->", page.read_text(encoding="utf-8"), re.DOTALL)
    if not marked:
        raise LookupError(f"{page.name} has no marks of '{name}'")
    return marked[1]


def publish(name: str, text: str, page: Path = PAGE) -> None:
    """Put text between the marks of a name. Raises LookupError for a page without them."""
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    before = page.read_text(encoding="utf-8")
    if not marked.search(before):
        raise LookupError(f"{page.name} has no marks of '{name}'")
    page.write_text(marked.sub(lambda found: f"{found[1]}{text}\n{found[2]}", before), encoding="utf-8")
