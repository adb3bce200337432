"""Open a page in headless Chromium: what its elements are after its scripts have run, what it asked for and reported.

Chromium writes violations of a page's content policy to its console, and every request to a net log, so neither a
driver nor a web server is needed.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

MILLISECONDS = 3000
"""Of the page's own clock, which runs as fast as its scripts allow."""

SECONDS = 120
"""Longest start of a browser on a busy machine."""

VIOLATION = re.compile(r"Content Security Policy")


@dataclass(frozen=True)
class Visit:
    """A page as Chromium left it.

    Attributes: dom, as HTML. requests: addresses asked for over the network; files beside a page are not among them.
    console: its lines.
    """

    dom: str
    requests: tuple[str, ...]
    console: tuple[str, ...]

    @property
    def violations(self) -> tuple[str, ...]:
        """What the content policy of the page blocked."""
        return tuple(line for line in self.console if VIOLATION.search(line))

    @property
    def errors(self) -> tuple[str, ...]:
        """Exceptions of its scripts."""
        return tuple(line for line in self.console if "Uncaught" in line)


def visit(page: Path, folder: Path, *flags: str) -> Visit:
    """Open a page with no way to the network; `folder` takes the profile and the net log."""
    assert CHROMIUM
    folder.mkdir(exist_ok=True)
    log = folder / "net.json"
    ran = subprocess.run(
        [CHROMIUM, *_flags(folder), f"--log-net-log={log}", "--dump-dom", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    console = tuple(re.findall(r"CONSOLE[^\]]*\] (.*)", ran.stderr))
    return Visit(ran.stdout, tuple(_requests(log, page)), console)


def screenshot(page: Path, image: Path, folder: Path, *, dark: bool = False, height: int = 2400) -> Path:
    """Write a picture of a page in its light or dark colours."""
    assert CHROMIUM
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    window = f"--window-size=1200,{height}"
    subprocess.run(
        [CHROMIUM, *_flags(folder), scheme, window, "--hide-scrollbars", f"--screenshot={image}", page.as_uri()],
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    return image


def _flags(folder: Path) -> list[str]:
    return [
        *("--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run", "--disable-extensions"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"),
        *(f"--user-data-dir={folder / 'profile'}", f"--virtual-time-budget={MILLISECONDS}"),
    ]


def _requests(log: Path, page: Path) -> list[str]:
    """Return the addresses that a page asked for; those of the browser itself have no origin."""
    text = log.read_text(encoding="utf-8").rstrip()
    try:
        events = json.loads(text)["events"]
    except ValueError:  # the browser was stopped before it closed the list
        events = json.loads(text.rstrip(",") + "]}")["events"]
    asked = [event.get("params", {}) for event in events]
    urls = {one["url"] for one in asked if one.get("url") and one.get("initiator", "not an origin") != "not an origin"}
    return sorted(url for url in urls - {page.as_uri()} if not url.startswith("data:"))
