"""Who answers in an evaluation: networks, searches that start from one, and the two ends of the scale.

*Chance* scores at random; the *oracle* knows the true classes, so it scores what a perfect answer does.
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
"""Sounds that a search answers before its progress is shown."""


@dataclass(frozen=True)
class Answer:
    """What was said of some sounds.

    Shapes: probabilities (batch, size) in 0..1; match (batch, samples), the sounds made of them where that is more than
    the synth makes of the likeliest classes (a search knows where a sound begins and at which phases); `renders` for
    all of them together.
    """

    probabilities: Floats
    match: NDArray[np.float32] | None = None
    renders: int = 0


Predict = Callable[[NDArray[np.float32], NDArray[np.integer]], Answer]


@dataclass(frozen=True)
class Contender:
    """A row of the table: `predict` takes (audio, true classes), at most `batch_size` sounds where that is given."""

    name: str
    kind: Literal["model", "search", "chance", "oracle"]
    predict: Predict
    batch_size: int | None = None


def network(name: str, model: LoadedModel, batch_size: int = 64) -> Contender:
    """Answer as a trained model does, at once."""
    return Contender(name, "model", lambda audio, classes: Answer(model.predict(audio, batch_size)))


def search(name: str, model: LoadedModel, synth: Synth, budget: str) -> Contender:
    """Search every sound from what a model says of it; the level of the sounds is taken as the synth's.

    Args:
        budget: its name, or a number of renders for the stages of the full one.
    """
    limit = int(budget) if budget.isdigit() else None
    budget = budget if limit is None else "full"

    def predict(audio: NDArray[np.float32], classes: NDArray[np.integer]) -> Answer:
        starts = model.predict(audio)
        found = [refine(synth, sound, start, budget, limit=limit) for sound, start in zip(audio, starts, strict=True)]
        return Answer(
            np.stack([one.probabilities for one in found]),
            np.stack([one.audio for one in found]),
            sum(one.renders for one in found),
        )

    return Contender(name, "search", predict, SEARCHED_AT_ONCE)


def chance(space: ParameterSpace, seed: int) -> Contender:
    """Score every class at random; however the sounds are batched, the scores are the same."""
    rng = np.random.default_rng([seed, 1])
    return Contender("chance", "chance", lambda audio, classes: Answer(rng.random((len(audio), space.size))))


def oracle(space: ParameterSpace) -> Contender:
    """Know the true classes."""
    return Contender("oracle", "oracle", lambda audio, classes: Answer(space.classes_to_one_hot(classes)))
