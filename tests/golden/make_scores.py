"""Rewrite tests/golden/scores.json, the scores that the tests hold to 1e-6: python -m tests.golden.make_scores

The sounds are formulas in float64, with noise from an integer recurrence, so that they are the same on every machine.
Rewrite the file only where a definition has changed on purpose, and say so in the commit.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.analysis import audio_metrics
from inversynth.evaluation.bootstrap import mean_estimates, median_estimates

FILE = Path(__file__).with_name("scores.json")
SAMPLE_RATE, SAMPLES = 16384, 16384
TIME = np.arange(SAMPLES) / SAMPLE_RATE

Sound = NDArray[np.float64]


def tone(frequency: float, decay: float = 0.0, level: float = 0.5) -> Sound:
    return level * np.exp(-decay * TIME) * np.sin(2 * np.pi * frequency * TIME)


def noise(seed: int, level: float = 0.3) -> Sound:
    """Numerical Recipes' linear congruential generator, upper bits."""
    state, values = seed, np.empty(SAMPLES)
    for i in range(SAMPLES):
        state = (1664525 * state + 1013904223) % 2**32
        values[i] = (state >> 8) / 2**23 - 1.0
    return level * values


def gated(sound: Sound) -> Sound:
    return sound * (1 + np.sin(2 * np.pi * 5 * TIME)) / 2


def click() -> Sound:
    return np.where(np.arange(SAMPLES) == 4000, 0.8, 0.0)


PAIRS: dict[str, Callable[[], tuple[Sound, Sound]]] = {
    "a tone against itself": lambda: (tone(440), tone(440)),
    "a tone against one a semitone above": lambda: (tone(440), tone(466.1637615)),
    "a tone against its octave": lambda: (tone(440), tone(880)),
    "a tone against one that decays": lambda: (tone(440), tone(440, decay=6)),
    "a tone against itself in noise": lambda: (tone(440), tone(440) + noise(1, 0.01)),
    "noise against other noise": lambda: (noise(2), noise(3)),
    "noise against itself at half the level": lambda: (noise(4), 0.5 * noise(4)),
    "steady noise against gated": lambda: (noise(5), gated(noise(5))),
    "a click against a tone": lambda: (click(), tone(660)),
    "silence against a tone": lambda: (np.zeros(SAMPLES), tone(440)),
    "silence against silence": lambda: (np.zeros(SAMPLES), np.zeros(SAMPLES)),
}


def audio_scores() -> dict[str, dict[str, float]]:
    return {
        name: {measure: float(score[0]) for measure, score in audio_metrics.evaluate(*make(), SAMPLE_RATE).items()}
        for name, make in PAIRS.items()
    }


def interval_scores() -> dict[str, dict[str, float]]:
    values = np.stack([tone(3, decay=2)[::100], noise(6)[::100]], axis=1)
    scores = {}
    for statistic, estimates in (("mean", mean_estimates(values, 7)), ("median", median_estimates(values, 7))):
        for column, estimate in enumerate(estimates):
            scores[f"{statistic} of column {column}"] = estimate.as_dict()
    return scores


def scores() -> dict[str, dict[str, dict[str, float]]]:
    return {"audio_metrics": audio_scores(), "intervals": interval_scores()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(scores(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"written: {FILE}")
