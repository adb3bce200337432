"""Encoder, decoder and discriminator of the Wasserstein autoencoder of notes.

The encoder takes a log-mel spectrogram alone. The decoder is conditioned by FiLM in its dense layers and by adaptive
instance normalisation in its feature maps, where statistics of an instance exist; the paper names both mechanisms, but
not where they are applied. Feature maps are upscaled by repetition and a convolution, which leaves no checkerboard
pattern; they run over bands and frames as published, or over frames alone.
Source: Esling et al. 2019, arXiv 1904.06215; layers after a student project of the same group, see
`models.wae.presets`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.training.recipe import layer_seeds
from models.wae.conditions import NOTE_WIDTH
from models.wae.presets import WaePreset

if TYPE_CHECKING:
    import keras

SLOPE = 0.01
"""Of the leaky ReLUs of encoder and decoder (the precursor's, PyTorch's default)."""

MOMENTUM = 0.9
"""Of batch normalisation (the precursor's, PyTorch's default)."""

ENCODER_KERNEL = 5

DISCRIMINATOR_UNITS = (256, 256)
DISCRIMINATOR_SLOPE = 0.2
DROPOUT = 0.3
"""That of Fader Networks (Lample et al. 2017, arXiv 1706.00409)."""

NEAR_SILENCE = -3.0
"""Initial bias of the last layer: most of a spectrogram is zero, and softplus(-3) is 0.05, softplus(0) 0.7."""


def build_encoder(size: WaePreset, *, variational: bool = False, seed: int | None = None) -> "keras.Model":
    """Build the encoder.

    Args:
        variational: also return log variances, for a variational autoencoder.
    Shapes: log(1 + magnitude) (batch, bands, frames, 1) -> (batch, latent); with `variational` (batch, 2 latent),
        means, then logarithms of variances.
    """
    import keras

    layers, seeds = keras.layers, layer_seeds(seed)

    def active(hidden: Any, name: str) -> Any:
        hidden = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{name}_normalisation")(hidden)
        return layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden)

    spectrogram = keras.Input((size.bands, size.frames, 1), name="picture")
    hidden = spectrogram
    for number, filters in enumerate(size.encoder, start=1):
        start = keras.initializers.GlorotNormal(next(seeds))
        convolve = layers.Conv2D(filters, ENCODER_KERNEL, 2, "same", kernel_initializer=start, name=f"down{number}")
        hidden = active(convolve(hidden), f"down{number}")
    hidden = layers.Flatten(name="flat")(hidden)
    for number, units in enumerate(size.dense, start=1):
        start = keras.initializers.GlorotNormal(next(seeds))
        hidden = active(layers.Dense(units, kernel_initializer=start, name=f"dense{number}")(hidden), f"dense{number}")
    start = keras.initializers.GlorotNormal(next(seeds))
    latent = layers.Dense(size.latent, kernel_initializer=start, dtype="float32", name="latent")(hidden)
    if variational:
        start = keras.initializers.GlorotNormal(next(seeds))
        logarithm = layers.Dense(size.latent, kernel_initializer=start, dtype="float32", name="log_variance")(hidden)
        latent = layers.Concatenate(name="law")([latent, logarithm])
    return keras.Model(spectrogram, latent, name="encoder")


def build_decoder(
    size: WaePreset, styles: int, *, condition_mask: Sequence[float] | None = None, seed: int | None = None
) -> "keras.Model":
    """Build the decoder.

    Args:
        styles: how many there are. condition_mask: factor on each condition, 0 for those that a variant ignores; by
            default 1 for all.
    Shapes: [latent (batch, latent), condition (batch, 21 + styles), any numbers] -> (batch, bands, frames, 1), which is
        log(1 + magnitude) and above 0.
    """
    import keras

    from models.layers import AdaptiveInstanceNormalization, FeatureModulation, Upscale

    layers, seeds = keras.layers, layer_seeds(seed)
    latent = keras.Input((size.latent,), name="latent")
    condition = keras.Input((NOTE_WIDTH + styles,), name="condition")
    masked = condition
    if condition_mask is not None:
        masked = layers.Rescaling(list(condition_mask), name="seen")(condition)

    def initializer() -> Any:
        return keras.initializers.GlorotNormal(next(seeds))

    def relu(hidden: Any, name: str) -> Any:
        return layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden)

    def upscaled(hidden: Any, kernel: int, filters: int, name: str) -> Any:
        convolution = layers.Conv2D if size.full else layers.Conv1D
        hidden = convolution(filters, kernel, padding="same", kernel_initializer=initializer(), name=name)(hidden)
        hidden = AdaptiveInstanceNormalization(name=f"{name}_adain")([hidden, embedding])
        return relu(hidden, name)

    embedding = layers.Dense(size.embedding, kernel_initializer=initializer(), name="embedding")(masked)
    embedding = relu(embedding, "embedding")
    hidden = layers.Concatenate(name="latent_and_labels")([latent, masked])
    for number, units in enumerate(reversed(size.dense), start=1):
        hidden = layers.Dense(units, kernel_initializer=initializer(), name=f"dense{number}")(hidden)
        hidden = FeatureModulation(neutral=True, name=f"dense{number}_film")([hidden, embedding])
        hidden = relu(hidden, f"dense{number}")
    hidden = layers.Dense(math.prod(size.start), kernel_initializer=initializer(), name="map")(hidden)
    hidden = layers.Reshape(size.start, name="map_shape")(relu(hidden, "map"))
    for number, (kernel, filters) in enumerate(size.decoder, start=1):
        larger = Upscale(size.factor, name=f"up{number}_enlarged") if size.full else layers.UpSampling1D(size.factor)
        hidden = upscaled(larger(hidden), kernel, filters, f"up{number}")
    closing = {
        "padding": "same",
        "activation": "softplus",
        "kernel_initializer": initializer(),
        "bias_initializer": keras.initializers.Constant(NEAR_SILENCE),
        "dtype": "float32",
        "name": "picture",
    }
    if size.full:
        hidden = layers.Resizing(size.bands, size.frames, interpolation="nearest", name="full_size")(hidden)
        hidden = upscaled(hidden, *size.full, "full")
        spectrogram = layers.Conv2D(1, size.closing, **closing)(hidden)
    else:
        frames = layers.Conv1D(size.bands, size.closing, **{**closing, "name": "frames"})(hidden)
        spectrogram = layers.Reshape((size.bands, size.frames, 1), name="picture")(layers.Permute((2, 1))(frames))
    return keras.Model([latent, condition], spectrogram, name="decoder")


def build_discriminator(size: WaePreset, styles: int, seed: int | None = None) -> "keras.Model":
    """Build the discriminator, which predicts styles from latents.

    Latents are not standardised first, since that would hide a collapse.

    Shapes: (batch, latent) -> (batch, styles), logits.
    """
    import keras

    layers, seeds = keras.layers, layer_seeds(seed)
    latent = keras.Input((size.latent,), name="latent")
    hidden = latent
    for number, units in enumerate(DISCRIMINATOR_UNITS, start=1):
        start = keras.initializers.GlorotNormal(next(seeds))
        hidden = layers.Dense(units, kernel_initializer=start, name=f"dense{number}")(hidden)
        hidden = layers.LeakyReLU(DISCRIMINATOR_SLOPE, name=f"dense{number}_relu")(hidden)
        hidden = layers.Dropout(DROPOUT, seed=next(seeds), name=f"dense{number}_dropout")(hidden)
    start = keras.initializers.GlorotNormal(next(seeds))
    logits = layers.Dense(styles, kernel_initializer=start, dtype="float32", name="style")(hidden)
    return keras.Model(latent, logits, name="discriminator")


def build_autoencoder(encoder: "keras.Model", decoder: "keras.Model") -> "keras.Model":
    """Join encoder and decoder into the model that is kept of a training; both share their weights with it.

    Shapes: [spectrogram (batch, bands, frames, 1), condition (batch, 21 + styles)] -> (batch, bands, frames, 1).
    """
    import keras

    spectrogram = keras.Input(encoder.input_shape[1:], name="picture")
    width, labels = (int(shape[-1]) for shape in decoder.input_shape)
    condition = keras.Input((labels,), name="condition")
    encoded = encoder(spectrogram)
    means = encoded if encoded.shape[-1] == width else encoded[:, :width]
    return keras.Model([spectrogram, condition], decoder([means, condition]), name="wae")
