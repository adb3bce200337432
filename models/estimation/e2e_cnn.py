"""CE2E of InverSynth: a network on raw audio that learns a filter bank in place of a spectrogram.

Four strided 1-D convolutions map 16,384 samples to 64 x 257 numbers, which the six rows of C6 process like a
spectrogram.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from generators.parameters import ParameterSpace
from models.estimation.architectures import E2E, SPECTROGRAM_CNNS, WAVE_FRONT, WaveConvolution
from models.estimation.spectrogram_cnn import LEARNED_BANK, classify, convolve, recipe_of
from models.training.recipe import HEADS, INVERSYNTH, Recipe, check_loss, layer_seeds

if TYPE_CHECKING:
    import keras


def build_e2e_cnn(
    sizes: Sequence[int],
    samples: int,
    *,
    head: str = "sigmoid",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build CE2E.

    Args:
        sizes: class count of each parameter. samples: length of the sounds. head: 'sigmoid' or 'softmax'.
    Shapes: audio (batch, samples) -> (batch, ceil(samples / 256), 257, 1) -> probabilities (batch, sum of sizes).
    """
    import keras

    from models.layers import ChannelsLast, ExpandChannels

    seeds = layer_seeds(seed)
    audio = keras.Input((samples,), name="audio", dtype="float32")
    wave = ExpandChannels(data_format, name="wave")(audio)
    wave = convolve_wave(wave, WAVE_FRONT, data_format, seeds, "wave_")
    frames = ChannelsLast(data_format, name="frames")(wave)  # filters take the place of frequency bins
    bank = ExpandChannels(data_format, name="picture")(frames)
    hidden = convolve(bank, SPECTROGRAM_CNNS["CE2E_2D"], data_format, seeds)
    return keras.Model(audio, classify(hidden, sizes, head, data_format, seeds), name=E2E)


def convolve_wave(
    wave: Any,
    rows: Sequence[WaveConvolution],
    data_format: str,
    seeds: Iterator[int | None],
    prefix: str,
    initializer: str = "GlorotUniform",
) -> Any:
    """Apply the convolutions of a table over time x channels; names of layers begin with `prefix`."""
    import keras

    for number, row in enumerate(rows, start=1):
        wave = keras.layers.Conv1D(
            row.filters,
            row.kernel,
            strides=row.stride,
            padding="same",
            activation="relu",
            data_format=data_format,
            kernel_initializer=getattr(keras.initializers, initializer)(next(seeds)),
            name=f"{prefix}conv{number}",
        )(wave)
    return wave


def _build(
    space: ParameterSpace, sample_rate: int, samples: int, *, loss: str = "bce", **options: Any
) -> "keras.Model":
    check_loss(loss)
    return build_e2e_cnn(space.sizes, samples, head=HEADS[loss], **options)


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        E2E,
        "CE2E: four strided 1-D convolutions over raw audio, then the six of C6",
        INVERSYNTH,
        _build,
        parameters=1_916_696,
        aliases=("CE2E", "ConvE2E"),
        features={"input": "audio"},
    ),
    recipe_of(LEARNED_BANK),
)
