"""The WaveNet autoencoder: its sizes and their training, one row each. Plain data: importing it costs nothing."""

from dataclasses import dataclass

from generators.errors import ModelError, look_up

NSYNTH = "nsynth"
"""The WaveNet autoencoder."""

NSYNTH_BASELINE = "nsynth-baseline"
"""The spectral autoencoder that it is compared with."""

FILTER = 3
"""Kernel of every convolution over time (published)."""

PITCHES = 128
"""MIDI notes, where pitch is among the conditions."""

SINES = (1, 2, 3, 4, 6, 8, 12, 16)
"""Multiples of the note's frequency, where sines are among the conditions: together they tell the place in a period."""

SINE_TEMPERATURE = 0.1
"""By default, of a decoder that is conditioned on sines. They keep it to its period, where others fall silent or drone
at a temperature below 1, and what is drawn then has less noise; found on validation notes."""


@dataclass(frozen=True)
class NSynthPreset:
    """Size of encoder and decoder, and how they are trained.

    Attributes:
        encoder_width, encoder_layers: channels and dilated convolutions of the encoder.
        code: width of a code. hop: samples per code.
        width, skip, layers: channels of the decoder's residual and skip paths, and its dilated convolutions.
        cycle: dilations are 1, 2, 4, … and start again after so many layers.
        crop, batch_size, steps, learning_rate, jitter: samples of a training example, examples of a step, steps of a
            whole training, the initial learning rate, and the noise on the inputs of training, in classes.
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
        """Samples that a prediction of the decoder depends on."""
        return 1 + (FILTER - 1) * (1 + sum(self.dilations))

    @property
    def encoder_reach(self) -> int:
        """Samples to either side that the encoder depends on, before it averages over a hop."""
        return (1 + sum(self.encoder_dilations)) * (FILTER - 1) // 2

    def decoder_macs(self, codes: bool = True) -> int:
        """Count the multiplications per sample of the decoder; `codes`: including the conditions at every sample."""
        per_layer = FILTER * self.width * 2 * self.width + self.width * (self.width + self.skip)
        start = FILTER * self.width + self.width * self.skip
        end = self.skip * self.skip + self.skip * 256
        conditions = self.code * (self.layers * 2 * self.width + self.skip) if codes else 0
        return start + self.layers * per_layer + end + conditions


PRESETS: dict[str, NSynthPreset] = {
    "full": NSynthPreset(128, 30, 16, 512, 256, 30, 10),
    "medium": NSynthPreset(32, 10, 16, 64, 64, 20, 10, crop=4096, batch_size=4, steps=4_000, learning_rate=5e-4),
    "tiny": NSynthPreset(16, 9, 8, 32, 32, 18, 9, crop=2048, batch_size=8, steps=8_000, learning_rate=3e-3, jitter=4.0),
    "shallow": NSynthPreset(
        16, 9, 16, 32, 32, 10, 10, crop=2048, batch_size=8, steps=5_000, learning_rate=3e-3, jitter=6.0
    ),
    "smoke": NSynthPreset(8, 4, 4, 8, 8, 4, 4, hop=16, crop=64, batch_size=4, steps=20, learning_rate=1e-3),
}
"""`full` is that of the paper; `medium` and `tiny` are ours for two cores; `shallow` is for a decoder that is given its
period by sines; `smoke` only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, int] = {"full": 61_804_048, "medium": 772_560, "tiny": 180_808, "shallow": 115_152}


def find_preset(name: str) -> NSynthPreset:
    """Return a preset by its name. Raises ModelError for an unknown one."""
    return look_up("preset", name, PRESETS, ModelError)
