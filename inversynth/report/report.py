"""Reports: one HTML file each, which needs nothing beside itself.

Sounds are embedded as 16-bit WAV, plots as inline SVG in the colours of the page. What a page shows is gathered here as
plain data; how it looks is in `templates/`. A content policy in the page forbids every request, and every script but
ours, which it names by its hash.
"""

import base64
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import soundfile
from numpy.typing import NDArray

from generators import __version__
from generators.dx7.synth import Dx7Synth
from generators.dx7.sysex import format_syx
from generators.files import write_text
from inversynth.explanation.audibility import knob_audibility
from inversynth.explanation.explain import explain
from inversynth.explanation.paragraph import Paragraph
from inversynth.patches.formats import voice_from_patch
from inversynth.patches.patch import Patch, render_patch
from inversynth.report import charts, search_summary
from inversynth.report.controls import LIKELY, ranked_knobs
from inversynth.report.dx7_voice import voice_page

if TYPE_CHECKING:
    import jinja2

    from inversynth.inversion.result import Inversion

TEMPLATES = Path(__file__).parent / "templates"

PLAYED_PEAK = 0.9
"""Peak of the loudest sound of a set in its players: just below clipping, for players that resample."""

PART = 1 << 18
"""Samples of a sound that are embedded at once."""


@dataclass(frozen=True)
class Tile:
    """One score: its name, the number and how to read it."""

    name: str
    number: str
    words: str


def write_report(path: Path, inversion: "Inversion", index: Path | None = None) -> Path:
    """Write the report of one inversion, with a link back to the page `index` that lists it, if there is one."""
    back = "" if index is None else Path(os.path.relpath(index, path.parent)).as_posix()
    return write_text(path, render_report(inversion, back))


def render_report(inversion: "Inversion", back: str = "") -> str:
    """Return the report of one inversion as HTML; `back` is the address of the page that lists all reports."""
    target, patch, match = inversion.target, inversion.patch, inversion.audio
    rate = target.sample_rate
    pictured, limits = log_mel_pictures({"the target": target.audio, "the match": match}, rate)
    paper_limits = charts.decibel_limits([target.audio, match])
    others = [render_patch(replace(patch, values=o.values, level_db=o.level_db)) for o in patch.alternatives]
    players, gain = embed_sounds([target.audio, match, *others], rate)
    seconds = f"{len(target.audio) / rate:g} s"
    verdict = search_summary.verdict(patch)
    heard, unheard = ranked_knobs(patch, knob_audibility(patch), inversion.truth)
    voice = voice_page(patch, heard) if patch.space.synth == Dx7Synth.name else None
    shows_probabilities = patch.probabilities is not None and (
        inversion.truth is not None or verdict is None or verdict["word"] == "reachable"
    )
    return render(
        "report.html",
        title=target.name,
        back=back,
        target=target,
        patch=patch,
        players=players,
        gain=gain,
        lead=" ".join([search_summary.lead(patch), *map(str, target.source.get("remarks", ()))]),
        summary=summarise(patch if shows_probabilities else replace(patch, probabilities=None), inversion.truth),
        tiles=tiles(patch.scores, rate),
        paper_tiles=paper_tiles(patch.scores),
        more=further_scores(patch.scores),
        pictures=pictured,
        limits=limits,
        colours=charts.colour_stops(),
        spectrograms=[
            charts.draw_spectrogram(target.audio, rate, paper_limits, f"Spectrogram of the target over {seconds}"),
            charts.draw_spectrogram(match, rate, paper_limits, f"Spectrogram of the match over {seconds}"),
        ],
        paper_limits=paper_limits,
        waveforms=charts.draw_waveforms(
            target.audio, match, rate, f"Waveforms of target and match over {seconds}, overlaid"
        ),
        close_up=charts.draw_close_up(
            target.audio, match, rate, "Waveforms of target and match at the target's loudest moment"
        ),
        voice=voice,
        explained=_explain_structure(patch) if voice is None else [],
        heard=heard,
        unheard=unheard,
        verdict=verdict,
        alternatives=search_summary.alternatives(patch, players[2:], _distances(target.audio, others, rate)),
        budget=patch.refinement.get("budget", ""),
        spent=search_summary.spent(patch),
        stages=search_summary.stages(patch),
        has_free=patch.determined is not None and not bool(patch.determined.all()),
        knows_truth=inversion.truth is not None,
        shows_probabilities=shows_probabilities,
        treatment=target.treatment,
        assumptions=inversion.assumptions,
        patch_uri=data_uri("application/json", patch.to_json().encode()),
        syx_uri=data_uri("application/octet-stream", format_syx([voice_from_patch(patch)])) if voice else "",
    )


def _explain_structure(patch: Patch) -> list[Paragraph]:
    """Explain how a synth of oscillators makes a sound; nothing for others, and for patches of other parameters."""
    synth = patch.synth()
    return explain(patch) if synth.structure is not None and synth.space.names == patch.space.names else []


def log_mel_pictures(
    sounds: Mapping[str, NDArray[Any]], sample_rate: int, size: tuple[float, float] = (9.6, 3.4)
) -> tuple[list[str], tuple[float, float]]:
    """Draw log-mel pictures of sounds, by name, on one colour scale; returns them and the scale's ends in dB."""
    limits = charts.log_mel_limits(sounds.values(), sample_rate)
    drawn = [
        charts.draw_log_mel(
            audio, sample_rate, limits, f"Log-mel picture of {name} over {len(audio) / sample_rate:g} s", size
        )
        for name, audio in sounds.items()
    ]
    return drawn, limits


def _distances(target: NDArray[Any], sounds: Sequence[NDArray[Any]], sample_rate: int) -> list[float]:
    """Return the log-mel distance of each sound from the target, dB."""
    from generators.analysis.audio_metrics import log_mel_distance

    return [float(log_mel_distance(target, sound, sample_rate)[0]) for sound in sounds]


def render(template: str, **context: Any) -> str:
    """Fill a template of `templates/`; text is escaped, drawings and scripts of our own are trusted."""
    script = page_script(template)
    content = context | {"version": __version__, "script": script, "script_hash": content_hash(script)}
    return _environment().get_template(template).render(content)


@cache
def page_script(template: str) -> str:
    """Return the script of a page: that of all pages, and the one named like its template where there is one.

    It is read from files and never filled in, so that its hash cannot cover a word that came from outside. A page hands
    data to its script as JSON, in an element that no browser executes.
    """
    files = [TEMPLATES / "base.js", TEMPLATES / Path(template).with_suffix(".js").name]
    return "\n" + "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())


def content_hash(script: str) -> str:
    """Return the hash of a script as a content policy names it (CSP 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def encode_address(path: str) -> str:
    """Return a relative path as the address of a link: the bytes of its name, which may be no UTF-8."""
    return quote(os.fsencode(path))


@cache
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
    environment.filters["trusted"] = Markup
    environment.filters["urlencode"] = encode_address
    return environment


# --- what a page shows -----------------------------------------------------------------------------------------


def embed_sounds(sounds: Sequence[charts.Samples], sample_rate: int) -> tuple[list[str], float]:
    """Return a data URI for each sound, all turned up or down by the same decibels, and by how many."""
    peak = max(max(float(np.abs(part).max()) for sound in sounds for part in _parts(sound)), 1e-9)
    gain = PLAYED_PEAK / peak
    uris = []
    for sound in sounds:
        buffer = io.BytesIO()
        with soundfile.SoundFile(buffer, "w", sample_rate, 1, format="WAV", subtype="PCM_16") as file:
            for part in _parts(sound):
                file.write(part * gain)
        uris.append(data_uri("audio/wav", buffer.getbuffer()))
    return uris, float(20.0 * np.log10(gain))


def _parts(sound: charts.Samples) -> Iterator[NDArray[Any]]:
    """Yield a sound in parts, so that one in a file is never held whole."""
    return (np.asarray(sound[first : first + PART]) for first in range(0, len(sound), PART))


def summarise(patch: Patch, truth: NDArray[Any] | None) -> str:
    """Summarise in a sentence or two how certain the knobs are and, where the truth is known, how many are right."""
    count = len(patch.space)
    words = []
    if patch.probabilities is not None:
        best = [float(patch.probabilities[part].max()) for part in patch.space.slices]
        certain = sum(probability >= LIKELY for probability in best)
        words.append(f"{certain} of {count} knobs have one value that is more likely than all others together.")
    if truth is not None:
        steps = np.abs(patch.classes.astype(int) - truth.astype(int))
        right = int((steps == 0).sum())
        words.append(
            f"{right} {'is' if right == 1 else 'are'} exactly right, {int((steps <= 1).sum())} within one step."
        )
    return " ".join(words)


def tiles(scores: Mapping[str, float], sample_rate: int = 0, averaged: bool = False) -> list[Tile]:
    """Return the scores that stand large on a page: a musician's three and, where the truth is known, MPR.

    Patches of earlier versions have the measures of the paper alone.

    Args:
        sample_rate: Hz, named beside the distance. averaged: of several sounds, whose pitches differ by so many cents
            up or down.
    """
    mpr = (
        [Tile("MPR", f"{scores['mpr']:.2f}", "mean percentile rank of the true settings; 50 is chance, 100 perfect")]
        if "mpr" in scores
        else []
    )
    if "log_mel_distance" not in scores:
        return [*paper_tiles(scores), *mpr]
    at = f" at {sample_rate:,} Hz" if sample_rate else ""
    distance = Tile(
        "Log-mel distance",
        f"{scores['log_mel_distance']:.1f} dB",
        f"how far apart to the ear{at}; 0 is the same sound, up to 3 is close, beyond 6 is another sound",
    )
    likeness = Tile(
        "Envelope",
        f"{100.0 * scores['envelope_cosine']:.0f} %",
        "likeness of the loudness over time; 100 % is the same course",
    )
    return [distance, _pitch_tile(scores.get("pitch_cents"), averaged), likeness, *mpr]


def paper_tiles(scores: Mapping[str, float]) -> list[Tile]:
    """Return the scores of two sounds in the InverSynth paper, in its order."""
    known = {
        "stft_pcc": ("STFT PCC", "{:.2f}", "similarity of the spectrograms; 100 is the same. Lenient"),
        "ft_pcc": ("FT PCC", "{:.2f}", "similarity of the whole spectrum; 100 is the same. Strict about pitch"),
        "f_delta": ("F-delta", "{:.1f}", "distance of the spectrograms in dB; 0 is the same"),
    }
    return [Tile(name, form.format(scores[key]), words) for key, (name, form, words) in known.items() if key in scores]


def _pitch_tile(cents: float | None, averaged: bool) -> Tile:
    if cents is None:
        return Tile("Pitch", "\N{EN DASH}", "target or match has no single pitch to compare")
    if averaged:
        return Tile("Pitch", f"{cents:.0f} cents", "off, up or down, where both have a pitch; a semitone is 100 cents")
    whole = round(cents)
    if whole == 0:
        return Tile("Pitch", "0 cents", "the same pitch; a semitone is 100 cents")
    way = "higher" if whole > 0 else "lower"
    number = f"{whole:+,d} cents".replace("-", "\N{MINUS SIGN}")
    return Tile("Pitch", number, f"the match is {way}; a semitone is 100 cents")


def describe(scores: Mapping[str, float]) -> str:
    """Write the main scores of one sound on one line."""
    return ", ".join(f"{tile.name} {tile.number}" for tile in tiles(scores))


def describe_match(patch: Patch) -> str:
    """Write on one line how near the match of a patch is, and what differs: for a terminal."""
    verdict = search_summary.verdict(patch)
    if verdict is None:
        return describe(patch.scores)
    distance = patch.scores.get("log_mel_distance")
    near = "" if distance is None else f" ({distance:.1f} dB)"
    return f"{verdict['word']}{near}. {verdict['sentence']}"


def further_scores(scores: Mapping[str, float]) -> list[str]:
    """Return the other measures of two sounds, each as words and a number."""
    from generators.analysis.audio_metrics import MEASURES

    shown = ("log_mel_distance", "stft_pcc", "ft_pcc", "f_delta", "envelope_cosine")
    return [
        f"{measure.title} {scores[name]:.{measure.decimals}f}"
        for name, measure in MEASURES.items()
        if name in scores and name not in shown
    ]


def data_uri(kind: str, content: bytes | memoryview) -> str:
    """Return content as a URI that carries it; `kind` is its media type. A template copies it as it is."""
    from markupsafe import Markup

    return Markup(f"data:{kind};base64,{base64.b64encode(content).decode()}")
