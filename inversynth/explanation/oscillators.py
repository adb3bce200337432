"""A patch of frequency-modulated oscillators through one chain of effects, as `fm` declares them, in plain words.

An oscillator's part is the log-mel distance between the sound and the sound with its amplitude at the lowest; that of a
modulation, with its depth at the lowest.
"""

import math

import numpy as np

from generators.oscillator_spec import Oscillator, OscillatorStructure
from generators.parameters import Floats
from inversynth.explanation.audibility import HEARD
from inversynth.explanation.knobs import note_text
from inversynth.explanation.paragraph import Paragraph, hertz, joined, seconds
from inversynth.patches.patch import Patch

OPEN = 0.999
"""Part of the range from which on a low-pass counts as open."""


def explain_oscillators(patch: Patch) -> list[Paragraph]:
    """Explain a patch of a synth that declares an `OscillatorStructure`."""
    from generators.analysis.distance import LogMelDistance

    synth, space = patch.synth(), patch.space
    structure = synth.structure
    assert structure is not None
    sound = synth.render(patch.values)
    if not sound.any():
        return [Paragraph("Silence", "Nothing is heard.")]
    columns = [space.index(name) for part in structure.oscillators for name in (part.amplitude, part.depth)]
    rows = np.repeat(np.asarray(patch.values)[None], len(columns), axis=0)
    rows[np.arange(len(columns)), columns] = [space.parameters[column].low for column in columns]
    changes = LogMelDistance(sound, patch.sample_rate).distance(synth.render(rows)).reshape(-1, 2)
    shown = {name: float(value) for name, value in zip(space.names, synth.rendered_values(patch.values), strict=True)}
    order = sorted(range(len(structure.oscillators)), key=lambda place: -changes[place, 0])
    heard = [place for place in order if changes[place, 0] >= HEARD]
    paragraphs = [
        Paragraph(
            "Sources",
            f"{len(structure.oscillators)} oscillators are summed; {len(heard)} of them "
            f"{'is' if len(heard) == 1 else 'are'} heard. Told for {seconds(patch.length)}, held for "
            f"{seconds(synth.note_fraction * patch.length)}; in brackets, by how much the sound changes without that "
            "part (log-mel distance).",
        ),
        *(_oscillator(structure.oscillators[place], shown, changes[place]) for place in heard),
        *_effects(structure, shown, patch),
    ]
    if len(heard) < len(order):
        silent = joined([structure.oscillators[place].waveform for place in order if place not in heard])
        paragraphs.append(Paragraph("Not heard", f"Without {silent} it sounds the same, to {HEARD:g} dB: free to set."))
    return paragraphs


def _oscillator(oscillator: Oscillator, values: dict[str, float], changes: Floats) -> Paragraph:
    frequency, rate, amplitude, depth = (values[name] for name in oscillator.parameters)
    text = f"{hertz(frequency)}{note_text(frequency)}, amplitude {amplitude:.2f} [{changes[0]:.1f} dB]."
    if changes[1] >= HEARD:
        semitones = 12.0 * math.log2(1.0 + depth / frequency)
        text += (
            f" Its frequency swings by {hertz(depth)} each way, {semitones:.1f} semitones up, {rate:.3g} times a "
            f"second [{changes[1]:.1f} dB]."
        )
    return Paragraph(oscillator.waveform.capitalize(), text)


def _effects(structure: OscillatorStructure, values: dict[str, float], patch: Patch) -> list[Paragraph]:
    effects = structure.effects
    attack, decay, sustain, release = (
        values[name] for name in (effects.attack, effects.decay, effects.sustain, effects.release)
    )
    envelope = (
        f"It rises within {seconds(attack)}, falls to {100.0 * sustain:.0f} % within {seconds(decay)} and fades within "
        f"{seconds(release)} after the key."
    )
    cutoff, quality, gate = (values[name] for name in (effects.cutoff, effects.quality, effects.gate))
    highest = patch.space.parameters[patch.space.index(effects.cutoff)].high
    above = "" if cutoff < OPEN * highest else ", the highest that it goes"
    peak = f" with a resonance of {20.0 * math.log10(quality):.0f} dB there" if quality > 1.0 else ""
    return [
        Paragraph("Envelope", envelope),
        Paragraph("Filter", f"What lies above {hertz(cutoff)} is dampened{above}{peak}."),
        Paragraph("Gate", f"The level pulses {gate:.3g} times a second, down to silence."),
    ]
