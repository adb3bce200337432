"""The scores of an evaluation and their forms: a table for the terminal, JSON and CSV for programs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generators import __version__
from generators.analysis.audio_metrics import MEASURES
from generators.errors import RunError, os_reason
from generators.files import written_whole
from inversynth.evaluation.bootstrap import LEVEL, RESAMPLES, Estimate
from inversynth.report.tables import csv_text, text_table
from models.training.metrics import TOP_K

SCHEMA = "inversynth-evaluation/1"
ALL = "All"
"""The group of all parameters, after those that the space names."""

PARAMETER_MEASURES = ("mpr", *(f"top{k}" for k in TOP_K), "mae")
"""Percentile rank 0..100, top-k accuracy 0..1, and error in class steps."""

Estimates = dict[str, dict[str, Estimate]]
"""By parameter, group or audio measure; then by measure or statistic."""


@dataclass(frozen=True)
class Result:
    """The scores of one contender, by parameter, by group, and of the sounds rendered from its estimates."""

    name: str
    kind: str
    render_budget: int
    seconds_per_sound: float
    parameters: Estimates
    groups: Estimates
    reconstruction: Estimates


@dataclass(frozen=True)
class Bound:
    """What an ideal method would score, `mpr` and `top1`, measured on `n` sounds; see `identifiability`."""

    n: int
    parameters: Estimates
    groups: Estimates


@dataclass(frozen=True)
class Evaluation:
    """What was measured, on what, and how."""

    dataset: Mapping[str, Any]
    n: int
    seed: int
    results: tuple[Result, ...]
    bound: Bound | None
    resamples: int = RESAMPLES
    level: float = LEVEL
    condition: str = "clean"
    schema: str = SCHEMA
    software: str = f"inversynth {__version__}"

    def to_json(self) -> str:
        """Write everything as JSON text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Write one line a number, with what it is of: ready for a spreadsheet or a data frame."""
        head = ["name", "kind", "of", "subject", "measure", "value", "low", "high", "n", "seed", "render_budget"]
        rows: list[list[Any]] = []
        for result in self.results:
            for of, subject, measure, e in _lines(result):
                about = [result.name, result.kind, of, subject, measure]
                rows.append([*about, e.value, e.low, e.high, self.n, self.seed, result.render_budget])
        if self.bound is not None:
            for of, subject, measure, e in _lines(self.bound):
                about = ["identifiability", "bound", of, subject, measure]
                rows.append([*about, e.value, e.low, e.high, self.bound.n, self.seed, ""])
        return csv_text(head, rows)

    def to_text(self) -> str:
        """Write a table for the terminal: the sounds, then each model's parameters."""
        card = self.dataset
        head = (
            f"{card['file']}: {self.n} of {card['num_examples']} sounds of {card['synth']}, {card['length']:g} s at "
            f"{card['sample_rate']} Hz; condition {self.condition}; seed {self.seed}; "
            "[95 % bootstrap intervals over sounds]"
        )
        parts = [head, self._reconstruction_text()]
        parts += [self._parameter_text(result) for result in self.results if result.kind in ("model", "search")]
        return "\n\n".join(parts)

    def _reconstruction_text(self) -> str:
        head = ["the sounds of the estimates", "", *(result.name for result in self.results)]
        rows = [
            [
                measure.title if statistic == "mean" else "",
                statistic,
                *(with_interval(result.reconstruction[name][statistic], measure.decimals) for result in self.results),
            ]
            for name, measure in MEASURES.items()
            for statistic in ("mean", "median")
        ]
        rows.append(["seconds a sound", "", *(f"{result.seconds_per_sound:.4f}" for result in self.results)])
        rows.append(["renders a sound", "", *(str(result.render_budget) for result in self.results)])
        return text_table(head, rows)

    def _parameter_text(self, result: Result) -> str:
        head = [result.name, "MPR", *(f"top-{k} %" for k in TOP_K), "MAE", "possible MPR", "top-1 %"]
        rows = [
            [name, *_parameter_cells(scores), *self._possible_cells(of, name)]
            for of in ("groups", "parameters")
            for name, scores in getattr(result, of).items()
        ]
        rows += [
            [f"{other.name}: {ALL}", *_parameter_cells(other.groups[ALL]), "", ""]
            for other in self.results
            if other.kind in ("chance", "oracle")
        ]
        table = text_table(head, rows)
        if self.bound is None:
            return table
        return (
            f"{table}\npossible: what an ideal method would score, varying one parameter at a time "
            f"({self.bound.n} sounds; differences below -60 dB count as none)"
        )

    def _possible_cells(self, of: str, name: str) -> list[str]:
        if self.bound is None:
            return ["", ""]
        possible = getattr(self.bound, of)[name]
        return [with_interval(possible["mpr"], 1), f"{100 * possible['top1'].value:.1f}"]


def _parameter_cells(scores: Mapping[str, Estimate]) -> list[str]:
    top = [f"{100 * scores[f'top{k}'].value:.1f}" for k in TOP_K]
    return [with_interval(scores["mpr"], 1), *top, f"{scores['mae'].value:.2f}"]


def score_files(path: Path) -> tuple[Path, Path]:
    """Return the JSON and the CSV file that a name of either kind, or of neither, means.

    Raises: RunError for an empty name.
    """
    if not path.name:
        raise RunError(f"scores need a file name. Received: '{path}'")
    stem = path.with_suffix("") if path.suffix in (".json", ".csv") else path
    return stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.csv")


def write_scores(path: Path, evaluation: Evaluation) -> tuple[Path, Path]:
    """Write JSON and CSV side by side, each whole or not at all. Raises RunError where it cannot."""
    targets = score_files(path)
    for target, text in zip(targets, (evaluation.to_json(), evaluation.to_csv()), strict=True):
        try:
            with written_whole(target) as partial:
                partial.write_text(text, encoding="utf-8", errors="replace")
        except OSError as error:
            raise RunError(
                f"cannot write {target}: {os_reason(error)}. Name an --output that you may write to"
            ) from None
    return targets


def _lines(result: Result | Bound) -> Iterator[tuple[str, str, str, Estimate]]:
    for of, singular in (("groups", "group"), ("parameters", "parameter"), ("reconstruction", "reconstruction")):
        for subject, estimates in getattr(result, of, {}).items():
            for measure, estimate in estimates.items():
                yield singular, subject, measure, estimate


def with_interval(estimate: Estimate, decimals: int) -> str:
    """Write an estimate with its interval."""
    return f"{estimate.value:.{decimals}f} [{estimate.low:.{decimals}f}, {estimate.high:.{decimals}f}]"
