"""How GANSynth is trained in each of its sizes, one row each. Plain data: importing it costs nothing."""

from dataclasses import dataclass

from models.gansynth.schedule import SCHEDULES, Growth
from models.gansynth.sizes import SIZES


@dataclass(frozen=True)
class Preset:
    """What the settings of a training follow where they are not set.

    Attributes: growth; epoch_images between two checkpoints; single_images: all there are without growing.
    """

    growth: Growth
    epoch_images: int
    single_images: int
    latent: int
    batch_size: int
    learning_rate: float

    @property
    def epochs(self) -> int:
        return self.growth.total // self.epoch_images


PRESETS: dict[str, Preset] = {
    name: Preset(SCHEDULES[name], images, single, SIZES[name].latent, batch_size, rate)
    for name, images, single, batch_size, rate in (
        ("release", 8_000, 4_000_000, 8, 8e-4),
        ("release-low", 8_000, 4_000_000, 8, 8e-4),
        ("tiny", 2_000, 64_000, 8, 3e-3),
        ("smoke", 32, 64, 4, 8e-4),
    )
}
"""By size; `release` as published. The rate of `tiny` is higher: weights are drawn from N(0, 1), and a step moves one
by no more than the rate, so that 8e-4 takes a thousand steps to change one by its own size."""
