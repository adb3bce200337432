"""The knobs of a patch, ready to be drawn: texts, geometry and SVG paths.

A knob turns by 270 degrees, clockwise from lower left. Beside it stand how much it is heard (`audibility`) and the
distribution of its classes, as bars.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.parameters import Floats, ParameterSpace
from generators.registry import find_synth
from inversynth.explanation.audibility import HEARD
from inversynth.patches.patch import Patch

STRIP = (96.0, 26.0)
"""Width and height of a distribution's drawing, in its own units."""

STRIP_FULL = 0.25
"""Probability that reaches the top of a strip whose classes all lie below it, so that flat ones stay visibly flat."""

CERTAIN, LIKELY = 0.95, 0.5
"""Probabilities of a class from which on it is called certain, and likely: then no other can be as probable."""

ON_LEVEL = 1e-3
"""Classes by which a value may be off a level that it stands on: printed values are rounded."""

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
    """One parameter, as it is drawn: its texts, geometry and SVG paths."""

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
    free: bool = False
    part: str = ""
    place: str = ""
    certainty: str = ""
    heard: str = ""
    heard_share: float = 0.0


def panels(patch: Patch, truth: NDArray[Any] | None = None) -> dict[str, list[Knob]]:
    """Return the knobs by the part of the synth that they belong to, in order of first appearance.

    Their values are those rendered, at the root of the patch.

    An oscillator that the synth declares is a part, named by its waveform; other parameters go by their group.
    """
    found: dict[str, list[Knob]] = {}
    for column, part in enumerate(part_names(patch.space)):
        found.setdefault(part, []).append(replace(_knob(patch, column, truth), part=part))
    return found


def ranked_knobs(patch: Patch, audibility: Floats, truth: NDArray[Any] | None = None) -> tuple[list[Knob], list[Knob]]:
    """Return the knobs that are heard, the most audible first, and those that are not, in the order of the space.

    A knob that is heard is not called free, even if the search found another class of it to sound the same.

    Shapes: audibility (parameters,), from `knob_audibility`.
    """
    knobs = [knob for members in panels(patch, truth).values() for knob in members]
    places = {name: column for column, name in enumerate(patch.space.names)}
    most = max(float(audibility.max()), HEARD)
    marked = [
        replace(knob, heard=f"{change:.1f} dB", heard_share=round(change / most, 3), free=knob.free and change < HEARD)
        for knob, change in ((knob, float(audibility[places[knob.name]])) for knob in knobs)
    ]
    order = sorted(marked, key=lambda knob: -float(audibility[places[knob.name]]))
    heard = [knob for knob in order if audibility[places[knob.name]] >= HEARD]
    return heard, [knob for knob in marked if audibility[places[knob.name]] < HEARD]


def part_names(space: ParameterSpace) -> list[str]:
    """Return the part of the synth that each parameter belongs to, (parameters,) names."""
    waveforms = {
        name: oscillator.waveform.capitalize()
        for oscillator in find_synth(space.synth).oscillators
        for name in oscillator.parameters
    }
    groups = [GROUPS.get(parameter.group, parameter.group) or "Parameters" for parameter in space.parameters]
    return [waveforms.get(name, group) for name, group in zip(space.names, groups, strict=True)]


def describe_place(position: float, last: int) -> str:
    """Say where among its classes 0 to `last` a knob stands, by its position in 0..1: on one, or between two."""
    below = math.floor(position * last + ON_LEVEL)
    if position * last - below <= ON_LEVEL:
        return f"class {below}/{last}"
    return f"class {position * last:.1f}/{last}"


def describe_certainty(distribution: Floats | None, number: int) -> str:
    """Say how sure a class is by its distribution; nothing where another class is more probable."""
    if distribution is None or float(distribution[number]) < float(distribution.max()):
        return ""
    probability = float(distribution[number])
    return "certain" if probability >= CERTAIN else "likely" if probability >= LIKELY else "one of several"


def _knob(patch: Patch, column: int, truth: NDArray[Any] | None) -> Knob:
    parameter, synth = patch.space.parameters[column], patch.synth()
    value, levels = float(synth.rendered_values(patch.values)[column]), synth.rendered_levels[column]
    number, last = int(patch.classes[column]), patch.space.sizes[column] - 1
    position = float(patch.space.values_to_unit(patch.values)[column])
    distribution = patch.distribution(column)
    true = None if truth is None else int(truth[column])
    return Knob(
        name=parameter.name,
        description=parameter.description,
        value=format_value(value, parameter.unit),
        remark=nearest_note_name(value) if parameter.group == "Notes" else "",
        number=number,
        last=last,
        probability=None if distribution is None else float(distribution[number]),
        scale=knob_path(0.0, 1.0),
        turned=knob_path(0.0, position) if position > 0.0 else "",
        tip=knob_tip(position, radius=12.0),
        bars=() if distribution is None else _bars(levels, parameter.unit, distribution, number, true),
        spread="" if distribution is None else _spread(levels, parameter.unit, distribution),
        truth="" if true is None else format_value(float(levels[true]), parameter.unit),
        truth_spot=None if true is None else knob_tip(true / max(last, 1), radius=19.0),
        steps_off=None if true is None else abs(number - true),
        free=patch.determined is not None and not bool(patch.determined[column]),
        place=describe_place(position, last),
        certainty=describe_certainty(distribution, number),
    )


def _bars(levels: Floats, unit: str, distribution: Floats, number: int, true: int | None) -> tuple[Bar, ...]:
    width, height = STRIP
    step = width / len(distribution)
    full = max(float(distribution.max()), STRIP_FULL)
    bars = []
    for place, probability in enumerate(distribution):
        tall = max(1.0, height * float(probability) / full)
        value = format_value(float(levels[place]), unit)
        kinds = [kind for kind, holds in (("chosen", place == number), ("true", place == true)) if holds]
        words = f"class {place}, {value}: {probability:.1%}"
        x, y, wide = round(place * step, 2), round(height - tall, 2), round(step - 1.2, 2)
        bars.append(Bar(x, y, wide, round(tall, 2), words, " ".join(kinds)))
    return tuple(bars)


def _spread(levels: Floats, unit: str, distribution: Floats) -> str:
    """Name the three most probable values, for screen readers."""
    best = np.argsort(-distribution, kind="stable")[:3]
    values = [format_value(float(levels[place]), unit) for place in best]
    return "; ".join(f"{value} {distribution[place]:.0%}" for value, place in zip(values, best, strict=True))


def nearest_note_name(hertz: float) -> str:
    """Return the note nearest to a frequency, as in A4 for 440 Hz, or nothing where it is off by over 5 cents."""
    if hertz <= 0.0:
        return ""
    number = 69.0 + 12.0 * float(np.log2(hertz / 440.0))
    nearest = round(number)
    if abs(number - nearest) > 0.05:
        return ""
    names = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
    return f"{names[nearest % 12]}{nearest // 12 - 1}"


def knob_path(start: float, stop: float, radius: float = 16.0, centre: float = 20.0) -> str:
    """Return the SVG path of a knob's scale between two positions in 0..1, turning by 270 degrees from lower left."""
    first, last = on_circle(centre, centre, radius, start), on_circle(centre, centre, radius, stop)
    large = int(stop - start > 180.0 / 270.0)
    return f"M{first[0]:.2f} {first[1]:.2f}A{radius:g} {radius:g} 0 {large} 1 {last[0]:.2f} {last[1]:.2f}"


def knob_tip(position: float, radius: float = 16.0, centre: float = 20.0) -> tuple[float, float]:
    """Return where the pointer of a knob ends, x and y downwards."""
    x, y = on_circle(centre, centre, radius, position)
    return round(x, 2), round(y, 2)


def format_value(value: float, unit: str) -> str:
    """Write a value with its unit, to about four digits: `1,046.5 Hz`, `0.268 s`, `0.4`."""
    if abs(value) >= 1000:
        text = f"{value:,.1f}".removesuffix(".0")
    elif abs(value) >= 100:
        text = f"{value:.1f}".removesuffix(".0")
    else:
        text = f"{value:.3f}".rstrip("0").removesuffix(".")
    return f"{text} {unit}" if unit else text


def on_circle(x: float, y: float, radius: float, position: float) -> tuple[float, float]:
    """Return the point of a knob's scale at a position in 0..1 (225 degrees down to -45), y downwards."""
    angle = math.radians(225.0 - 270.0 * position)
    return x + radius * math.cos(angle), y - radius * math.sin(angle)
