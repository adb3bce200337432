"""The network of MCNN, a harmonic head beside it, and the silence around a note that lets it make the whole note.

Magnitudes go in, not logarithms, and one hop of sound comes out a frame. Frames that are alike make hops that are
alike: of the published network a steady partial can only come out at a multiple of sample rate / hop. Ours is told the
note, and has sines at its partials besides (Engel et al. 2020, arXiv 2001.04643, make notes of such a bank); what mels
say of their amplitudes is corrected by a small network. The heads are then left with noise and beginnings.
Source: Arik, Jun and Diamos 2019, arXiv 1808.06719.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generators.analysis.mel import MelAnalysis, note_edges
from generators.errors import ModelError
from models.mcnn.sizes import Size
from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras

PITCHED = 32
"""Units that tell the steering network the note."""

FRAMES_SEEN = 5
"""By each of its two convolutions: the frames whose windows overlap, at a hop of a quarter window."""

REACH = 2
"""Frames on either side that an amplitude may be taken from: at the edges of a note its own frame is silent."""

LOUD_MEL = 10.0
"""About the greatest mel magnitude of notes at a peak of 1."""


def build_mcnn(
    size: Size,
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

    def seen(name: str) -> Any:
        start = keras.initializers.GlorotUniform(next(seeds))
        front = layers.Dense(size.front, "elu", use_bias=size.biased, kernel_initializer=start, name=name)
        return front(magnitudes)

    if size.front:
        hidden = seen("front")
    if size.noisy:
        turned = FrameSigns(name="signs")(seen("noisy_front"))
        hidden = layers.Concatenate(name="fronts")([hidden, turned]) if size.front else turned
    heads = ParallelHeads(size.heads, size.filters, size.width, size.stride, size.biased, next(seeds), name="heads")
    sound = heads(hidden)
    taken: Any = magnitudes
    if size.partials:
        note = keras.Input((1,), name="note")
        levels, detuning, stiffness = _steered(size, magnitudes, note, fft_length, sample_rate, seeds)
        bank = PartialBank(size.hop_length, sample_rate, dtype="float32", name="partials")
        tones = bank([levels, detuning, stiffness, note])
        sound = layers.Add(dtype="float32", name="together")([sound, tones])
        taken = [magnitudes, note]
    sound = ScaledSoftsign(bend=size.bend, dtype="float32", name="softsign")(sound)
    return keras.Model(taken, sound, name="mcnn")


def _steered(
    size: Size, magnitudes: Any, note: Any, fft_length: int, sample_rate: int, seeds: Iterator[int | None]
) -> tuple[Any, Any, Any]:
    """Return amplitudes, detuning and stiffness of a note's partials."""
    import keras

    from models.layers import LevelLogarithm, NeighbourMixture, PartialLevels

    layers = keras.layers

    def drawn() -> Any:
        return keras.initializers.GlorotUniform(next(seeds))

    read = PartialLevels(size.partials, fft_length, sample_rate, dtype="float32", name="levels")([magnitudes, note])
    seen = layers.Concatenate(name="steering")(
        [LevelLogarithm(1e-3, LOUD_MEL, name="mels")(magnitudes), LevelLogarithm(1e-4, 1.0, name="decibels")(read)]
    )
    pitch = layers.Rescaling(1 / 24, -2.5, name="pitch")(note)
    pitch = layers.Dense(PITCHED, "elu", kernel_initializer=drawn(), name="pitch_units")(pitch)
    pitch = layers.Dense(size.units, kernel_initializer=drawn(), name="pitch_told")(pitch)
    pitch = layers.Reshape((1, size.units), name="pitch_frame")(pitch)
    hidden = layers.Conv1D(size.units, FRAMES_SEEN, padding="same", kernel_initializer=drawn(), name="steer1")(seen)
    hidden = layers.Add(name="steer1_told")([hidden, pitch])
    hidden = layers.Activation("elu", name="steer1_elu")(hidden)
    hidden = layers.Conv1D(size.units, FRAMES_SEEN, padding="same", kernel_initializer=drawn(), name="steer2")(hidden)
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
    """Let a network make whole notes: silent frames around them go in, and what sounds outside is cut away.

    Shapes: mel magnitudes (batch, frames, bands), or with a harmonic head [these, MIDI notes (batch, 1)], -> sound
        (batch, samples).
    Raises: ModelError where the network sees other bands, or makes another hop of a frame.
    """
    import keras

    told = isinstance(mcnn.input_shape, list)
    bands = (mcnn.input_shape[0] if told else mcnn.input_shape)[-1]
    if bands != analysis.bands:
        raise ModelError(f"the network and the analysis must have the same bands. Received: {bands}, {analysis.bands}")
    hop_length = mcnn.compute_output_shape([(1, 1, bands), (1, 1)] if told else (1, 1, bands))[-1]
    if hop_length != analysis.hop_length:
        raise ModelError(
            "the network must make a hop of the analysis from each frame. "
            f"Received: {hop_length} samples a frame, hop_length {analysis.hop_length}"
        )
    layers = keras.layers
    mels = keras.Input((analysis.frames, bands), name="mels")
    taken = [mels, keras.Input((1,), name="note")] if told else mels
    around = layers.ZeroPadding1D(analysis.margin, name="silence_around")(mels)
    sound = mcnn([around, taken[1]] if told else around)
    column = layers.Reshape((-1, 1), name="column")(sound)
    cut = layers.Cropping1D(note_edges(analysis), name="whole")(column)
    return keras.Model(taken, layers.Reshape((analysis.samples,), name="sound")(cut), name="note_renderer")
