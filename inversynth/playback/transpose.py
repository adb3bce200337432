"""Which notes a model can play, and where to move others that they fit."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from generators.errors import AudioError
from generators.notes.pitches import note_name
from inversynth.playback.midi import Note, Score
from inversynth.playback.play import counted

log = logging.getLogger(__name__)


def playable(
    score: Score, known: Sequence[int], *, transpose: int = 0, skip_unknown: bool = False, name: str = "the model"
) -> tuple[Note, ...]:
    """Return the notes of a score, moved by some semitones, that a model can play.

    Raises: AudioError where one of them is unknown and not to be skipped, or all are.
    """
    moved = [replace(note, pitch=note.pitch + transpose) for note in score.notes]
    kept = tuple(note for note in moved if note.pitch in known)
    missing = len(moved) - len(kept)
    if score.percussion:
        log.info("skipped %s of channel 10 (percussion)", counted(score.percussion))
    if not missing:
        return kept
    if skip_unknown and kept:
        log.info("skipped %s that %s does not know", counted(missing), name)
        return kept
    pitches = [note.pitch for note in moved]
    raise AudioError(
        f"{name} plays {_span(min(known), max(known))}. Received: {_span(min(pitches), max(pitches))}"
        f"{f' with --transpose {transpose}' if transpose else ''}, {missing} of {counted(len(moved))} unknown. "
        f"{_advice(score, known)}"
    )


def best_transposition(pitches: Sequence[int], known: Sequence[int]) -> tuple[int, int]:
    """Return by how many semitones to move notes so that most of them are known, and how many then are not.

    Of equally good ones whole octaves go first, then small ones.
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
