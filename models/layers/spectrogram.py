"""The first layer of every spectrogram model: the log spectrogram of audio."""

from typing import Any

import keras

from generators.analysis.spectrogram import (
    FFT_LENGTH,
    HOP_LENGTH,
    bin_count,
    check_window,
    frame_count,
    log_spectrogram,
)

CENTRE_DB = -10.0
HALF_RANGE_DB = 50.0
"""-60 dB (the floor) becomes -1 and 40 dB becomes 1; a full-scale sine, at 42 dB, reaches 1.04."""


@keras.saving.register_keras_serializable("inversynth")
class LogSpectrogram(keras.layers.Layer):
    """Log-magnitude spectrogram, scaled to roughly -1..1, with one channel.

    Always computed in float32: half precision would lose the quiet bins.

    Shapes: (batch, samples) -> (batch, frames, bins, 1), or (batch, 1, frames, bins) with channels_first.
    """

    def __init__(
        self,
        fft_length: int = FFT_LENGTH,
        hop_length: int = HOP_LENGTH,
        data_format: str = "channels_last",
        **options: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **options})
        check_window(fft_length, hop_length)
        self.fft_length = fft_length
        self.hop_length = hop_length
        self.data_format = data_format

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def call(self, audio: Any) -> Any:
        audio = keras.ops.cast(audio, "float32")
        decibels = log_spectrogram(audio, self.fft_length, self.hop_length, keras.ops)
        scaled = (decibels - CENTRE_DB) / HALF_RANGE_DB
        return keras.ops.cast(keras.ops.expand_dims(scaled, self._channel_axis), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        frames = None if input_shape[-1] is None else frame_count(input_shape[-1], self.hop_length)
        spectrogram = (frames, bin_count(self.fft_length))
        channels_first = self.data_format == "channels_first"
        return (input_shape[0], 1, *spectrogram) if channels_first else (input_shape[0], *spectrogram, 1)

    def get_config(self) -> dict[str, Any]:
        own = {"fft_length": self.fft_length, "hop_length": self.hop_length, "data_format": self.data_format}
        return {**super().get_config(), **own}
