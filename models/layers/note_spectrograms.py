"""Spectrograms of notes: magnitudes relative to the loudest point of the note, and the error between two of them.

And hiss under notes that a network learns from, so that it does not come to rely on silence between the partials.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from generators.analysis.mel import log_mel_to_mel
from generators.analysis.spectrogram import check_window, power_spectrogram

RANGE_DB = 120.0
"""Decibels between black and white (NSynth, spectral baseline)."""

HISS_DB = (10.0, 110.0)
"""Level of white noise below the training notes: from clearly audible to inaudible."""

SILENT = 1e-12
"""Power of its loudest point below which a note is silent, and black."""


@keras.saving.register_keras_serializable("inversynth")
class RelativeSpectrogram(keras.layers.Layer):
    """Magnitudes in decibels below the note's own maximum, from 1 there to 0 at -120 dB; so gain cannot matter.

    Always computed in float32. The highest bin is dropped, which leaves fft_length / 2 of them.

    Args:
        frames: of the spectrogram. Shorter notes are padded with silence, longer ones cut.
    Shapes: (batch, samples) -> (batch, frames, fft_length / 2, 1).
    """

    def __init__(self, fft_length: int = 1024, hop_length: int = 256, frames: int = 256, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})
        check_window(fft_length, hop_length)
        self.fft_length, self.hop_length, self.frames = fft_length, hop_length, frames

    def call(self, audio: Any) -> Any:
        power = power_spectrogram(ops.cast(audio, "float32"), self.fft_length, self.hop_length, ops)[..., :-1]
        loudest = ops.max(power, axis=(1, 2), keepdims=True)
        floor = 10.0 ** (-RANGE_DB / 10.0)
        relative = ops.maximum(power / ops.maximum(loudest, SILENT), floor)
        spectrogram = ops.log(relative) * (10.0 / 2.302585093 / RANGE_DB) + 1.0
        spectrogram = ops.where(loudest > SILENT, spectrogram, 0.0)[:, : self.frames]
        rest = self.frames - spectrogram.shape[1]
        spectrogram = ops.pad(spectrogram, ((0, 0), (0, max(rest, 0)), (0, 0)))
        return ops.cast(spectrogram[..., None], self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.frames, self.fft_length // 2, 1)

    def get_config(self) -> dict[str, Any]:
        own = {"fft_length": self.fft_length, "hop_length": self.hop_length, "frames": self.frames}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("inversynth")
class PictureError(keras.layers.Layer):
    """Return the first of two spectrograms, and add its squared error to the second to the loss.

    Args:
        weights: what an error in each bin counts for.
    Shapes: twice (batch, frames, bins, 1) -> (batch, frames, bins).
    """

    def __init__(self, weights: Sequence[float], **options: Any) -> None:
        super().__init__(**{"autocast": False, "dtype": "float32", **options})
        self.bin_weights = [float(weight) for weight in weights]

    def call(self, inputs: Any) -> Any:
        found, wanted = (ops.cast(spectrogram, "float32") for spectrogram in inputs)
        weights = ops.reshape(ops.convert_to_tensor(self.bin_weights, "float32"), (1, 1, -1, 1))
        self.add_loss(ops.mean(weights * ops.square(found - ops.stop_gradient(wanted))))
        return found[..., 0]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0][:-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weights": self.bin_weights}


@keras.saving.register_keras_serializable("inversynth")
class AddedHiss(keras.layers.Layer):
    """White noise under each sound, in training alone, so many decibels below it as are drawn anew each time.

    Args:
        range_db: the least and the most; both count from the power of the whole sound. seed: of levels and noise.
    Shapes: (batch, samples) -> (batch, samples).
    """

    def __init__(self, range_db: Sequence[float] = HISS_DB, seed: int | None = None, **options: Any) -> None:
        super().__init__(**{"autocast": False, "dtype": "float32", **options})
        self.range_db, self.seed = tuple(map(float, range_db)), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, audio: Any, training: bool = False) -> Any:
        audio = ops.cast(audio, "float32")
        if not training:
            return ops.cast(audio, self.compute_dtype)
        level = keras.random.uniform((ops.shape(audio)[0], 1), *self.range_db, seed=self.seed_generator)
        gain = ops.power(10.0, -level / 20.0) * ops.sqrt(ops.mean(ops.square(audio), axis=1, keepdims=True))
        return ops.cast(
            audio + gain * keras.random.normal(ops.shape(audio), seed=self.seed_generator), self.compute_dtype
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "range_db": list(self.range_db), "seed": self.seed}


@keras.saving.register_keras_serializable("inversynth")
class MelsOfPicture(keras.layers.Layer):
    """Invert the logarithm of a log-mel spectrogram and transpose it to frames x bands, as vocoders take it.

    Shapes: log(1 + magnitude) (batch, bands, frames, 1) -> magnitudes (batch, frames, bands).
    """

    def call(self, spectrogram: Any) -> Any:
        return log_mel_to_mel(ops.transpose(spectrogram[..., 0], (0, 2, 1)), ops)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[2], input_shape[1])
