"""The network of MCNN, its harmonic head, and the padding with silence by which it renders whole notes.

The input are magnitudes, not logarithms; each frame gives one hop of audio. Equal frames give equal hops, so that the
published network can render a steady partial only at multiples of sample rate / hop. Ours also takes the note as input,
and adds sines at its partials (Engel et al. 2020, arXiv 2001.04643, synthesise notes with such a bank); a small network
corrects the amplitudes read from the mel bands. Noise and onsets are left to the heads.
Source: Arik, Jun and Diamos 2019, arXiv 1808.06719.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generators.analysis.mel import MelAnalysis, note_edges
from generators.errors import ModelError
from models.mcnn.presets import McnnSize
from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras

PITCH_UNITS = 32
"""Units of the pitch embedding of the control network."""

CONTROL_KERNEL = 5
"""Frames of its two convolutions: those whose windows overlap, at a hop of a quarter window."""

REACH = 2
"""Frames on either side from which an amplitude may be read: at the edges of a note its own frame is silent."""

LOUD_MEL = 10.0
"""About the greatest mel magnitude of notes at a peak of 1."""


def build_mcnn(
    size: McnnSize,
    bands: int,
    frames: int | None = None,
    seed: int | None = None,
    *,
    fft_length: int = 2048,
    sample_rate: int = 22050,
) -> "keras.Model":
    """Build the network.

    Args:
        bands: of the magnitudes, mel or linear; a harmonic head takes them for Slaney's mels. frames: None for any
            number. fft_length, sample_rate: of the analysis behind them, for a harmonic head.
    Shapes: magnitudes (batch, frames, bands) -> sound (batch, frames x hop). With a harmonic head [magnitudes, MIDI
        notes (batch, 1)] -> the same; the head is silent for notes of 0 or less, which are unknown.
    """
    import keras

    from models.layers import FrameSigns, ParallelHeads, PartialBank, ScaledSoftsign

    layers, seeds = keras.layers, layer_seeds(seed)
    magnitudes = keras.Input((frames, bands), name="magnitudes")
    hidden = magnitudes

    def front_layer(name: str) -> Any:
        start = keras.initializers.GlorotUniform(next(seeds))
        front = layers.Dense(size.front, "elu", use_bias=size.biased, kernel_initializer=start, name=name)
        return front(magnitudes)

    if size.front:
        hidden = front_layer("front")
    if size.noisy:
        alternating = FrameSigns(name="signs")(front_layer("noisy_front"))
        hidden = layers.Concatenate(name="fronts")([hidden, alternating]) if size.front else alternating
    heads = ParallelHeads(size.heads, size.filters, size.width, size.stride, size.biased, next(seeds), name="heads")
    sound = heads(hidden)
    inputs: Any = magnitudes
    if size.partials:
        note = keras.Input((1,), name="note")
        levels, detuning, stiffness = _partial_controls(size, magnitudes, note, fft_length, sample_rate, seeds)
        bank = PartialBank(size.hop_length, sample_rate, dtype="float32", name="partials")
        tones = bank([levels, detuning, stiffness, note])
        sound = layers.Add(dtype="float32", name="together")([sound, tones])
        inputs = [magnitudes, note]
    sound = ScaledSoftsign(bend=size.bend, dtype="float32", name="softsign")(sound)
    return keras.Model(inputs, sound, name="mcnn")


def _partial_controls(
    size: McnnSize, magnitudes: Any, note: Any, fft_length: int, sample_rate: int, seeds: Iterator[int | None]
) -> tuple[Any, Any, Any]:
    """Return amplitudes, detuning and stiffness of a note's partials."""
    import keras

    from models.layers import LevelLogarithm, NeighbourMixture, PartialLevels

    layers = keras.layers

    def initializer() -> Any:
        return keras.initializers.GlorotUniform(next(seeds))

    read = PartialLevels(size.partials, fft_length, sample_rate, dtype="float32", name="levels")([magnitudes, note])
    seen = layers.Concatenate(name="steering")(
        [LevelLogarithm(1e-3, LOUD_MEL, name="mels")(magnitudes), LevelLogarithm(1e-4, 1.0, name="decibels")(read)]
    )
    pitch = layers.Rescaling(1 / 24, -2.5, name="pitch")(note)
    pitch = layers.Dense(PITCH_UNITS, "elu", kernel_initializer=initializer(), name="pitch_units")(pitch)
    pitch = layers.Dense(size.units, kernel_initializer=initializer(), name="pitch_told")(pitch)
    pitch = layers.Reshape((1, size.units), name="pitch_frame")(pitch)
    hidden = layers.Conv1D(size.units, CONTROL_KERNEL, padding="same", kernel_initializer=initializer(), name="steer1")(
        seen
    )
    hidden = layers.Add(name="steer1_told")([hidden, pitch])
    hidden = layers.Activation("elu", name="steer1_elu")(hidden)
    hidden = layers.Conv1D(size.units, CONTROL_KERNEL, padding="same", kernel_initializer=initializer(), name="steer2")(
        hidden
    )
    hidden = layers.Activation("elu", name="steer2_elu")(hidden)
    little = keras.initializers.RandomNormal(stddev=0.01, seed=next(seeds))
    weights = layers.Dense(
        (2 * REACH + 1) * size.partials, kernel_initializer=little, dtype="float32", name="level_weights"
    )(hidden)
    levels = NeighbourMixture(REACH, dtype="float32", name="amplitudes")([read, weights])
    detuning = layers.Dense(1, "tanh", kernel_initializer="zeros", dtype="float32", name="detuning")(hidden)
    stiffness = layers.Dense(
        1,
        "sigmoid",
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(-4.0),
        dtype="float32",
        name="stiffness",
    )(layers.GlobalAveragePooling1D(name="whole_note")(hidden))
    return levels, detuning, stiffness


def note_renderer(mcnn: "keras.Model", analysis: MelAnalysis) -> "keras.Model":
    """Wrap a network for whole notes: frames are padded with silence, and the audio outside the note is cropped.

    Shapes: mel magnitudes (batch, frames, bands), or with a harmonic head [these, MIDI notes (batch, 1)], -> sound
        (batch, samples).
    Raises: ModelError where the network takes other bands, or has another hop.
    """
    import keras

    takes_note = isinstance(mcnn.input_shape, list)
    bands = (mcnn.input_shape[0] if takes_note else mcnn.input_shape)[-1]
    if bands != analysis.bands:
        raise ModelError(f"the network and the analysis must have the same bands. Received: {bands}, {analysis.bands}")
    hop_length = mcnn.compute_output_shape([(1, 1, bands), (1, 1)] if takes_note else (1, 1, bands))[-1]
    if hop_length != analysis.hop_length:
        raise ModelError(
            "the network must have the hop of the analysis. "
            f"Received: {hop_length} samples a frame, hop_length {analysis.hop_length}"
        )
    layers = keras.layers
    mels = keras.Input((analysis.frames, bands), name="mels")
    inputs = [mels, keras.Input((1,), name="note")] if takes_note else mels
    around = layers.ZeroPadding1D(analysis.margin, name="silence_around")(mels)
    sound = mcnn([around, inputs[1]] if takes_note else around)
    column = layers.Reshape((-1, 1), name="column")(sound)
    cut = layers.Cropping1D(note_edges(analysis), name="whole")(column)
    return keras.Model(inputs, layers.Reshape((analysis.samples,), name="sound")(cut), name="note_renderer")
