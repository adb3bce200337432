"""Dataset sounds beside their reconstructions: `inversynth compare --model RUN --dataset FILE`.

Three sounds a row: *original*, as the dataset holds it; *regenerated*, its true classes rendered again, which must be
the same sound (else the synth has changed since); *reconstructed*, the classes that the model estimates, rendered. All
in one report, with spectrograms on one scale and scores.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.audio import normalise_peak, write_audio
from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError, one_line, shown
from generators.files import write_text
from generators.settings import Settings
from inversynth.evaluation.evaluator import choose_rows, dataset_synth, row_synth
from inversynth.evaluation.held_out import card_difference, held_out_rows
from inversynth.inversion.inversion import describe_assumptions, estimate, learned_normalised, open_model, search_from
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.patches.patch import write_patch
from inversynth.pretrained import find_model
from inversynth.report import charts, report
from inversynth.report.controls import panels
from inversynth.search.search import Level

if TYPE_CHECKING:
    from models.model_files import LoadedModel, ModelCard

SAME = 1e-4
"""Largest difference between an original and its regeneration: room for another processor's rounding, and no more."""


@dataclass(frozen=True)
class Comparison:
    """One row of a dataset: its number, how it was inverted, and its true classes rendered again, (samples,)."""

    row: int
    inversion: Inversion
    regenerated: NDArray[np.float32]

    @property
    def difference(self) -> float:
        """Largest absolute difference between the original and the regenerated sound."""
        return float(np.abs(self.inversion.target.audio - self.regenerated).max())

    @property
    def is_same(self) -> bool:
        """Whether the regenerated sound is the original, up to rounding."""
        return self.difference <= SAME


def compare_rows(dataset: Dataset, rows: Sequence[int], model: "LoadedModel") -> list[Comparison]:
    """Regenerate and reconstruct rows of a dataset.

    Raises: DatasetError for a row that is not there or not finished; ModelError where the model is for other sounds.
    """
    check_fit(model.card, dataset)
    synth = dataset_synth(dataset)
    _check_rows(dataset, rows)
    level: Level = "fit" if learned_normalised(model.card) else "known"
    comparisons = []
    for row in rows:
        (audio,), (classes,) = dataset.read([row])
        played = row_synth(dataset, synth, row)
        regenerated = played.render_classes(classes)
        if dataset.card.normalise:
            regenerated = normalise_peak(regenerated)
        target = Target(audio, synth.sample_rate, f"row {row}", {"dataset": shown(dataset.path.name), "row": int(row)})
        found = search_from(
            played,
            target,
            estimate(target, model),
            "none",
            describe_assumptions(model.card, level),
            truth=classes,
            model=model.card.model,
            level=level,
        )
        comparisons.append(Comparison(int(row), found, regenerated))
    return comparisons


def check_fit(card: "ModelCard", dataset: Dataset) -> None:
    """Raise ModelError where a model is for other sounds than those of a dataset."""
    difference = card_difference(card, dataset)
    if difference:
        raise ModelError(f"model {card.model} must be for the sounds in {dataset.path}. Received: {difference}")


def render_comparison(comparisons: Sequence[Comparison], card: "ModelCard", dataset: Dataset, remark: str = "") -> str:
    """Return the report as HTML."""
    scores = mean_scores([comparison.inversion.patch.scores for comparison in comparisons])
    return report.render(
        "comparison.html",
        title=f"{dataset.path.stem}, {len(comparisons)} row{'' if len(comparisons) == 1 else 's'}",
        model=card.model,
        remark=remark,
        tiles=report.tiles(scores, averaged=True),
        paper_tiles=report.paper_tiles(scores),
        rows=[_view(comparison) for comparison in comparisons],
        colours=charts.colour_stops(),
        assumptions=describe_assumptions(card),
    )


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average the scores of several sounds; differences that have a sign (cents, ms) by their size.

    A score that some sounds do not have, as pitch has none where nothing is pitched, is averaged over the others.
    """
    names = dict.fromkeys(name for one in scores for name in one)
    signed = ("pitch_cents", "attack_ms", "end_ms")
    return {
        name: float(np.mean([abs(one[name]) if name in signed else one[name] for one in scores if name in one]))
        for name in names
    }


def write_comparison(
    folder: Path, comparisons: Sequence[Comparison], card: "ModelCard", dataset: Dataset, remark: str = ""
) -> Path:
    """Write report.html, and for each row its three sounds and the patch found; returns the report's path."""
    for comparison in comparisons:
        place, inversion = folder / f"row_{comparison.row:05d}", comparison.inversion
        sounds = (inversion.target.audio, comparison.regenerated, inversion.audio)
        for name, audio in zip(("original", "regenerated", "reconstructed"), sounds, strict=True):
            write_audio(place / f"{name}.wav", audio, inversion.target.sample_rate)
        write_patch(place / "patch.json", inversion.patch)
    return write_text(folder / "report.html", render_comparison(comparisons, card, dataset, remark))


def _view(comparison: Comparison) -> dict[str, Any]:
    inversion, rate = comparison.inversion, comparison.inversion.target.sample_rate
    sounds = [inversion.target.audio, comparison.regenerated, inversion.audio]
    titles = ("Original", "Regenerated", "Reconstructed")
    players, _ = report.embed_sounds(sounds, rate)
    named = {f"row {comparison.row}, {title.lower()}": sound for title, sound in zip(titles, sounds, strict=True)}
    drawings, limits = report.log_mel_pictures(named, rate, size=(3.2, 2.1))
    return {
        "row": comparison.row,
        "limits": limits,
        "sounds": [
            {
                "name": title,
                "kind": kind,
                "player": player,
                "drawing": drawing,
            }
            for title, kind, player, drawing in zip(titles, ("target", "", "match"), players, drawings, strict=True)
        ],
        "same": comparison.is_same,
        "difference": f"{comparison.difference:.2g}",
        "tiles": [*report.tiles(inversion.patch.scores), *report.paper_tiles(inversion.patch.scores)],
        "sentence": str(inversion.patch.verdict.get("sentence", "")),
        "summary": report.summarise(inversion.patch, inversion.truth),
        "knobs": [knob for knobs in panels(inversion.patch, inversion.truth).values() for knob in knobs],
    }


def _check_rows(dataset: Dataset, rows: Sequence[int]) -> None:
    for row in rows:
        if not 0 <= row < len(dataset):
            raise DatasetError(f"rows of {dataset.path} run from 0 to {len(dataset) - 1}. Received: {row}")
        if not dataset.done[row]:
            raise DatasetError(f"row {row} of {dataset.path} is not finished. Run its generator again")


class CompareSettings(Settings):
    """Lay sounds of a dataset beside their regeneration and their reconstruction by a model, in one report."""

    flags_only: ClassVar = frozenset({"model", "dataset", "num", "rows", "seed", "output_dir"})
    renamed: ClassVar = {"output_directory": "output_dir"}

    model: str = Field("inverter", description="a bundled model (inverter, C6XL), a run folder, or a .keras file")
    dataset: Path = Field(description="the sounds to compare: an HDF5 dataset")
    num: int = Field(
        5, ge=1, description="how many rows; drawn by the seed from those that the model was not trained on"
    )
    rows: list[int] = Field([], description="these rows instead, e.g. 1,5,9 (the first is 0)")
    seed: int = Field(0, ge=0, description="draws the rows")
    output_dir: Path = Field(Path("output/comparison"), description="where report.html and the sounds are written")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth compare") -> int:
    """Compare rows of a dataset; returns the exit code."""
    return run_command(CompareSettings, _run, argv, prog, resumes=False)


def _run(settings: CompareSettings) -> None:
    card, load = open_model(settings.model)
    with Dataset(settings.dataset) as dataset:
        check_fit(card, dataset)
        dataset_synth(dataset)
        if not len(dataset.finished()):
            raise DatasetError(f"{dataset.path} has no finished rows. Generate it first")
        rows, remark = _rows(settings, dataset, find_model(settings.model))
        _check_rows(dataset, rows)
        comparisons = compare_rows(dataset, rows, load())
        path = write_comparison(settings.output_dir, comparisons, card, dataset, remark)
    for comparison in comparisons:
        print(f"row {comparison.row}: {report.describe(comparison.inversion.patch.scores)}")
    print(one_line(path))
    changed = [comparison for comparison in comparisons if not comparison.is_same]
    if changed:
        raise DatasetError(
            f"row {changed[0].row} of {settings.dataset} must sound the same when it is rendered again. Received: a "
            f"difference of {changed[0].difference:.2g}, and {len(changed)} of {len(comparisons)} rows that differ. "
            "The synth has changed since: generate the dataset again"
        )


def _rows(settings: CompareSettings, dataset: Dataset, model_file: Path) -> tuple[list[int], str]:
    """Return the rows asked for, or some drawn, and a sentence about whether the model was trained on them."""
    try:
        unseen = held_out_rows(dataset, [model_file])
    except ModelError:  # it was trained on all of them: worth a look too, with a remark
        unseen = np.empty(0, np.intp)
    rows = list(dict.fromkeys(settings.rows))  # each row once, in the order named
    if not rows:
        rows = choose_rows(unseen if len(unseen) else dataset.finished(), settings.num, settings.seed).tolist()
    seen = len(set(rows) - set(unseen.tolist()))
    if not seen:
        return rows, "The model was trained on none of these rows."
    return (
        rows,
        f"The model was trained or chosen on {seen} of these {len(rows)} rows, so expect better than on new sounds.",
    )


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.evaluation.compare"))
