"""Spectrogram CNNs C1 … C6XL of InverSynth: strided 2-D convolutions over a log-magnitude spectrogram.

The tables are in `models.estimation.architectures`. One thing differs from the paper: the spectrogram is the first
layer of the model, so that a model takes raw audio.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from generators.analysis.spectrogram import FFT_LENGTH, FLOOR, HOP_LENGTH
from generators.errors import ModelError, unknown
from generators.parameters import ParameterSpace
from models.estimation.architectures import DENSE_UNITS, SPECTROGRAM_CNNS, Convolution
from models.training.recipe import HEADS, INVERSYNTH, Recipe, check_loss, layer_seeds

if TYPE_CHECKING:
    import keras

FEATURES = {
    "input": "log_spectrogram",
    "fft_length": FFT_LENGTH,
    "hop_length": HOP_LENGTH,
    "window": "hann",
    "floor": FLOOR,
}


def build_spectrogram_cnn(
    name: str,
    sizes: Sequence[int],
    samples: int,
    *,
    fft_length: int = FFT_LENGTH,
    hop_length: int = HOP_LENGTH,
    head: str = "sigmoid",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build one of the spectrogram models.

    Args:
        name: a row of SPECTROGRAM_CNNS. sizes: class count of each parameter. samples: length of the sounds.
        head: 'sigmoid' or 'softmax' (over each parameter's classes).
    Shapes: audio (batch, samples) -> probabilities (batch, sum of sizes).
    """
    import keras

    from models.layers import LogSpectrogram

    if name not in SPECTROGRAM_CNNS:
        raise ModelError(unknown("spectrogram model", name, SPECTROGRAM_CNNS))
    seeds = layer_seeds(seed)
    audio = keras.Input((samples,), name="audio", dtype="float32")
    spectrogram = LogSpectrogram(fft_length, hop_length, data_format, name="spectrogram")(audio)
    hidden = convolve(spectrogram, SPECTROGRAM_CNNS[name], data_format, seeds)
    return keras.Model(audio, classify(hidden, sizes, head, data_format, seeds), name=name)


def convolve(
    spectrogram: Any,
    rows: Sequence[Convolution],
    data_format: str,
    seeds: Iterator[int | None],
    prefix: str = "",
    initializer: str = "GlorotUniform",
) -> Any:
    """Apply the convolutions of a table over time x frequency x channels; names of layers begin with `prefix`."""
    import keras

    for number, row in enumerate(rows, start=1):
        spectrogram = keras.layers.Conv2D(
            row.filters,
            (row.time_kernel, row.frequency_kernel),
            strides=(row.time_stride, row.frequency_stride),
            padding="same",
            activation="relu",
            data_format=data_format,
            kernel_initializer=getattr(keras.initializers, initializer)(next(seeds)),
            name=f"{prefix}conv{number}",
        )(spectrogram)
    return spectrogram


def classify(spectrogram: Any, sizes: Sequence[int], head: str, data_format: str, seeds: Iterator[int | None]) -> Any:
    """Apply one hidden layer and the head."""
    import keras

    from models.layers import ChannelsLast

    spectrogram = ChannelsLast(data_format, name="channels_last")(
        spectrogram
    )  # so that the weights are the same in both
    hidden = keras.layers.Flatten(data_format="channels_last", name="flatten")(spectrogram)
    hidden = keras.layers.Dense(
        DENSE_UNITS,
        activation="relu",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        name="hidden",
    )(hidden)
    return probabilities(hidden, sizes, head, seeds)


def probabilities(hidden: Any, sizes: Sequence[int], head: str, seeds: Iterator[int | None]) -> Any:
    """Apply the head: a dense layer, then a sigmoid for each output or a softmax for each parameter."""
    import keras

    from models.layers import ParameterSoftmax

    if head not in HEADS.values():
        raise ModelError(f"a head is {' or '.join(HEADS.values())}. Received: {head}")
    outputs = keras.layers.Dense(
        sum(sizes),
        activation="sigmoid" if head == "sigmoid" else None,
        dtype="float32",  # probabilities near 0 and 1 need it, whatever precision the rest is trained in
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        name="probabilities" if head == "sigmoid" else "logits",
    )(hidden)
    return outputs if head == "sigmoid" else ParameterSoftmax(sizes, dtype="float32", name="probabilities")(outputs)


def _build(
    name: str, space: ParameterSpace, sample_rate: int, samples: int, *, loss: str = "bce", **options: Any
) -> "keras.Model":
    check_loss(loss)
    return build_spectrogram_cnn(name, space.sizes, samples, head=HEADS[loss], **options)


def _summary(name: str, rows: Sequence[Convolution]) -> str:
    layers = "one strided 2-D convolution" if len(rows) == 1 else f"{len(rows)} strided 2-D convolutions"
    note = ", the second half of CE2E" if name == "CE2E_2D" else ""
    return f"{layers} over the log spectrogram{note}"


PARAMETERS: dict[str, int] = {
    "C1": 1_174_978,
    "C2": 1_157_110,
    "C3": 1_156_338,
    "C4": 1_155_494,
    "C5": 1_155_282,
    "C6": 1_155_287,
    "C6XL": 2_279_792,
    "CE2E_2D": 1_155_287,
}
"""Trained weights with the `fm` head of 368 and one second at 16,384 Hz (64 x 257), each near the paper's figure."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe of a row of SPECTROGRAM_CNNS."""
    return Recipe(
        name,
        _summary(name, SPECTROGRAM_CNNS[name]),
        INVERSYNTH,
        partial(_build, name),
        parameters=PARAMETERS[name],
        aliases=(f"Conv{name[1:]}",) if name != LEARNED_BANK else (),
        features=FEATURES,
    )


LEARNED_BANK = "CE2E_2D"
"""The second half of CE2E, whose recipe stands with that network."""

RECIPES: tuple[Recipe, ...] = tuple(recipe_of(name) for name in SPECTROGRAM_CNNS if name != LEARNED_BANK)
