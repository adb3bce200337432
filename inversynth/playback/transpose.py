"""Which notes a model can play, and how to transpose a score into its range."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from generators.errors import AudioError
from generators.notes.pitches import note_name
from inversynth.playback.midi import Note, Score
from inversynth.playback.play import count_notes

log = logging.getLogger(__name__)


def playable(
    score: Score, known: Sequence[int], *, transpose: int = 0, skip_unknown: bool = False, name: str = "the model"
) -> tuple[Note, ...]:
    """Return the transposed notes of a score that a model can play.

    A model plays whole semitones: the pitch bend at the start of a note counts, rounded to one.

    Raises: AudioError where the model does not know all notes and they are not to be skipped, or knows none.
    """
    moved = [replace(note, pitch=note.pitch + transpose + round(note.bend), curve=None) for note in score.notes]
    kept = tuple(note for note in moved if note.pitch in known)
    missing = len(moved) - len(kept)
    if score.percussion:
        log.info("skipped %s of channel 10 (percussion)", count_notes(score.percussion))
    bent = sum(bool(note.bend) or note.is_bent_within for note in score.notes)
    if bent:
        log.info("bent %s at their start, to a whole semitone: %s plays no others", count_notes(bent), name)
    if not missing:
        return kept
    if skip_unknown and kept:
        log.info("skipped %s that %s does not know", count_notes(missing), name)
        return kept
    pitches = [note.pitch for note in moved]
    raise AudioError(
        f"{name} plays {_span(min(known), max(known))}. Received: {_span(min(pitches), max(pitches))}"
        f"{f' with --transpose {transpose}' if transpose else ''}, {missing} of {count_notes(len(moved))} unknown. "
        f"{_advice(score, known)}"
    )


def best_transposition(pitches: Sequence[int], known: Sequence[int]) -> tuple[int, int]:
    """Return the transposition in semitones that leaves the fewest notes unknown, and how many it leaves.

    Of equally good ones whole octaves are preferred, then small steps.
    """
    counts = Counter(pitches)
    shifts = range(min(known) - max(counts), max(known) - min(counts) + 1)
    missing = {shift: sum(n for pitch, n in counts.items() if pitch + shift not in known) for shift in shifts}
    best = min(shifts, key=lambda shift: (missing[shift], shift % 12 != 0, abs(shift)))
    return best, missing[best]


def _advice(score: Score, known: Sequence[int]) -> str:
    shift, missing = best_transposition([note.pitch for note in score.notes], known)
    if not missing:
        return f"Try --transpose {shift}, or leave them out with --skip_unknown"
    left = f"--transpose {shift} leaves out {missing}" if shift else "there is no better --transpose"
    return f"Leave them out with --skip_unknown ({left})"


def _span(low: int, high: int) -> str:
    return f"MIDI {low}..{high} ({note_name(low)}..{note_name(high)})"
