"""The networks of NeuroSynth: generators that shape a waveform, critics that tell shaped ones from real.

The published pair follows eoin-og/NeuroSynth (2018) layer by layer. There the class planes pass a normalisation over
time that removes all that is constant, and reach the output over the borders only; the index runs to 127 beside audio
in -1..1. In ours time runs from -1 to 1, and both enter behind each normalisation, as scales and shifts of features.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras

KERNEL, STRIDE = 4, 2
"""Of every strided convolution, up and down (published)."""

PUBLISHED_BLOCKS = 2
PUBLISHED_SLOPE = 0.01

SLOPE = 0.2
"""Of the leaky ReLUs: the original kept PyTorch's default of 0.01; ours is that of DCGAN and its descendants."""

EPSILON = 1e-5
"""Added to the variance in instance normalisation (published)."""

OPENING = 7
"""Samples that the first convolution of ours sees: a period of the highest random pitch, and more."""

BLOCKS = 2
CONDITION_UNITS = (32, 32)
"""Of the network that turns time and classes into what features are scaled by; piecewise linear, as envelopes are."""


def published_generator(samples: int, sizes: Sequence[int], width: int, seed: int | None = None) -> "keras.Model":
    """Build the original's generator: halved twice, two blocks without a skip, doubled twice, tanh.

    Shapes: [basic (batch, samples), one-hot (batch, sum of sizes)] -> (batch, samples); samples a multiple of 4.
    """
    import keras

    from models.layers import RepeatInTime, TimeCoordinate

    layers, seeds = keras.layers, layer_seeds(seed)
    basic, one_hot = keras.Input((samples,), name="basic"), keras.Input((sum(sizes),), name="classes")
    index = TimeCoordinate(scaled=False, name="index")(basic)
    planes = [_column(basic), index, RepeatInTime(name="class_planes")([one_hot, basic])]
    hidden = layers.Concatenate(name="planes")(planes)
    for number, filters in enumerate((width, 2 * width), start=1):
        hidden = layers.Conv1D(filters, KERNEL, STRIDE, "same", **_start(seeds, hidden), name=f"down{number}")(hidden)
        hidden = layers.LeakyReLU(PUBLISHED_SLOPE)(_normalise(hidden))
    for number in range(1, PUBLISHED_BLOCKS + 1):
        for half in "ab":
            start = _start(seeds, hidden, bias=False)
            hidden = layers.Conv1D(2 * width, 3, padding="same", **start, name=f"block{number}{half}")(hidden)
            hidden = _normalise(hidden)
            hidden = layers.ReLU()(hidden) if half == "a" else hidden
    for number, filters in enumerate((width, 1), start=1):
        start = _start(seeds, hidden, fan=filters)
        hidden = layers.Conv1DTranspose(filters, KERNEL, STRIDE, "same", **start, name=f"up{number}")(hidden)
        hidden = layers.LeakyReLU(PUBLISHED_SLOPE)(_normalise(hidden)) if number == 1 else hidden
    shaped = layers.Activation("tanh", dtype="float32", name="tanh")(hidden)
    return keras.Model([basic, one_hot], _flat(shaped, "shaped"), name="generator")


def published_critic(samples: int, sizes: Sequence[int], width: int, seed: int | None = None) -> "keras.Model":
    """Build the original's critic, which ends in a sigmoid.

    Shapes: planes (batch, samples, 3), which are candidate, basic and index -> `score` (batch,) in 0..1 and `classes`
    (batch, sum of sizes), logits.
    """
    import keras

    layers, seeds = keras.layers, layer_seeds(seed)
    planes = keras.Input((samples, 3), name="planes")
    hidden = planes
    for number in range(3):
        start = _start(seeds, hidden)
        hidden = layers.Conv1D(width << number, KERNEL, STRIDE, "same", **start, name=f"down{number + 1}")(hidden)
        hidden = layers.LeakyReLU(PUBLISHED_SLOPE)(_normalise(hidden))
    heads = {}
    for name, filters in (("classes", sum(sizes)), ("score", 1)):
        start = _start(seeds, hidden, bias=False)
        heads[name] = layers.Conv1D(filters, hidden.shape[1], **start, name=f"{name}_head")(hidden)
    score = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(heads["score"])
    return keras.Model(
        planes, {"score": _scalar(score), "classes": layers.Flatten(name="classes", dtype="float32")(heads["classes"])}
    )


def generator(sizes: Sequence[int], width: int, output_head: str = "none", seed: int | None = None) -> "keras.Model":
    """Build our generator: residual blocks at full rate, with time and classes behind each normalisation.

    Args:
        width: half the channels. output_head: `none` for a convolution, or `gate` for basic x gate + residual.
    Shapes: [basic (batch, samples), one-hot (batch, sum of sizes)] -> (batch, samples), for any samples.
    """
    import keras

    from models.layers import FeatureModulation, RepeatInTime, TimeCoordinate

    layers, seeds, channels = keras.layers, layer_seeds(seed), 2 * width
    basic, one_hot = keras.Input((None,), name="basic"), keras.Input((sum(sizes),), name="classes")

    def glorot() -> Any:
        return keras.initializers.GlorotUniform(next(seeds))

    def modulate(features: Any, name: str) -> Any:
        return FeatureModulation(next(seeds), name=name)([features, condition])

    condition = layers.Concatenate(name="time_and_classes")(
        [TimeCoordinate(name="time")(basic), RepeatInTime(name="class_planes")([one_hot, basic])]
    )
    for number, units in enumerate(CONDITION_UNITS, start=1):
        condition = layers.Dense(units, "silu", kernel_initializer=glorot(), name=f"condition{number}")(condition)
    wave = _column(basic)
    hidden = layers.Conv1D(channels, OPENING, padding="same", kernel_initializer=glorot(), name="opening")(wave)
    for number in range(1, BLOCKS + 1):
        branch = hidden
        for half in "ab":
            name = f"block{number}{half}"
            branch = layers.Conv1D(channels, 3, padding="same", kernel_initializer=glorot(), name=name)(branch)
            branch = layers.Activation("silu")(modulate(_normalise(branch), f"{name}_modulation"))
        branch = layers.Conv1D(channels, 1, kernel_initializer=glorot(), name=f"block{number}c")(branch)
        hidden = layers.Add(name=f"block{number}")([hidden, branch])
    hidden = modulate(hidden, "last_modulation")
    outputs = 2 if output_head == "gate" else 1
    shaped = layers.Conv1D(outputs, 3, padding="same", kernel_initializer=glorot(), dtype="float32", name="closing")(
        hidden
    )
    if output_head == "gate":
        gate, residual = layers.Conv1D(1, 1, name="gate")(shaped), layers.Conv1D(1, 1, name="residual")(shaped)
        shaped = layers.Add(name="gated")([layers.Multiply(name="times_gate")([wave, gate]), residual])
    return keras.Model([basic, one_hot], _flat(shaped, "shaped"), name="generator")


def critic(samples: int, sizes: Sequence[int], width: int, seed: int | None = None) -> "keras.Model":
    """Build our critic: as published, but for a linear score, time in -1..1, and no normalisation.

    The gradient penalty is a promise about each item by itself; statistics over a batch would break it.

    Shapes: [candidate (batch, samples), basic (batch, samples), one-hot (batch, sum of sizes)], the last unread ->
    `score` (batch,) and `classes` (batch, sum of sizes), logits.
    """
    import keras

    from models.layers import TimeCoordinate

    layers, seeds = keras.layers, layer_seeds(seed)
    inputs = [keras.Input((samples,), name=name) for name in ("candidate", "basic")]
    inputs.append(keras.Input((sum(sizes),), name="classes_of_basic"))
    columns = [*map(_column, inputs[:2]), TimeCoordinate(name="time")(inputs[0])]
    hidden = layers.Concatenate(name="planes")(columns)
    for number in range(3):
        hidden = layers.Conv1D(
            width << number,
            KERNEL,
            STRIDE,
            "same",
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name=f"down{number + 1}",
        )(hidden)
        hidden = layers.LeakyReLU(SLOPE)(hidden)
    hidden = layers.Flatten(dtype="float32", name="flatten")(hidden)
    heads = {
        name: layers.Dense(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            dtype="float32",
            name=f"{name}_head",
        )(hidden)
        for name, units in (("score", 1), ("classes", sum(sizes)))
    }
    return keras.Model(inputs, {"score": _scalar(heads["score"]), "classes": heads["classes"]}, name="critic")


def _start(seeds: Iterator[int | None], inputs: Any, fan: int | None = None, bias: bool = True) -> dict[str, Any]:
    """Return the start of a convolution as PyTorch has it: uniform, bound 1 / sqrt(fan), weights and biases.

    Args:
        fan: channels that count; of a transposed convolution PyTorch takes those that come out.
    """
    import keras

    bound = ((fan or inputs.shape[-1]) * KERNEL) ** -0.5  # those with a bias all have this kernel
    scaled = keras.initializers.VarianceScaling(1.0 / 3.0, "fan_in", "uniform", next(seeds))
    return {
        "kernel_initializer": scaled,
        "use_bias": bias,
        "bias_initializer": keras.initializers.RandomUniform(-bound, bound, next(seeds)) if bias else "zeros",
    }


def _normalise(features: Any) -> Any:
    """Normalise each channel of each item over time."""
    import keras

    return keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON)(features)


def _column(audio: Any) -> Any:
    import keras

    return keras.layers.Reshape((-1, 1))(audio)


def _flat(column: Any, name: str) -> Any:
    import keras

    shape = (-1,) if column.shape[1] is None else (column.shape[1],)
    return keras.layers.Reshape(shape, dtype="float32", name=name)(column)


def _scalar(column: Any) -> Any:
    import keras

    return keras.layers.Reshape((), dtype="float32", name="score")(column)
