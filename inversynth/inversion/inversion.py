"""From a sound to the synthesizer settings that make it: a network's estimate, a search from there, and its scores.

A network estimates a class for every parameter; a search (`inversynth.search.search`) continues from there; the synth
renders what was found. How a sound is prepared is in `inversynth.inversion.target`; commands are
`inversynth.inversion.command` and `inversynth.inversion.refine_command`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.musical_measures import musical_measures
from generators.errors import ModelError
from inversynth.inversion.result import Inversion, InversionInterrupted
from inversynth.inversion.target import Target
from inversynth.inversion.verdict import WORDS, assess
from inversynth.patches.patch import Patch, render_patch
from inversynth.search.search import VARIED, Level, Refinement, SearchInterrupted, StageReport, refine

if TYPE_CHECKING:
    from generators.analysis.musical_measures import MusicalMeasures
    from generators.parameters import ParameterSpace
    from generators.synth import Synth
    from models.model_files import LoadedModel, ModelCard


def invert(
    target: Target,
    model: "LoadedModel",
    truth: ArrayLike | None = None,
    budget: str = "none",
    level: Level | None = None,
    continuous: bool = False,
    progress: Callable[[StageReport], None] | None = None,
) -> Inversion:
    """Estimate the settings that make a sound, search on from there, render them, and score the result.

    Args:
        target: at the model's sample rate and length. truth: (parameters,) classes that really made it, if known.
        budget: of the search; "none" takes the network's estimate. level: "known" where the amplitude of the sound is
            the synth's, "fit" where it may be any; by default as in the model's training. continuous: finally move the
            parameters between their levels. progress: called after every stage of the search.
    Raises: ModelError where the model's parameter space is not that of its synth; InversionInterrupted on Ctrl-C.
    """
    probabilities = estimate(target, model)
    return invert_estimate(target, model.card, probabilities, truth, budget, level, continuous, progress)


def estimate(target: Target, model: "LoadedModel") -> NDArray[np.float32]:
    """Return the network's probabilities of all classes, (size,).

    Raises: ModelError where the model's parameter space is not that of its synth.
    """
    model_synth(model.card)
    return np.asarray(model.predict(target.audio[np.newaxis]))[0]


def invert_estimate(
    target: Target,
    card: "ModelCard",
    probabilities: ArrayLike,
    truth: ArrayLike | None = None,
    budget: str = "none",
    level: Level | None = None,
    continuous: bool = False,
    progress: Callable[[StageReport], None] | None = None,
    limit: int | None = None,
) -> Inversion:
    """Do what `invert` does from a network's `estimate`, when the network itself need not be in memory any more.

    Args: limit: renders allowed, in place of the budget's own number.
    """
    level = level or ("fit" if learned_normalised(card) else "known")
    return search_from(
        model_synth(card),
        target,
        probabilities,
        budget,
        describe_assumptions(card, level),
        truth=truth,
        model=card.model,
        level=level,
        continuous=continuous,
        progress=progress,
        limit=limit,
    )


def search_from(
    synth: "Synth",
    target: Target,
    probabilities: ArrayLike,
    budget: str,
    assumptions: Mapping[str, str],
    truth: ArrayLike | None = None,
    model: str = "",
    finish: Callable[[Refinement], Refinement] = lambda found: found,
    **options: Any,
) -> Inversion:
    """Search for a sound from probabilities, and conclude; `options` are those of `refine`.

    Args: finish: what is done with the result of the search before it is rendered and scored.
    Raises: InversionInterrupted on Ctrl-C.
    """
    try:
        found = refine(
            synth, target.audio, probabilities, budget, alternatives=True, recording=target.recording, **options
        )
    except SearchInterrupted as stop:
        best = conclude(target, synth, finish(stop.best), assumptions, truth, model)
        raise InversionInterrupted(stop.best, best) from stop
    return conclude(target, synth, finish(found), assumptions, truth, model)


def conclude(
    target: Target,
    synth: "Synth",
    found: Refinement,
    assumptions: Mapping[str, str],
    truth: ArrayLike | None = None,
    model: str = "",
) -> Inversion:
    """Render and score what a search found for a sound, with oscillators that start as the synth's do."""
    if found.target is not None:
        target = target.moved(found.target, found.begin, found.polarity)
    patch = Patch(
        synth.space,
        found.values,
        synth.sample_rate,
        synth.length,
        found.probabilities if synth.space.size <= VARIED else None,
        model=model,
        source=target.source,
        level_db=found.level_db,
        determined=found.determined,
        refinement=found.record(),
        root=found.root,
    )
    audio = np.pad(render_patch(patch, getattr(synth, "velocity", None)), (found.offset, 0))[: synth.samples]
    measures = musical_measures(target.audio, audio, synth.sample_rate)
    verdict = assess(measures, found.budget, target.source)
    scores = score(target.audio, audio, synth.sample_rate, measures)
    classes = None if truth is None else synth.space.check_classes(truth)
    if classes is not None:
        scores |= score_classes(classes, found.probabilities, synth.space)
    others = found.alternatives if verdict.word != WORDS[-1] else ()  # none of what is not like the sound
    patch = replace(patch, scores=scores, verdict=verdict.record(), alternatives=others)
    return Inversion(target, patch, audio, classes, assumptions)


def score(
    target: NDArray[Any], match: NDArray[Any], sample_rate: int, measures: "MusicalMeasures | None" = None
) -> dict[str, float]:
    """Measure how similar two sounds are: the measures of `audio_metrics`, pitch in cents, attack and end in ms.

    `pitch_cents` is missing where one of them has no pitch.

    Args: measures: of these two sounds, where they are known already.
    Shapes: (samples,) each.
    """
    from generators.analysis import audio_metrics
    from generators.analysis.musical_measures import musical_measures

    found = {name: float(one[0]) for name, one in audio_metrics.evaluate(target, match, sample_rate).items()}
    found |= (measures or musical_measures(target, match, sample_rate)).scores()
    return {name: round(value, 6) for name, value in found.items()}


def score_classes(classes: NDArray[Any], probabilities: NDArray[Any], space: "ParameterSpace") -> dict[str, float]:
    """Measure the probabilities of the true classes: `mpr` in 0..100 and `top_1` in 0..1, over parameters."""
    from models.training.metrics import mean_percentile_rank, top_k_accuracy

    pair = classes[np.newaxis], probabilities[np.newaxis]
    return {
        "mpr": round(float(np.mean(mean_percentile_rank(*pair, space.slices))), 6),
        "top_1": round(float(np.mean(top_k_accuracy(*pair, space.slices, 1))), 6),
    }


def model_synth(card: "ModelCard") -> "Synth":
    """Build the synth of a model's card. Raises ModelError where its parameter space has changed since."""
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
    """Tell whether a model was trained on sounds scaled to a peak of 1."""
    return bool(card.features.get("normalise"))


def describe_assumptions(card: "ModelCard", level: Level = "known") -> dict[str, str]:
    """Describe what an inversion takes for granted: synth, rate, length, window, parameters, level, model and hash."""
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
        "Level": "any: fitted beside the settings" if level == "fit" else "that of the synth, a part of the settings",
        "Model": card.model,
        "Weights": f"sha256 {card.weights_sha256[:16]}…" if card.weights_sha256 else "unknown",
        "Made by": str(card.software),
    }


def open_model(name: str | Path) -> "tuple[ModelCard, Callable[[], LoadedModel]]":
    """Read a model's card at once, and return what loads its weights when they are needed.

    Args:
        name: a bundled model, a run folder, or a `.keras` file.
    """
    from inversynth.pretrained import find_model, load_estimator
    from models.model_files import read_card

    path = find_model(name)
    card = read_card(path)
    card.check_estimates(path)
    return card, lambda: load_estimator(path)
