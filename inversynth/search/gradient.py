"""Values between the levels: gradient descent (Adam) through the synth itself, from the best patch of a search.

The synth is written over `keras.ops`, so its parameters can be the weights of a tiny model, trained on one sound. The
loss is `SpectralLoss` of `inversynth.search.objective`, of magnitudes, since the waveforms of two notes a quarter tone
apart have nothing in common. Engel et al. 2020 (DDSP, arXiv 2001.04643) train networks through a synth this way; here
there is no network.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.parameters import Floats
from generators.synth import Synth
from inversynth.search.objective import SpectralLoss

STEPS = 80
"""Of Adam: enough to move a parameter by 0.8 of its range; the loss falls slowly after."""

RATE = 0.01
"""Learning rate, in the range of a parameter: a sixth of a class a step at most."""

CHECKED = 10
"""Steps after which the values are yielded, to be rendered and measured."""


def approach(
    synth: Synth, target: NDArray[np.float32], values: Floats, any_level: bool, steps: int
) -> Iterator[Floats]:
    """Move parameters from `values` (parameters,) towards a sound, between the levels; yields values every few steps.

    They need not come nearer each time.
    Args: target: (samples,). any_level: compare at the level of the target. steps: of Adam.
    """
    from models.backend import start_keras

    start_keras()
    import keras

    loss = SpectralLoss(target)
    model = _model(keras, synth, synth.space.values_to_unit(values), loss if any_level else None)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss=_loss(keras, loss), jit_compile=False)
    nothing, sound = np.zeros((1, 1), np.float32), target[None]
    for done in range(0, steps, CHECKED):
        model.fit(nothing, sound, batch_size=1, epochs=min(CHECKED, steps - done), verbose=0)
        unit = np.asarray(keras.ops.convert_to_numpy(model.unit), np.float64)
        yield synth.space.unit_to_values(np.clip(unit, 0.0, 1.0))


def _model(keras: Any, synth: Synth, start: Floats, level: SpectralLoss | None) -> Any:
    """Return a model whose only weights are parameters in 0..1 and whose output is their sound, (1, samples).

    Args: level: whose target's level the sound is brought to.
    """
    ops = keras.ops
    widest = max(synth.space.sizes)
    table = np.array(
        [[*p.levels, *[p.levels[-1]] * (widest - len(p.levels))] for p in synth.space.parameters], np.float32
    )
    last = np.asarray(synth.space.sizes, np.float32) - 1.0
    columns = np.arange(len(synth.space))

    class Parameters(keras.Model):
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
            return audio if level is None else audio * level.gains(audio, ops)[:, None]

    return Parameters()


def _loss(keras: Any, loss: SpectralLoss) -> Callable[[Any, Any], Any]:
    """Return the loss over `keras.ops`; it knows its target, and leaves the one passed to it aside."""
    return lambda _, audio: sum(loss.terms(audio, keras.ops))
