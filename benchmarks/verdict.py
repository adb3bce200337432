"""How well the verdict tells sounds that `fm` can make from those that it cannot: `python -m benchmarks.verdict`.

Sounds of the synth (on its levels, and between them), of other synthesis, of instruments and of a folder are searched
at any level, from simulated posteriors of the paper's accuracy or with `--model` from a network's; what is printed are
the quantiles of their distances and the share of each verdict, which docs/refinement.md quotes.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from tqdm import tqdm

from benchmarks.unseen_sounds import Audio, instruments, made
from generators.command import run_command
from generators.errors import AudioError
from generators.registry import build_synth
from generators.sampling import sample_classes
from generators.settings import Settings
from inversynth.inversion.target import read_target
from inversynth.inversion.verdict import WORDS, assess
from inversynth.pretrained import find_model
from inversynth.search.search import refine
from models.model_files import load_model

CERTAINTY = 1.09
"""Of the simulated posterior: normal scores, the true class raised by this, rank as the paper's Conv6XL (MPR 77.9)."""


class VerdictSettings(Settings):
    """Measure the verdict on sounds that the synth made and on others."""

    flags_only: ClassVar = frozenset({"budget", "num", "seed", "soundfont", "model", "recordings"})

    budget: Literal["fast", "full"] = Field("fast", description="of the search")
    num: int = Field(40, ge=1, description="sounds of each group")
    seed: int = Field(8101, description="draws the sounds; not one that the thresholds were set on")
    soundfont: Path | None = Field(None, description="an SF2 file, for recordings of real instruments")
    model: str | None = Field(None, description="a model to begin with; by default posteriors are simulated")
    recordings: Path | None = Field(None, description="a folder of further sounds")


def posterior(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulate a network's scores for true classes (parameters,)."""
    space = build_synth("fm").space
    scores = rng.standard_normal(space.size)
    for part, true in zip(space.slices, classes, strict=True):
        scores[part.start + int(true)] += CERTAINTY
    return np.exp(CERTAINTY * scores)


def groups(settings: VerdictSettings) -> Iterator[tuple[str, list[tuple[Audio, np.ndarray]]]]:
    """Yield the name of each group with its sounds and the classes that their simulated posteriors favour."""
    synth = build_synth("fm")
    rows = sample_classes(synth.space, 0, settings.num, settings.seed).astype(int)
    yield "fm", [(synth.render_classes(row), row) for row in rows]
    units = np.random.default_rng(settings.seed).uniform(size=(settings.num, len(synth.space)))
    between = zip(synth.render(synth.space.unit_to_values(units)), synth.space.unit_to_classes(units), strict=True)
    yield "fm between its levels", [(audio, row.astype(int)) for audio, row in between]
    yield (
        "other synthesis",
        [(audio, row) for (_, audio), row in zip(made(settings.num, settings.seed), rows, strict=True)],
    )
    if settings.soundfont is not None:
        notes = instruments(settings.soundfont, settings.num, settings.seed)
        yield "instruments", [(audio, row) for (_, audio), row in zip(notes, rows, strict=False)]

    if settings.recordings is not None:
        yield "recordings", list(recorded(settings.recordings, synth.sample_rate, synth.length, rows[0]))


def recorded(folder: Path, sample_rate: int, length: float, row: np.ndarray) -> Iterator[tuple[Audio, np.ndarray]]:
    """Yield the audible sounds of a folder, each with `row`, for they have no true classes."""
    for path in sorted(folder.iterdir()):
        try:
            yield read_target(path, sample_rate, length).audio, row
        except AudioError as fault:
            print(fault, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(VerdictSettings, _run, argv, "python -m benchmarks.verdict")


def _run(settings: VerdictSettings) -> None:
    synth = build_synth("fm")
    model = load_model(find_model(settings.model)) if settings.model else None
    print(f"budget {settings.budget}, seed {settings.seed}\n")
    print(f"| sounds | n | distance 10 / 50 / 90 / 95 % | {' | '.join(WORDS)} |\n{'|---' * (3 + len(WORDS))}|")
    for name, sounds in groups(settings):
        rng = np.random.default_rng(settings.seed)
        distances, words = [], []
        for audio, row in tqdm(sounds, desc=name, file=sys.stderr, disable=None):
            start = posterior(row, rng) if model is None else model.predict(audio[None])[0]
            found = refine(synth, audio, start, settings.budget, level="fit")
            distances.append(found.distance)
            words.append(assess(found).word)
        quantiles = " / ".join(f"{q:.3f}" for q in np.quantile(distances, (0.1, 0.5, 0.9, 0.95)))
        shares = " | ".join(f"{100 * words.count(word) / len(words):.0f} %" for word in WORDS)
        print(f"| {name} | {len(sounds)} | {quantiles} | {shares} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
