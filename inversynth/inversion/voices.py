"""From a sound to a DX7 voice: a search from the nearest voices of an index, at the note that the sound plays."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from generators.dx7.synth import VELOCITY, Dx7Synth, voice_values
from generators.synth import Synth
from inversynth.inversion.inversion import search_from
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target

if TYPE_CHECKING:
    from inversynth.search.search import StageReport

LENGTH = 1.0
"""Seconds of a sound that are matched."""

MIDDLE_C = 60
"""The note at which sounds without a pitch are matched."""


def invert_voice(target: Target, budget: str, progress: "Callable[[StageReport], None] | None" = None) -> Inversion:
    """Find the DX7 voice that makes a sound; `target` is at `SAMPLE_RATE` and lasts `LENGTH`.

    Args: budget: of the search; "none" takes the nearest voice of the index. progress: called after every stage.
    Raises: InversionInterrupted on Ctrl-C.
    """
    from generators.dx7.voice_index import bundled_index

    note = played_note(target)
    synth = Dx7Synth(target.sample_rate, len(target.audio) / target.sample_rate).at_root(float(note))
    nearest, _ = bundled_index().nearest(target.audio, target.sample_rate, note, 1)
    return search_from(
        synth,
        target,
        np.ones(synth.space.size),
        budget,
        describe_assumptions(synth, note),
        level="fit",
        start=voice_values(nearest)[0].astype(np.float64),
        progress=progress,
    )


def played_note(target: Target) -> int:
    """Return the MIDI note at which a sound is matched: the one that it plays, else middle C."""
    note = target.source.get("note")
    return MIDDLE_C if not note else int(np.clip(round(float(note["midi"])), 0, 127))


def describe_assumptions(synth: Synth, note: int | None = None) -> dict[str, str]:
    """Describe what the search for a voice takes for granted."""
    return {
        "Synth": f"{synth.name}: {synth.description}",
        "Sample rate": f"{synth.sample_rate:,} Hz",
        "Length": f"{synth.length:g} s",
        "Note": ("the one that the sound plays" if note is None else f"MIDI note {note}")
        + f", velocity {VELOCITY}, held for {synth.note_fraction * synth.length:g} s",
        "Level": "any: fitted beside the settings",
        "Not told by one note": "keyboard scaling and velocity: those of the voices that the search began with",
    }
