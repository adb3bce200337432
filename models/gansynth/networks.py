"""Generator and critic of GANSynth, with as many blocks as have been grown so far.

Spectrograms are normalised, and of the resolution of the last block: a stage is trained at its own resolution and not,
as in the published code, at the final one with every point repeated. Blocks are named by number, so that each stage
finds the weights of the one before.
Source: Engel et al. 2019, arXiv 1902.08710, and its code; Karras et al. 2018, arXiv 1710.10196.
"""

from typing import TYPE_CHECKING, Any

from models.gansynth.presets import CHANNELS, GanSynthSize
from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras

SLOPE = 0.2
"""Of the leaky ReLUs (published)."""


def build_generator(size: GanSynthSize, blocks: int | None = None, seed: int | None = None) -> "keras.Model":
    """Build the generator.

    Shapes: [latent (batch, latent), pitch (batch, pitches) one-hot, progress (batch, 1)] -> (batch, frames, bins, 2) in
        -1..1, at the resolution of the last block.
    """
    import keras

    from models.layers import EqualisedConv2D, EqualisedSpread, FadeIn, PixelNormalization, Upscale

    layers, seeds, blocks = keras.layers, layer_seeds(seed), blocks or size.blocks
    latent = keras.Input((size.latent,), name="latent")
    pitch = keras.Input((size.pitches,), name="pitch")
    progress = keras.Input((1,), name="progress")

    def active(hidden: Any, name: str) -> Any:
        hidden = layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden)
        return PixelNormalization(name=f"{name}_normalisation")(hidden)

    scaled = layers.Rescaling(size.pitch_gain, name="pitch_gain")(pitch) if size.pitch_gain != 1.0 else pitch
    hidden = PixelNormalization(name="inputs_normalisation")(layers.Concatenate(name="inputs")([latent, scaled]))
    spectrograms = []
    for block in range(1, blocks + 1):
        if block == 1:
            hidden = EqualisedSpread(size.width(1), size.start, seed=next(seeds), name="block1_first")(hidden)
        else:
            hidden = Upscale(name=f"block{block}_upscale")(hidden)
            hidden = EqualisedConv2D(size.width(block), seed=next(seeds), name=f"block{block}_first")(hidden)
        hidden = active(hidden, f"block{block}_first")
        hidden = EqualisedConv2D(size.width(block), seed=next(seeds), name=f"block{block}_second")(hidden)
        hidden = active(hidden, f"block{block}_second")
        output = EqualisedConv2D(CHANNELS, (1, 1), gain=1.0, seed=next(seeds), name=f"block{block}_picture")(hidden)
        spectrograms.append(layers.Activation("tanh", name=f"block{block}_tanh")(output))
    made = FadeIn(name="fade_in")([progress, *spectrograms])
    return keras.Model([latent, pitch, progress], made, name="generator")


def build_critic(size: GanSynthSize, blocks: int | None = None, seed: int | None = None) -> "keras.Model":
    """Build the critic, which scores spectrograms and classifies their pitch.

    Shapes: [spectrograms (batch, frames, bins, 2), progress (batch, 1)] -> {"score": (batch,), "pitch": (batch,
        pitches)}, unbounded numbers and logits.
    """
    import keras

    from models.layers import Downscale, EqualisedConv2D, EqualisedDense, FadeOver, MinibatchDeviation

    layers, seeds, blocks = keras.layers, layer_seeds(seed), blocks or size.blocks
    spectrograms = keras.Input((*size.resolution(blocks), CHANNELS), name="pictures")
    progress = keras.Input((1,), name="progress")

    def convolved(hidden: Any, width: int, name: str, **options: Any) -> Any:
        hidden = EqualisedConv2D(width, seed=next(seeds), name=name, **options)(hidden)
        return layers.LeakyReLU(SLOPE, name=f"{name}_relu")(hidden)

    def from_spectrograms(block: int) -> Any:
        smaller = Downscale(1 << (blocks - block), name=f"block{block}_view")(spectrograms)
        return convolved(smaller, size.width(block), f"block{block}_picture", kernel_size=(1, 1))

    hidden = from_spectrograms(blocks)
    for block in range(blocks, 1, -1):
        hidden = convolved(hidden, size.width(block), f"block{block}_first")
        hidden = convolved(hidden, size.width(block - 1), f"block{block}_second")
        hidden = Downscale(name=f"block{block}_downscale")(hidden)
        hidden = FadeOver(block - 1, name=f"block{block}_fade")([progress, from_spectrograms(block - 1), hidden])
    hidden = convolved(
        MinibatchDeviation(size.minibatch_std_group, name="deviation")(hidden), size.width(1), "block1_first"
    )
    hidden = convolved(hidden, size.width(0), "block1_second", kernel_size=size.start, padding="valid")
    hidden = layers.Flatten(name="vector")(hidden)
    score = EqualisedDense(1, gain=1.0, seed=next(seeds), name="score")(hidden)
    pitch = EqualisedDense(size.pitches, gain=1.0, seed=next(seeds), name="pitch")(hidden)
    outputs = {"score": layers.Reshape((), name="score_flat")(score), "pitch": pitch}
    return keras.Model([spectrograms, progress], outputs, name="critic")
