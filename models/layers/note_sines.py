"""A note as a condition: sines at its frequency and at multiples of it, and its place in the range of notes.

Sines at the note's frequency as the source of a neural synthesizer: Wang et al. 2019, neural source-filter models,
arXiv 1904.12088.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("inversynth")
class NoteSines(keras.layers.Layer):
    """Sine and cosine of multiples of a phase; zero for multiples above half the sample rate.

    Args:
        multiples: of the fundamental. sample_rate: hertz.
    Shapes: [phase (batch, samples) in cycles of the fundamental, MIDI notes (batch, 1)] -> (batch, samples, 2
        multiples): all sines, then all cosines.
    """

    def __init__(self, multiples: Sequence[int], sample_rate: int, **options: Any) -> None:
        super().__init__(**options)
        self.multiples, self.sample_rate = [int(each) for each in multiples], int(sample_rate)

    def call(self, inputs: Any) -> Any:
        phase, note = inputs
        numbers = ops.convert_to_tensor(np.asarray(self.multiples, np.float32))
        frequency = 440.0 * ops.power(2.0, (ops.cast(note, "float32") - 69.0) / 12.0)
        audible = ops.cast(frequency * numbers < 0.5 * self.sample_rate, "float32")[:, None, :]
        turned = ops.cast(phase, "float32")[..., None] * numbers
        angles = (2.0 * np.pi) * (turned - ops.floor(turned))
        return ops.concatenate([ops.sin(angles) * audible, ops.cos(angles) * audible], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[0], 2 * len(self.multiples))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiples": self.multiples, "sample_rate": self.sample_rate}


@keras.saving.register_keras_serializable("inversynth")
class NoteBands(keras.layers.Layer):
    """The place of notes between centres `spacing` semitones apart: shares of the two nearest, which sum to 1.

    Shapes: MIDI notes (batch, 1), 0 to 127 -> (batch, centres).
    """

    def __init__(self, spacing: int = 6, **options: Any) -> None:
        super().__init__(**options)
        self.spacing = int(spacing)

    @property
    def centres(self) -> int:
        """Centres from MIDI note 0 to 127 or above."""
        return -(-127 // self.spacing) + 1

    def call(self, note: Any) -> Any:
        centres = ops.convert_to_tensor(np.arange(self.centres, dtype=np.float32))
        return ops.relu(1.0 - ops.abs(ops.cast(note, "float32") / self.spacing - centres))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.centres)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spacing": self.spacing}
