"""What autoencoders of notes are asked: do notes come back, does the label decide the style, what does a latent tell?

Source: Esling et al. 2019, arXiv 1904.06215, for what is asked; counts and intervals are ours.
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

USUAL_FORM = "uniform"
"""What the encoder of an adversarial model pays where its row does not say otherwise."""

SHARED = range(48, 72)
"""Notes of the octaves 3 and 4, which all instruments of the paper have."""

PAIRS, MIXED = 24, 8
"""Pairs of styles that are mixed, each at so many latents and notes."""

GRIFFIN_LIM = (3, 50, 150, 300)
"""Rounds with which it stands beside an MCNN."""

RENDERED = 40
"""Notes that are rendered by each."""


@dataclass
class Answers:
    """What one model answered.

    Attributes: `alone` are models in files of their own, which share no row. `scores` are numbers by name; `draws` are,
    for every draw of latent and note, (n,), the share of styles at which a label came out as asked, by name.
    """

    name: str
    kind: str
    latent: int
    form: str = USUAL_FORM
    alone: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    draws: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def group(self) -> str:
        alike = f"{self.kind}, {self.latent}" + ("" if self.form == USUAL_FORM else f", {self.form}")
        return f"{self.name}: {alike}" if self.alone else alike


@dataclass(frozen=True)
class Questions:
    """Notes to ask about, and who judges.

    Attributes: training, held_out: rows of the source. ceiling: how often judges are right about held-out real notes.
    """

    source: StyledNotes
    judges: LabelClassifiers
    training: NDArray[np.intp]
    held_out: NDArray[np.intp]
    ceiling: Mapping[str, float]
    seed: int

    @classmethod
    def prepare(cls, source: StyledNotes, folder: Path, seed: int) -> "Questions":
        """Train judges, or read them where they were trained on the same notes before."""
        training = source.rows("training")
        held_out = np.sort(np.concatenate([source.rows("validation"), source.rows("test")]))
        labels = labels_of(source.pitch, source.style)
        counts = {"style": len(source.styles), "semitone": SEMITONES, "octave": OCTAVES}
        told = repr((sorted(map(str, source.identity.items())), source.label, source.analysis, seed))
        place = folder / f"judges_{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        if not place.is_dir():
            of_training = {name: each[training] for name, each in labels.items()}
            train_classifiers(source.spectrograms(training), of_training, counts, seed).save(place)
        judges = LabelClassifiers.load(place)
        right = judges.accuracy(source.spectrograms(held_out), {name: each[held_out] for name, each in labels.items()})
        return cls(source, judges, training, held_out, right, seed)

    def ask(self, maker: WaeModel, name: str, draws: int) -> Answers:
        """Ask a model everything."""
        form = str(maker.loaded.card.features["form"]) if maker.variant.adversary else USUAL_FORM
        answers = Answers(name, maker.variant.name, maker.latent, form, alone=maker.loaded.path.name != BEST)
        latents = {
            part: maker.encode_spectrograms(self.source.spectrograms(rows)) for part, rows in self._parts.items()
        }
        self._ask_for_notes_back(maker, latents["held out"], answers.scores)
        self._ask_latents(latents, answers.scores)
        if maker.variant.style:
            answers.scores |= self._mixed(maker)
        learned = np.asarray(maker.notes, np.intp)
        for where, notes in (("shared", learned[np.isin(learned, SHARED)]), ("all", learned)):
            self._ask_for_styles(maker, where, notes, draws, answers)
        return answers

    @property
    def _parts(self) -> dict[str, NDArray[np.intp]]:
        return {"training": self.training, "held out": self.held_out}

    def _ask_for_notes_back(self, maker: WaeModel, latents: NDArray[Any], scores: dict[str, float]) -> None:
        rows, source = self.held_out, self.source
        pictures, weights = source.spectrograms(rows), np.eye(len(source.styles), dtype=np.float32)[source.style[rows]]
        found = maker.decode_spectrograms(latents, source.pitch[rows], weights)
        scores |= {name: float(np.mean(each)) for name, each in reconstruction_errors(pictures, found).items()}
        labels = {name: each[rows] for name, each in labels_of(source.pitch, source.style).items()}
        scores |= {f"back_{name}": right for name, right in self.judges.accuracy(found, labels).items()}

    def _ask_latents(self, latents: Mapping[str, NDArray[Any]], scores: dict[str, float]) -> None:
        learned, held = latents["training"], latents["held out"]
        for name, each in labels_of(self.source.pitch, self.source.style).items():
            truth = each[self.training], each[self.held_out]
            scores[f"probe_{name}"] = probe(learned, truth[0], held, truth[1], self.seed)
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

    def _mixed(self, maker: WaeModel) -> dict[str, float]:
        notes = np.random.default_rng(self.seed).choice(SHARED, MIXED)
        found = mix_styles(
            maker.decode_spectrograms,
            self.judges.predict,
            maker.draw_latents(MIXED, self.seed),
            notes,
            len(maker.styles),
            draw_style_pairs(len(maker.styles), PAIRS, self.seed),
        )
        return {f"mix_{name}": value for name, value in found.scores().items()}

    def _ask_for_styles(
        self, maker: WaeModel, where: str, notes: NDArray[np.intp], draws: int, answers: Answers
    ) -> None:
        """Decode every style at each draw of latent and note, and let it be named."""
        styles = len(maker.styles)
        asked = np.random.default_rng([self.seed, len(notes)]).choice(notes, draws)
        weights = np.tile(np.eye(styles, dtype=np.float32), (draws, 1))
        made = maker.decode_spectrograms(
            maker.draw_latents(draws, self.seed).repeat(styles, 0), asked.repeat(styles), weights
        )
        named = self.judges.classify(made)
        wanted = labels_of(asked.repeat(styles), np.tile(np.arange(styles), draws))
        for label in LABELS:
            right = (named[label] == wanted[label]).reshape(draws, styles).mean(axis=1)
            answers.draws[f"{where}_{label}"] = right.astype(np.float64)
        answers.scores[f"{where}_f1"] = macro_f1(wanted["style"], named["style"], styles)


def labels_of(pitch: NDArray[np.intp], style: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
    """Return what notes are, by the names of LABELS. Shapes: (n,) both -> (n,) each."""
    semitones, octaves = note_labels(pitch)
    return {"style": style, "semitone": semitones, "octave": octaves}


def chance_of(source: StyledNotes) -> dict[str, float]:
    """Return how often who knows nothing names a style, or says the commonest note, rightly."""
    labels = labels_of(source.pitch[source.rows("training")], source.style[source.rows("training")])
    shares = {name: float(np.bincount(each).max() / len(each)) for name, each in labels.items()}
    return shares | {"purity": chance_purity(labels["style"])}


def macro_f1(wanted: NDArray[np.intp], named: NDArray[np.intp], count: int) -> float:
    """Return the mean over names of the harmonic mean of precision and recall."""
    from sklearn.metrics import f1_score

    return float(f1_score(wanted, named, labels=np.arange(count), average="macro", zero_division=0.0))


def accuracy(answers: Sequence[Answers], name: str, seed: int) -> Estimate:
    """Estimate a share over all draws of models of one kind, each draw counting once."""
    draws = np.concatenate([each.draws[name] for each in answers])
    return mean_estimates(draws[:, None], seed)[0]


def render(source: StyledNotes, renderer: Renderer, maker: WaeModel) -> list[tuple[str, dict[str, float]]]:
    """Let MCNN and Griffin-Lim make notes of the test from their true mels, and MCNN those of a model.

    Returns: means of `convergence` and `lsd` in dB and `log_magnitude`, by who made the notes.
    """
    rows = evenly_spaced(source.rows("test"), RENDERED)
    notes, pitch, analysis = source.audio(rows), source.pitch[rows], source.analysis
    weights = np.eye(len(source.styles), dtype=np.float32)[source.style[rows]]
    back = maker.decode(maker.encode(notes), pitch, weights, renderer)
    found = [("MCNN", note_errors(notes, renderer(mel_magnitudes(notes, analysis), pitch), analysis))]
    found += [(f"Griffin-Lim, {rounds} rounds", griffin_lim_errors(notes, analysis, rounds)) for rounds in GRIFFIN_LIM]
    found += [(f"through {maker.name}, MCNN", note_errors(notes, back, analysis))]
    return [(name, {key: float(np.mean(each)) for key, each in errors.items()}) for name, errors in found]
