"""The Wasserstein autoencoder of notes in its sizes, one row each. Plain data: importing it costs nothing.

`paper` is Esling et al. 2019, arXiv 1904.06215, where that is known: 500 mel bands, 128 frames and a latent of 3. The
layers are those of a student project by the same group, from which the paper's model seems to have developed.
"""

from dataclasses import dataclass

from generators.errors import ModelError, look_up

WAE = "wae"


@dataclass(frozen=True)
class WaePreset:
    """Size of spectrograms and networks, and how they are trained.

    Attributes:
        bands, frames: of a spectrogram. fft_length, hop_length: samples of its analysis.
        encoder: filters of the layers that halve it. dense: units between feature map and latent.
        factor: by which each block of the decoder upscales its feature map. decoder: kernel and filters of them.
        full: kernel and filters of the first layer at full size; None for a decoder whose feature maps run over time
            alone, and whose last layer has the bands as channels. closing: kernel of the last layer.
        latent: width of the latent. embedding: units of the embedding of the conditions.
        epochs, batch_size, learning_rate: of a training.
    """

    bands: int
    frames: int
    fft_length: int
    hop_length: int
    encoder: tuple[int, ...]
    dense: tuple[int, int]
    factor: int
    decoder: tuple[tuple[int, int], ...]
    full: tuple[int, int] | None
    closing: int
    latent: int
    embedding: int
    epochs: int
    batch_size: int
    learning_rate: float

    @property
    def samples(self) -> int:
        """Samples of a note; all frames of its spectrogram lie wholly inside."""
        return self.fft_length + (self.frames - 1) * self.hop_length

    @property
    def start(self) -> tuple[int, ...]:
        """Shape of the first feature map of the decoder: rows, columns and channels; over time, columns and channels.

        With rows, it is the shape of the last feature map of the encoder.
        """
        if self.full is None:
            return -(-self.frames // self.factor ** len(self.decoder)), self.encoder[-1]
        halvings = len(self.encoder)
        return -(-self.bands >> halvings), -(-self.frames >> halvings), self.encoder[-1]


PRESETS: dict[str, WaePreset] = {
    "paper": WaePreset(
        500,
        128,
        2048,
        256,
        (16, 32, 64, 128, 256),
        (1024, 256),
        3,
        ((5, 128), (5, 64), (7, 32)),
        (9, 16),
        7,
        latent=3,
        embedding=128,
        epochs=400,
        batch_size=64,
        learning_rate=5e-4,
    ),
    "tiny": WaePreset(
        128,
        64,
        2048,
        512,
        (8, 16, 32, 64, 64),
        (256, 128),
        2,
        ((5, 128), (5, 128), (5, 128)),
        None,
        3,
        latent=3,
        embedding=64,
        epochs=130,
        batch_size=64,
        learning_rate=2e-3,
    ),
    "smoke": WaePreset(
        20,
        8,
        512,
        64,
        (4, 8),
        (16, 12),
        3,
        ((3, 6),),
        (3, 4),
        3,
        latent=3,
        embedding=8,
        epochs=2,
        batch_size=8,
        learning_rate=1e-3,
    ),
}
"""`tiny` is ours for two cores: a quarter of the bands, half of the frames, and a decoder over time, which
computes matrix products in place of convolutions of few channels; a step takes a third of the time. `smoke`
only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, tuple[int, int]] = {"paper": (18_137_411, 18_629_601), "tiny": (336_867, 525_824)}
"""Weights of encoder and decoder, with 12 styles."""

MULTIPLICATIONS: dict[str, tuple[int, int]] = {"paper": (231_107_328, 8_937_391_232), "tiny": (6_308_224, 11_934_272)}
"""Of encoder and decoder for a note, with 12 styles; a training step takes three times as many."""


def find_preset(name: str) -> WaePreset:
    """Return a preset by its name. Raises ModelError for an unknown one."""
    return look_up("preset", name, PRESETS, ModelError)
