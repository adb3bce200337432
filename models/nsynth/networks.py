"""Encoder and decoder of the WaveNet autoencoder, layer by layer as published.

The encoder depends on past and future, and averages over each hop; the decoder is causal. Its input is the sound
itself, delayed by one sample inside the network, so that no prediction depends on the sample that it predicts. There is
no normalisation, and neither the residual nor the skip sum is scaled. The last residual sum is unused: its weights
exist as published, and are not trained. Pitch as a further condition is in the paper but not in the published code: an
option here. So are sines at the note's frequency, added in every layer beside the codes, as neural source-filter models
have them: the period is then given, and need not be learned for each note.
"""

from typing import TYPE_CHECKING, Any

from models.nsynth.presets import FILTER, PITCHES, SINES, NSynthPreset
from models.training.recipe import layer_seeds

if TYPE_CHECKING:
    import keras


def autoencoder(
    size: NSynthPreset, *, pitch: bool = False, sine_rate: int | None = None, seed: int | None = None
) -> "keras.Model":
    """Build both as one network, `encoder` and `decoder` being layers of it.

    Args:
        sine_rate: the sample rate of a decoder that is conditioned on sines; None for one that is not.
    Shapes: classes (batch, samples), samples a multiple of the hop -> logits (batch, samples, 256), float32; with
        `pitch`, [classes, MIDI notes (batch, 1)] instead; with sines, [classes, notes, phase (batch, samples)].
    """
    import keras

    classes = keras.Input((None,), dtype="int32", name="classes")
    inputs = [classes, *_note_inputs(pitch, sine_rate)]
    encoded = encoder(size, seed=seed)(classes)
    decoding = decoder(size, pitch=pitch, sine_rate=sine_rate, seed=None if seed is None else seed + 1)
    logits = decoding([classes, encoded, *inputs[1:]])
    return keras.Model(inputs if inputs[1:] else classes, logits, name="nsynth")


def _note_inputs(pitch: bool, sine_rate: int | None) -> list[Any]:
    """Return the inputs that tell a decoder its note: the note, and with sines the phase of its fundamental."""
    import keras

    note = [keras.Input((1,), dtype="int32", name="pitch")] if pitch or sine_rate else []
    return [*note, *([keras.Input((None,), dtype="float32", name="phase")] if sine_rate else [])]


def encoder(size: NSynthPreset, *, seed: int | None = None) -> "keras.Model":
    """Build the encoder. Shapes: classes (batch, hop n) of mu-law, 0 to 255 -> codes (batch, n, code), float32."""
    import keras

    from models.layers import CompandedLevel

    layers, start = keras.layers, _Initializers(seed)
    classes = keras.Input((None,), dtype="int32", name="classes")
    hidden = layers.Conv1D(size.encoder_width, FILTER, padding="same", **start(), name="start")(
        CompandedLevel(name="level")(classes)
    )
    for number, dilation in enumerate(size.encoder_dilations):
        branch = layers.ReLU(name=f"before{number}")(hidden)
        branch = layers.Conv1D(
            size.encoder_width,
            FILTER,
            padding="same",
            dilation_rate=dilation,
            **start(),
            name=f"dilated{number}",
        )(branch)
        branch = layers.ReLU(name=f"between{number}")(branch)
        branch = layers.Dense(size.encoder_width, **start(), name=f"residual{number}")(branch)
        hidden = layers.Add(name=f"sum{number}")([hidden, branch])
    hidden = layers.Dense(size.code, **start(), dtype="float32", name="code")(hidden)
    return keras.Model(classes, layers.AveragePooling1D(size.hop, dtype="float32", name="mean")(hidden), name="encoder")


def decoder(
    size: NSynthPreset, *, pitch: bool = False, sine_rate: int | None = None, seed: int | None = None
) -> "keras.Model":
    """Build the decoder as it is trained, with teacher forcing: every sample is predicted from the true ones before.

    Shapes: [classes (batch, hop n), codes (batch, n, code)] -> logits (batch, hop n, 256), float32; with `pitch` or
        `sine_rate` the MIDI notes (batch, 1) come third, and with `sine_rate` the phase (batch, hop n) of the note's
        fundamental, in cycles, comes fourth.
    """
    import keras

    from models.layers import (
        AddHeld,
        CompandedLevel,
        FirstOf,
        GatedTanh,
        NoteBands,
        NoteSines,
        RepeatInTime,
        ShiftRight,
    )

    layers, start = keras.layers, _Initializers(seed)
    inputs = [keras.Input((None,), dtype="int32", name="classes"), keras.Input((None, size.code), name="codes")]
    inputs += _note_inputs(pitch, sine_rate)
    conditions = [inputs[1]]
    if pitch:
        one_hot = layers.CategoryEncoding(PITCHES, output_mode="one_hot", name="one_hot")(inputs[2])
        conditions.append(RepeatInTime(name="pitch_planes")([one_hot, inputs[1]]))
    if sine_rate:
        bands = NoteBands(name="note_bands")(inputs[2])
        conditions.append(RepeatInTime(name="note_planes")([bands, inputs[1]]))
        sines = NoteSines(SINES, sine_rate, dtype="float32", name="sines")([inputs[3], inputs[2]])
    condition = layers.Concatenate(name="conditions")(conditions) if conditions[1:] else conditions[0]

    def conditioned(features: Any, name: str) -> Any:
        amounts = layers.Dense(features.shape[-1], **start(), name=name)(condition)
        return AddHeld(size.hop, name=f"with_{name}")([features, amounts])

    def sounded(features: Any, name: str) -> Any:
        if not sine_rate:
            return features
        added = layers.Dense(features.shape[-1], use_bias=False, **start(), name=name)(sines)
        return layers.Add(name=f"with_{name}")([features, added])

    known = ShiftRight(name="delay")(CompandedLevel(name="level")(inputs[0]))
    hidden = layers.Conv1D(size.width, FILTER, padding="causal", **start(), name="start")(known)
    hidden = sounded(hidden, "sines_start")
    skips = [layers.Dense(size.skip, **start(), name="skip_start")(hidden)]
    for number, dilation in enumerate(size.dilations):
        gated = layers.Conv1D(
            2 * size.width, FILTER, padding="causal", dilation_rate=dilation, **start(), name=f"dilated{number}"
        )(hidden)
        gated = sounded(conditioned(gated, f"condition{number}"), f"sines{number}")
        gated = GatedTanh(name=f"gated{number}")(gated)
        used = number < size.layers - 1
        residual = layers.Dense(size.width, **start(), trainable=used, name=f"residual{number}")(gated)
        skips.append(layers.Dense(size.skip, **start(), name=f"skip{number}")(gated))
        hidden = layers.Add(name=f"sum{number}")([hidden, residual])
    total = layers.Add(name="sum_of_skips")(skips)
    total = layers.ReLU(name="skips")(FirstOf(name="heard")([total, hidden]))
    total = conditioned(layers.Dense(size.skip, **start(), name="skip_last")(total), "condition_last")
    total = sounded(total, "sines_last")
    total = layers.ReLU(name="before_logits")(total)
    return keras.Model(inputs, layers.Dense(256, **start(), dtype="float32", name="logits")(total), name="decoder")


class _Initializers:
    """Gives each layer its initializer: uniform with variance 1 / fan-in, biases zero (published)."""

    def __init__(self, seed: int | None) -> None:
        self._seeds = layer_seeds(seed)

    def __call__(self) -> dict[str, Any]:
        import keras

        return {"kernel_initializer": keras.initializers.VarianceScaling(1.0, "fan_in", "uniform", next(self._seeds))}
