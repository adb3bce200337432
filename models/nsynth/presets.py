"""The WaveNet autoencoder in its sizes, one row each. Plain data: importing it costs nothing."""

from dataclasses import dataclass

from generators.errors import ModelError, look_up

FILTER = 3
"""Length of every convolution that looks beyond its own sample (published)."""

PITCHES = 128
"""MIDI notes, where a pitch is among the conditions."""


@dataclass(frozen=True)
class Size:
    """How large encoder and decoder are, and how they were meant to be trained.

    Attributes:
        encoder_width, encoder_layers: channels and dilated convolutions of the encoder.
        code: numbers in a code. hop: samples that one code stands for.
        width, skip, layers: channels of the decoder's residual and skip paths, and its dilated convolutions.
        cycle: dilations are 1, 2, 4, … and begin anew after so many layers.
        crop, batch_size, steps, learning_rate, jitter: samples of a training example, examples of a step, steps of a
            whole training, the rate at its beginning, and classes by which samples are shown wrong.
    """

    encoder_width: int
    encoder_layers: int
    code: int
    width: int
    skip: int
    layers: int
    cycle: int
    hop: int = 512
    crop: int = 6144
    batch_size: int = 32
    steps: int = 200_000
    learning_rate: float = 2e-4
    jitter: float = 0.0

    @property
    def encoder_dilations(self) -> tuple[int, ...]:
        return tuple(1 << (number % self.cycle) for number in range(self.encoder_layers))

    @property
    def dilations(self) -> tuple[int, ...]:
        return tuple(1 << (number % self.cycle) for number in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """How many samples before it a prediction of the decoder sees."""
        return 1 + (FILTER - 1) * (1 + sum(self.dilations))

    @property
    def encoder_reach(self) -> int:
        """How many samples to either side the encoder sees, before it takes the mean over a hop."""
        return (1 + sum(self.encoder_dilations)) * (FILTER - 1) // 2

    def decoder_macs(self, codes: bool = True) -> int:
        """Count multiplications for one sample of the decoder; `codes`: with those for the conditions, at every one."""
        per_layer = FILTER * self.width * 2 * self.width + self.width * (self.width + self.skip)
        start = FILTER * self.width + self.width * self.skip
        end = self.skip * self.skip + self.skip * 256
        conditions = self.code * (self.layers * 2 * self.width + self.skip) if codes else 0
        return start + self.layers * per_layer + end + conditions


SIZES: dict[str, Size] = {
    "full": Size(128, 30, 16, 512, 256, 30, 10),
    "medium": Size(32, 10, 16, 64, 64, 20, 10, crop=4096, batch_size=4, steps=4_000, learning_rate=5e-4),
    "tiny": Size(16, 9, 8, 32, 32, 18, 9, crop=2048, batch_size=8, steps=8_000, learning_rate=3e-3, jitter=4.0),
    "smoke": Size(8, 4, 4, 8, 8, 4, 4, hop=16, crop=64, batch_size=4, steps=20, learning_rate=1e-3),
}
"""`full` is that of the paper, `medium` and `tiny` are ours for two cores, `smoke` only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, int] = {"full": 61_804_048, "medium": 772_560, "tiny": 180_808}


def find_size(name: str) -> Size:
    """Return a size by its name. Raises ModelError for an unknown one."""
    return look_up("preset", name, SIZES, ModelError)
