"""How near did a match come? A verdict in four grades, a sentence of what differs, and what to try next.

The grade follows the log-mel distance between a sound and the patch found (`generators.analysis.distance`), at the rate
of the synth, and nothing else: a nearer match never has a worse grade. How often grades are right is measured by
`python -m benchmarks.verdict`; docs/refinement.md has its table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inversynth.inversion.differences import describe_differences
from inversynth.search.objective import MADE

if TYPE_CHECKING:
    from generators.analysis.musical_measures import MusicalMeasures

WORDS = ("reachable", "close", "similar", "far")
"""Grades from near to far; `reachable`: the synth makes the sound itself. `doubtful` and `out of reach` stand in
patches of earlier versions, which judged by another distance."""

THRESHOLDS = (MADE, 3.0, 6.0)
"""Log-mel distance in dB up to which each grade but the last is given.

The first is that of the search. Yardsticks for the others: one DX7 voice by two emulators 3.7, a semitone off 4.1, a
random algorithm 7.7 (with the floor fixed at -80 dB, which reads a little higher).
"""


@dataclass(frozen=True)
class Verdict:
    """One of `WORDS`, the log-mel distance in dB that it rests on, a sentence of what differs, and what to try next."""

    word: str
    distance: float
    sentence: str
    hint: str = ""

    def record(self) -> dict[str, Any]:
        """What `patch.json` keeps."""
        return {
            "word": self.word,
            "distance": round(self.distance, 6),
            "thresholds": list(THRESHOLDS),
            "sentence": self.sentence,
            "hint": self.hint,
        }


def grade(distance: float) -> str:
    """Return the grade of a log-mel distance in dB, one of `WORDS`."""
    return next((word for word, most in zip(WORDS, THRESHOLDS, strict=False) if distance <= most), WORDS[-1])


def assess(measures: "MusicalMeasures", budget: str, source: Mapping[str, Any] | None = None) -> Verdict:
    """Judge a match by how it differs from its target.

    Args: budget: of the search that found it. source: what is known of the target's file (`Target.source`).
    """
    word = grade(measures.log_mel_distance)
    hint = next_step(word, budget, source or {})
    return Verdict(word, measures.log_mel_distance, describe_differences(measures), hint)


def next_step(word: str, budget: str, source: Mapping[str, Any]) -> str:
    """Say in a sentence what may bring the match nearer; nothing where it is as near as it gets."""
    if word == "reachable":
        return ""
    if budget == "none":
        return "No search was run: try --budget fast."
    if budget == "fast":
        return "A longer search may come nearer: try --budget full."
    if source.get("left_out"):
        return (
            "The file goes on: another moment (--start SECOND) or every note by itself (--every_onset) may come nearer."
        )
    return "The whole budget is spent: this synth may not have the sound. Another one may (--model)."
