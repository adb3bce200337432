"""Networks that shape sounds, measured by the NeuroSynth protocol beside the published one.

`python -m benchmarks.neurosynth` measures the bundled network, `--models RUN,RUN` others; runs of one variant with
other seeds form one row, median and range.
"""

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarks.neurosynth_protocol import (
    BASELINES,
    DRAWS,
    ERRORS,
    GOALS,
    ORIGINAL,
    POOLS,
    SETS,
    Inputs,
    Scores,
    Sounds,
    input_sets,
    published,
)
from benchmarks.page import Section, markdown_table, publish
from generators.command import run_command
from generators.envelope_generator import SAMPLES
from generators.files import written_whole
from generators.settings import Settings
from models.neurosynth.metrics import MEASURES

THREE_DIGITS = frozenset({"nrmse", "r_mean", "r_5", "attack", "sustain", "release", "joint"})

WORDS = {
    **{"mae": "MAE", "rmse": "RMSE", "nrmse": "NRMSE", "r_mean": "r, mean", "r_5": "r, 5 %"},
    **{"env_peak": "env peak", "env_rms": "env RMS", "env_gain": "env gain"},
}
"""Heads of columns; the others are called as they are."""


class Shapes(Protocol):
    """What is asked of a network: `models.neurosynth.inference.EnvelopeShaper` is one."""

    def shape(self, basic: Sounds, classes: NDArray[np.integer[Any]]) -> Sounds: ...

    def classes_of(self, attack: float, sustain: float, release: float) -> Any: ...


def shaped(network: Shapes, inputs: Inputs) -> Sounds:
    """Return what a network makes of the inputs, its classes found by their levels."""
    classes = np.array([network.classes_of(*map(float, triple)) for triple in inputs.levels])
    return np.asarray(network.shape(inputs.basic, classes[inputs.cls]))


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


def options_of(card: Any) -> dict[str, Any]:
    """Return what runs of one model may differ in beside their seed: the options of the model, and its data."""
    data = {name: value for name, value in card.training.get("data", {}).items() if name != "seed"}
    return {**card.features, **data}


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
            f"{name.replace('_', ' ')} {_short(options.get(name))}"
            for name in sorted({name for other in others for name in other})
            if any(other.get(name) != options.get(name) for other in others)
        ]
        variants.append(Variant(", ".join([model, *told]), runs))
    return variants


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


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
    return run_command(NeurosynthSettings, _run, argv, "python -m benchmarks.neurosynth", resumes=False)


def _run(settings: NeurosynthSettings) -> None:
    from inversynth.pretrained import find_model

    paths = [find_model(name) for name in settings.models]
    from models.neurosynth.inference import load_envelope_shaper

    inputs, scored = input_sets(), []
    for path in paths:
        shaper = load_envelope_shaper(path)
        card = shaper.loaded.card
        scored.append((card.model, options_of(card), inputs.scores(shaped(shaper, inputs))))
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
