"""What sets of notes are measured by: a classifier and YIN for each note, training notes for the set as a whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.pitch import estimate_pitch
from generators.dataset import Dataset
from generators.errors import ModelError
from inversynth.evaluation.bootstrap import Estimate, mean_estimates, median_estimates, set_estimate
from models.gansynth.representation import SpectrogramFormat
from models.notes.classifier import NoteClassifier
from models.notes.data import WholeNotes, note_labels
from models.notes.statistics import (
    CELLS,
    Cells,
    Moments,
    Spread,
    decibel_spectrograms,
    distances,
    entropies,
    frechet_distance,
    inception_score,
    pitch_hits,
)

RESAMPLES = 400
"""Sets drawn for each interval: its ends rest on the ten lowest and highest."""


@dataclass(frozen=True)
class Notes:
    """Notes that are to be measured: `audio` (n, samples), and `pitch` (n,), the MIDI notes that they should be."""

    audio: NDArray[np.floating[Any]]
    pitch: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.audio)

    def drawn(self, count: int, seed: int) -> "Notes":
        """Return so many of them in random order, each once at most."""
        rows = np.random.default_rng(seed).permutation(len(self))[:count]
        return Notes(self.audio[rows], self.pitch[rows])

    def pictured(self, form: SpectrogramFormat) -> "Notes":
        """Return them as they come back from their pictures: the best that a maker of such pictures could do."""
        parts = [self.audio[first : first + 64] for first in range(0, len(self), 64)]
        return Notes(np.concatenate([form.to_audio(form.from_audio(part)) for part in parts]), self.pitch)


def read_notes(dataset: Dataset, splits: tuple[str, ...], seed: int = 0) -> Notes:
    """Read the notes of some splits, as the networks split a dataset; `seed` where the notes are not labelled."""
    source = WholeNotes(dataset, seed=seed)
    rows = np.sort(np.concatenate([source.rows(split) for split in splits]))
    return Notes(dataset.read_columns(rows, ("audio",))[0], note_labels(dataset)[rows, 0])


@dataclass
class Judge:
    """Measures sets of notes beside the training notes and others that no network has heard.

    Args:
        together: notes that a set is compared with the training notes by, its first ones: what grows or falls with
            their number is comparable where it is the same for all. cells: of k-means. seed: of all that is drawn.
    Raises: ModelError where the notes are of another sample rate than the classifier's.
    """

    classifier: NoteClassifier
    sample_rate: int
    training: Notes
    held_out: Notes
    together: int
    cells: int = CELLS
    seed: int = 0
    resamples: int = RESAMPLES
    usual: tuple[float, float] = field(init=False)
    """Decibels from a held-out note to the nearest training note (median), and between training notes of one pitch."""

    def __post_init__(self) -> None:
        if self.classifier.loaded.sample_rate != self.sample_rate:
            raise ModelError(
                f"{self.classifier.loaded.path} takes notes of {self.classifier.loaded.sample_rate} Hz. Received: "
                f"notes of {self.sample_rate} Hz"
            )
        self._pictures = decibel_spectrograms(self.training.audio, self.sample_rate)
        self._moments = Moments.of(self.classifier.classify(self.training.audio).features)
        self._cells = Cells.of(self._pictures, self.cells, self.seed)
        held = decibel_spectrograms(self.held_out.audio, self.sample_rate)
        self.usual = (
            float(np.median(distances(held, self._pictures).min(axis=1))),
            Spread.of(self._pictures, self.training.pitch).mean(),
        )

    def measure(self, notes: Notes) -> dict[str, Estimate]:
        """Measure a set of notes.

        Returns, with intervals over notes: shares `pitch` (named as the very note), `near` (within a semitone) and
            `tracked` (heard within a semitone by YIN); `entropy` of the naming, nats; of the first `together` notes
            `inception`, `frechet`, `bins` and `divergence` (see `models.notes.statistics`); `nearest`, the median
            distance to the nearest training note in that of held-out notes; `spread`, the distance between notes of
            one pitch in that of training notes.
        """
        judged = self.classifier.classify(notes.audio)
        heard = estimate_pitch(notes.audio, self.sample_rate)
        close = np.abs(np.where(np.isfinite(heard), heard, np.inf) - notes.pitch) <= 1.0
        columns = [pitch_hits(judged.pitch, notes.pitch), close[:, None], entropies(judged.pitch)[:, None]]
        named = mean_estimates(np.concatenate(columns, axis=1), self.seed, self.resamples)
        found = dict(zip(("pitch", "near", "tracked", "entropy"), named, strict=True))

        pictures = decibel_spectrograms(notes.audio, self.sample_rate)
        first = slice(0, self.together)
        likely, features = judged.pitch[first], judged.features[first]
        cells = self._cells.number(pictures[first])
        for name, statistic in {
            "inception": lambda counts: inception_score(likely, counts),
            "frechet": lambda counts: frechet_distance(Moments.of(features, counts), self._moments),
            "bins": lambda counts: self._cells.different(cells, counts),
            "divergence": lambda counts: self._cells.js_divergence(cells, counts),
        }.items():
            found[name] = self._of_set(statistic, len(likely))

        nearest = distances(pictures, self._pictures).min(axis=1)[:, None]
        (found["nearest"],) = median_estimates(nearest / self.usual[0], self.seed, self.resamples)
        spread = Spread.of(pictures, notes.pitch)
        found["spread"] = self._of_set(lambda counts: spread.mean(counts) / self.usual[1], len(notes))
        return found

    def _of_set(self, statistic: Callable[[Any], float], n: int) -> Estimate:
        return set_estimate(statistic, n, self.seed, self.resamples, least=0.0)
