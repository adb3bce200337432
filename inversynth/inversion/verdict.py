"""Can this synth make this sound? A verdict from how far the best patch of a search is from it.

The measure is the distance of the patch found (`inversynth.search.objective`), at any level: 0 is equal, 1 as far as
silence. A sound of the synth ends near 0 unless the search has failed, one of another synth does not. The thresholds
were set on sounds of `fm`, of other synthesis and of instruments; docs/refinement.md states how often they err, and
`python -m benchmarks.verdict` measures it anew.
"""

from dataclasses import dataclass
from typing import Any

from inversynth.search.search import Refinement

WORDS = ("reachable", "doubtful", "out of reach")

REACHABLE = 0.1
"""Distance up to which a sound counts as made by the synth."""

DOUBTFUL = 0.45
"""Distance from which on it counts as out of reach."""


@dataclass(frozen=True)
class Verdict:
    """One of `WORDS`, the distance that it rests on, and a sentence for the reader."""

    word: str
    distance: float
    sentence: str

    def record(self) -> dict[str, Any]:
        """What `patch.json` keeps."""
        return {
            "word": self.word,
            "distance": round(self.distance, 6),
            "thresholds": [REACHABLE, DOUBTFUL],
            "sentence": self.sentence,
        }


def assess(found: Refinement) -> Verdict:
    """Return whether the synth can make a sound, by the result of a search for it."""
    distance = found.distance
    if distance <= REACHABLE:
        return Verdict(WORDS[0], distance, "The synthesizer can make this sound, or one that is hard to tell from it.")
    if distance < DOUBTFUL:
        return Verdict(WORDS[1], distance, "The synthesizer comes near; something of the sound may be beyond it.")
    if found.budget != "full":
        return Verdict(
            WORDS[2],
            distance,
            "No patch found so far sounds like it. If a longer search (--budget full) finds none either, the "
            "synthesizer cannot make this sound.",
        )
    return Verdict(WORDS[2], distance, "The synthesizer cannot make this sound: take the patch for a sketch at most.")
