"""The Wasserstein autoencoder of notes in its sizes, one row each. Plain data: importing it costs nothing.

`paper` is Esling et al. 2019, arXiv 1904.06215, where that is known: 500 mel bands, 128 frames and a latent of 3. The
layers are those of a student project by the same group, which the paper's model seems to have grown out of.
"""

from dataclasses import dataclass

from generators.errors import ModelError, look_up


@dataclass(frozen=True)
class Size:
    """How large pictures and networks are, and how they are trained.

    Attributes:
        bands, frames: of a picture. fft_length, hop_length: samples of its analysis.
        encoder: filters of the layers that halve it. dense: units between map and latent.
        factor: by which each block of the decoder enlarges its map. decoder: kernel and filters of these blocks.
        full: kernel and filters of the layer that is the first at full size; None for a decoder whose maps run over
            time alone, and in which bands are the channels of the last layer. closing: kernel of that.
        latent: numbers that stand for a note. embedding: units that the labels are turned into.
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
        """Of the note that a picture shows; its frames lie wholly inside."""
        return self.fft_length + (self.frames - 1) * self.hop_length

    @property
    def start(self) -> tuple[int, ...]:
        """Rows, columns and channels of the map that the decoder begins with; for maps over time columns and channels.

        Where there are rows, it is the map in which the encoder ends.
        """
        if self.full is None:
            return -(-self.frames // self.factor ** len(self.decoder)), self.encoder[-1]
        halvings = len(self.encoder)
        return -(-self.bands >> halvings), -(-self.frames >> halvings), self.encoder[-1]


SIZES: dict[str, Size] = {
    "paper": Size(
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
    "tiny": Size(
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
    "smoke": Size(
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
"""`tiny` is ours for two cores: a quarter of the bands, half of the frames, and a decoder over time, which makes matrix
products of what would be convolutions of few channels; a step takes a third of the time. `smoke` only shows that all
parts fit."""

PARAMETER_COUNTS: dict[str, tuple[int, int]] = {"paper": (18_137_411, 18_629_601), "tiny": (336_867, 525_824)}
"""Weights of encoder and decoder, with 12 styles."""

MULTIPLICATIONS: dict[str, tuple[int, int]] = {"paper": (231_107_328, 8_937_391_232), "tiny": (6_308_224, 11_934_272)}
"""That encoder and decoder take for a note, with 12 styles; a step of training takes three times as many."""


def find_size(name: str) -> Size:
    """Return a size by its name. Raises ModelError for an unknown one."""
    return look_up("preset", name, SIZES, ModelError)
