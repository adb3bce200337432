"""Encoder, decoder and discriminator of the Wasserstein autoencoder of notes.

The encoder sees a picture and nothing else. The decoder is told labels by FiLM in its dense layers and by adaptive
instance normalisation in its maps, where statistics of an instance exist; the paper names both mechanisms, but not
where they sit. Its maps grow by repeated points and a convolution, which leaves no chequered pattern; they run over
bands and frames as published, or over frames alone.
Source: Esling et al. 2019, arXiv 1904.06215; layers after a student project of the same group, see `models.wae.presets`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.training.recipe import layer_seeds
from models.wae.conditions import NOTE_WIDTH
from models.wae.presets import Size

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
"""Bias that the last layer starts with: most of a picture is zero, and softplus(-3) is 0.05, softplus(0) 0.7."""


def build_encoder(size: Size, *, spread: bool = False, seed: int | None = None) -> "keras.Model":
    """Build what turns pictures into points of the latent space.

    Args:
        spread: tell how sure each point is, too, as a variational autoencoder does.
    Shapes: log(1 + magnitude) (batch, bands, frames, 1) -> (batch, latent); with `spread` (batch, 2 latent), means and
        then logarithms of variances.
    """
    import keras

    layers, seeds = keras.layers, layer_seeds(seed)

    def active(hidden: Any, name: str) -> Any:
        hidden = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{name}_normalisation")(hidden)
        return layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden)

    picture = keras.Input((size.bands, size.frames, 1), name="picture")
    hidden = picture
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
    if spread:
        start = keras.initializers.GlorotNormal(next(seeds))
        logarithm = layers.Dense(size.latent, kernel_initializer=start, dtype="float32", name="log_variance")(hidden)
        latent = layers.Concatenate(name="law")([latent, logarithm])
    return keras.Model(picture, latent, name="encoder")


def build_decoder(
    size: Size, styles: int, *, seen: Sequence[float] | None = None, seed: int | None = None
) -> "keras.Model":
    """Build what turns points of the latent space, and labels, into pictures.

    Args:
        styles: how many there are. seen: what each label is multiplied by before anything else; by default 1, and 0
            for what a kind of model is not told.
    Shapes: [latent (batch, latent), condition (batch, 21 + styles), any numbers] -> (batch, bands, frames, 1), which is
        log(1 + magnitude) and above 0.
    """
    import keras

    from models.layers import AdaptiveInstanceNormalization, FeatureModulation, Upscale

    layers, seeds = keras.layers, layer_seeds(seed)
    latent = keras.Input((size.latent,), name="latent")
    condition = keras.Input((NOTE_WIDTH + styles,), name="condition")
    told = layers.Rescaling(list(seen), name="seen")(condition) if seen is not None else condition

    def drawn() -> Any:
        return keras.initializers.GlorotNormal(next(seeds))

    def relu(hidden: Any, name: str) -> Any:
        return layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden)

    def drawing(hidden: Any, kernel: int, filters: int, name: str) -> Any:
        convolution = layers.Conv2D if size.full else layers.Conv1D
        hidden = convolution(filters, kernel, padding="same", kernel_initializer=drawn(), name=name)(hidden)
        hidden = AdaptiveInstanceNormalization(name=f"{name}_adain")([hidden, embedding])
        return relu(hidden, name)

    embedding = layers.Dense(size.embedding, kernel_initializer=drawn(), name="embedding")(told)
    embedding = relu(embedding, "embedding")
    hidden = layers.Concatenate(name="latent_and_labels")([latent, told])
    for number, units in enumerate(reversed(size.dense), start=1):
        hidden = layers.Dense(units, kernel_initializer=drawn(), name=f"dense{number}")(hidden)
        hidden = FeatureModulation(neutral=True, name=f"dense{number}_film")([hidden, embedding])
        hidden = relu(hidden, f"dense{number}")
    hidden = layers.Dense(math.prod(size.start), kernel_initializer=drawn(), name="map")(hidden)
    hidden = layers.Reshape(size.start, name="map_shape")(relu(hidden, "map"))
    for number, (kernel, filters) in enumerate(size.decoder, start=1):
        larger = Upscale(size.factor, name=f"up{number}_enlarged") if size.full else layers.UpSampling1D(size.factor)
        hidden = drawing(larger(hidden), kernel, filters, f"up{number}")
    closing = {
        "padding": "same",
        "activation": "softplus",
        "kernel_initializer": drawn(),
        "bias_initializer": keras.initializers.Constant(NEAR_SILENCE),
        "dtype": "float32",
        "name": "picture",
    }
    if size.full:
        hidden = layers.Resizing(size.bands, size.frames, interpolation="nearest", name="full_size")(hidden)
        hidden = drawing(hidden, *size.full, "full")
        picture = layers.Conv2D(1, size.closing, **closing)(hidden)
    else:
        frames = layers.Conv1D(size.bands, size.closing, **{**closing, "name": "frames"})(hidden)
        picture = layers.Reshape((size.bands, size.frames, 1), name="picture")(layers.Permute((2, 1))(frames))
    return keras.Model([latent, condition], picture, name="decoder")


def build_discriminator(size: Size, styles: int, seed: int | None = None) -> "keras.Model":
    """Build what guesses styles from points of the latent space, as they are: standardised, a collapse would not show.

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
    """Join two networks, on the same weights, into what is kept of a training; each stays a layer by its own name.

    Shapes: [picture (batch, bands, frames, 1), condition (batch, 21 + styles)] -> (batch, bands, frames, 1).
    """
    import keras

    picture = keras.Input(encoder.input_shape[1:], name="picture")
    width, labels = (int(shape[-1]) for shape in decoder.input_shape)
    condition = keras.Input((labels,), name="condition")
    law = encoder(picture)
    means = law if law.shape[-1] == width else law[:, :width]
    return keras.Model([picture, condition], decoder([means, condition]), name="wae")
