"""What MCNN is trained on and how, in each of its sizes, one row each. Plain data: importing it costs nothing."""

from dataclasses import dataclass

from generators.analysis.mel import MelAnalysis
from generators.errors import ModelError, look_up
from models.mcnn.sizes import find_size


@dataclass(frozen=True)
class Preset:
    """What the settings of a training follow where they are not set.

    Attributes:
        size: of the network, whose hop it is. bands, frames: of a note's mels. fft_length: samples of a window.
        segment: frames of a training example, 0 for whole notes. batch_size, epochs, learning_rate: of the training.
        convergence, log_magnitude, frequency, phase: what the terms of the loss count for.
    """

    size: str
    bands: int
    frames: int
    fft_length: int
    segment: int
    batch_size: int
    epochs: int
    learning_rate: float
    convergence: float = 1.0
    log_magnitude: float = 1.0
    frequency: float = 0.0
    phase: float = 0.0

    @property
    def hop_length(self) -> int:
        return find_size(self.size).hop_length

    def analysis(self, sample_rate: int) -> MelAnalysis:
        """Return how notes become what the network hears."""
        samples = self.fft_length + (self.frames - 1) * self.hop_length
        return MelAnalysis(sample_rate, samples, self.fft_length, self.hop_length, self.bands)


PRESETS: dict[str, Preset] = {
    preset.size: preset
    for preset in (
        Preset("paper", 500, 128, 2048, 64, 32, 400, 5e-4, 1.0, 6.0, 10.0, 1.0),
        Preset("small", 500, 128, 2048, 0, 8, 12, 2e-3),
        Preset("tiny", 128, 64, 2048, 0, 8, 12, 2e-3),
        Preset("smoke", 20, 8, 512, 0, 4, 2, 2e-3),
    )
}
"""Notes are those of `models.wae.presets`, `small` those of its `paper`. A bank of sines can know frequencies and not
phases, so the terms that hear these count for nothing beside it; and of notes that fade away the distance of logarithms
is mostly about what lies near silence, so it does not count six times, as recalled of the paper."""


def find_preset(name: str) -> Preset:
    """Return a preset by the name of its size. Raises ModelError for an unknown one."""
    return look_up("size", name, PRESETS, ModelError)
