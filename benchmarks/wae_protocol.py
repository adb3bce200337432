"""Evaluation of note autoencoders: reconstruction, control by the label, and what is predictable from the latent.

Source: Esling et al. 2019, arXiv 1904.06215, for what is evaluated; counts and intervals are ours.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.mel import mel_magnitudes
from inversynth.evaluation.bootstrap import Estimate, mean_estimates
from models.mcnn.metrics import griffin_lim_errors, note_errors
from models.model_files import BEST
from models.training.splits import evenly_spaced
from models.wae.classifiers import LabelClassifiers, train_classifiers
from models.wae.conditions import OCTAVES, SEMITONES, note_labels
from models.wae.data import StyledNotes
from models.wae.inference import Renderer, WaeModel
from models.wae.metrics import (
    chance_purity,
    draw_style_pairs,
    latent_quality,
    mix_styles,
    probe,
    purity,
    reconstruction_errors,
)

LABELS = ("style", "semitone", "octave")

DEFAULT_LOSS = "uniform"
"""The adversarial loss of a model whose row names no other."""

SHARED = range(48, 72)
"""Notes of the octaves 3 and 4, which all instruments of the paper have."""

PAIRS, MIXED = 24, 8
"""Pairs of styles that are mixed, and latents and notes at which each pair is."""

GRIFFIN_LIM = (3, 50, 150, 300)
"""Numbers of iterations with which it is compared with an MCNN."""

RENDERED = 40
"""Notes that each of them renders."""


@dataclass
class ModelScores:
    """Scores of one model.

    Attributes: `alone` is true for a model file, which shares no row. `scores` are numbers by name; `draws` are,
    by name and for every draw of latent and note, (n,), the share of styles with the target label.
    """

    name: str
    kind: str
    latent: int
    loss: str = DEFAULT_LOSS
    alone: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    draws: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def group(self) -> str:
        kind = f"{self.kind}, {self.latent}" + ("" if self.loss == DEFAULT_LOSS else f", {self.loss}")
        return f"{self.name}: {kind}" if self.alone else kind


@dataclass(frozen=True)
class Evaluation:
    """Notes of an evaluation, and the classifiers.

    Attributes: training, held_out: rows of the source. ceiling: accuracy on held-out real notes.
    """

    source: StyledNotes
    classifiers: LabelClassifiers
    training: NDArray[np.intp]
    held_out: NDArray[np.intp]
    ceiling: Mapping[str, float]
    seed: int

    @classmethod
    def prepare(cls, source: StyledNotes, folder: Path, seed: int) -> "Evaluation":
        """Train classifiers, or load them where they were trained on the same notes before."""
        training = source.rows("training")
        held_out = np.sort(np.concatenate([source.rows("validation"), source.rows("test")]))
        labels = labels_of(source.pitch, source.style)
        counts = {"style": len(source.styles), "semitone": SEMITONES, "octave": OCTAVES}
        identity = repr((sorted(map(str, source.identity.items())), source.label, source.analysis, seed))
        place = folder / f"judges_{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
        if not place.is_dir():
            of_training = {name: each[training] for name, each in labels.items()}
            train_classifiers(source.spectrograms(training), of_training, counts, seed).save(place)
        classifiers = LabelClassifiers.load(place)
        right = classifiers.accuracy(
            source.spectrograms(held_out), {name: each[held_out] for name, each in labels.items()}
        )
        return cls(source, classifiers, training, held_out, right, seed)

    def evaluate(self, model: WaeModel, name: str, draws: int) -> ModelScores:
        """Evaluate a model."""
        loss = str(model.loaded.card.features["form"]) if model.variant.adversary else DEFAULT_LOSS
        results = ModelScores(name, model.variant.name, model.latent, loss, alone=model.loaded.path.name != BEST)
        latents = {
            part: model.encode_spectrograms(self.source.spectrograms(rows)) for part, rows in self._parts.items()
        }
        self._reconstructions(model, latents["held out"], results.scores)
        self._latents(latents, results.scores)
        if model.variant.style:
            results.scores |= self._mixtures(model)
        trained = np.asarray(model.notes, np.intp)
        for where, notes in (("shared", trained[np.isin(trained, SHARED)]), ("all", trained)):
            self._generated(model, where, notes, draws, results)
        return results

    @property
    def _parts(self) -> dict[str, NDArray[np.intp]]:
        return {"training": self.training, "held out": self.held_out}

    def _reconstructions(self, model: WaeModel, latents: NDArray[Any], scores: dict[str, float]) -> None:
        rows, source = self.held_out, self.source
        spectrograms, weights = (
            source.spectrograms(rows),
            np.eye(len(source.styles), dtype=np.float32)[source.style[rows]],
        )
        found = model.decode_spectrograms(latents, source.pitch[rows], weights)
        scores |= {name: float(np.mean(each)) for name, each in reconstruction_errors(spectrograms, found).items()}
        labels = {name: each[rows] for name, each in labels_of(source.pitch, source.style).items()}
        scores |= {f"back_{name}": right for name, right in self.classifiers.accuracy(found, labels).items()}

    def _latents(self, latents: Mapping[str, NDArray[Any]], scores: dict[str, float]) -> None:
        trained, held = latents["training"], latents["held out"]
        for name, each in labels_of(self.source.pitch, self.source.style).items():
            truth = each[self.training], each[self.held_out]
            scores[f"probe_{name}"] = probe(trained, truth[0], held, truth[1], self.seed)
            scores[f"purity_{name}"] = purity(held, truth[1])
        quality = latent_quality(held, self.seed)
        scores |= {
            "mean": max(abs(one) for one in quality.means),
            "least": min(quality.deviations),
            "most": max(quality.deviations),
            "mmd": quality.mmd,
            "chance": quality.chance,
            "close": float(quality.close),
        }

    def _mixtures(self, model: WaeModel) -> dict[str, float]:
        notes = np.random.default_rng(self.seed).choice(SHARED, MIXED)
        found = mix_styles(
            model.decode_spectrograms,
            self.classifiers.predict,
            model.draw_latents(MIXED, self.seed),
            notes,
            len(model.styles),
            draw_style_pairs(len(model.styles), PAIRS, self.seed),
        )
        return {f"mix_{name}": value for name, value in found.scores().items()}

    def _generated(
        self, model: WaeModel, where: str, notes: NDArray[np.intp], draws: int, results: ModelScores
    ) -> None:
        """Decode every style at each draw of latent and note, and classify the results."""
        styles = len(model.styles)
        targets = np.random.default_rng([self.seed, len(notes)]).choice(notes, draws)
        weights = np.tile(np.eye(styles, dtype=np.float32), (draws, 1))
        made = model.decode_spectrograms(
            model.draw_latents(draws, self.seed).repeat(styles, 0), targets.repeat(styles), weights
        )
        predicted = self.classifiers.classify(made)
        wanted = labels_of(targets.repeat(styles), np.tile(np.arange(styles), draws))
        for label in LABELS:
            right = (predicted[label] == wanted[label]).reshape(draws, styles).mean(axis=1)
            results.draws[f"{where}_{label}"] = right.astype(np.float64)
        results.scores[f"{where}_f1"] = macro_f1(wanted["style"], predicted["style"], styles)


def labels_of(pitch: NDArray[np.intp], style: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
    """Return the labels of notes, by the names of LABELS. Shapes: (n,) both -> (n,) each."""
    semitones, octaves = note_labels(pitch)
    return {"style": style, "semitone": semitones, "octave": octaves}


def chance_of(source: StyledNotes) -> dict[str, float]:
    """Return the accuracy of predicting the most frequent class of each label."""
    labels = labels_of(source.pitch[source.rows("training")], source.style[source.rows("training")])
    shares = {name: float(np.bincount(each).max() / len(each)) for name, each in labels.items()}
    return shares | {"purity": chance_purity(labels["style"])}


def macro_f1(wanted: NDArray[np.intp], predicted: NDArray[np.intp], count: int) -> float:
    """Return the mean over classes of the harmonic mean of precision and recall."""
    from sklearn.metrics import f1_score

    return float(f1_score(wanted, predicted, labels=np.arange(count), average="macro", zero_division=0.0))


def accuracy(results: Sequence[ModelScores], name: str, seed: int) -> Estimate:
    """Estimate a share over all draws of models of one kind, each draw counting once."""
    draws = np.concatenate([each.draws[name] for each in results])
    return mean_estimates(draws[:, None], seed)[0]


def render(source: StyledNotes, renderer: Renderer, model: WaeModel) -> list[tuple[str, dict[str, float]]]:
    """Render test notes with MCNN and Griffin-Lim from their true mel magnitudes, and with MCNN from those of a model.

    Returns: means of `convergence` and `lsd` in dB and `log_magnitude`, by how the notes were rendered.
    """
    rows = evenly_spaced(source.rows("test"), RENDERED)
    notes, pitch, analysis = source.audio(rows), source.pitch[rows], source.analysis
    weights = np.eye(len(source.styles), dtype=np.float32)[source.style[rows]]
    back = model.decode(model.encode(notes), pitch, weights, renderer)
    found = [("MCNN", note_errors(notes, renderer(mel_magnitudes(notes, analysis), pitch), analysis))]
    found += [(f"Griffin-Lim, {count} iterations", griffin_lim_errors(notes, analysis, count)) for count in GRIFFIN_LIM]
    found += [(f"through {model.name}, MCNN", note_errors(notes, back, analysis))]
    return [(name, {key: float(np.mean(each)) for key, each in errors.items()}) for name, errors in found]
