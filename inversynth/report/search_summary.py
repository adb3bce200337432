"""The results of a search, in words for a page: verdict, stages with their cost, alternatives."""

from collections.abc import Mapping, Sequence
from typing import Any

from generators.dsp.units import midi_to_hz
from generators.dx7 import panel
from generators.dx7.synth import Dx7Synth
from generators.synth import A4
from inversynth.patches.patch import Alternative, Patch
from inversynth.report.controls import format_value, nearest_note_name

GRADES = {
    "reachable": ("good", "The synth makes this sound."),
    "close": ("near", "Close to it."),
    "similar": ("fair", "Similar, and no more."),
    "far": ("poor", "Not like it."),
    "doubtful": ("fair", "Doubtful."),
    "out of reach": ("poor", "Out of reach."),
}
"""How each verdict is marked, and its title; the last two stand in patches of earlier versions."""

MOST_CHANGES = 8
"""Parameters named of an alternative, the most changed first; the rest is counted."""


def verdict(patch: Patch) -> dict[str, str] | None:
    """Return the verdict of a patch: kind, title, sentence and basis, or None where there is none."""
    word = str(patch.verdict.get("word", ""))
    if word not in GRADES:
        return None
    basis = ""
    if "log_mel_distance" not in patch.scores:  # of an earlier version
        basis = f"Distance {_number(patch.verdict, 'distance'):.3f}, where 0 is equal and 1 is as far as silence."
    if abs(patch.level_db) >= 0.05:
        louder = "louder" if patch.level_db > 0 else "quieter"
        basis += f" The sound is {abs(patch.level_db):.1f} dB {louder} than the synthesizer makes it by itself."
    return {
        "word": word,
        "kind": GRADES[word][0],
        "title": GRADES[word][1],
        "sentence": str(patch.verdict.get("sentence", "")),
        "hint": str(patch.verdict.get("hint", "")),
        "basis": basis.strip(),
    }


def lead(patch: Patch) -> str:
    """Return in a sentence what made the match."""
    synth = f"with the synthesizer “{patch.space.synth}”" + (
        f" at root {name_root(patch.root)}" if patch.root != A4 else ""
    )
    budget = str(patch.refinement.get("budget", ""))
    searched = "" if budget in ("", "none") else f"a search (budget {budget})"
    makers = " and ".join(word for word in (patch.model, searched) if word)
    return f"How near {makers} came to this sound {synth}." if makers else f"This sound {synth}."


def name_root(root: float) -> str:
    """Name a root, a MIDI number: its nearest note and how far it is from it in cents."""
    cents = round(100.0 * (root - round(root)))
    note = nearest_note_name(float(midi_to_hz(round(root))))
    return f"{note} {cents:+d} cents".replace("-", "\N{MINUS SIGN}") if cents else note


def stages(patch: Patch) -> list[dict[str, str]]:
    """Return a row for each stage of the search: what it spent beside what it declares.

    `seconds` is empty, but for patches of earlier versions, which recorded them.
    """
    from inversynth.search.stages import STAGES

    rows = []
    for stage in patch.refinement.get("stages") or []:
        known = STAGES.get(str(stage.get("name"))) if isinstance(stage, dict) else None
        if known is None:
            continue
        rows.append(
            {
                "name": known.name,
                "summary": known.summary,
                "renders": f"{_number(stage, 'renders'):,.0f} (about {known.renders:,})",
                "seconds": f"{_number(stage, 'seconds'):.2f} (about {known.seconds:g})" if "seconds" in stage else "",
                "explained": _explained(_number(stage, "residual_db")),
                "distance": _distance(patch, _number(stage, "distance")),
            }
        )
    return rows


def spent(patch: Patch) -> str:
    """Return what the whole search spent, in words."""
    record = patch.refinement
    words = f"{_number(record, 'renders'):,.0f} renders"
    words += f" in {_number(record, 'seconds'):.2f} s" if "seconds" in record else ""
    return words + (", interrupted" if record.get("interrupted") else "")


def alternatives(patch: Patch, uris: Sequence[str], distances: Sequence[float]) -> list[dict[str, Any]]:
    """Return each alternative with its player's address, its log-mel distance in words, and what it changes."""
    found = []
    for number, (other, uri, distance) in enumerate(zip(patch.alternatives, uris, distances, strict=True), start=1):
        words = f"{distance:.1f} dB from the target."
        found.append({"name": f"Alternative {number}", "uri": uri, "words": words, "changes": changes(patch, other)})
    return found


def changes(patch: Patch, other: Alternative) -> list[tuple[str, str]]:
    """Name the parameters in which an alternative differs, the most changed first: (name, "before → after")."""
    space, synth = patch.space, patch.synth()
    steps = abs(space.values_to_unit(other.values) - space.values_to_unit(patch.values))
    order = [int(column) for column in (-steps).argsort(kind="stable") if steps[column] > 1e-6]
    rows = []
    for column in order[:MOST_CHANGES]:
        name, unit = space.names[column], space.parameters[column].unit
        values = (float(synth.rendered_values(one.values)[column]) for one in (patch, other))
        if space.synth == Dx7Synth.name:
            before, after = (panel.shown_value(name, round(value)) for value in values)
            name = panel.label(name)
        else:
            before, after = (format_value(value, unit) for value in values)
        rows.append((name, f"{before} → {after}"))
    if len(order) > MOST_CHANGES:
        rows.append(("and", f"{len(order) - MOST_CHANGES} more"))
    return rows


def _explained(residual_db: float) -> str:
    """Return the share of the waveform's energy that a patch explains, by what it leaves in dB."""
    share = 100.0 * (1.0 - 10.0 ** (residual_db / 10.0))
    if not share > 0.0:  # also where the number is missing
        return "none"
    return f"{share:.0f} %" if share < 99.0 else f"{min(share, 99.9999):.4g} %"


def _distance(patch: Patch, distance: float) -> str:
    """Write the distance of a search: log-mel, in dB; patches of earlier versions have another one, without unit."""
    return f"{distance:.2f} dB" if "log_mel_distance" in patch.scores else f"{distance:.3f}"


def _number(card: Mapping[str, Any], name: str) -> float:
    value = card.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")
