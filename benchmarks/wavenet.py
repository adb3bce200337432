"""Generation by the WaveNet autoencoder: cached against naive, batch 1 and 16, all sizes; and a step of its training.

Weights are random: what a multiplication costs does not depend on them. Naive is what a network without a cache must do
for each sample: look at its whole receptive field anew, as Keras predicts (on a CPU with the convolutions of oneDNN,
which those of XLA do not come near).
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.page import Section, publish
from generators.analysis.note_phase import nominal_phase
from models.backend import start_keras
from models.nsynth.presets import PARAMETER_COUNTS, PRESETS, NSynthPreset

ROUNDS = {"tiny": 11, "shallow": 11, "medium": 7, "full": 3}
BATCHES = (1, 16)
NAIVE_SAMPLES = {"tiny": 8, "shallow": 8, "medium": 4, "full": 1}
NOT_NAIVE = ("full", 16)
"""100,000 samples through 60 million multiplications each, for sixteen that come out: not worth the minutes."""

TRAINED = ("tiny", "medium")
"""A step of `full` is a matter of minutes here."""

RATE = 16_000
GOALS = {("tiny", 1): RATE, ("tiny", 16): 60_000, ("shallow", 1): RATE}

WITH_SINES = ("shallow",)
"""Sizes that are conditioned on sines at the frequency of a note."""

PUBLISHED = (
    "Published, all of the full size at batch 1, on GPUs: about 44 samples/s (GTX 1080, notebook of the authors), 59 "
    "(Titan X, GANSynth paper), about 100 (pull request that added fast generation). Eight K80 at batch 512 made about "
    "59,000 together (Open NSynth Super, from its hours)."
)


@dataclass(frozen=True)
class Speed:
    """Samples per second of one size at one batch, all sounds together; `naive` without a cache."""

    name: str
    batch: int
    cached: float
    naive: float | None
    rounds: int

    @property
    def size(self) -> NSynthPreset:
        return PRESETS[self.name]

    def row(self) -> list[str]:
        """Return the cells of the table."""
        return [
            f"`{self.name}`",
            f"{self.batch}",
            f"{self.cached:,.0f}",
            f"{self.cached / RATE:,.2f}",
            f"{2e-9 * self.cached * self.size.decoder_macs(codes=False):,.1f}",
            f"{self.naive:,.3g}" if self.naive else "",
            f"{self.cached / self.naive:,.0f}" if self.naive else "",
        ]


def measure(name: str, batch: int, rounds: int, naive_samples: int) -> Speed:
    """Generate one code's samples a round, and a few samples by the network as a whole."""
    from models.nsynth.generation import CachedDecoder
    from models.nsynth.networks import decoder

    size, rng = PRESETS[name], np.random.default_rng(0)
    sines = name in WITH_SINES
    network = decoder(size, sine_rate=RATE if sines else None, seed=0)
    pitch = np.linspace(24, 84, batch).astype(np.int32)
    codes = rng.normal(size=(batch, rounds + 1, size.code)).astype(np.float32)
    parts = CachedDecoder(network).sample(codes, seeds=range(batch), pitch=pitch if sines else None)
    next(parts)  # compiles
    cached = statistics.median(_seconds(lambda: next(parts)) for _ in range(rounds)) / size.hop
    if (name, batch) == NOT_NAIVE:
        return Speed(name, batch, batch / cached, None, rounds)
    hops = -(-size.receptive_field // size.hop)
    classes = rng.integers(0, 256, (batch, hops * size.hop)).astype(np.int32)
    seen = [classes, np.repeat(codes[:, :1], hops, axis=1)]
    if sines:
        seen += [pitch[:, None], nominal_phase(pitch, 0, hops * size.hop, RATE)]
    network.predict_on_batch(seen)
    naive = statistics.median(_seconds(lambda: network.predict_on_batch(seen)) for _ in range(naive_samples))
    return Speed(name, batch, batch / cached, batch / naive, rounds)


def measure_step(name: str, rounds: int) -> float:
    """Return the seconds that one step of training takes, at the crop and the batch of a size."""
    import keras

    from models.nsynth.networks import autoencoder
    from models.training.optimizers import falling_adam

    size = PRESETS[name]
    model = autoencoder(size, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(falling_adam(size.learning_rate, size.steps), loss)
    classes = np.random.default_rng(0).integers(0, 256, (size.batch_size, size.crop)).astype(np.int32)
    for _ in range(2):
        model.train_on_batch(classes, classes)
    return statistics.median(_seconds(lambda: model.train_on_batch(classes, classes)) for _ in range(rounds))


def _seconds(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def section(speeds: Sequence[Speed], steps: dict[str, float]) -> Section:
    """Lay out what was measured."""
    verdict = "; ".join(
        _verdict(name, speeds)
        for name in dict.fromkeys(speed.name for speed in speeds)
        if any(name == goal for goal, _ in GOALS)
    )
    bytes_read = 4e-9 * PARAMETER_COUNTS["full"]
    trained = "; ".join(
        f"`{name}` (crop {PRESETS[name].crop:,}, batch {PRESETS[name].batch_size}) {1000 * seconds:,.0f} ms, "
        f"{PRESETS[name].steps:,} steps in {seconds * PRESETS[name].steps / 60:,.0f} min"
        for name, seconds in steps.items()
    )
    return Section(
        "wavenet",
        "Generation by the WaveNet autoencoder",
        min((speed.rounds for speed in speeds), default=0),
        ("size", "batch", "cached, samples/s", "of real time", "GFLOP/s", "naive, samples/s", "cached / naive"),
        [speed.row() for speed in speeds],
        text=(
            "One compiled loop with rings, against the whole network over its receptive field for each sample. Samples "
            f"of all sounds of a batch together; real time is {RATE:,} a second. Goals: `tiny` in real time at batch "
            f"1, 60,000 samples/s at batch 16; `shallow`, with sines, in real time at batch 1. {verdict}."
        ),
        after=(
            f"At batch 1 the full size reads {bytes_read:.2f} GB of weights for a sample, so memory decides and not "
            f"arithmetic; more sounds at a time share that reading. {PUBLISHED}"
            + (f" A step of training: {trained}." if trained else "")
        ),
        packages=("numpy", "keras", "tensorflow"),
    )


def _verdict(name: str, speeds: Sequence[Speed]) -> str:
    missed = [
        f"{speed.cached:,.0f} of {GOALS[name, speed.batch]:,} samples/s at batch {speed.batch}"
        for speed in speeds
        if speed.name == name and speed.cached < GOALS.get((name, speed.batch), 0)
    ]
    if missed:
        return f"`{name}` misses its goal: " + ", ".join(missed)
    return f"`{name}` meets its goal" + ("s" if sum(other == name for other, _ in GOALS) > 1 else "")


def main(argv: Sequence[str]) -> int:
    """Measure the sizes named, or all, and publish; `--dry` prints alone."""
    start_keras()
    names = [word for word in argv if word in ROUNDS] or list(ROUNDS)
    speeds = [measure(name, batch, ROUNDS[name], NAIVE_SAMPLES[name]) for name in names for batch in BATCHES]
    made = section(speeds, {name: measure_step(name, 11) for name in names if name in TRAINED})
    if "--dry" in argv or len(names) < len(ROUNDS):
        print(made.to_markdown())
    else:
        publish(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
