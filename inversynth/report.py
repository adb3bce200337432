"""Reports: one HTML file each, which needs nothing beside itself.

Sounds are embedded as 16-bit WAV, pictures as inline SVG in the colours of the page, and a content policy in the page
forbids every request. What a page shows is gathered here as plain data; how it looks is in `templates/`.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from generators import __version__
from generators.parameters import Floats, Parameter, ParameterSpace
from inversynth import plots
from inversynth.patches import Patch, write_text

if TYPE_CHECKING:
    import jinja2

    from inversynth.inversion import Inversion

TEMPLATES = Path(__file__).parent / "templates"

PLAYED_PEAK = 0.9
"""Peak of the loudest sound of a set in its players: just below clipping, for players that resample."""

SURE = 0.5
"""Probability from which on a knob counts as sure: no other class can then be as likely."""

STRIP = (96.0, 26.0)
"""Width and height of a distribution's drawing, in its own units."""

STRIP_FULL = 0.25
"""Probability that reaches the top of a strip whose classes all lie below it, so that flat ones stay visibly flat."""

MOST_PLAYERS = 60
"""Sounds up to which an index carries their players: 90 KB each."""

WAVES = {"sin": "Sine", "saw": "Saw", "tri": "Triangle", "sqr": "Square"}
GROUPS = {"ADSR": "Envelope", "Amplitude LFO": "Gate"}
"""Titles of panels, where the reporting group's own name says less."""


@dataclass(frozen=True)
class Bar:
    """One class of a distribution, as a rectangle."""

    x: float
    y: float
    width: float
    height: float
    words: str
    kind: str


@dataclass(frozen=True)
class Knob:
    """One parameter, as it is drawn: everything in words, numbers for the eye, and SVG paths."""

    name: str
    description: str
    value: str
    remark: str
    number: int
    last: int
    probability: float | None
    scale: str
    turned: str
    tip: tuple[float, float]
    bars: tuple[Bar, ...]
    spread: str
    truth: str
    truth_spot: tuple[float, float] | None
    steps_off: int | None


@dataclass(frozen=True)
class Tile:
    """One score: its name, the number and how to read it."""

    name: str
    number: str
    words: str


def write_report(path: Path, inversion: "Inversion") -> Path:
    """Write the report of one inversion."""
    return write_text(path, render_report(inversion))


def render_report(inversion: "Inversion") -> str:
    """Return the report of one inversion as HTML."""
    target, patch, match = inversion.target, inversion.patch, inversion.match
    rate = target.sample_rate
    limits = plots.decibel_limits([target.audio, match])
    players, gain = embed_sounds([target.audio, match], rate)
    seconds = f"{len(target.audio) / rate:g} s"
    return render(
        "report.html",
        title=target.name,
        target=target,
        patch=patch,
        players=players,
        gain=gain,
        summary=summarise(patch, inversion.truth),
        tiles=tiles(patch.scores),
        more=further_scores(patch.scores),
        spectrograms=[
            plots.to_svg(plots.spectrogram(target.audio, rate, limits), f"Spectrogram of the target over {seconds}"),
            plots.to_svg(plots.spectrogram(match, rate, limits), f"Spectrogram of the match over {seconds}"),
        ],
        limits=limits,
        colours=plots.colour_stops(),
        waveforms=plots.to_svg(
            plots.waveforms(target.audio, match, rate), f"Waveforms of target and match over {seconds}, overlaid"
        ),
        close_up=plots.to_svg(
            plots.close_up(target.audio, match, rate), "Waveforms of target and match at the target's loudest moment"
        ),
        panels=panels(patch, inversion.truth),
        knows_truth=inversion.truth is not None,
        has_probabilities=patch.probabilities is not None,
        treatment=target.treatment,
        assumptions=inversion.assumptions,
        patch_uri=_data_uri("application/json", patch.to_json().encode()),
    )


def write_index(path: Path, done: "Sequence[tuple[Inversion, Path]]", faults: Sequence[tuple[Path, str]] = ()) -> Path:
    """Write the page that leads to several reports, with their scores and sounds, and names the sounds at fault."""
    rows = []
    for inversion, report in done:
        sounds = [inversion.target.audio, inversion.match] if len(done) <= MOST_PLAYERS else []
        players = embed_sounds(sounds, inversion.target.sample_rate)[0] if sounds else []
        rows.append(
            {
                "name": inversion.target.name,
                "file": inversion.target.source.get("file", ""),
                "link": report.relative_to(path.parent).as_posix(),
                "players": players,
                "tiles": tiles(inversion.patch.scores),
            }
        )
    first = done[0][0] if done else None
    page = render(
        "index.html",
        title=f"{len(rows)} sound{'' if len(rows) == 1 else 's'}",
        rows=rows,
        faults=[message for _, message in faults],
        assumptions=first.assumptions if first else {},
    )
    return write_text(path, page)


def render(template: str, **context: Any) -> str:
    """Fill a template of `templates/`; text is escaped, drawings made by `plots.to_svg` are trusted."""
    return _environment().get_template(template).render(version=__version__, **context)


@lru_cache(maxsize=1)
def _environment() -> "jinja2.Environment":
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup
    return environment


# --- what a page shows -----------------------------------------------------------------------------------------


def embed_sounds(sounds: Sequence[NDArray[Any]], sample_rate: int) -> tuple[list[str], float]:
    """Return a data URI for each sound, all turned up or down alike, and by how many decibels."""
    peak = max(max(float(np.abs(sound).max()) for sound in sounds), 1e-9)
    gain = PLAYED_PEAK / peak
    uris = []
    for sound in sounds:
        buffer = io.BytesIO()
        soundfile.write(buffer, np.asarray(sound) * gain, sample_rate, format="WAV", subtype="PCM_16")
        uris.append(_data_uri("audio/wav", buffer.getvalue()))
    return uris, float(20.0 * np.log10(gain))


def summarise(patch: Patch, truth: NDArray[Any] | None) -> str:
    """Say in a sentence or two how sure the network is, and how right where that is known."""
    count = len(patch.space)
    words = []
    if patch.probabilities is not None:
        best = [float(patch.probabilities[part].max()) for part in patch.space.slices]
        sure = sum(probability >= SURE for probability in best)
        words.append(f"The model is sure of {sure} of {count} knobs ({SURE:.0%} or more on one class).")
    if truth is not None:
        steps = np.abs(patch.classes.astype(int) - truth.astype(int))
        words.append(f"{int((steps == 0).sum())} are exactly right, {int((steps <= 1).sum())} within one step.")
    return " ".join(words)


def tiles(scores: Mapping[str, float]) -> list[Tile]:
    """Return the scores that stand large on a page, in the order of the paper."""
    known = {
        "stft_pcc": ("STFT PCC", "{:.2f}", "likeness of the spectrograms; 100 is the same. Lenient"),
        "ft_pcc": ("FT PCC", "{:.2f}", "likeness of the whole spectrum; 100 is the same. Strict about pitch"),
        "f_delta": ("F-delta", "{:.1f}", "distance of the spectrograms in dB; 0 is the same"),
        "mpr": ("MPR", "{:.2f}", "mean percentile rank of the true settings; 50 is chance, 100 perfect"),
    }
    return [Tile(name, form.format(scores[key]), words) for key, (name, form, words) in known.items() if key in scores]


def describe(scores: Mapping[str, float]) -> str:
    """Write the main scores of one sound on one line."""
    return ", ".join(f"{tile.name} {tile.number}" for tile in tiles(scores))


def further_scores(scores: Mapping[str, float]) -> list[str]:
    """Return the other measures of two sounds, each as words and a number."""
    from inversynth.audio_metrics import MEASURES

    return [
        f"{measure.title} {scores[name]:.{measure.decimals}f}"
        for name, measure in MEASURES.items()
        if name in scores and name not in ("stft_pcc", "ft_pcc", "f_delta")
    ]


def panels(patch: Patch, truth: NDArray[Any] | None = None) -> dict[str, list[Knob]]:
    """Return the knobs by the part of the synth that they belong to, in order of first appearance.

    An ending that several parameters share (`_saw`) names a part; the others go by their group.
    """
    found: dict[str, list[Knob]] = {}
    for column, parameter in enumerate(patch.space.parameters):
        found.setdefault(_part(parameter, patch.space), []).append(_knob(patch, column, truth))
    return found


def _part(parameter: Parameter, space: ParameterSpace) -> str:
    ending = parameter.name.rpartition("_")[2]
    shared = sum(name.endswith(f"_{ending}") for name in space.names)
    if shared > 1 and "_" in parameter.name:
        return WAVES.get(ending, ending)
    return GROUPS.get(parameter.group, parameter.group) or "Parameters"


def _knob(patch: Patch, column: int, truth: NDArray[Any] | None) -> Knob:
    parameter, value = patch.space.parameters[column], float(patch.values[column])
    number, last = int(patch.classes[column]), patch.space.sizes[column] - 1
    position = float(patch.space.values_to_unit(patch.values)[column])
    distribution = patch.distribution(column)
    true = None if truth is None else int(truth[column])
    return Knob(
        name=parameter.name,
        description=parameter.description,
        value=plots.format_value(value, parameter.unit),
        remark=note_name(value) if parameter.group == "Notes" else "",
        number=number,
        last=last,
        probability=None if distribution is None else float(distribution[number]),
        scale=plots.knob_path(0.0, 1.0),
        turned=plots.knob_path(0.0, position) if position > 0.0 else "",
        tip=plots.knob_tip(position, radius=12.0),
        bars=() if distribution is None else _bars(parameter, distribution, number, true),
        spread="" if distribution is None else _spread(parameter, distribution),
        truth="" if true is None else plots.format_value(parameter.levels[true], parameter.unit),
        truth_spot=None if true is None else plots.knob_tip(true / max(last, 1), radius=19.0),
        steps_off=None if true is None else abs(number - true),
    )


def _bars(parameter: Parameter, distribution: Floats, number: int, true: int | None) -> tuple[Bar, ...]:
    width, height = STRIP
    step = width / len(distribution)
    full = max(float(distribution.max()), STRIP_FULL)
    bars = []
    for place, probability in enumerate(distribution):
        tall = max(1.0, height * float(probability) / full)
        value = plots.format_value(parameter.levels[place], parameter.unit)
        kinds = [kind for kind, holds in (("chosen", place == number), ("true", place == true)) if holds]
        words = f"class {place}, {value}: {probability:.1%}"
        x, y, wide = round(place * step, 2), round(height - tall, 2), round(step - 1.2, 2)
        bars.append(Bar(x, y, wide, round(tall, 2), words, " ".join(kinds)))
    return tuple(bars)


def _spread(parameter: Parameter, distribution: Floats) -> str:
    """Name the three most probable values, for those who cannot see the strip."""
    best = np.argsort(-distribution, kind="stable")[:3]
    values = [plots.format_value(parameter.levels[int(place)], parameter.unit) for place in best]
    return "; ".join(f"{value} {distribution[place]:.0%}" for value, place in zip(values, best, strict=True))


def note_name(hertz: float) -> str:
    """Return the note nearest to a frequency, as in A4 for 440 Hz, or nothing where it is off by over 5 cents."""
    if hertz <= 0.0:
        return ""
    number = 69.0 + 12.0 * float(np.log2(hertz / 440.0))
    nearest = round(number)
    if abs(number - nearest) > 0.05:
        return ""
    names = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
    return f"{names[nearest % 12]}{nearest // 12 - 1}"


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
