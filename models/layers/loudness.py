"""Layers that make a network blind to how loud a sound is, and that follow how loud it is from moment to moment."""

from typing import Any

import keras
from keras import ops

REFERENCE = 0.17
"""Root mean square that sounds are brought to: the median of random `fm` sounds lies near it."""

TINY = 1e-14
"""Power below which a sound counts as silent and stays so (-140 dB of full scale)."""


@keras.saving.register_keras_serializable("inversynth")
class LevelNormalization(keras.layers.Layer):
    """Bring sounds to one root mean square, so that gain cannot matter. Shapes: (batch, samples) -> the same."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"autocast": False, "dtype": "float32", **options})

    def call(self, audio: Any) -> Any:
        audio = ops.cast(audio, "float32")
        power = ops.mean(ops.square(audio), axis=-1, keepdims=True)
        return ops.cast(audio * (REFERENCE / ops.sqrt(ops.maximum(power, TINY))), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()  # without it Keras would write down the arguments named above, and drop the name


@keras.saving.register_keras_serializable("inversynth")
class WaveEnvelope(keras.layers.Layer):
    """Follow the level of the waveform: root mean square of each hop, linear and in logarithm.

    Args:
        hop_length: samples in a hop; a last hop that is not full is filled with zeros.
    Shapes: (batch, samples) -> (batch, ceil(samples / hop_length), 2).
    """

    def __init__(self, hop_length: int = 16, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        self.hop_length = hop_length

    def call(self, audio: Any) -> Any:
        audio = ops.cast(audio, "float32")
        audio = ops.pad(audio, ((0, 0), (0, -audio.shape[-1] % self.hop_length)))
        hops = ops.reshape(audio, (-1, audio.shape[-1] // self.hop_length, self.hop_length))
        power = ops.mean(ops.square(hops), axis=-1, keepdims=True)
        both = [ops.sqrt(ops.maximum(power, 1e-12)) / REFERENCE, ops.log(ops.maximum(power, 1e-6)) / 5.0 + 1.0]
        return ops.cast(ops.concatenate(both, axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], -(-int(input_shape[-1] or 0) // self.hop_length), 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hop_length": self.hop_length}
