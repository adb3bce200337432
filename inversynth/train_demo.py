"""Train an inverter in minutes: `inversynth demo --train`.

Renders a dataset of `fm` sounds, trains a network on it, scores it on held-out sounds, and inverts a new sound from its
audio alone. It calls the same functions as the commands, and resumes where it was interrupted.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.audio import write_audio
from generators.dataset import Dataset, dataset_path
from generators.generate import generate_dataset
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.evaluation.evaluator import choose_rows, evaluate_methods
from inversynth.evaluation.methods import chance, network, oracle
from inversynth.evaluation.scores import Evaluation, write_scores
from inversynth.inversion.inversion import invert, learned_normalised
from inversynth.inversion.result import Inversion, write_inversion
from inversynth.inversion.target import read_target
from inversynth.report.report import describe_match, summarise
from inversynth.report.tables import text_table
from models.backend import start_keras
from models.model_files import LoadedModel, load_model
from models.registry import find_recipe

NEW_SEED = 1
"""Seed of the sound that is inverted; the dataset has seed 0, and no two seeds share a sound."""

SCORED = 300
"""Sounds of the test split that are scored: intervals of about one point, in a few seconds."""

BATCH_SIZE = 32
"""Twice the paper's: the same scores after six epochs on 8,000 sounds, in two thirds of the time."""


@dataclass(frozen=True)
class TrainDemo:
    """The results: the run, its scores on the test split, the inversion of a new sound, and its report."""

    run: Path
    evaluation: Evaluation
    inversion: Inversion
    report: Path


def run_train_demo(directory: Path, num_examples: int = 8000, epochs: int = 8, model: str = "C3") -> TrainDemo:
    """Run all four steps and print their results; a step that is already done is only read."""
    started = time.perf_counter()
    recipe = find_recipe(model)  # an unknown name is refused before anything is rendered
    synth = build_synth("fm")
    path = dataset_path(directory, f"fm_{num_examples}")
    _print("inversynth: from a sound to the synthesizer settings that make it.\n")

    _print(f"1 of 4  Render sounds: {num_examples:,} random patches of the FM synthesizer ({len(synth.space)} knobs).")
    made = generate_dataset(path, synth, num_examples, progress=sys.stderr.isatty())
    speed = f", {made.rendered * synth.length / made.seconds:,.0f} times faster than real time" if made.rendered else ""
    _print(f"        {path}{speed or ', rendered before'}\n")

    _print(
        f"2 of 4  Train {recipe.name} to predict the knobs of a sound, {epochs} epochs. MPR: 50 is chance, 100 best."
    )
    start_keras()
    from models.training.data import DatasetSource
    from models.training.loop import train

    with Dataset(path) as dataset:
        source = DatasetSource(dataset)
        run = train(recipe, source, directory / f"{recipe.name}_{num_examples}", epochs=epochs, batch_size=BATCH_SIZE)
        _print("")
        _print("3 of 4  Score it on held-out sounds, beside random and true settings.")
        trained = load_model(run.best)
        evaluation = _evaluate(trained, dataset, source.rows("test"))
    write_scores(run.path / "evaluation", evaluation)
    _print("\n".join(f"        {line}" for line in _score_table(evaluation).splitlines()) + "\n")

    _print("4 of 4  Invert a new sound.")
    inversion, report = _invert(trained, directory / "new_sound")
    _print(f"        {summarise(inversion.patch, inversion.truth)}")
    _print(f"        {describe_match(inversion.patch)}\n")
    _print(
        f"Done in {_minutes(time.perf_counter() - started)}. Open the report to hear both sounds and see the settings:"
    )
    _print(f"  {report.resolve().as_uri()}")
    _print(f"Next, invert a sound of your own:\n  inversynth invert SOUND.wav --model {run.path}")
    return TrainDemo(run.path, evaluation, inversion, report)


def _evaluate(model: LoadedModel, dataset: Dataset, rows: NDArray[np.intp]) -> Evaluation:
    methods = [chance(dataset.space, 0), network(model.name, model), oracle(dataset.space)]
    return evaluate_methods(dataset, methods, rows=choose_rows(rows, SCORED, 0), bound_examples=0)


def _invert(model: LoadedModel, folder: Path) -> tuple[Inversion, Path]:
    """Render a sound of another seed than the dataset's, write it, and invert the file."""
    synth = build_synth(model.card.synth, model.sample_rate, model.card.length)
    (truth,) = sample_classes(synth.space, 0, 1, NEW_SEED)
    sound = write_audio(folder.with_suffix(".wav"), synth.render_classes(truth), synth.sample_rate)
    target = read_target(sound, model.sample_rate, model.card.length, normalise=learned_normalised(model.card))
    inversion = invert(target, model, truth=truth)
    return inversion, write_inversion(inversion, folder)


def _score_table(evaluation: Evaluation) -> str:
    rows = []
    for result in evaluation.results:
        overall, sounds = result.groups["All"], result.reconstruction
        rows.append(
            [
                {"chance": "random settings", "oracle": "true settings"}.get(result.kind, result.name),
                f"{overall['mpr'].value:.1f}",
                f"{100 * overall['top1'].value:.1f} %",
                *(
                    f"{sounds[name]['mean'].value:.1f}"
                    for name in ("log_mel_distance", "stft_pcc", "ft_pcc", "f_delta")
                ),
            ]
        )
    return text_table([f"{evaluation.n} sounds", "MPR", "exact", "log-mel dB", "STFT PCC", "FT PCC", "F-delta"], rows)


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _print(line: str) -> None:
    print(line, flush=True)  # flushed, to stay in order with the training log on standard error
