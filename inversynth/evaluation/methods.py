"""What an evaluation compares: networks, searches that start from one, and the two ends of the scale.

*Chance* scores at random; the *oracle* knows the true classes, so it scores what a perfect estimate does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generators.parameters import Floats, ParameterSpace
from generators.synth import Synth
from inversynth.search.search import refine
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


def search(name: str, model: LoadedModel, synth: Synth, budget: str) -> Method:
    """Search every sound from a model's estimate; the level of the sounds is taken as the synth's.

    Args:
        budget: its name, or a number of renders for the stages of the full one.
    """
    limit = int(budget) if budget.isdigit() else None
    budget = budget if limit is None else "full"

    def predict(audio: NDArray[np.float32], classes: NDArray[np.integer]) -> Prediction:
        starts = model.predict(audio)
        found = [refine(synth, sound, start, budget, limit=limit) for sound, start in zip(audio, starts, strict=True)]
        return Prediction(
            np.stack([one.probabilities for one in found]),
            np.stack([one.audio for one in found]),
            sum(one.renders for one in found),
        )

    return Method(name, "search", predict, SEARCHED_AT_ONCE)


def chance(space: ParameterSpace, seed: int) -> Method:
    """Score every class at random; the scores do not depend on how the sounds are batched."""
    rng = np.random.default_rng([seed, 1])
    return Method("chance", "chance", lambda audio, classes: Prediction(rng.random((len(audio), space.size))))


def oracle(space: ParameterSpace) -> Method:
    """Know the true classes."""
    return Method("oracle", "oracle", lambda audio, classes: Prediction(space.classes_to_one_hot(classes)))
