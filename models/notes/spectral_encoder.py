"""The strided convolutional encoder of note spectrograms, shared by the spectral baseline and the note classifier.

Each layer halves the spectrogram until one point is left (Engel et al. 2017, arXiv 1704.01279; layer by layer after
the published code).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from generators.errors import ModelError, look_up

SOURCE = "Engel et al.: Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders, ICML 2017, arXiv 1704.01279"

PITCHES = 128
"""MIDI notes."""

SLOPE = 0.1
"""Of the leaky ReLUs (published)."""

EPSILON = 1e-3
"""Added to the variance in batch normalisation (published)."""

ENCODER = ((5, 128), (4, 128), (4, 128), (4, 256), (4, 256), (4, 256), (4, 512), (4, 512), (4, 512))
"""Kernel and filters of each layer that halves the spectrogram (published)."""

BOTTLENECK = 1024
"""Filters of the 1 x 1 layers on either side of the code (published)."""


@dataclass(frozen=True)
class SpectralPreset:
    """Size of the spectrogram and of the networks, and how they are trained.

    Attributes:
        fft_length, hop_length: samples. frames, bins: of the spectrogram, both powers of two; bins is one less than
            the transform has, frames are padded with silence.
        divisor: of the published filter counts. code: values in a code. momentum: of batch normalisation.
        batch_size, learning_rate: of the training.
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
        """Strides over time and frequency of each encoder layer, down to a single point."""
        steps = self.bins.bit_length() - 1
        times = self.frames.bit_length() - 1
        return [(2 if number < times else 1, 2) for number in range(steps)]


PRESETS: dict[str, SpectralPreset] = {
    "full": SpectralPreset(1024, 256, 256, 1, 1984, 0.999, 8, 1e-4),
    "tiny": SpectralPreset(1024, 512, 128, 8, 124, 0.99, 16, 1e-3),
    "short": SpectralPreset(1024, 256, 32, 8, 124, 0.99, 16, 1e-3),
}
"""`full` is the published one; `tiny` has an eighth of its filters and half its frames, for two cores; `short` is
`tiny` for notes of up to 8,192 samples, a second at 8 kHz."""


def find_preset(name: str) -> SpectralPreset:
    """Return a preset by its name. Raises ModelError for an unknown one."""
    return look_up("size", name, PRESETS, ModelError)


def encode_spectrogram(spectrogram: Any, preset: SpectralPreset, seeds: Iterator[int | None]) -> Any:
    """Encode a symbolic spectrogram to its code; `seeds` set the initial weights, one for each layer.

    Shapes: (batch, frames, bins, 1) -> (batch, code).
    """
    from keras import layers

    hidden = spectrogram
    for number, ((kernel, filters), strides) in enumerate(
        zip(ENCODER[: len(preset.halvings)], preset.halvings, strict=True)
    ):
        filters //= preset.divisor
        hidden = convolution_block(hidden, layers.Conv2D, filters, kernel, strides, preset, seeds, f"down{number}")
    hidden = convolution_block(hidden, layers.Conv2D, BOTTLENECK // preset.divisor, 1, (1, 1), preset, seeds, "narrow")
    code = convolution_block(
        hidden, layers.Conv2D, preset.code, 1, (1, 1), preset, seeds, "code_line", activation=False
    )
    return layers.Flatten(name="code")(code)


def convolution_block(
    hidden: Any,
    layer: Any,
    filters: int,
    kernel: int,
    strides: Sequence[int],
    preset: SpectralPreset,
    seeds: Iterator[int | None],
    name: str,
    activation: bool = True,
) -> Any:
    """Apply a convolution without bias, batch normalisation without scale, and a leaky ReLU.

    Args:
        layer: Conv2D or Conv2DTranspose. activation: leave the leaky ReLU out where False.
    """
    import keras

    start = keras.initializers.GlorotUniform(next(seeds))
    hidden = layer(filters, kernel, strides, "same", use_bias=False, kernel_initializer=start, name=name)(hidden)
    hidden = keras.layers.BatchNormalization(
        momentum=preset.momentum, epsilon=EPSILON, scale=False, name=f"{name}_normalisation"
    )(hidden)
    return keras.layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden) if activation else hidden
