"""From a sound to the settings that make it: `inversynth invert SOUND… --model RUN --budget fast`.

A sound of any format, rate, length and channel count is mixed down, started at its onset, resampled, cut or padded to
what the model was trained on; the network names a class for every parameter; a search (`inversynth.search.search`) goes on
from there; the synth renders what was found; and what came of it is written as a folder of four files (patch.json,
match.wav, target.wav, report.html). What was done to the sound is kept in words beside the result.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import write_audio
from generators.command import EXIT_FAULT, run_command
from generators.errors import AudioError, InversynthError, ModelError, SettingsError
from generators.settings import Settings
from inversynth.inversion.target import Target, read_notes, read_target
from inversynth.patches.patch import Patch, render_patch, write_patch

if TYPE_CHECKING:
    from generators.parameters import ParameterSpace
    from generators.synth import Synth
    from inversynth.search.search import Level, Refinement, Report
    from models.model_files import LoadedModel, ModelCard


@dataclass(frozen=True)
class Inversion:
    """A sound, the patch found for it, and what that patch sounds like.

    Shapes: match (samples,) float32; truth (parameters,) classes where they are known.
    """

    target: Target
    patch: Patch
    match: NDArray[np.float32]
    truth: NDArray[np.integer[Any]] | None = None
    assumptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def interrupted(self) -> bool:
        """Whether the search was ended by its user before it was done."""
        return bool(self.patch.refinement.get("interrupted"))


# --- inverting -------------------------------------------------------------------------------------------------


def invert(
    target: Target,
    model: "LoadedModel",
    truth: ArrayLike | None = None,
    budget: str = "none",
    level: "Level | None" = None,
    continuous: bool = False,
    progress: "Callable[[Report], None] | None" = None,
) -> Inversion:
    """Name the settings that make a sound, search on from there, render them, and score the result against the sound.

    Args:
        target: at the model's sample rate and length. truth: (parameters,) classes that really made it, if known.
        budget: of the search; "none" takes the network's word. level: "known" where the amplitude of the sound is the
            synth's, "fit" where it may be any; by default what the model learned from. continuous: at last move the
            knobs between their levels. progress: called after every stage of the search.
    Raises: ModelError where the model's parameter space is not that of its synth.
    """
    from inversynth.search.search import refine

    synth, card = model_synth(model.card), model.card
    level = level or ("fit" if learned_normalised(card) else "known")
    probabilities = np.asarray(model.predict(target.audio[np.newaxis]))[0]
    options: dict[str, Any] = {"alternatives": True, "continuous": continuous, "progress": progress}
    found = refine(synth, target.audio, probabilities, budget, level=level, **options)
    return conclude(target, synth, found, assumptions(card, level), truth, model=card.model)


def conclude(
    target: Target,
    synth: "Synth",
    found: "Refinement",
    assumed: Mapping[str, str],
    truth: ArrayLike | None = None,
    model: str = "",
) -> Inversion:
    """Render and score what a search found for a sound, as its patch will sound: oscillators begin as the synth's."""
    from inversynth.inversion.verdict import WORDS, judge
    from inversynth.search.search import determined

    verdict = judge(found) if found.stages else None
    patch = Patch(
        synth.space,
        found.values,
        synth.sample_rate,
        synth.length,
        found.probabilities,
        model=model,
        source=target.source,
        level_db=found.level_db,
        determined=determined(found, synth),
        refinement=found.record(),
        alternatives=found.alternatives if verdict and verdict.word != WORDS[-1] else (),  # none of a mere sketch
        verdict=verdict.record() if verdict else {},
    )
    match = np.pad(render_patch(patch), (found.offset, 0))[: synth.samples]
    scores = score(target.audio, match, synth.sample_rate)
    classes = None if truth is None else synth.space.check_classes(truth)
    if classes is not None:
        scores |= score_classes(classes, found.probabilities, synth.space)
    return Inversion(target, replace(patch, scores=scores), match, classes, assumed)


def score(target: NDArray[Any], match: NDArray[Any], sample_rate: int) -> dict[str, float]:
    """Measure how alike two sounds are, by every measure of `audio_metrics`. Shapes: (samples,) each."""
    from generators.analysis import audio_metrics

    return {name: round(float(one[0]), 6) for name, one in audio_metrics.evaluate(target, match, sample_rate).items()}


def score_classes(classes: NDArray[Any], probabilities: NDArray[Any], space: "ParameterSpace") -> dict[str, float]:
    """Measure how well the true classes were named: `mpr` in 0..100 and `top_1` in 0..1, over parameters."""
    from models.training.metrics import mean_percentile_rank, top_k_accuracy

    pair = classes[np.newaxis], probabilities[np.newaxis]
    return {
        "mpr": round(float(np.mean(mean_percentile_rank(*pair, space.slices))), 6),
        "top_1": round(float(np.mean(top_k_accuracy(*pair, space.slices, 1))), 6),
    }


def model_synth(card: "ModelCard") -> "Synth":
    """Build the synth that a model speaks of. Raises ModelError where its parameter space has changed since."""
    from generators.registry import build_synth

    synth = build_synth(card.synth, card.sample_rate, card.length)
    difference = card.parameter_space.difference(synth.space)
    if difference:
        raise ModelError(
            f"model {card.model} must belong to synth '{card.synth}' as it is now. Received: {difference}. "
            "Train it again"
        )
    return synth


def learned_normalised(card: "ModelCard") -> bool:
    """Tell whether a model learned from sounds scaled to a peak of 1."""
    return bool(card.features.get("normalise"))


def assumptions(card: "ModelCard", level: "Level" = "known") -> dict[str, str]:
    """Say in words what an inversion takes for granted: synth, rate, length, window, parameters, model and hash."""
    from generators.registry import find_synth

    space = card.parameter_space
    window = {name: card.features[name] for name in ("fft_length", "hop_length") if name in card.features}
    return {
        "Synth": f"{card.synth}: {find_synth(card.synth).description}",
        "Sample rate": f"{card.sample_rate:,} Hz",
        "Length": f"{card.length:g} s",
        "Window": (
            f"{window['fft_length']} samples every {window['hop_length']}, Hann" if len(window) == 2 else "raw audio"
        ),
        "Parameter space": f"{len(space)} parameters, {space.size} classes, fingerprint {space.fingerprint}",
        "Level": "any: found apart from the settings"
        if level == "fit"
        else "that of the synth, a part of the settings",
        "Model": card.model,
        "Weights": f"sha256 {card.weights_sha256[:16]}…" if card.weights_sha256 else "unknown",
        "Made by": str(card.software),
    }


# --- writing ---------------------------------------------------------------------------------------------------


def write_inversion(inversion: Inversion, folder: Path) -> Path:
    """Write patch.json, target.wav, match.wav and report.html into a folder; returns the report's path."""
    from inversynth.report.report import write_report

    rate = inversion.target.sample_rate
    write_audio(folder / "target.wav", inversion.target.audio, rate)
    write_audio(folder / "match.wav", inversion.match, rate)
    write_patch(folder / "patch.json", inversion.patch)
    return write_report(folder / "report.html", inversion)


def invert_files(
    paths: Iterable[Path],
    card: "ModelCard",
    load: "Callable[[], LoadedModel]",
    folder: Path,
    start: float | None = None,
    on_fault: Callable[[Path, InversynthError], None] | None = None,
    budget: str = "none",
    continuous: bool = False,
    progress: "Callable[[Report], None] | None" = None,
    every_onset: bool = False,
) -> Iterator[tuple[Inversion, Path]]:
    """Invert sounds of any level one after another, each into a folder of its own; yields each with its report's path.

    `load` is called for the first sound that can be heard. A sound at fault goes to `on_fault`, or raises without it.
    Raises: KeyboardInterrupt where a search was interrupted, once the best so far has been written and yielded.
    """
    model_synth(card)  # a model that does not fit its synth is told before anything is read
    model = None
    for path, name in name_folders(list(paths)):
        try:
            for target in _targets(path, card, start, every_onset):
                model = model or load()
                inversion = invert(target, model, budget=budget, level="fit", continuous=continuous, progress=progress)
                place = folder / name / target.name.rpartition("-")[2] if every_onset else folder / name
                yield inversion, write_inversion(inversion, place)
                if inversion.interrupted:
                    raise KeyboardInterrupt
        except AudioError as fault:
            if on_fault is None:
                raise
            on_fault(path, fault)


def _targets(path: Path, card: "ModelCard", start: float | None, every_onset: bool) -> Iterator[Target]:
    if every_onset:
        yield from read_notes(path, card.sample_rate, card.length, learned_normalised(card))
    else:
        yield read_target(path, card.sample_rate, card.length, start, learned_normalised(card))


def name_folders(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Give each sound a folder named after it, and a number where two have the same name."""
    taken, named = {"index.html"}, []
    for path in paths:
        name, number = path.stem or "sound", 2
        while name.casefold() in taken:
            name, number = f"{path.stem}-{number}", number + 1
        taken.add(name.casefold())
        named.append((path, name))
    return named


class InvertSettings(Settings):
    """Estimate the synthesizer settings behind sounds (WAV, FLAC, OGG, MP3, AIFF) and write a report for each."""

    flags_only: ClassVar = frozenset(
        {"sounds", "model", "output_directory", "start", "synth_info", "budget", "continuous", "every_onset"}
    )

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, of any rate, length and channel count")
    model: str = Field("inverter", description="a bundled model (inverter, C6XL), a run folder, or a .keras file")
    budget: Literal["none", "fast", "full"] = Field("fast", description="how long to search on from the model's answer")
    continuous: CliToggleFlag[bool] = Field(False, description="at last move the knobs between their levels (Adam)")
    output_directory: Path = Field(Path("output"), description="where a folder for each sound is made")
    start: float | None = Field(None, ge=0, description="second at which to begin; by default the sound's onset")
    every_onset: CliToggleFlag[bool] = Field(
        False, description="invert every note of a sound, each into its own folder"
    )
    synth_info: CliToggleFlag[bool] = Field(False, description="print what is assumed of the sounds; needs none")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth invert") -> int:
    """Invert the sounds named; returns the exit code, which is 2 where one of them is at fault."""
    faults: list[tuple[Path, str]] = []
    code = run_command(InvertSettings, lambda settings: _run(settings, faults), argv, prog, resumes=False)
    return code or (EXIT_FAULT if faults else 0)


def _run(settings: InvertSettings, faults: list[tuple[Path, str]]) -> None:
    from inversynth.report.report import describe, write_index

    if settings.every_onset and settings.start is not None:
        raise SettingsError("--every_onset finds the beginnings by itself. Received: --start too. Keep one of them")
    if not settings.sounds and not settings.synth_info:
        raise SettingsError("name one or more sounds. Received: none. See --help")
    card, load = open_model(settings.model)
    if settings.synth_info:
        for name, words in assumptions(card, "fit").items():
            print(f"{name + ':':<17}{words}")

    def on_fault(path: Path, fault: InversynthError) -> None:
        message = " ".join(f"{type(fault).__name__}: {fault}".split())
        faults.append((path, message))
        print(message, file=sys.stderr)

    done = []
    inversions = invert_files(
        settings.sounds,
        card,
        load,
        settings.output_directory,
        settings.start,
        on_fault,
        settings.budget,
        settings.continuous,
        tell_stage,
        settings.every_onset,
    )
    try:
        for inversion, report in inversions:
            done.append((inversion, report))
            print(f"{inversion.target.name}: {describe(inversion.patch.scores)} -> {report}")
            if inversion.patch.verdict:
                print(f"  {inversion.patch.verdict['sentence']}")
    finally:
        if done and (len(settings.sounds) > 1 or len(done) > 1):
            print(f"all: {write_index(settings.output_directory / 'index.html', done, faults)}")


def tell_stage(report: "Report") -> None:
    """Print what a stage of the search did, beside what it declares."""
    from inversynth.search.search import STAGES

    declared = STAGES[report.name]
    print(
        f"  {report.name:<9} {report.renders:>6,} renders (about {declared.renders:,}), {report.seconds:5.2f} s (about "
        f"{declared.seconds:g}), {report.residual_db:6.1f} dB left: {declared.summary}",
        flush=True,
    )


def open_model(name: str | Path) -> "tuple[ModelCard, Callable[[], LoadedModel]]":
    """Read a model's card at once, and its weights (and TensorFlow) only when they are called for.

    Args:
        name: a bundled model, a run folder, or a `.keras` file.
    """
    from inversynth.pretrained import find_model
    from models.model_files import load_model, read_card

    path = find_model(name)
    card = read_card(path)
    card.check_hears(path)
    return card, lambda: load_model(path)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inversion.inversion"))
