"""What an evaluation compares: networks, searches that start from one, and the two ends of the scale.

*Chance* scores at random; the *oracle* knows the true classes, so it scores what a perfect estimate does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generators.analysis.alignment import cut
from generators.audio import Sound
from generators.parameters import Floats, ParameterSpace
from generators.synth import Synth
from inversynth.inversion.target import Target, fit_target
from inversynth.search.search import Refinement, refine
from models.model_files import LoadedModel

SEARCHED_AT_ONCE = 4
"""Sounds that are searched before the progress shown moves on: about a second of work."""


@dataclass(frozen=True)
class Prediction:
    """What a method estimates for some sounds.

    Shapes: probabilities (batch, size) in 0..1; audio (batch, samples), the sounds found, where they are more than what
    the synth renders of the likeliest classes (a search also finds the beginning and the phases); `renders` for all of
    them together.
    """

    probabilities: Floats
    audio: NDArray[np.float32] | None = None
    renders: int = 0


Predict = Callable[[NDArray[np.float32], NDArray[np.integer]], Prediction]


@dataclass(frozen=True)
class Method:
    """A row of the table: `predict` takes (audio, true classes), at most `batch_size` sounds where that is given."""

    name: str
    kind: Literal["model", "search", "chance", "oracle"]
    predict: Predict
    batch_size: int | None = None


def network(name: str, model: LoadedModel, batch_size: int = 64) -> Method:
    """Estimate with a trained model alone."""
    return Method(name, "model", lambda audio, classes: Prediction(model.predict(audio, batch_size)))


def search(name: str, model: LoadedModel, synth: Synth, budget: str, any_level: bool = False) -> Method:
    """Search every sound from a model's estimate, prepared as `inversynth invert` does.

    Args:
        budget: its name, or a number of renders for the stages of the full one. any_level: whether the level of the
            sounds may be any; by default it is taken as the synth's.
    """
    limit = int(budget) if budget.isdigit() else None
    budget = budget if limit is None else "full"

    def predict(audio: NDArray[np.float32], classes: NDArray[np.integer]) -> Prediction:
        targets = [fit_target(Sound(one, synth.sample_rate, 1), synth.sample_rate, synth.length) for one in audio]
        starts = model.predict(np.stack([target.audio for target in targets]))
        found = [
            refine(
                synth,
                target.audio,
                start,
                budget,
                limit=limit,
                level="fit" if any_level else "known",
                recording=target.recording,
            )
            for target, start in zip(targets, starts, strict=True)
        ]
        return Prediction(
            np.stack([one.probabilities for one in found]),
            np.stack([_in_place(one, target) for one, target in zip(found, targets, strict=True)]),
            sum(one.renders for one in found),
        )

    return Method(name, "search", predict, SEARCHED_AT_ONCE)


def _in_place(found: Refinement, target: Target) -> NDArray[np.float32]:
    """Return the sound found where it lies in the sound given, (samples,)."""
    first = 0 if target.recording is None else target.recording.start
    return cut(found.polarity * found.audio, -round(first + found.begin - found.offset), len(found.audio))


def chance(space: ParameterSpace, seed: int) -> Method:
    """Score every class at random; the scores do not depend on how the sounds are batched."""
    rng = np.random.default_rng([seed, 1])
    return Method("chance", "chance", lambda audio, classes: Prediction(rng.random((len(audio), space.size))))


def oracle(space: ParameterSpace) -> Method:
    """Know the true classes."""
    return Method("oracle", "oracle", lambda audio, classes: Prediction(space.classes_to_one_hot(classes)))
