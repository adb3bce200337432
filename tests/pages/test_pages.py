"""Pages in a real browser: whatever sounds, labels, styles and models are called, nothing runs, nothing is fetched."""

import re
from pathlib import Path

import pytest

from inversynth.report.report import TEMPLATES, content_hash, page_script
from tests.pages.chromium import CHROMIUM, visit
from tests.pages.hostile_pages import ATTACK, FURTHER, PAGES, RUN

browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, a Debian package")

SHARED = {"base.html", "macros.html", "dx7.html"}
"""Templates that are parts of others."""


def test_every_template_has_a_hostile_page() -> None:
    assert {path.name for path in TEMPLATES.glob("*.html")} - SHARED == set(PAGES)


@browser
@pytest.mark.parametrize("template", [*PAGES, *FURTHER])
def test_nothing_that_a_name_holds_runs_or_is_fetched(template: str, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    page = (PAGES | FURTHER)[template](tmp_path / "pages")
    html = page.read_text(encoding="utf-8")
    assert f"<script>{RUN}" not in html
    assert f"&lt;script&gt;{RUN}" in html  # it is there, as text
    seen = visit(page, tmp_path)
    assert "data-ran" not in seen.dom.partition("<head>")[0]
    assert seen.violations == ()
    assert seen.errors == ()
    assert seen.requests == ()


@browser
def test_the_script_of_a_pad_may_load_the_notes_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    page = PAGES["pad.html"](tmp_path / "pages")
    seen = visit(page, tmp_path)
    assert 'data-note="60"' in seen.dom  # a key, which the script has made
    assert message(seen.dom) == "Nothing sounds yet."
    (page.parent / "pad" / "pitch_60.js").unlink()
    assert message(visit(page, tmp_path / "without").dom) == "pad/pitch_60.js is not beside this page"


def message(dom: str) -> str:
    """Return what a pad says of itself."""
    return re.findall(r'<p id="now"[^>]*>(.*?)</p>', dom)[0]


@browser
def test_one_switch_shows_target_or_match_in_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    page = PAGES["report.html"](tmp_path / "pages")
    html = page.read_text(encoding="utf-8")
    assert "<figure hidden" not in html  # without scripts both are there
    assert shown(visit(page, tmp_path).dom) == ["true", "false"]
    clicked = '<script>document.querySelectorAll(".switch button")[1].click()</script></body>'
    opened = re.sub(r"<meta http-equiv.*", "", html).replace("</body>", clicked)
    page.write_text(opened, encoding="utf-8")
    assert shown(visit(page, tmp_path / "clicked").dom) == ["false", "true"]


def shown(dom: str) -> list[str]:
    """Return which button of a report's switch is pressed; the picture of that one alone is there."""
    part = dom.partition('<div class="card ab switched">')[2].partition("</section>")[0]
    assert 'class="switch unprinted" role="group" aria-label="Which sound is shown and played">' in part
    pressed = re.findall(r'aria-pressed="(\w+)"', part)
    hidden = [bool(mark) for mark in re.findall(r'<figure( hidden="")?>', part)]
    assert hidden == [state == "false" for state in pressed]
    return pressed


@browser
def test_what_slips_through_the_escaping_is_blocked_and_would_run_without_the_policy(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    page = PAGES["index.html"](tmp_path / "pages")
    html = page.read_text(encoding="utf-8")
    injected = html.replace("<h1>", f"<h1>{ATTACK}", 1)
    page.write_text(injected, encoding="utf-8")
    seen = visit(page, tmp_path)
    assert "data-ran" not in seen.dom.partition("<head>")[0]
    assert len(seen.violations) >= 4  # script, two handlers, and what is loaded
    assert seen.requests == ()
    page.write_text(re.sub(r"<meta http-equiv.*", "", injected), encoding="utf-8")
    seen = visit(page, tmp_path / "open")
    assert "data-ran" in seen.dom.partition("<head>")[0]
    assert any("example.invalid" in url for url in seen.requests)


@pytest.mark.parametrize("template", PAGES)
def test_a_page_allows_the_one_script_that_it_has(template: str, tmp_path: Path) -> None:
    html = PAGES[template](tmp_path).read_text(encoding="utf-8")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["base-uri"] == directives["form-action"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert script == page_script(template)
    wanted = [f"'{content_hash(script)}'", *(["'strict-dynamic'"] if template == "pad.html" else [])]
    assert directives["script-src"].split() == wanted
    assert "<!--" not in script
