"""The spectral autoencoder of NSynth, its baseline: a spectrogram reduced to a short code beside a learned pitch.

Strided convolutions reduce the spectrogram to one point and expand it again (Engel et al. 2017, arXiv 1704.01279; layer
by layer after the published code). The decoder is conditioned on pitch, so that the code can hold the timbre alone.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.notes.spectral_encoder import BOTTLENECK, PITCHES, SpectralPreset, convolution_block, encode_spectrogram
from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras

EMBEDDING = 128
"""Width of the pitch embedding (published)."""

DECODER = ((4, 512), (4, 512), (4, 256), (4, 256), (4, 256), (4, 128), (4, 128), (5, 128), (5, 128))
"""Kernel and filters of each layer that doubles the spectrogram (published)."""

HIGHEST_WEIGHT = 10.0
WEIGHTED_BELOW = 4000.0
"""Errors are weighted by 10 at 0 Hz, falling to 1 at 4 kHz and above (published)."""


def bin_weights(bins: int, sample_rate: int) -> NDArray[np.float32]:
    """Return the weight of an error in each bin: 10 at 0 Hz, falling to 1 at 4 kHz. Shapes: (bins,)."""
    hertz = np.arange(bins) * sample_rate / 2.0 / bins
    return np.interp(hertz, [0.0, WEIGHTED_BELOW], [HIGHEST_WEIGHT, 1.0]).astype(np.float32)


def build_spectral_autoencoder(
    preset: SpectralPreset, samples: int, sample_rate: int, seed: int | None = None
) -> "keras.Model":
    """Build the autoencoder; its loss is part of the network.

    Shapes: [audio (batch, samples), MIDI notes (batch, 1)] -> spectrogram (batch, frames, bins) in 0..1: 1 is the
        loudest point of the note, 0 what lies 120 dB below it.
    """
    import keras

    from models.layers import PictureError, RelativeSpectrogram

    layers, seeds = keras.layers, layer_seeds(seed)
    audio, pitch = keras.Input((samples,), name="audio"), keras.Input((1,), name="pitch")
    spectrogram = RelativeSpectrogram(
        preset.fft_length, preset.hop_length, preset.frames, dtype="float32", name="picture"
    )(audio)
    code = encode_spectrogram(spectrogram, preset, seeds)
    embedding = layers.Embedding(
        PITCHES,
        EMBEDDING,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=next(seeds)),
        name="pitch_names",
    )(pitch)
    hidden = layers.Concatenate(name="code_and_pitch")([code, layers.Flatten(name="pitch_flat")(embedding)])
    hidden = layers.Reshape((1, 1, hidden.shape[-1]), name="point")(hidden)
    hidden = convolution_block(
        hidden, layers.Conv2DTranspose, BOTTLENECK // preset.divisor, 1, (1, 1), preset, seeds, "widen"
    )
    for number, ((kernel, filters), strides) in enumerate(
        zip(DECODER[: len(preset.halvings)], preset.halvings, strict=True)
    ):
        hidden = convolution_block(
            hidden, layers.Conv2DTranspose, filters // preset.divisor, kernel, strides, preset, seeds, f"up{number}"
        )
    found = layers.Conv2D(
        1,
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        dtype="float32",
        name="magnitude",
    )(hidden)
    weights = bin_weights(preset.bins, sample_rate).tolist()
    found = PictureError(weights, name="found")([found, spectrogram])
    return keras.Model([audio, pitch], found, name="spectral_autoencoder")
