"""Explain a patch: of which parts its sound is made, which of them are heard, and what to turn to change it.

Each synthesizer has words of its own; one that has none gets its most audible knobs.
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from generators.dx7.synth import VELOCITY, Dx7Synth, patch_voice
from inversynth.explanation.paragraph import Paragraph
from inversynth.patches.patch import Patch

if TYPE_CHECKING:
    from inversynth.explanation.dx7_parts import VoiceParts

WIDTH = 100
"""Columns of the text on a terminal."""


def explain(patch: Patch) -> list[Paragraph]:
    """Explain a patch at its root and length, by measuring what is heard of its parts."""
    if patch.space.synth == Dx7Synth.name:
        from inversynth.explanation.dx7 import explain_voice

        return explain_voice(patch_parts(patch))
    if patch.synth().structure is not None:
        from inversynth.explanation.oscillators import explain_oscillators

        return explain_oscillators(patch)
    from inversynth.explanation.knobs import explain_knobs

    return explain_knobs(patch)


def patch_parts(patch: Patch) -> "VoiceParts":
    """Measure the parts of a DX7 patch at its root, as long as it is rendered."""
    from inversynth.explanation.dx7_parts import voice_parts

    hold = Dx7Synth.note_fraction * patch.length
    return voice_parts(patch_voice(patch.values), round(patch.root), VELOCITY, hold, patch.length, patch.sample_rate)


def title(patch: Patch) -> str:
    """Return what a patch is called: by its voice, or the sound that it was made from; else by its synth."""
    return str(patch.source.get("voice") or Path(str(patch.source.get("file", ""))).stem or patch.space.synth)


def text(heading: str, paragraphs: list[Paragraph]) -> str:
    """Write an explanation for a terminal."""
    lines = [heading]
    for paragraph in paragraphs:
        lines += ["", *textwrap.wrap(f"{paragraph.head}. {paragraph.text}", WIDTH, break_on_hyphens=False)]
    return "\n".join(lines)
