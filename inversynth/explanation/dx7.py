"""A DX7 voice in plain words, derived from its values and from what its parts do to one note (`dx7_parts`).

Audibility decides what is told: what a note sounds the same without is named at the end, as free to set.
"""

import math

from generators.dsp.units import midi_to_hz
from generators.dx7 import panel
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.engine import render, trace
from generators.dx7.voice import OPERATORS, WAVES
from generators.notes.pitches import note_name
from inversynth.explanation.audibility import HEARD
from inversynth.explanation.dx7_algorithm import describe_algorithm
from inversynth.explanation.dx7_parts import (
    LONG,
    OperatorPart,
    VoiceParts,
    centroid,
    decibels,
    fading_segment,
    operator_course,
)
from inversynth.explanation.dx7_sound import (
    NOISE,
    WEAK,
    carrier_course,
    feedback_radians,
    modulation_index,
    modulator_course,
    spectrum,
)
from inversynth.explanation.paragraph import Paragraph, hertz, interval, joined, seconds

SOFT = 40
"""Velocity of the soft stroke that is told beside velocity 100."""

COLOURED = 0.05
"""Change of the spectrum's centre, as a natural logarithm, from which on a sound is called brighter or darker."""

MOVING = 0.9
"""Part of the time until note-off from which on a pitch envelope that still moves has not come to rest."""

STEP, SLOWER = 8, 10
"""Steps of output level (6 dB), and of a rate, by which a knob is turned to say what it does."""


def explain_voice(parts: VoiceParts) -> list[Paragraph]:
    """Explain a voice by its parts at one note; see `inversynth.explanation.explain`."""
    heard = parts.carriers
    told: list[int] = []
    paragraphs = [_algorithm(parts)]
    if not heard:
        return [*paragraphs, Paragraph("Silence", f"Nothing is heard at {note_name(parts.note)}.")]
    for place, part in enumerate(heard):
        paragraphs += _carrier(parts, part, place, told)
    paragraphs += _movement(parts)
    paragraphs += _touch(parts)
    if parts.silent:
        count = len(parts.silent)
        which = f"operator{'s' if count > 1 else ''} {joined([str(k) for k in parts.silent])}"
        paragraphs.append(
            Paragraph("Not heard", f"Without {which} this note sounds the same, to {HEARD:g} dB: free to set.")
        )
    return paragraphs + _handles(parts)


# --- the algorithm ----------------------------------------------------------------------------------------------------


def _algorithm(parts: VoiceParts) -> Paragraph:
    voice, number = parts.voice, parts.voice["algorithm"] + 1
    carriers = [str(k) for k in ALGORITHMS[number - 1].carriers]
    text = describe_algorithm(number)
    if "→" in text:
        text += "; arrows lead from modulators to what they modulate"
    text += (
        f". {_plural('Carrier', carriers)}: {joined(carriers)}. Told at {note_name(parts.note)}, velocity "
        f"{parts.velocity}, held for {seconds(parts.hold)}; in brackets, by how much the sound changes without that "
        "part (log-mel distance)."
    )
    if voice["transpose"] != panel.NO_TRANSPOSITION:
        steps = voice["transpose"] - panel.NO_TRANSPOSITION
        text += f" TRANSPOSE moves all notes by {panel.signed(steps)} semitones."
    return Paragraph(f"Algorithm {number}", f"{text[0].upper()}{text[1:]}")


def _plural(word: str, members: list[str]) -> str:
    return word if len(members) == 1 else f"{word}s"


# --- operators --------------------------------------------------------------------------------------------------------


def _carrier(parts: VoiceParts, part: OperatorPart, place: int, told: list[int]) -> list[Paragraph]:
    """Explain a carrier, and those of its modulators that are heard and were not told yet."""
    voice, k = parts.voice, part.operator
    if panel.is_fixed(voice, k):
        pitch = f"fixed at {hertz(part.hertz)}, the same for all keys"
    else:
        played = float(midi_to_hz(parts.note + voice["transpose"] - panel.NO_TRANSPOSITION))
        pitch = f"ratio {panel.frequency(voice, k)}, {interval(part.hertz / played)} ({hertz(part.hertz)})"
    if len(parts.carriers) == 1:
        share = "All that is heard"
    elif place == 0:
        share = "The loudest carrier"
    else:
        share = f"A carrier, {-part.level:.0f} dB quieter" if part.level < -0.5 else "A carrier as loud"
    text = f"{share}: {pitch}. It {carrier_course(part.course)} [{part.change:.1f} dB]."
    return _with_modulators(parts, part, text, told)


def _with_modulators(parts: VoiceParts, part: OperatorPart, text: str, told: list[int]) -> list[Paragraph]:
    """Return the paragraph of an operator, and those of its modulators that are heard, the most audible first."""
    algorithm = ALGORITHMS[parts.voice["algorithm"]]
    sentences, paragraphs = [text], []
    if algorithm.feedback[0] == part.operator and parts.feedback >= HEARD:
        sentences.append(_feedback(parts, part))
    above = [parts.operators[m - 1] for m in algorithm.modulators(part.operator)]
    for modulator in sorted(above, key=lambda each: -each.change):
        if modulator.operator in told:
            sentences.append(f"Operator {modulator.operator} modulates it, too.")
        elif modulator.is_heard:
            told.append(modulator.operator)
            paragraphs += _with_modulators(parts, modulator, _modulator(parts, modulator, part), told)
    return [Paragraph(f"Operator {part.operator}", " ".join(sentences)), *paragraphs]


def _modulator(parts: VoiceParts, part: OperatorPart, target: OperatorPart) -> str:
    voice, k = parts.voice, part.operator
    where = f"fixed at {hertz(part.hertz)}" if panel.is_fixed(voice, k) else f"ratio {panel.frequency(voice, k)}"
    gives = spectrum(part.hertz, target.hertz, modulation_index(part.course), part.course)
    return (
        f"Modulates operator {target.operator}: {where}, OUTPUT LEVEL {voice[f'op{k}_output_level']}. It "
        f"{gives}{modulator_course(part.course)} [{part.change:.1f} dB]."
    )


def _feedback(parts: VoiceParts, part: OperatorPart) -> str:
    voice = parts.voice
    radians = feedback_radians(voice, part.course)
    what = "noise" if radians >= NOISE else "a saw-like edge" if radians >= WEAK else "a little edge"
    source, entry = ALGORITHMS[voice["algorithm"]].feedback
    loop = "itself" if source == entry else f"operator {entry}"
    return f"FEEDBACK {voice['feedback']} leads operator {source} back into {loop}: {what} [{parts.feedback:.1f} dB]."


# --- movement, touch, handles -----------------------------------------------------------------------------------------


def _movement(parts: VoiceParts) -> list[Paragraph]:
    voice, found = parts.voice, []
    wave = WAVES[voice["lfo_wave"]]
    delay = f", with LFO DELAY {voice['lfo_delay']}" if voice["lfo_delay"] else ""
    lfo = f"{wave} of {panel.lfo_hertz(voice):.1f} Hz (LFO SPEED {voice['lfo_speed']}{delay})"
    if parts.vibrato >= HEARD:
        cents = panel.vibrato_cents(voice)
        found.append(f"The LFO, a {lfo}, moves the pitch by up to {cents:.0f} cents each way [{parts.vibrato:.1f} dB].")
    if parts.tremolo >= HEARD:
        moved = [str(k) for k in range(1, 7) if voice[f"op{k}_am_sensitivity"]]
        subject = "It" if found else f"The LFO, a {lfo},"
        found.append(
            f"{subject} moves the level of {_plural('operator', moved)} {joined(moved)} (LFO AMD "
            f"{voice['lfo_amplitude_depth']}) [{parts.tremolo:.1f} dB]."
        )
    if parts.pitch_envelope >= HEARD:
        found.append(_pitch_envelope(parts))
    if parts.detune >= HEARD:
        detuned = [k for k in range(1, 7) if voice[f"op{k}_detune"] != panel.NO_DETUNE and k not in parts.silent]
        words = [f"{k} ({panel.shown_value(f'op{k}_detune', voice[f'op{k}_detune'])})" for k in detuned]
        if words:
            does = "makes it beat" if len(parts.silent) < OPERATORS - 1 else "shifts its pitch"
            found.append(f"DETUNE of {_plural('operator', words)} {joined(words)} {does} [{parts.detune:.1f} dB].")
    return [Paragraph("Movement", " ".join(found))] if found else []


def _pitch_envelope(parts: VoiceParts) -> str:
    still = parts.voice.replaced(lfo_pitch_depth=0)
    traced = trace(still, parts.note, parts.velocity, parts.hold, parts.length)
    bends = 12.0 * traced.bends[traced.times <= parts.hold]
    extreme = float(bends[abs(bends - bends[-1]).argmax()] - bends[-1])
    moving = abs(bends - bends[-1]) > 0.1
    settled = float(traced.times[moving.nonzero()[0][-1]]) if moving.any() else 0.0
    if not moving.any():
        return f"The pitch envelope shifts the pitch by {panel.signed(round(float(bends[-1]), 1))} semitones."
    rest = (
        f"comes to rest after {seconds(settled)}"
        if settled < MOVING * parts.hold
        else "moves until the key is released"
    )
    return (
        f"The pitch envelope bends the pitch by up to {panel.signed(round(extreme, 1))} semitones and {rest} "
        f"[{parts.pitch_envelope:.1f} dB]."
    )


def _touch(parts: VoiceParts) -> list[Paragraph]:
    """Say what a soft stroke changes, where a voice listens to velocity."""
    voice = parts.voice
    if not any(voice[f"op{k}_velocity_sensitivity"] for k in range(1, 7) if k not in parts.silent):
        return []
    loud, soft = render(voice, parts.note, [parts.velocity, SOFT], parts.hold, parts.length, parts.sample_rate)
    if not soft.any():
        return [Paragraph("Touch", f"Played softly (velocity {SOFT}) it is silent.")]
    quieter = decibels(loud) - decibels(soft)
    centres = [centroid(sound, parts.sample_rate) for sound in (loud, soft)]
    change = math.log(max(centres[1], 1.0) / max(centres[0], 1.0))
    colour = "" if abs(change) < COLOURED else "darker" if change < 0 else "brighter"
    if quieter < 0.5 and not colour:
        return []
    words = f"{quieter:.0f} dB quieter" if quieter >= 0.5 else "as loud"
    words += f" and {colour} (centre of the spectrum {centres[0]:,.0f} → {centres[1]:,.0f} Hz)" if colour else ""
    return [Paragraph("Touch", f"Played softly (velocity {SOFT} instead of {parts.velocity}) it is {words}.")]


def _handles(parts: VoiceParts) -> list[Paragraph]:
    """Name the modulator that changes the brightness most, and the rate at which the loudest carrier fades."""
    sentences = [*_brightness(parts), *_length(parts)]
    return [Paragraph("To change it", " ".join(sentences))] if sentences else []


def _brightness(parts: VoiceParts) -> list[str]:
    voice, turned = parts.voice, []
    for part in parts.operators:
        name = f"op{part.operator}_output_level"
        if part.is_heard and part.level == -math.inf:
            turned.append((name, voice[name] + (STEP if voice[name] <= 99 - STEP else -STEP)))
    if not turned:
        return []
    voices = [voice, *(voice.replaced(None, **{name: value}) for name, value in turned)]
    sounds = render(voices, parts.note, parts.velocity, parts.hold, parts.length, parts.sample_rate)
    before, *centres = (max(centroid(sound, parts.sample_rate), 1.0) for sound in sounds)
    best = max(range(len(turned)), key=lambda place: abs(math.log(centres[place] / before)))
    (name, value), after = turned[best], centres[best]
    if abs(math.log(after / before)) < COLOURED:
        return []
    word = "brighter" if after > before else "darker"
    return [
        f"For a {word} sound turn {panel.label(name)} from {voice[name]} to {value} (centre of the spectrum "
        f"{before:,.0f} → {after:,.0f} Hz)."
    ]


def _length(parts: VoiceParts) -> list[str]:
    voice, part = parts.voice, parts.carriers[0]
    if part.course.fade == math.inf:
        return []
    name = f"op{part.operator}_rate_{fading_segment(voice, part.operator, parts.note, parts.velocity)}"
    lower = max(voice[name] - SLOWER, 0)
    after = operator_course(
        voice.replaced(None, **{name: lower}), part.operator, parts.note, parts.velocity, parts.hold
    )
    if after.fade < 1.1 * part.course.fade:
        return []
    until = seconds(after.fade) if after.fade < math.inf else f"over {LONG:g} s"
    return [
        f"For a longer one turn {panel.label(name)} from {voice[name]} to {lower} (20 dB down after "
        f"{seconds(part.course.fade)} → {until})."
    ]
