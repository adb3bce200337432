"""Note autoencoders: reconstruction, control of the style by its label, what is predictable from the latent, and speed.

`python -m benchmarks.wae --models RUN,RUN --dataset FILE --mcnn RUN` measures models on held-out notes; those of one
variant and latent, trained from several seeds, share a row.
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from benchmarks.gansynth_speed import COLUMNS, ROUNDS, Speed, measure
from benchmarks.page import Section, markdown_table, publish
from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import ModelError
from generators.files import written_whole
from generators.settings import Settings
from inversynth.evaluation.bootstrap import Estimate
from models.wae.presets import WAE

if TYPE_CHECKING:
    from benchmarks.wae_protocol import ModelScores

REAL_TIME = 20.0
"""Times as fast as real time that one note, decoded and rendered, should be on one core."""

SPECTRAL_MARGIN = 3.0
"""Decibels by which MCNN may be worse than 50 iterations of Griffin-Lim."""

POINTS = 15.0
"""Points by which the adversary should lower the probe of the style, and raise the accuracy of styles."""

GENERATED = {
    **{"shared_style": "style", "shared_semitone": "semitone", "shared_octave": "octave"},
    **{"all_style": "style, all notes", "all_semitone": "semitone, all notes", "all_octave": "octave, all notes"},
}
LATENTS = {
    **{"probe_style": "probe: style", "probe_semitone": "semitone", "probe_octave": "octave"},
    **{"purity_style": "purity: style", "mean": "largest mean", "least": "least deviation", "most": "greatest"},
    **{"mmd": "MMD²", "close": "close to the prior"},
}
RETURNED = {
    **{
        "rmse": "RMSE",
        "lsd": "LSD, dB",
        "convergence": "convergence",
        "back_style": "style accuracy",
        "mix_rank": "rank",
    },
    **{"mix_steady": "steady", "mix_start": "first, at 0", "mix_middle": "both, at ½", "mix_end": "second, at 1"},
    **{"mix_beyond": "second, at 1½"},
}
SHARES = ("probe", "purity", "back", "mix_steady", "mix_start", "mix_middle", "mix_end", "mix_beyond", "close")


@dataclass(frozen=True)
class Group:
    """Models of one variant and latent, from several seeds."""

    name: str
    results: "Sequence[ModelScores]"
    estimates: Mapping[str, Estimate]

    def score(self, name: str) -> float | None:
        """Return the mean of a score over seeds; None where the models have none."""
        found = [each.scores[name] for each in self.results if name in each.scores]
        return statistics.fmean(found) if found else None

    def generated(self) -> list[str]:
        """Return the cells of the table of generated notes."""
        shares = [_share(self.estimates[name]) for name in GENERATED]
        return [self.name, str(len(self.results)), *shares, f"{self.score('shared_f1') or 0.0:.3f}"]

    def cells(self, columns: Mapping[str, str]) -> list[str]:
        """Return the cells of another table."""
        return [self.name, *(self._cell(name) for name in columns)]

    def _cell(self, name: str) -> str:
        found = [each.scores[name] for each in self.results if name in each.scores]
        if not found:
            return ""
        if name == "close":
            return f"{sum(map(bool, found))} of {len(found)}"
        scale, form = (100.0, ".1f") if name.startswith(SHARES) else (1.0, ".3f" if name != "lsd" else ".2f")
        middle, low, high = (f"{scale * value:{form}}" for value in (statistics.fmean(found), min(found), max(found)))
        unit = " %" if scale > 1 else ""
        return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low}–{high})"


@dataclass(frozen=True)
class Data:
    """The notes of an evaluation, with the accuracy of classifiers and of chance."""

    name: str
    training: int
    held_out: int
    draws: int
    label: str
    styles: int
    ceiling: Mapping[str, float]
    chance: Mapping[str, float]
    prior: Mapping[int, float]


def section(
    groups: Sequence[Group], data: Data, rendered: Sequence[tuple[str, Mapping[str, float]]], speeds: Sequence[Speed]
) -> Section:
    """Write the section of the page."""
    bounds = [
        [name, "", *(f"{100 * shares[column.rpartition('_')[2]]:.1f} %" for column in GENERATED), ""]
        for name, shares in (("ceiling: real notes", data.ceiling), ("chance", data.chance))
    ]
    prior = ", ".join(f"{2 * chance:.3f} for a latent of {width}" for width, chance in sorted(data.prior.items()))
    return Section(
        "wae",
        "WAE-Fader: notes by label",
        ROUNDS if speeds else 1,
        ["model, latent", "seeds", *GENERATED.values(), "macro-F1"],
        [*(group.generated() for group in groups), *bounds],
        text=f"Trained on {data.training:,} notes of {data.name}, whose style is the {data.label}; "
        f"{data.draws} latents are drawn from the prior, each at a note, and decoded in each of the {data.styles} "
        "styles. "
        "Small networks trained on real notes classify style, semitone and octave: of the octaves 3 and 4, "
        "then of all notes in the training. In brackets 95 % intervals over the draws of all seeds (bootstrap); the "
        "macro-F1 is of "
        f"the styles of the octaves 3 and 4.",
        after=_goals(groups, data, rendered, speeds)
        + f"### What is predictable from a latent\n\nOn {data.held_out} held-out notes, means over seeds and their "
        "range. A *probe*, a network of 2 x 128 units trained on standardised latents of the training notes, "
        f"predicts their labels (chance: {_chances(data)}). *Purity* is the share of the ten nearest "
        f"latents that have the same style (by chance {100 * data.chance['purity']:.1f} %). A latent is *close to "
        "the prior* where each mean is "
        "within 0.2, each deviation in 0.8 to 1.2, and the squared MMD below twice the 95th percentile "
        f"of two samples of the prior: {prior}.\n\n"
        + markdown_table(["model, latent", *LATENTS.values()], [group.cells(LATENTS) for group in groups])
        + "\n\n### Reconstructions and mixtures\n\nErrors of log-mel spectrograms of the same notes, and the accuracy "
        "with which the style of reconstructions is classified. Then pairs of styles at weights 1 - t and t: *rank* "
        "correlation of t with "
        "either's "
        "probability, the share of *steady* steps, in which neither decreases by more than 0.01, and the "
        "probability of the first at t = 0, of both together at one half, and of the second at 1 and at 1.5.\n\n"
        + markdown_table(["model, latent", *RETURNED.values()], [group.cells(RETURNED) for group in groups])
        + _rendered_text(rendered)
        + _speed_text(speeds),
        packages=("numpy", "scikit-learn", "librosa", "keras", "tensorflow"),
    )


def _goals(
    groups: Sequence[Group],
    data: Data,
    rendered: Sequence[tuple[str, Mapping[str, float]]],
    speeds: Sequence[Speed],
) -> str:
    """State for each goal of the project whether it is met."""
    named, lines = {group.name: group for group in groups}, []
    for width in sorted(data.prior):
        fader, style, note = (named.get(f"wae-{kind}, {width}") for kind in ("fader", "style", "note"))
        if fader and style:
            here, there = fader.estimates["shared_style"], style.estimates["shared_style"]
            more, disjoint = 100 * (here.value - there.value), here.low > there.high
            lines.append(
                f"latent {width}: WAE-Fader's styles are correct {more:+.1f} points more often than WAE-style's, "
                f"intervals {'disjoint' if disjoint else 'overlap'} (goal {POINTS:.0f}: "
                f"{'met' if more >= POINTS and disjoint else 'missed'})"
            )
        if fader and note:
            probes = [100 * (group.score("probe_style") or 0.0) for group in (fader, note)]
            lines.append(
                f"latent {width}: the probe of the style is {probes[1] - probes[0]:.1f} points below WAE-note's, at "
                f"{probes[0]:.1f} % with {100 * data.chance['style']:.1f} % by chance (goal {POINTS:.0f}: "
                f"{'met' if probes[1] - probes[0] >= POINTS else 'missed'})"
            )
        if fader:
            notes = [100 * fader.estimates[f"shared_{label}"].value for label in ("semitone", "octave")]
            close = [bool(each.scores["close"]) for each in fader.results]
            lines.append(
                f"latent {width}: WAE-Fader's semitones are correct for {notes[0]:.1f} %, octaves for {notes[1]:.1f} "
                "% (goal 90: "
                f"{'met' if min(notes) >= 90 else 'missed'}); {sum(close)} of {len(close)} latents are close to the "
                "prior "
                f"({'met' if all(close) else 'missed'})"
            )
    by_name = dict(rendered)
    if by_name:
        behind = by_name["MCNN"]["convergence"] - by_name["Griffin-Lim, 50 iterations"]["convergence"]
        lines.append(
            f"MCNN's spectral convergence is {behind:+.1f} dB from that of 50 iterations of Griffin-Lim (goal: at most "
            f"{SPECTRAL_MARGIN:+.0f}, {'met' if behind <= SPECTRAL_MARGIN else 'missed'})"
        )
    single = [speed for speed in speeds if speed.batch == 1]
    if single:
        pace = single[0].note_seconds / single[0].seconds
        lines.append(
            f"decoding and rendering one note is {pace:.0f} x faster than real time on one core (goal {REAL_TIME:.0f}: "
            f"{'met' if pace >= REAL_TIME else 'missed'})"
        )
    return "Goals:\n\n" + "".join(f"- {line}\n" for line in lines) + "\n" if lines else ""


def _chances(data: Data) -> str:
    return ", ".join(f"{name} {100 * data.chance[name]:.1f} %" for name in ("style", "semitone", "octave"))


def _rendered_text(rendered: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    if not rendered:
        return ""
    rows = [
        [name, f"{one['convergence']:.2f}", f"{one['log_magnitude']:.3f}", f"{one['lsd']:.2f}"]
        for name, one in rendered
    ]
    table = markdown_table(["vocoder", "spectral convergence, dB", "log magnitude", "LSD, dB"], rows)
    return (
        "\n\n### Sound\n\nTest notes rendered from their true mel magnitudes, and in the last row from those that "
        f"the model reconstructs, compared with the notes themselves on bins of their spectrograms.\n\n{table}"
    )


def _speed_text(speeds: Sequence[Speed]) -> str:
    if not speeds:
        return ""
    return (
        f"\n\n### Speed\n\nFrom latent and labels through decoder and MCNN to samples, once compiled; medians of "
        f"{ROUNDS}.\n\n{markdown_table(COLUMNS, [speed.cells() for speed in speeds])}"
    )


def _share(found: Estimate) -> str:
    value, low, high = (f"{100 * number:.1f}" for number in (found.value, found.low, found.high))
    return f"{value} %" if low == value == high else f"{value} % ({low}–{high})"


class WaeBenchmarkSettings(Settings):
    """Measure note autoencoders, and an MCNN that renders them."""

    flags_only: ClassVar = frozenset({"models", "dataset", "mcnn", "draws", "seed", "classifiers", "output", "dry"})
    renamed_flags: ClassVar = {"judges": "classifiers"}

    models: list[str] = Field(
        [WAE], min_length=1, description="run folders, .keras files, or names of bundled models: a,b,c"
    )
    dataset: Path = Field(Path("test_datasets/notes.hdf5"), description="dataset of notes that they were trained on")
    mcnn: str | None = Field(None, description="an MCNN, to measure sound and speed with the first model, too")
    draws: int = Field(84, ge=2, description="latents that each model decodes in every style")
    seed: int = Field(0, ge=0, description="of classifiers, probes, latents and intervals")
    classifiers: Path = Field(Path("runs"), description="folder in which trained classifiers are kept")
    output: Path | None = Field(None, description="also write every figure here, as JSON")
    dry: bool = Field(False, description="print the section and leave docs/benchmarks.md alone")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and rewrite the section; returns the exit code."""
    return run_command(WaeBenchmarkSettings, _run, argv, "python -m benchmarks.wae", resumes=False)


def _run(settings: WaeBenchmarkSettings) -> None:
    from inversynth.pretrained import find_model
    from models.model_files import read_card

    paths = [find_model(word) for word in settings.models]
    for path in paths:
        if (card := read_card(path)).model != WAE:
            raise ModelError(f"notes are made by a model '{WAE}'. Received: {card.model} in {path}")
    from models.backend import start_keras

    start_keras()
    groups, data, rendered = _scores(settings, paths)
    speeds: list[Speed] = []
    if settings.mcnn is not None:
        mcnn = str(find_model(settings.mcnn))
        speeds = measure(paths[0], f"{groups[0].name}, MCNN", 1, "benchmarks.wae_speed", mcnn)
    if settings.output is not None:
        figures: dict[str, Any] = {
            "data": asdict(data),
            "models": [
                {"name": each.name, "group": each.group, **each.scores} for one in groups for each in one.results
            ],
            "groups": {one.name: {key: each.as_dict() for key, each in one.estimates.items()} for one in groups},
            "rendered": dict(rendered),
            "speeds": [asdict(speed) for speed in speeds],
        }
        with written_whole(settings.output) as partial:
            partial.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    made = section(groups, data, rendered, speeds)
    if settings.dry:
        print(made.to_markdown())
    else:
        publish(made)


def _scores(
    settings: WaeBenchmarkSettings, paths: Sequence[Path]
) -> tuple[list[Group], Data, list[tuple[str, dict[str, float]]]]:
    from tqdm import tqdm

    from benchmarks.wae_protocol import Evaluation, accuracy, chance_of, render
    from inversynth.pretrained import find_model
    from models.wae.data import StyledNotes
    from models.wae.inference import load_wae
    from models.wae.metrics import chance_mmd
    from models.wae.presets import find_preset
    from models.wae.vocoders import mcnn_renderer

    loaded = [load_wae(path) for path in paths]
    first = loaded[0].loaded.card.features
    with Dataset(settings.dataset) as dataset:
        source = StyledNotes(dataset, size=find_preset(str(first["size"])), label=loaded[0].label)
        for model in loaded:
            if (model.analysis, model.styles) != (source.analysis, source.styles):
                raise ModelError(
                    f"models must know the styles of the dataset, {len(source.styles)} of {source.label}. "
                    f"Received: {model.loaded.path} with {len(model.styles)} of {model.label}"
                )
        evaluation = Evaluation.prepare(source, settings.classifiers, settings.seed)
        results = [
            evaluation.evaluate(model, model.name, settings.draws)
            for model in tqdm(loaded, desc="evaluating", unit="model", disable=None)
        ]
        rendered = []
        if settings.mcnn is not None:
            rendered = render(source, mcnn_renderer(find_model(settings.mcnn), loaded[0].analysis), loaded[0])
        groups = [
            Group(
                name,
                (of_group := [each for each in results if each.group == name]),
                {key: accuracy(of_group, key, settings.seed) for key in of_group[0].draws},
            )
            for name in dict.fromkeys(each.group for each in results)
        ]
        widths = {each.latent for each in results}
        prior = {width: chance_mmd(len(evaluation.held_out), width) for width in widths}
        counts = len(evaluation.training), len(evaluation.held_out), settings.draws
        styles = source.label, len(source.styles)
        data = Data(settings.dataset.name, *counts, *styles, evaluation.ceiling, chance_of(source), prior)
    return groups, data, rendered


if __name__ == "__main__":
    sys.exit(main())
