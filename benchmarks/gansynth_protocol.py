"""Evaluation of sets of notes: a classifier and YIN for each note, training notes for the set as a whole."""

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
    """Notes to measure: `audio` (n, samples), and `pitch` (n,), their target MIDI notes."""

    audio: NDArray[np.floating[Any]]
    pitch: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.audio)

    def drawn(self, count: int, seed: int) -> "Notes":
        """Return up to `count` of them in random order, without replacement."""
        rows = np.random.default_rng(seed).permutation(len(self))[:count]
        return Notes(self.audio[rows], self.pitch[rows])

    def inverted(self, form: SpectrogramFormat) -> "Notes":
        """Return them reconstructed from their spectrograms: the ceiling for such a generator."""
        parts = [self.audio[first : first + 64] for first in range(0, len(self), 64)]
        return Notes(np.concatenate([form.to_audio(form.from_audio(part)) for part in parts]), self.pitch)


def read_notes(dataset: Dataset, splits: tuple[str, ...], seed: int = 0) -> Notes:
    """Read the notes of some splits, as the networks split a dataset; `seed` where the notes are not labelled."""
    source = WholeNotes(dataset, seed=seed)
    rows = np.sort(np.concatenate([source.rows(split) for split in splits]))
    return Notes(dataset.read_columns(rows, ("audio",))[0], note_labels(dataset)[rows, 0])


@dataclass
class SetEvaluator:
    """Measures sets of notes, compared with the training notes and with held-out ones.

    Args:
        together: notes of a set, the first ones, that are compared with the training notes; the same number for all
            sets, since some measures depend on it. cells: of k-means. seed: of everything random.
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
        self._spectrograms = decibel_spectrograms(self.training.audio, self.sample_rate)
        self._moments = Moments.of(self.classifier.classify(self.training.audio).features)
        self._cells = Cells.of(self._spectrograms, self.cells, self.seed)
        held = decibel_spectrograms(self.held_out.audio, self.sample_rate)
        self.usual = (
            float(np.median(distances(held, self._spectrograms).min(axis=1))),
            Spread.of(self._spectrograms, self.training.pitch).mean(),
        )

    def measure(self, notes: Notes) -> dict[str, Estimate]:
        """Measure a set of notes.

        Returns, with intervals over notes: accuracies `pitch` (the exact note), `near` (within a semitone) and
            `tracked` (within a semitone by YIN); `entropy` of the classification, nats; of the first `together` notes
            `inception`, `frechet`, `bins` and `divergence` (see `models.notes.statistics`); `nearest`, the median
            distance to the nearest training note relative to held-out notes; `spread`, the distance between notes of
            one pitch relative to training notes.
        """
        classification = self.classifier.classify(notes.audio)
        tracked = estimate_pitch(notes.audio, self.sample_rate)
        close = np.abs(np.where(np.isfinite(tracked), tracked, np.inf) - notes.pitch) <= 1.0
        columns = [
            pitch_hits(classification.pitch, notes.pitch),
            close[:, None],
            entropies(classification.pitch)[:, None],
        ]
        estimates = mean_estimates(np.concatenate(columns, axis=1), self.seed, self.resamples)
        found = dict(zip(("pitch", "near", "tracked", "entropy"), estimates, strict=True))

        spectrograms = decibel_spectrograms(notes.audio, self.sample_rate)
        first = slice(0, self.together)
        likely, features = classification.pitch[first], classification.features[first]
        cells = self._cells.number(spectrograms[first])
        for name, statistic in {
            "inception": lambda counts: inception_score(likely, counts),
            "frechet": lambda counts: frechet_distance(Moments.of(features, counts), self._moments),
            "bins": lambda counts: self._cells.different(cells, counts),
            "divergence": lambda counts: self._cells.js_divergence(cells, counts),
        }.items():
            found[name] = self._of_set(statistic, len(likely))

        nearest = distances(spectrograms, self._spectrograms).min(axis=1)[:, None]
        (found["nearest"],) = median_estimates(nearest / self.usual[0], self.seed, self.resamples)
        spread = Spread.of(spectrograms, notes.pitch)
        found["spread"] = self._of_set(lambda counts: spread.mean(counts) / self.usual[1], len(notes))
        return found

    def _of_set(self, statistic: Callable[[Any], float], n: int) -> Estimate:
        return set_estimate(statistic, n, self.seed, self.resamples, least=0.0)
