"""The page that lists all reports of a folder: those just written and those of earlier runs, nearest first.

Every report stands beside the patch.json of its sound, at `NAME/` or `NAME/001/` below the page. What is shown comes
from there, with small spectrograms of target.wav and match.wav.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from generators.audio import read_audio
from generators.errors import InversynthError
from generators.files import write_text
from inversynth.patches.patch import Patch, read_patch
from inversynth.report import charts
from inversynth.report.report import Tile, data_uri, render, tiles
from inversynth.report.search_summary import verdict

MAX_THUMBNAILS = 200
"""Reports with spectrograms, the nearest ones: each costs two small PNGs (some 15 KB) and 20 ms."""


@dataclass(frozen=True)
class Row:
    """One report of the page.

    Attributes: name is its folder's, link its address from the page. thumbnails: data URIs of target and match.
    nearness: the key to sort by, the log-mel distance in dB; reports of earlier versions, which have another distance,
    come after all others.
    kind, verdict: how the verdict is marked and its words. details: what else is known, in words.
    """

    name: str
    link: str
    nearness: tuple[bool, float] = (True, math.inf)
    file: str = ""
    kind: str = ""
    verdict: str = ""
    sentence: str = ""
    details: str = ""
    tiles: Sequence[Tile] = ()
    thumbnails: Sequence[str] = field(default_factory=list)


def write_index(path: Path, faults: Sequence[str] = ()) -> Path:
    """Write the page that lists all reports below its folder, nearest first, and names sounds at fault."""
    found = sorted(find_reports(path.parent), key=lambda pair: (pair[1].nearness, pair[1].name))
    rows = [
        _with_thumbnails(row, folder) if place < MAX_THUMBNAILS else row for place, (folder, row) in enumerate(found)
    ]
    title = f"{len(rows)} sound{'' if len(rows) == 1 else 's'}"
    return write_text(path, render("index.html", title=title, rows=rows, faults=list(faults)))


def find_reports(folder: Path) -> Iterator[tuple[Path, Row]]:
    """Yield each folder that holds a report, with its row; one whose patch cannot be read is listed by name alone."""
    for report in [*folder.glob("*/report.html"), *folder.glob("*/*/report.html")]:
        place = report.parent
        if not (place / "patch.json").is_file():
            continue
        name, link = place.relative_to(folder).as_posix(), report.relative_to(folder).as_posix()
        try:
            yield place, _row(name, link, read_patch(place / "patch.json"))
        except InversynthError as fault:
            yield place, Row(name, link, details=str(fault))


def _row(name: str, link: str, patch: Patch) -> Row:
    shown, distance = verdict(patch), patch.scores.get("log_mel_distance")
    recorded = patch.refinement.get("distance")
    earlier = float(recorded) if isinstance(recorded, int | float) else math.inf
    details = [f"{patch.space.synth}, model {patch.model}" if patch.model else patch.space.synth]
    if patch.refinement.get("budget"):
        details.append(f"budget {patch.refinement['budget']}")
    if patch.source.get("bank"):
        details.append(f"voice {patch.source['bank']}")
    if patch.refinement.get("interrupted"):
        details.append("search interrupted")
    return Row(
        name,
        link,
        (True, earlier) if distance is None else (False, distance),
        str(patch.source.get("file", "")),
        shown["kind"] if shown else "",
        shown["title"] if shown else "",
        shown["sentence"] if shown else "",
        "; ".join(details),
        tiles(patch.scores),
    )


def _with_thumbnails(row: Row, folder: Path) -> Row:
    """Add log-mel pictures of target and match on one colour scale; a sound that cannot be read has none."""
    try:
        sounds = [read_audio(folder / name) for name in ("target.wav", "match.wav")]
    except InversynthError:
        return row
    rate = sounds[0].sample_rate
    limits = charts.log_mel_limits([sound.audio for sound in sounds], rate)
    images = [data_uri("image/png", charts.log_mel_png(sound.audio, rate, limits)) for sound in sounds]
    return replace(row, thumbnails=images)
