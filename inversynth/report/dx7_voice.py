"""What a report shows of a DX7 voice: its panel, drawn and in the panel's words, and how it makes its sound."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from generators.dx7 import panel
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.engine import trace
from generators.dx7.voice import OPERATORS, PARAMETER_BY_NAME, Voice
from generators.notes.pitches import note_name
from inversynth.explanation.audibility import HEARD
from inversynth.explanation.dx7 import explain_voice
from inversynth.explanation.dx7_parts import VoiceParts
from inversynth.explanation.explain import patch_parts
from inversynth.explanation.paragraph import Paragraph, hertz
from inversynth.patches.patch import Patch
from inversynth.report import dx7_chart
from inversynth.report.controls import Knob

LONGEST_RELEASE = 1.0
"""Seconds of a release that are drawn."""

MOST_HEARD = 12
"""Knobs that stand open, the most audible ones; the others that are heard are folded away."""

FREQUENCY = ("mode", "coarse", "fine", "detune")
SENSITIVITY = ("am_sensitivity", "velocity_sensitivity", "rate_scaling")
SCALING = ("break_point", "left_depth", "left_curve", "right_depth", "right_curve")
LFO = ("lfo_wave", "lfo_speed", "lfo_delay", "lfo_pitch_depth", "lfo_amplitude_depth", "lfo_sync", "pitch_sensitivity")
SHARED = ("algorithm", "feedback", "oscillator_sync", "transpose")
"""Parameters in the order in which the panel's groups are shown."""


@dataclass(frozen=True)
class Setting:
    """A parameter in the panel's words; `untold` where the sound does not tell it."""

    label: str
    value: str
    untold: bool = False


@dataclass(frozen=True)
class OperatorCard:
    """One operator as a report shows it; `heard` is the change of the sound without it in words."""

    number: int
    carrier: bool
    silent: bool
    heard: str
    frequency: str
    level: int
    envelope: str
    rates: tuple[int, ...]
    levels: tuple[int, ...]
    settings: tuple[Setting, ...]
    scaling: tuple[Setting, ...]


@dataclass(frozen=True)
class VoicePage:
    """A DX7 voice as a report shows it; drawings are SVG of `seconds`, `chart_width` is in pixels."""

    algorithm: int
    note: str
    chart: str
    chart_width: float
    paragraphs: tuple[Paragraph, ...]
    operators: tuple[OperatorCard, ...]
    shared: tuple[Setting, ...]
    lfo: str
    lfo_heard: bool
    lfo_hertz: str
    lfo_settings: tuple[Setting, ...]
    pitch: str
    pitch_heard: bool
    pitch_rates: tuple[int, ...]
    pitch_levels: tuple[int, ...]
    heard: tuple[Knob, ...]
    less_heard: tuple[Knob, ...]
    has_untold: bool
    hold: float
    seconds: float


def voice_page(patch: Patch, heard: Iterable[Knob]) -> VoicePage:
    """Return what a report shows of a DX7 patch; `heard` are the knobs that are heard, the most audible first."""
    knobs = panel_knobs(patch, heard)
    parts = patch_parts(patch)
    voice, untold = parts.voice, untold_names(patch)
    release = max((part.course.release for part in parts.carriers), default=0.0)
    seconds = max(patch.length, parts.hold + min(release, LONGEST_RELEASE))
    traced = trace(voice.replaced(lfo_amplitude_depth=0), parts.note, parts.velocity, parts.hold, seconds)
    still = trace(voice.replaced(lfo_pitch_depth=0), parts.note, parts.velocity, parts.hold, seconds)
    return VoicePage(
        algorithm=voice["algorithm"] + 1,
        note=f"{note_name(parts.note)} at velocity {parts.velocity}, held for {parts.hold:g} s",
        chart_width=dx7_chart.chart_width(ALGORITHMS[voice["algorithm"]]),
        chart=dx7_chart.draw_algorithm(voice, parts.silent),
        paragraphs=tuple(explain_voice(parts)),
        operators=tuple(
            _operator(parts, k, dx7_chart.draw_envelope(traced, k, parts.hold, seconds), untold)
            for k in range(1, OPERATORS + 1)
        ),
        shared=_settings(voice, SHARED, untold),
        lfo=dx7_chart.draw_lfo(voice, parts.note, seconds),
        lfo_heard=max(parts.vibrato, parts.tremolo) >= HEARD,
        lfo_hertz=hertz(panel.lfo_hertz(voice)),
        lfo_settings=_settings(voice, LFO, untold),
        pitch=dx7_chart.draw_pitch(still, parts.hold, seconds),
        pitch_heard=parts.pitch_envelope >= HEARD,
        pitch_rates=tuple(voice[f"pitch_rate_{k}"] for k in range(1, 5)),
        pitch_levels=tuple(voice[f"pitch_level_{k}"] for k in range(1, 5)),
        heard=tuple(knobs[:MOST_HEARD]),
        less_heard=tuple(knobs[MOST_HEARD:]),
        has_untold=bool(untold),
        hold=parts.hold,
        seconds=seconds,
    )


def untold_names(patch: Patch) -> frozenset[str]:
    """Return the parameters that the sound does not tell, as the search recorded them."""
    recorded = patch.refinement.get("untold")
    return frozenset(map(str, recorded)) & PARAMETER_BY_NAME.keys() if isinstance(recorded, list) else frozenset()


def panel_knobs(patch: Patch, knobs: Iterable[Knob]) -> list[Knob]:
    """Return knobs of a DX7 patch with names and values as on the panel."""
    classes = dict(zip(patch.space.names, map(int, patch.classes), strict=True))
    return [
        replace(knob, name=panel.label(knob.name), value=panel.shown_value(knob.name, classes[knob.name]))
        for knob in knobs
    ]


def _operator(parts: VoiceParts, k: int, envelope: str, untold: Collection[str]) -> OperatorCard:
    voice, part = parts.voice, parts.operators[k - 1]
    return OperatorCard(
        number=k,
        carrier=k in ALGORITHMS[voice["algorithm"]].carriers,
        silent=not part.is_heard,
        heard=f"{part.change:.1f} dB",
        frequency=panel.frequency(voice, k),
        level=voice[f"op{k}_output_level"],
        envelope=envelope,
        rates=tuple(voice[f"op{k}_rate_{n}"] for n in range(1, 5)),
        levels=tuple(voice[f"op{k}_level_{n}"] for n in range(1, 5)),
        settings=_settings(voice, [f"op{k}_{name}" for name in (*FREQUENCY, *SENSITIVITY)], untold),
        scaling=_settings(voice, [f"op{k}_{name}" for name in SCALING], untold),
    )


def _settings(voice: Voice, names: Iterable[str], untold: Collection[str]) -> tuple[Setting, ...]:
    return tuple(
        Setting(
            panel.label(name).removeprefix(f"OP {name[2]} ").removeprefix("LFO "),
            panel.shown_value(name, voice[name]),
            name in untold,
        )
        for name in names
    )
