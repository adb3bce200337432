"""What the stages for a synth of oscillators pass on to each other."""

from dataclasses import dataclass, field

from inversynth.search.fm_rendering import Candidate
from inversynth.search.fm_search import OscillatorSearch


@dataclass
class OscillatorProgress:
    """The searches of one sound, kept from stage to stage, and the best that they have found.

    Attributes:
        begin: sample of the target at which the sound is taken to begin.
        searches: by free phases, emphasis and beginning.
        best: the candidate that leaves least, None before the first. finished: whether nothing worth a search is left
            beside it.
    """

    begin: int
    searches: dict[tuple[bool, float, int], OscillatorSearch] = field(default_factory=dict)
    best: Candidate | None = None
    finished: bool = False

    @property
    def residual(self) -> float:
        """Energy that the best leaves, relative to the sound."""
        return 1.0 if self.best is None else self.best.residual
