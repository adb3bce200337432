"""A patch of any synthesizer in plain words: the knobs that are heard most, with their values and meanings."""

import math

from generators.notes.pitches import note_name
from inversynth.explanation.audibility import HEARD, knob_audibility
from inversynth.explanation.paragraph import Paragraph
from inversynth.patches.patch import Patch

MOST = 8
"""Knobs that are told; the rest is counted."""

IN_TUNE = 0.05
"""Semitones by which a frequency may be off a note to be named after it."""


def explain_knobs(patch: Patch) -> list[Paragraph]:
    """Explain a patch by its most audible knobs: how far the sound moves when one moves by one class."""
    audibility = knob_audibility(patch)
    order = [int(column) for column in (-audibility).argsort(kind="stable") if audibility[column] >= HEARD]
    if not order:
        return [Paragraph("Silence", "No knob is heard.")]
    values = patch.synth().rendered_values(patch.values)
    paragraphs = [
        Paragraph(
            "Knobs", "The most audible first; in brackets, by how much the sound moves when a knob moves by one class."
        )
    ]
    for column in order[:MOST]:
        parameter = patch.space.parameters[column]
        value = f"{float(values[column]):.4g} {parameter.unit}".rstrip()
        meaning = f", {parameter.description}" if parameter.description else ""
        paragraphs.append(Paragraph(parameter.name, f"{value}{meaning} [{audibility[column]:.1f} dB]."))
    if len(order) > MOST:
        paragraphs.append(Paragraph("More", f"{len(order) - MOST} further knobs are heard."))
    return paragraphs


def note_text(frequency: float) -> str:
    """Name the note at a frequency, in brackets; nothing where it is off by more than 5 cents, or beyond all notes."""
    number = 69.0 + 12.0 * math.log2(frequency / 440.0)
    near = round(number)
    return f" ({note_name(near)})" if 0 <= near <= 127 and abs(number - near) <= IN_TUNE else ""
