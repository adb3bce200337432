"""The network of MCNN, and with the silence around a note that lets it make the whole note.

Magnitudes go in, not logarithms, and one hop of sound comes out a frame. Ours may begin with a layer that all heads
share; the published heads each see the spectrum itself, which is where seven eighths of their weights are.
Frames that are alike make hops that are alike: a steady partial can only come out at a multiple of sample rate / hop.
Source: Arik, Jun and Diamos 2019, arXiv 1808.06719.
"""

from typing import TYPE_CHECKING

from generators.errors import ModelError
from models.mcnn.sizes import Size
from models.recipe import layer_seeds
from models.slaney import MelAnalysis, note_edges

if TYPE_CHECKING:
    import keras


def build_mcnn(size: Size, bands: int, frames: int | None = None, seed: int | None = None) -> "keras.Model":
    """Build the network.

    Args:
        bands: of the magnitudes, mel or linear. frames: None for any number.
    Shapes: magnitudes (batch, frames, bands) -> sound (batch, frames x hop).
    """
    import keras

    from models.layers import ParallelHeads, ScaledSoftsign

    seeds = layer_seeds(seed)
    magnitudes = keras.Input((frames, bands), name="magnitudes")
    hidden = magnitudes
    if size.front:
        start = keras.initializers.GlorotUniform(next(seeds))
        front = keras.layers.Dense(size.front, "elu", use_bias=size.biased, kernel_initializer=start, name="front")
        hidden = front(hidden)
    heads = ParallelHeads(size.heads, size.filters, size.width, size.stride, size.biased, next(seeds), name="heads")
    sound = ScaledSoftsign(dtype="float32", name="softsign")(heads(hidden))
    return keras.Model(magnitudes, sound, name="mcnn")


def note_renderer(mcnn: "keras.Model", analysis: MelAnalysis) -> "keras.Model":
    """Let a network make whole notes: silent frames around them go in, and what sounds outside is cut away.

    Shapes: mel magnitudes (batch, frames, bands) -> sound (batch, samples).
    Raises: ModelError where the network sees other bands, or makes another hop of a frame.
    """
    import keras

    bands = mcnn.input_shape[-1]
    if bands != analysis.bands:
        raise ModelError(f"the network and the analysis must have the same bands. Received: {bands}, {analysis.bands}")
    hop_length = mcnn.compute_output_shape((1, 1, bands))[-1]
    if hop_length != analysis.hop_length:
        raise ModelError(
            "the network must make a hop of the analysis from each frame. "
            f"Received: {hop_length} samples a frame, hop_length {analysis.hop_length}"
        )
    layers = keras.layers
    mels = keras.Input((analysis.frames, bands), name="mels")
    sound = mcnn(layers.ZeroPadding1D(analysis.margin, name="silence_around")(mels))
    column = layers.Reshape((-1, 1), name="column")(sound)
    cut = layers.Cropping1D(note_edges(analysis), name="note")(column)
    return keras.Model(mels, layers.Reshape((analysis.samples,), name="sound")(cut), name="note_renderer")
