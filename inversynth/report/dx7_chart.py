"""The drawings of a DX7 voice, as SVG in the colours of the page: its algorithm as on the panel, envelopes and LFO.

The algorithm stands as it is printed on the instrument: carriers at the bottom, what modulates them above, feedback as
a loop around its operators. An operator without which the note sounds the same is dimmed.
"""

from collections.abc import Collection, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from generators.dx7 import panel
from generators.dx7.algorithms import ALGORITHMS, Algorithm
from generators.dx7.engine import Trace, trace
from generators.dx7.voice import OPERATORS, Voice
from inversynth.report.charts import Panel, ticks

BOX = (98.0, 58.0)
"""Width and height of an operator in the chart."""

GAP = (20.0, 26.0)
"""Space between operators, to the side and above."""

MARGIN = 18.0
"""Space around the chart: for feedback at the sides, and for the line below that joins the carriers."""

LOWEST = -60.0
"""Decibels at the bottom of an envelope's drawing; a carrier of full level stands at 0."""

POINTS = 160
"""Points of a drawn envelope beside those at which a segment ends; steps of a few milliseconds."""

ENVELOPE = (260.0, 104.0)
"""Width and height of an envelope's drawing."""

FAST = {"lfo_pitch_depth": 99, "pitch_sensitivity": 7}
"""Depths at which the LFO's wave is read off the pitch."""


def algorithm_places(algorithm: Algorithm) -> dict[int, tuple[float, int]]:
    """Return where each operator stands: its column from the left, which may be half of one, and its row from below.

    Carriers that share a modulator stand side by side below it; a carrier stands below the middle of its modulators.
    """
    places: dict[int, tuple[float, int]] = {}
    column = 0.0

    def stand(operator: int, row: int) -> float:
        nonlocal column
        above = [m for m in algorithm.modulators(operator) if m not in places]
        if above:
            columns = [stand(m, row + 1) for m in above]
            at = (columns[0] + columns[-1]) / 2.0
        else:
            at, column = column, column + 1.0
        places[operator] = (at, row)
        return at

    for carrier in algorithm.carriers:
        if carrier in places:
            continue
        sharing = _sharing(algorithm, carrier)
        if len(sharing) == 1:
            stand(carrier, 0)
            continue
        first = column
        for k, each in enumerate(sharing):
            places[each] = (first + k, 0)
        column = first + len(sharing)
        for m in algorithm.modulators(carrier):
            places[m] = (first + (len(sharing) - 1) / 2.0, 1)
    return places


def _sharing(algorithm: Algorithm, carrier: int) -> list[int]:
    """Return the carriers that a modulator of this one modulates, itself included."""
    above = set(algorithm.modulators(carrier))
    return [each for each in algorithm.carriers if each == carrier or above & set(algorithm.modulators(each))]


def draw_algorithm(voice: Voice, silent: Collection[int] = ()) -> str:
    """Draw the algorithm of a voice with frequency, output level and detune of each operator.

    Args: silent: operators that are not heard, which are dimmed.
    """
    number = voice["algorithm"] + 1
    algorithm = ALGORITHMS[number - 1]
    places = algorithm_places(algorithm)
    rows = max(row for _, row in places.values()) + 1
    (wide, high), (aside, above) = BOX, GAP
    width, height = chart_width(algorithm), 2 * MARGIN + rows * high + (rows - 1) * above
    centres = {
        operator: (
            MARGIN + wide / 2 + column * (wide + aside),
            height - MARGIN - high / 2 - row * (high + above),
        )
        for operator, (column, row) in places.items()
    }
    lines = _wires(algorithm, centres, height)
    if voice["feedback"]:
        lines.append(_loop(algorithm, centres))
    boxes = [_box(voice, k, centres[k], k in algorithm.carriers, k in silent) for k in range(1, OPERATORS + 1)]
    label = f"Chart of algorithm {number}: carriers below, their modulators above"
    return (
        f'<svg class="algorithm" role="img" aria-label="{label}" viewBox="0 0 {width:g} {height:g}" '
        f'style="width: 100%; max-width: {width:g}px; min-width: {0.75 * width:g}px">'
        + "\n".join(["", *lines, *boxes, "</svg>"])
    )


def chart_width(algorithm: Algorithm) -> float:
    """Return the width of an algorithm's chart in pixels."""
    columns = max(column for column, _ in algorithm_places(algorithm).values()) + 1.0
    return 2 * MARGIN + columns * BOX[0] + (columns - 1) * GAP[0]


def _wires(algorithm: Algorithm, centres: dict[int, tuple[float, float]], height: float) -> list[str]:
    """Draw what leads from modulators to what they modulate, and the line that joins the carriers."""
    half = BOX[1] / 2
    lines = []
    for operator, (x, y) in centres.items():
        for modulator in algorithm.modulators(operator):
            from_x, from_y = centres[modulator]
            middle = y - half - GAP[1] / 2
            lines.append(f'<path class="wire" d="M{from_x:g} {from_y + half:g}V{middle:g}H{x:g}V{y - half:g}"/>')
    floor = height - 6.0
    ends = [centres[k][0] for k in algorithm.carriers]
    lines += [f'<path class="wire" d="M{x:g} {height - MARGIN:g}V{floor:g}"/>' for x in ends]
    lines.append(f'<path class="wire" d="M{min(ends):g} {floor:g}H{max(ends):g}"/>')
    return lines


def _loop(algorithm: Algorithm, centres: dict[int, tuple[float, float]]) -> str:
    """Draw the feedback from below its source around to above the operator that it enters."""
    source, target = algorithm.feedback
    (from_x, from_y), (to_x, to_y) = centres[source], centres[target]
    half = BOX[1] / 2
    side = max(from_x, to_x) + BOX[0] / 2 + GAP[0] / 2 - 1.0
    below, over = from_y + half + 7.0, to_y - half - 9.0
    way = f"M{from_x:g} {from_y + half:g}V{below:g}H{side:g}V{over:g}H{to_x:g}V{to_y - half:g}"
    return f'<path class="wire loop" d="{way}"/>'


def _box(voice: Voice, operator: int, centre: tuple[float, float], carrier: bool, silent: bool) -> str:
    (x, y), (wide, high) = centre, BOX
    left, top = x - wide / 2, y - high / 2
    level = voice[f"op{operator}_output_level"]
    detune = voice[f"op{operator}_detune"] - panel.NO_DETUNE
    kinds = " ".join(["op", "carrier" if carrier else "modulator", *(["silent"] if silent else [])])
    ratio = escape(panel.frequency(voice, operator))
    words = f"Operator {operator}, {'carrier' if carrier else 'modulator'}{', not heard' if silent else ''}"
    bar = (wide - 16.0) * level / 99.0
    parts = [
        f'<g class="{kinds}"><title>{words}</title>',
        f'<rect class="body" x="{left:g}" y="{top:g}" width="{wide:g}" height="{high:g}" rx="8"/>',
        f'<text class="number" x="{left + 9:g}" y="{top + 24:g}">{operator}</text>',
        f'<text class="ratio" x="{left + wide - 8:g}" y="{top + 20:g}">{ratio}</text>',
        f'<text class="small" x="{left + 9:g}" y="{top + 42:g}">LEVEL {level}</text>',
        f'<path class="rail" d="M{left + 8:g} {top + high - 7:g}h{wide - 16:g}"/>',
    ]
    if detune:
        parts.append(f'<text class="small end" x="{left + wide - 8:g}" y="{top + 42:g}">{panel.signed(detune)}</text>')
    if level:
        parts.append(f'<path class="fill" d="M{left + 8:g} {top + high - 7:g}h{bar:.2f}"/>')
    return "".join([*parts, "</g>"])


# --- courses ----------------------------------------------------------------------------------------------------------


def draw_envelope(traced: Trace, operator: int, hold: float, seconds: float) -> str:
    """Draw the level of an operator over a note, with dots where its segments end, and the moment of note-off."""
    levels = np.maximum(traced.levels[:, operator - 1], LOWEST)
    stages = traced.stages[:, operator - 1]
    panel_ = _course_panel(seconds, (LOWEST, 0.0))
    corners = [k for k in range(1, len(stages)) if stages[k] != stages[k - 1] and traced.times[k] <= seconds]
    corners = [k - 1 for k in corners if levels[k - 1] > LOWEST]
    steps = [(level, f"{level:g}".replace("-", "\N{MINUS SIGN}")) for level in (0.0, -20.0, -40.0, -60.0)]
    label = f"Level of operator {operator} in dB over {seconds:g} s, released after {hold:g} s"
    return _draw_course(panel_, label, traced.times, levels, corners, steps, hold, area=True)


def draw_pitch(traced: Trace, hold: float, seconds: float) -> str:
    """Draw by how many semitones the pitch envelope bends a note."""
    bends = 12.0 * traced.bends
    most = max(float(np.abs(bends).max()), 1.0)
    panel_ = _course_panel(seconds, (-1.1 * most, 1.1 * most))
    places, step = ticks(-most, most, 4)
    digits = 0 if step >= 1 else 1
    steps = [(place, f"{place:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if place else "0") for place in places]
    label = f"Pitch envelope in semitones over {seconds:g} s, released after {hold:g} s"
    return _draw_course(panel_, label, traced.times, bends, [], steps, hold, area=False)


def draw_lfo(voice: Voice, note: int, seconds: float) -> str:
    """Draw the LFO over a note with its wave, its speed and its delay, at full depth."""
    flat = {f"pitch_level_{k}": panel.NO_BEND for k in range(1, 5)}
    traced = trace(voice.replaced(None, **FAST, **flat), note, 100, seconds, seconds)
    swing = traced.bends / max(float(np.abs(traced.bends).max()), 1e-9)
    panel_ = _course_panel(seconds, (-1.15, 1.15))
    label = f"LFO over {seconds:g} s"
    return _draw_course(panel_, label, traced.times, swing, [], [(0.0, "")], None, area=False, points=4 * POINTS)


def _course_panel(seconds: float, values: tuple[float, float]) -> Panel:
    return Panel(*ENVELOPE, 30.0, 6.0, 8.0, 20.0, (0.0, seconds), values)


def _draw_course(
    axes: Panel,
    label: str,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    corners: Sequence[int],
    steps: Sequence[tuple[float, str]],
    hold: float | None,
    *,
    area: bool,
    points: int = POINTS,
) -> str:
    """Draw values over seconds with a grid, dots at corners, and a dashed line at note-off."""
    left, right = (float(place) for place in axes.x(axes.x_range))
    bottom, top = (float(place) for place in axes.y(axes.y_range))
    parts = []
    for value, word in steps:
        y = float(axes.y(value))
        parts.append(f'<path class="grid" d="M{left:.1f} {y:.1f}H{right:.1f}"/>')
        parts.append(f'<text x="{left - 5:.1f}" y="{y + 3:.1f}" class="end">{word}</text>')
    places, _ = ticks(*axes.x_range, 4)
    for place in places:
        x = float(axes.x(place))
        anchor = "end" if x > right - 8 else "middle" if x > left else ""
        parts.append(f'<text x="{x:.1f}" y="{bottom + 13:.1f}" class="{anchor}">{place:g} s</text>')
    shown = times <= axes.x_range[1] + 1e-9
    keep = np.unique(np.concatenate([np.linspace(0, shown.sum() - 1, points).astype(int), np.array(corners, int)]))
    xs, ys = axes.x(times[keep]), axes.y(values[keep])
    line = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(xs, ys, strict=True))
    if area:
        parts.append(f'<path class="area" d="M{left:.1f} {bottom:.1f}L{line}L{xs[-1]:.1f} {bottom:.1f}Z"/>')
    if hold is not None and hold < axes.x_range[1]:
        at = float(axes.x(hold))
        parts.append(
            f'<path class="off" d="M{at:.1f} {top:.1f}V{bottom:.1f}"><title>the key is released</title></path>'
        )
    start = f"{left:.1f} {bottom:.1f}L" if area else ""
    parts.append(f'<path class="line" d="M{start}{line}"/>')
    dots = zip(axes.x(times[list(corners)]), axes.y(values[list(corners)]), strict=True)
    parts += [f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="2.4"/>' for a, b in dots]
    head = f'<svg class="course" role="img" aria-label="{escape(label)}" viewBox="0 0 {axes.width:g} {axes.height:g}">'
    return "\n".join([head, *parts, "</svg>"])
