"""The NeuroSynth protocol: seven sets of inputs, every triple of classes, our networks beside the published one.

`python -m benchmarks.neurosynth` measures the bundled network, `--models RUN,RUN` others; runs of one variant with
other seeds form one row, median and range. Inputs and targets follow the original's recipe (its ramps, its noise),
whatever ramps a network was trained with; the published figures were measured from the original's last checkpoint.
"""

import itertools
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarks.page import Section, markdown_table, publish
from generators.doors import run_door
from generators.envelope_generator import (
    ATTACKS,
    JITTER,
    NOISE,
    PERIOD_DIVISOR,
    RELEASES,
    SAMPLES,
    SUSTAINS,
    envelopes,
    waveform,
)
from generators.files import written_whole
from generators.settings import Settings
from models.envelope_metrics import MEASURES, score

Sounds = NDArray[np.floating[Any]]
Scores = dict[str, dict[str, float]]
"""Set -> measure -> figure."""

SEED = 20180904
"""Of the protocol."""

DRAWS = 20
"""Noise draws a set; each meets all 27 triples of classes."""

SETS = {
    "sin": ("sin", NOISE),
    "saw": ("saw", NOISE),
    "square": ("square", NOISE),
    "invsaw": ("invsaw", NOISE),
    "triangle": ("triangle", NOISE),
    "sin_noise3x": ("sin", 3 * NOISE),
    "sin_noise6x": ("sin", 6 * NOISE),
}
"""Waveform and noise factor of each set; the order is that of the random numbers."""

POOLS = {"seen": ("sin", "saw", "square"), "unseen": ("invsaw", "triangle", "sin_noise3x", "sin_noise6x")}
"""What the networks were trained on, and what they were not."""

ORDER = (*POOLS["seen"], "seen", *POOLS["unseen"], "unseen")

PUBLISHED = {
    "sin": (0.0712, 0.0977, 0.209, 0.981, 0.974, 0.0547, 0.0303, 0.0416, 1.000, 0.989, 0.991, 0.980),
    "saw": (0.0651, 0.0974, 0.258, 0.970, 0.949, 0.0674, 0.0327, 0.0547, 0.989, 0.972, 0.946, 0.907),
    "square": (0.0738, 0.1127, 0.171, 0.986, 0.969, 0.0807, 0.0445, 0.0426, 1.000, 0.993, 0.983, 0.976),
    "seen": (0.0700, 0.1028, 0.200, 0.979, 0.959, 0.0676, 0.0358, 0.0463, 0.996, 0.985, 0.974, 0.954),
    "invsaw": (0.1592, 0.2074, 0.549, 0.872, 0.841, 0.1096, 0.0810, 0.1061, 0.889, 0.982, 0.970, 0.863),
    "triangle": (0.1255, 0.1732, 0.457, 0.893, 0.860, 0.1113, 0.0645, 0.1174, 0.891, 0.876, 0.596, 0.500),
    "sin_noise3x": (0.1257, 0.1720, 0.363, 0.936, 0.908, 0.0917, 0.0507, 0.0789, 1.000, 0.933, 0.837, 0.774),
    "sin_noise6x": (0.2121, 0.2899, 0.606, 0.805, 0.730, 0.1528, 0.0865, 0.1855, 0.870, 0.411, 0.600, 0.191),
    "unseen": (0.1556, 0.2160, 0.502, 0.877, 0.778, 0.1164, 0.0707, 0.1220, 0.913, 0.800, 0.751, 0.582),
}
"""The original's generator after 1000 epochs, in the order of MEASURES; from running its published checkpoint."""

ORIGINAL = "original, published"

GOALS = (
    ("seen", "mae", 0.030),
    ("seen", "env_rms", 0.015),
    ("seen", "joint", 0.99),
    ("unseen", "mae", 0.08),
    ("unseen", "r_mean", 0.97),
    ("unseen", "joint", 0.90),
)
"""What a network of ours is to reach: at most these errors, at least these correlations and recoveries."""

ERRORS = frozenset({"mae", "rmse", "nrmse", "env_peak", "env_rms", "env_gain"})

THREE_DIGITS = frozenset({"nrmse", "r_mean", "r_5", "attack", "sustain", "release", "joint"})

WORDS = {
    **{"mae": "MAE", "rmse": "RMSE", "nrmse": "NRMSE", "r_mean": "r, mean", "r_5": "r, 5 %"},
    **{"env_peak": "env peak", "env_rms": "env RMS", "env_gain": "env gain"},
}
"""Heads of columns; the others are called as they are."""


class Shapes(Protocol):
    """What is asked of a network: `models.shaper.Shaper` is one."""

    def shape(self, basic: Sounds, classes: NDArray[np.integer[Any]]) -> Sounds: ...

    def classes_of(self, attack: float, sustain: float, release: float) -> Any: ...


@dataclass(frozen=True)
class Inputs:
    """The inputs of the protocol, set after set, the noise draws within a set, the triples within a draw.

    Shapes, with n = 3780: basic, target (n, samples) float32; label (n, 3) classes of attack, sustain and release; cls
    (n,) their number 0..26; sets (n,) names; draw (n,); ideals (27, samples), levels (27, 3).
    """

    basic: NDArray[np.float32]
    target: NDArray[np.float32]
    label: NDArray[np.intp]
    cls: NDArray[np.intp]
    sets: NDArray[np.str_]
    draw: NDArray[np.intp]
    ideals: Sounds
    levels: Sounds

    def scores(self, output: Sounds, names: Iterable[str] = ORDER) -> Scores:
        """Measure an output (n, samples) on sets and pools of them, by name."""
        found = {}
        for name in names:
            rows = np.isin(self.sets, POOLS.get(name, (name,)))
            found[name] = score(output[rows], self.target[rows], self.basic[rows], self.label[rows], self.ideals)
        return found


def input_sets(seed: int = SEED) -> Inputs:
    """Draw the inputs: for each draw first the phase jitter of all samples, then what is added to them."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(SAMPLES) * (SAMPLES // PERIOD_DIVISOR) / SAMPLES
    waves = []
    for (wave, noise), _ in itertools.product(SETS.values(), range(DRAWS)):
        jitter = rng.uniform(-JITTER * noise, JITTER * noise, SAMPLES)
        waves.append(waveform(wave, phase + jitter) + rng.uniform(-noise, noise, SAMPLES))
    grid = np.array(list(itertools.product(range(len(ATTACKS)), range(len(SUSTAINS)), range(len(RELEASES)))))
    levels = np.stack([np.take(each, grid[:, i]) for i, each in enumerate((ATTACKS, SUSTAINS, RELEASES))], axis=-1)
    ideals = envelopes(*levels.T, SAMPLES, legacy=True)
    basic = np.repeat(waves, len(grid), axis=0)
    cls = np.tile(np.arange(len(grid)), len(waves))
    return Inputs(
        basic.astype(np.float32),
        (basic * ideals[cls]).astype(np.float32),
        grid[cls],
        cls,
        np.repeat(list(SETS), DRAWS * len(grid)),
        np.repeat(np.tile(np.arange(DRAWS), len(SETS)), len(grid)),
        ideals,
        levels,
    )


BASELINES: dict[str, Callable[[Inputs], Sounds]] = {
    "input unchanged": lambda inputs: inputs.basic,
    "input x mean of the 27 envelopes": lambda inputs: inputs.basic * inputs.ideals.mean(axis=0),
    "silence": lambda inputs: np.zeros_like(inputs.basic),
    "input x exact ramps": lambda inputs: inputs.basic * envelopes(*inputs.levels.T, SAMPLES)[inputs.cls],
    "input x ideal envelope": lambda inputs: inputs.basic * inputs.ideals[inputs.cls],
}
"""What needs no network. The exact ramps are those of our dataset, which differ from the original's by a sample."""


def shaped(network: Shapes, inputs: Inputs) -> Sounds:
    """Return what a network makes of the inputs, its classes found by their levels."""
    classes = np.array([network.classes_of(*map(float, triple)) for triple in inputs.levels])
    return np.asarray(network.shape(inputs.basic, classes[inputs.cls]))


def published() -> Scores:
    """Return the original's figures as ours are."""
    return {name: dict(zip(MEASURES, row, strict=True)) for name, row in PUBLISHED.items()}


@dataclass(frozen=True)
class Variant:
    """Networks that differ in their seed alone, and what each scored."""

    name: str
    runs: Sequence[Scores]

    def cell(self, name: str, measure: str, spread: bool = True) -> str:
        """Write the median over the runs, with the range where there are several and it is wanted."""
        figures = [run[name][measure] for run in self.runs]
        middle, low, high = (number(of(figures), measure) for of in (statistics.median, min, max))
        return f"{middle} ({low}–{high})" if spread and len(figures) > 1 else middle

    def reaches(self, name: str, measure: str, goal: float) -> bool:
        """Say whether the median keeps a goal."""
        figure = statistics.median(run[name][measure] for run in self.runs)
        return figure <= goal if measure in ERRORS else figure >= goal


def number(figure: float, measure: str) -> str:
    """Write a figure in as many digits as the published table has."""
    return f"{figure:.{3 if measure in THREE_DIGITS else 4}f}"


def group(scored: Iterable[tuple[str, Mapping[str, Any], Scores]]) -> list[Variant]:
    """Gather runs by model and options; where one model has several, its name tells the options that differ."""
    gathered: dict[tuple[str, str], list[Scores]] = {}
    for model, options, scores in scored:
        gathered.setdefault((model, json.dumps(options, sort_keys=True, default=str)), []).append(scores)
    variants = []
    for (model, text), runs in gathered.items():
        options = json.loads(text)
        others = [json.loads(other) for name, other in gathered if name == model]
        told = [
            f"{name.replace('_', ' ')} {options.get(name)}"
            for name in sorted({name for other in others for name in other})
            if any(other.get(name) != options.get(name) for other in others)
        ]
        variants.append(Variant(", ".join([model, *told]), runs))
    return variants


def section(variants: Sequence[Variant], inputs: Inputs) -> Section:
    """Write the section: goals, all measures of both pools, each set, and what needs no network."""
    original = Variant(ORIGINAL, [published()])
    baselines = [Variant(name, [inputs.scores(made(inputs), POOLS)]) for name, made in BASELINES.items()]
    rows = [
        [f"{name}: {WORDS.get(measure, measure)}", ("≤ " if measure in ERRORS else "≥ ") + f"{goal:g}"]
        + [original.cell(name, measure)]
        + [
            f"**{cell}**" if variant.reaches(name, measure, goal) else cell
            for variant in variants
            for cell in [variant.cell(name, measure)]
        ]
        for name, measure, goal in GOALS
    ]
    runs = max(len(variant.runs) for variant in variants)
    return Section(
        "neurosynth",
        "NeuroSynth: shaping a sound",
        runs,
        ["measure", "goal", ORIGINAL, *(variant.name for variant in variants)],
        rows,
        text=f"{len(inputs.basic):,} sounds of {SAMPLES} samples: seven sets of waveforms, {DRAWS} draws of noise in "
        "each, every triple of attack, sustain and release. *Seen* are the waveforms of the training (sin, saw, "
        "square), *unseen* the inverted saw, the triangle, and sines of three and six times the noise. Targets have "
        "the original's ramps. Medians over seeds, with their range; what keeps its goal is bold.",
        after="\n\n".join(
            [
                "Both pools in full, medians. *env* are errors of the envelope in windows of 11 samples; *attack*, "
                "*sustain*, *release* and *joint* say how often the output is nearest to the ideal sound of the class "
                "asked for.",
                table([original, *variants], ("seen", "unseen")),
                "Each set, medians.",
                table([original, *variants], list(SETS)),
                "Without a network.",
                table(baselines, ("seen", "unseen")),
            ]
        ),
        packages=("numpy", "scipy", "keras", "tensorflow"),
    )


def table(variants: Sequence[Variant], names: Sequence[str]) -> str:
    """Write a table with a row for each set and variant."""
    rows = [
        [name, variant.name, *(variant.cell(name, measure, spread=False) for measure in MEASURES)]
        for name in names
        for variant in variants
    ]
    return markdown_table(["inputs", "output", *(WORDS.get(measure, measure) for measure in MEASURES)], rows)


class NeurosynthSettings(Settings):
    """Measure networks that shape sounds by the NeuroSynth protocol, beside the original's figures."""

    flags_only: ClassVar = frozenset({"models", "output", "dry"})

    models: list[str] = Field(
        ["neurosynth"], min_length=1, description="run folders, .keras files, or names of bundled models: a,b,c"
    )
    output: Path | None = Field(None, description="also write every figure of every network here, as JSON")
    dry: bool = Field(False, description="print the section and leave docs/benchmarks.md alone")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and rewrite the section; returns the exit code."""
    return run_door(NeurosynthSettings, _run, argv, "python -m benchmarks.neurosynth", resumes=False)


def _run(settings: NeurosynthSettings) -> None:
    from inversynth.pretrained import find_model

    paths = [find_model(name) for name in settings.models]
    from models.shaper import load_shaper

    inputs, scored = input_sets(), []
    for path in paths:
        shaper = load_shaper(path)
        scored.append((shaper.card.model, shaper.card.features, inputs.scores(shaped(shaper, inputs))))
    if settings.output is not None:
        found = [
            {"path": name, "model": model, "options": dict(options), "scores": scores}
            for name, (model, options, scores) in zip(settings.models, scored, strict=True)
        ]
        with written_whole(settings.output) as partial:
            partial.write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")
    made = section(group(scored), inputs)
    if settings.dry:
        print(made.to_markdown())
    else:
        publish(made)


if __name__ == "__main__":
    sys.exit(main())
