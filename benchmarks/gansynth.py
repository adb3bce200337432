"""Notes that GANSynth makes, beside real ones: pitch, variety, how near their distribution comes, and how fast.

`python -m benchmarks.gansynth --classifier RUN --models RUN,RUN --dataset FILE` measures models beside held-out notes,
the same notes as pictures and back, training notes by heart, and one timbre for all.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from benchmarks.gansynth_speed import COLUMNS, ROUNDS, Speed
from benchmarks.page import Section, markdown_table, publish
from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import ModelError
from generators.files import written_whole
from generators.parallel import available_cores
from generators.settings import Settings
from inversynth.evaluation.bootstrap import Estimate
from models.gansynth.presets import GANSYNTH
from models.notes.classifier import NOTE_CLASSIFIER
from models.notes.statistics import CELLS

MEASURES = {
    **{"pitch": "named", "near": "± a semitone", "tracked": "heard ± a semitone", "entropy": "entropy"},
    **{"inception": "IS", "frechet": "FID", "bins": "NDB", "divergence": "JSD"},
    **{"nearest": "nearest", "spread": "spread"},
}
SHARES = frozenset({"pitch", "near", "tracked"})
DECIMALS = {"inception": 1, "frechet": 1, "bins": 0, "divergence": 3}

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "real notes": {"near": 0.982, "entropy": 0.22, "inception": 47.1, "frechet": 13.0, "bins": 2.2},
    "GANSynth, mel": {"near": 0.979, "entropy": 0.40, "inception": 38.1, "frechet": 167, "bins": 29.3},
    "GANSynth, linear": {"near": 0.983, "entropy": 0.32, "inception": 41.6, "frechet": 104, "bins": 36.0},
    "GANSynth, phase": {"near": 0.976, "entropy": 0.44, "inception": 36.2, "frechet": 592, "bins": 37.6},
    "WaveNet": {"near": 0.927, "entropy": 0.70, "inception": 29.1, "frechet": 320, "bins": 45.9},
    "WaveGAN": {"near": 0.827, "entropy": 1.40, "inception": 13.7, "frechet": 461, "bins": 43.0},
}
"""The table of Engel et al. 2019: recalled, and not checked against the paper."""

GOAL_SECONDS = 0.05
"""For one note, all cores."""


@dataclass(frozen=True)
class Row:
    """What one set of notes scored."""

    name: str
    count: int | None
    scores: Mapping[str, Estimate]

    def cells(self) -> list[str]:
        count = "" if self.count is None else f"{self.count:,}"
        return [self.name, count, *(_cell(name, self.scores.get(name)) for name in MEASURES)]


def _cell(name: str, found: Estimate | None) -> str:
    if found is None:
        return ""
    scale, decimals = (100.0, 1) if name in SHARES else (1.0, DECIMALS.get(name, 2))
    decimals += name == "bins" and not found.value.is_integer()
    unit = " %" if name in SHARES else ""
    value, low, high = (f"{scale * number:.{decimals}f}" for number in (found.value, found.low, found.high))
    return f"{value}{unit}" if low == value == high else f"{value}{unit} ({low}–{high})"


@dataclass(frozen=True)
class Data:
    """What the notes were: `together` of each row were compared with the training notes."""

    name: str
    training: int
    together: int
    best_inception: float
    nearest: float
    spread: float
    cells: int = CELLS


def section(rows: Sequence[Row], speeds: Sequence[Speed], data: Data) -> Section:
    """Write the section of the page."""
    published = [
        Row(f"published: {name}", None, {key: Estimate(*[value] * 3) for key, value in scores.items()})
        for name, scores in PUBLISHED.items()
    ]
    return Section(
        "gansynth",
        "GANSynth: notes that nobody played",
        ROUNDS if speeds else 1,
        ["notes", "n", *MEASURES.values()],
        [row.cells() for row in (*rows, *published)],
        text=f"Measured against the {data.training:,} training notes of {data.name}; in brackets 95 % intervals over "
        "notes (bootstrap). Models play latents drawn at random, at pitches drawn as often as the training notes have "
        "them; real notes are those of the validation and test splits, which no generator has learned from (the "
        "classifier's best epoch was chosen on the former). *Named*: by a classifier (`--model note-classifier`) as "
        "the very note; *heard*: by YIN, which learned nothing, and misses instruments that sound an octave off. "
        f"*Entropy* of the naming is in nats. Of {data.together:,} notes of each row: *IS*, the inception score of "
        f"pitches, {data.best_inception:.1f} at best; *FID*, the Fréchet distance of the classifier's features; *NDB*, "
        f"which of {data.cells} bins hold significantly more or fewer notes than in training, and *JSD*, the "
        "divergence of the bins in nats. *Nearest*: how far the nearest training note is, 1 as for real held-out notes "
        f"({data.nearest:.1f} dB); what is learned by heart lies as near as the control that is. *Spread*: "
        "how far notes of one pitch are from each "
        f"other, 1 as in training ({data.spread:.1f} dB); 0 is one timbre for all. The last real rows are controls: "
        "*by heart* are training notes, *one timbre* is one latent at all pitches.",
        after=_speed_text(speeds) + "The published figures are recalled and were not checked against the paper; they "
        "are of other notes (NSynth, 61 pitches, 4 s), of far larger networks and of another classifier, whose FID "
        "has another scale.",
        packages=("numpy", "scikit-learn", "librosa", "keras", "tensorflow"),
    )


def _speed_text(speeds: Sequence[Speed]) -> str:
    if not speeds:
        return ""
    single = {s.name: s.seconds for s in sorted(speeds, key=lambda s: s.threads) if s.batch == 1}
    missed = [f"{name} takes {1000 * seconds:.0f} ms" for name, seconds in single.items() if seconds > GOAL_SECONDS]
    verdict = f"missed: {', '.join(missed)}" if missed else "met"
    return (
        f"### How fast\n\nFrom latents to samples, once the network is compiled; medians of {ROUNDS}. The goal of "
        f"{1000 * GOAL_SECONDS:.0f} ms for one note is {verdict}.\n\n"
        f"{markdown_table(COLUMNS, [speed.cells() for speed in speeds])}\n\n"
    )


def name_of(word: str, player: Any) -> str:
    """Say which model it is: its file or run, its pictures, and how long it has learned."""
    card = player.loaded.card
    images = int(card.training.get("epoch", 0)) * int(card.features["epoch_images"])
    return f"{Path(word).stem}: {player.format.kind}, {images:,} images"


class GANSynthBenchmarkSettings(Settings):
    """Measure how much like real notes those of GANSynth are, and how fast they are made."""

    flags_only: ClassVar = frozenset(
        {"classifier", "models", "dataset", "count", "cells", "seed", "speed", "output", "dry"}
    )

    classifier: str = Field(
        NOTE_CLASSIFIER, description="run folder, .keras file, or name of a bundled model, of a note-classifier"
    )
    models: list[str] = Field(
        [GANSYNTH], min_length=1, description="run folders, .keras files, or names of bundled models: a,b,c"
    )
    dataset: Path = Field(Path("test_datasets/notes.hdf5"), description="dataset of notes that they were trained on")
    count: int = Field(1000, ge=2, description="notes that each model makes")
    cells: int = Field(CELLS, ge=2, description="bins of NDB")
    seed: int = Field(0, ge=0, description="of latents, pitches, bins and intervals")
    speed: bool = Field(True, description="also measure how fast the models are")
    output: Path | None = Field(None, description="also write every figure here, as JSON")
    dry: bool = Field(False, description="print the section and leave docs/benchmarks.md alone")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and rewrite the section; returns the exit code."""
    return run_command(GANSynthBenchmarkSettings, _run, argv, "python -m benchmarks.gansynth", resumes=False)


def _run(settings: GANSynthBenchmarkSettings) -> None:
    from inversynth.pretrained import find_model
    from models.model_files import read_card

    paths = [find_model(word) for word in settings.models]
    for path in paths:
        if (card := read_card(path)).model != GANSYNTH:
            raise ModelError(f"notes are made by a model '{GANSYNTH}'. Received: {card.model} in {path}")
    from models.backend import start_keras

    start_keras()
    rows, data = _scores(settings, paths)
    speeds: list[Speed] = []
    if settings.speed:
        from benchmarks.gansynth_speed import measure

        for word, path in zip(settings.models, paths, strict=True):
            for threads in sorted({1, available_cores()}):
                speeds += measure(path, Path(word).stem, threads)
    if settings.output is not None:
        scores = [
            {"name": row.name, "n": row.count, **{key: one.as_dict() for key, one in row.scores.items()}}
            for row in rows
        ]
        figures = {"data": asdict(data), "rows": scores, "speeds": [asdict(speed) for speed in speeds]}
        with written_whole(settings.output) as partial:
            partial.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    made = section(rows, speeds, data)
    if settings.dry:
        print(made.to_markdown())
    else:
        publish(made)


def _scores(settings: GANSynthBenchmarkSettings, paths: Sequence[Path]) -> tuple[list[Row], Data]:
    from tqdm import tqdm

    from benchmarks.gansynth_protocol import Judge, Notes, read_notes
    from inversynth.pretrained import find_model
    from models.gansynth.inference import load_gansynth
    from models.notes.classifier import load_classifier
    from models.notes.statistics import highest_inception_score

    count, seed = settings.count, settings.seed
    players = [load_gansynth(path) for path in paths]
    classifier = load_classifier(find_model(settings.classifier))
    with Dataset(settings.dataset) as dataset:
        rate, samples = dataset.card.sample_rate, dataset.samples
        for player in players:
            if (player.sample_rate, player.samples) != (rate, samples):
                raise ModelError(
                    f"{player.loaded.path} makes {player.samples:,} samples at {player.sample_rate} Hz. Received: "
                    f"{settings.dataset} with {samples:,} at {rate} Hz"
                )
        training = read_notes(dataset, ("training",), seed)
        held_out = read_notes(dataset, ("validation", "test"), seed)
    together = min(count, len(held_out), len(training))
    judge = Judge(classifier, rate, training, held_out, together, settings.cells, seed)
    real = held_out.drawn(len(held_out), seed)
    rows = [Row("real notes", len(real), judge.measure(real))]
    for form in dict.fromkeys(player.format for player in players):
        rows.append(Row(f"real notes, {form.kind} pictures and back", len(real), judge.measure(real.pictured(form))))
    for word, player in zip(settings.models, players, strict=True):
        name, pitch = name_of(word, player), player.draw_notes(count, seed)
        with tqdm(total=count, desc=name, unit="note", disable=None) as bar:
            audio = player.decode(player.draw_latents(count, seed), pitch, on_notes=bar.update)
        rows.append(Row(name, count, judge.measure(Notes(audio, pitch))))
    player = players[0]
    learned = training.drawn(count, seed).pictured(player.format)
    rows.append(Row("control: by heart", len(learned), judge.measure(learned)))
    pitch = player.draw_notes(count, seed)
    kinds, which = np.unique(pitch, return_inverse=True)
    alike = player.decode(np.repeat(player.draw_latents(1, seed), len(kinds), axis=0), kinds)[which]
    rows.append(
        Row(f"control: one timbre of {Path(settings.models[0]).stem}", count, judge.measure(Notes(alike, pitch)))
    )
    best = highest_inception_score(training.pitch)
    return rows, Data(settings.dataset.name, len(training), together, best, *judge.usual, settings.cells)


if __name__ == "__main__":
    sys.exit(main())
