"""Knob positions between the levels: Adam through the synth itself, from the best patch of a search.

The synth is written over `keras.ops`, so its knobs can be the weights of a tiny model that is trained on one sound,
with the distance of `inversynth.search.objective` for a loss: magnitudes, since the waveforms of two notes a quarter tone
apart have nothing in common. Engel et al. 2020 (DDSP, arXiv 2001.04643) train networks through a synth this way; here
no network is left.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.spectrogram import magnitude_spectrogram
from generators.parameters import Floats
from generators.synth import Synth
from inversynth.search.objective import DECIBELS, WINDOWS, Objective

STEPS = 80
"""Of Adam: enough to turn a knob by 0.8, and the loss falls slowly after."""

RATE = 0.01
"""Learning rate, in turns of a knob: a sixth of a class a step at most."""

CHECKED = 10
"""Steps after which the knobs are told, to be rendered and measured."""


def approach(
    synth: Synth, target: NDArray[np.float32], values: Floats, any_level: bool, steps: int
) -> Iterator[Floats]:
    """Move knobs from `values` (parameters,) towards a sound, between the levels; yields values every few steps.

    They need not come nearer each time. Args: target: (samples,). any_level: compare at the level of the target.
    """
    from models.training.backend import start_keras

    start_keras()
    import keras

    level = float(np.sqrt(np.mean(np.square(target, dtype=np.float64)))) if any_level else 0.0
    model = _model(keras, synth, synth.space.values_to_unit(values), level)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss=_loss(keras, Objective(target)), jit_compile=False)
    nothing, sound = np.zeros((1, 1), np.float32), target[None]
    for done in range(0, steps, CHECKED):
        model.fit(nothing, sound, batch_size=1, epochs=min(CHECKED, steps - done), verbose=0)
        unit = np.asarray(keras.ops.convert_to_numpy(model.unit), np.float64)
        yield synth.space.unit_to_values(np.clip(unit, 0.0, 1.0))


def _model(keras: Any, synth: Synth, start: Floats, power: float) -> Any:
    """Return a model whose only weights are knob positions and whose output is their sound, (1, samples)."""
    ops = keras.ops
    widest = max(synth.space.sizes)
    table = np.array(
        [[*p.levels, *[p.levels[-1]] * (widest - len(p.levels))] for p in synth.space.parameters], np.float32
    )
    last = np.asarray(synth.space.sizes, np.float32) - 1.0
    columns = np.arange(len(synth.space))

    class Knobs(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.unit = self.add_weight(
                name="unit",
                shape=start.shape,
                initializer=lambda shape, dtype=None: ops.convert_to_tensor(start, dtype or "float32"),
                constraint=lambda weight: ops.clip(weight, 0.0, 1.0),
            )

        def call(self, _: Any) -> Any:
            place = self.unit * last
            floor = ops.clip(ops.floor(ops.stop_gradient(place)), 0.0, np.maximum(last - 1.0, 0.0))
            index = ops.cast(floor, "int32") + columns * widest
            low = ops.take(table.ravel(), index)
            high = ops.take(table.ravel(), index + np.minimum(last, 1.0).astype(np.int32))
            audio = synth.synthesize((low + (place - floor) * (high - low))[None], xp=ops)
            if power:
                audio = audio * (power / ops.sqrt(ops.mean(ops.square(audio)) + 1e-12))
            return audio

    return Knobs()


def _loss(keras: Any, objective: Objective) -> Callable[[Any, Any], Any]:
    """Return the objective's distance over `keras.ops`, for a target that it already knows."""
    ops = keras.ops

    def distance(_: Any, audio: Any) -> Any:
        total = 0.0
        for window, mine, floor in zip(WINDOWS, objective.spectra, objective.floors, strict=True):
            theirs = magnitude_spectrogram(audio, window, window // 2, ops)[0]
            lost = ops.sqrt(ops.sum(ops.square(theirs - mine)) + 1e-12) / np.float32(np.linalg.norm(mine))
            levels = ops.log(ops.maximum(theirs, floor)) - np.log(np.maximum(mine, floor))
            apart = ops.mean(ops.abs(levels)) * np.float32(20.0 / np.log(10.0) / DECIBELS)
            total = total + (lost + apart) / (2 * len(WINDOWS))
        return total

    return distance
