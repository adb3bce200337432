"""The spectral autoencoder of NSynth, its baseline: a note's picture through a narrow waist, beside a learned pitch.

Strided convolutions take the picture down to one point and up again (Engel et al. 2017, arXiv 1704.01279; layer by
layer after the published code). The decoder is told the pitch, so the code may hold what is left: the timbre.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError, look_up
from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras

SLOPE = 0.1
"""Of the leaky ReLUs (published)."""

EPSILON = 1e-3
"""Added to the variance in batch normalisation (published)."""

PITCHES = 128
EMBEDDING = 128
"""Numbers that stand for a pitch (published)."""

ENCODER = ((5, 128), (4, 128), (4, 128), (4, 256), (4, 256), (4, 256), (4, 512), (4, 512), (4, 512))
"""Kernel and filters of each layer that halves the picture (published)."""

DECODER = ((4, 512), (4, 512), (4, 256), (4, 256), (4, 256), (4, 128), (4, 128), (5, 128), (5, 128))
"""Kernel and filters of each layer that doubles it."""

WAIST = 1024
"""Filters of the 1 x 1 layers on either side of the code."""

HEAVIEST = 10.0
HEAVY_BELOW = 4000.0
"""Errors count ten times at 0 Hz, and once from 4 kHz on (published)."""


@dataclass(frozen=True)
class PictureSize:
    """How large the picture and the networks are.

    Attributes:
        fft_length, hop_length: samples. frames, bins: of the picture, both powers of two; bins one fewer than the
            transform has, frames padded with silence.
        divisor: of the published filters. code: numbers in a code. momentum: of batch normalisation.
        batch_size, learning_rate: of its training.
    """

    fft_length: int
    hop_length: int
    frames: int
    divisor: int
    code: int
    momentum: float
    batch_size: int
    learning_rate: float

    @property
    def bins(self) -> int:
        return self.fft_length // 2

    @property
    def halvings(self) -> list[tuple[int, int]]:
        """Strides over time and frequency of each layer of the encoder, until one point is left."""
        steps = self.bins.bit_length() - 1
        times = self.frames.bit_length() - 1
        return [(2 if number < times else 1, 2) for number in range(steps)]


SIZES: dict[str, PictureSize] = {
    "full": PictureSize(1024, 256, 256, 1, 1984, 0.999, 8, 1e-4),
    "tiny": PictureSize(1024, 512, 128, 8, 124, 0.99, 16, 1e-3),
    "short": PictureSize(1024, 256, 32, 8, 124, 0.99, 16, 1e-3),
}
"""`full` is the published one; `tiny` has an eighth of its filters and half its frames, for two cores; `short` is
`tiny` for notes of up to 8,192 samples, a second at 8 kHz."""


def find_size(name: str) -> PictureSize:
    """Return a size by its name. Raises ModelError for an unknown one."""
    return look_up("size", name, SIZES, ModelError)


def bin_weights(bins: int, sample_rate: int) -> NDArray[np.float32]:
    """Return what an error in each bin counts for: ten at 0 Hz, falling to one at 4 kHz. Shapes: (bins,)."""
    hertz = np.arange(bins) * sample_rate / 2.0 / bins
    return np.interp(hertz, [0.0, HEAVY_BELOW], [HEAVIEST, 1.0]).astype(np.float32)


def build_spectral_autoencoder(
    size: PictureSize, samples: int, sample_rate: int, seed: int | None = None
) -> "keras.Model":
    """Build the autoencoder; it carries its own loss.

    Shapes: [audio (batch, samples), pitch (batch, 1), a MIDI note] -> picture (batch, frames, bins) in 0..1, 1 the
    loudest point of the note and 0 what lies 120 dB below it.
    """
    import keras

    from models.layers import PictureError, RelativeSpectrogram

    layers, seeds = keras.layers, layer_seeds(seed)
    audio, pitch = keras.Input((samples,), name="audio"), keras.Input((1,), name="pitch")
    picture = RelativeSpectrogram(size.fft_length, size.hop_length, size.frames, dtype="float32", name="picture")(audio)
    code = encode_picture(picture, size, seeds)
    names = layers.Embedding(
        PITCHES,
        EMBEDDING,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=next(seeds)),
        name="pitch_names",
    )(pitch)
    hidden = layers.Concatenate(name="code_and_pitch")([code, layers.Flatten(name="pitch_flat")(names)])
    hidden = layers.Reshape((1, 1, hidden.shape[-1]), name="point")(hidden)
    hidden = _convolved(hidden, layers.Conv2DTranspose, WAIST // size.divisor, 1, (1, 1), size, seeds, "widen")
    for number, ((kernel, filters), strides) in enumerate(
        zip(DECODER[: len(size.halvings)], size.halvings, strict=True)
    ):
        hidden = _convolved(
            hidden, layers.Conv2DTranspose, filters // size.divisor, kernel, strides, size, seeds, f"up{number}"
        )
    found = layers.Conv2D(
        1,
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        dtype="float32",
        name="magnitude",
    )(hidden)
    weights = bin_weights(size.bins, sample_rate).tolist()
    found = PictureError(weights, name="found")([found, picture])
    return keras.Model([audio, pitch], found, name="spectral_autoencoder")


def encode_picture(picture: Any, size: PictureSize, seeds: Iterator[int | None]) -> Any:
    """Lead a symbolic picture to its code, layer by layer; `seeds` are of the starting weights.

    Shapes: (batch, frames, bins, 1) -> (batch, code).
    """
    from keras import layers

    hidden = picture
    for number, ((kernel, filters), strides) in enumerate(
        zip(ENCODER[: len(size.halvings)], size.halvings, strict=True)
    ):
        filters //= size.divisor
        hidden = _convolved(hidden, layers.Conv2D, filters, kernel, strides, size, seeds, f"down{number}")
    hidden = _convolved(hidden, layers.Conv2D, WAIST // size.divisor, 1, (1, 1), size, seeds, "narrow")
    code = _convolved(hidden, layers.Conv2D, size.code, 1, (1, 1), size, seeds, "code_line", activation=False)
    return layers.Flatten(name="code")(code)


def _convolved(
    hidden: Any,
    kind: Any,
    filters: int,
    kernel: int,
    strides: Sequence[int],
    size: PictureSize,
    seeds: Iterator[int | None],
    name: str,
    activation: bool = True,
) -> Any:
    """Convolve without a bias, normalise without a scale, and let through what is positive."""
    import keras

    start = keras.initializers.GlorotUniform(next(seeds))
    hidden = kind(filters, kernel, strides, "same", use_bias=False, kernel_initializer=start, name=name)(hidden)
    hidden = keras.layers.BatchNormalization(
        momentum=size.momentum, epsilon=EPSILON, scale=False, name=f"{name}_normalisation"
    )(hidden)
    return keras.layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden) if activation else hidden
