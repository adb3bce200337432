"""GANSynth in its sizes, and how each is trained, one row each. Plain data: importing it costs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generators.errors import ModelError, look_up
from models.gansynth.schedule import Growth

GANSYNTH = "gansynth"

CHANNELS = 2
"""Of a spectrogram: magnitude and phase."""


@dataclass(frozen=True)
class GanSynthSize:
    """Size of spectrograms and networks.

    Attributes:
        start: frames and bins at the resolution of the first block; each further block doubles both. blocks: how many.
        base, most: block b has min(base / 2^b, most) filters. latent: width of the latent.
        pitches: classes of the pitch. pitch_gain: factor on the one-hot pitch. At the published 1 it makes up one part
            in 257 of the generator's input.
        minibatch_std_group: spectrograms of one note over which the critic takes the standard deviation; the published
            0 takes it over the whole batch.
    """

    start: tuple[int, int]
    blocks: int
    base: int
    most: int
    latent: int
    pitches: int
    pitch_gain: float = 1.0
    minibatch_std_group: int = 0

    def width(self, block: int) -> int:
        """Return the filters of a block, counted from 1; 0 is the vector after the critic's last convolution."""
        return min(self.base >> block, self.most)

    def resolution(self, block: int) -> tuple[int, int]:
        """Return frames and bins of a block's spectrogram."""
        return self.start[0] << (block - 1), self.start[1] << (block - 1)


SIZES: dict[str, GanSynthSize] = {
    "release": GanSynthSize((2, 16), 7, 4096, 256, 256, 61),
    "release-low": GanSynthSize((4, 8), 7, 4096, 256, 256, 61),
    "tiny": GanSynthSize((2, 8), 6, 512, 64, 64, 24, 8.0),
    "smoke": GanSynthSize((2, 8), 3, 64, 16, 8, 3),
}
"""`release` is that of the published weights and `release-low` its half in frequency; `tiny` is ours for two cores,
`smoke` only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, tuple[int, int]] = {
    "release": (7_311_246, 6_831_230),
    "release-low": (7_311_246, 6_831_230),
    "tiny": (311_724, 289_641),
}
"""Weights of generator and critic, including the layers that write and read spectrograms at every resolution."""


@dataclass(frozen=True)
class GanSynthPreset:
    """What the settings of a training follow where they are not set.

    Attributes: growth; epoch_images, images between two checkpoints; single_images, the total without growth.
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


SCHEDULES: dict[str, Growth] = {
    "release": Growth(7, 800_000, 800_000, 11_000_000),
    "release-low": Growth(7, 800_000, 800_000, 11_000_000),
    "tiny": Growth(6, 8_000, 8_000, 120_000),
    "smoke": Growth(3, 32, 32, 320),
}
"""By size; `release` is that of the published weights."""

PRESETS: dict[str, GanSynthPreset] = {
    name: GanSynthPreset(SCHEDULES[name], images, single, SIZES[name].latent, batch_size, rate)
    for name, images, single, batch_size, rate in (
        ("release", 8_000, 4_000_000, 8, 8e-4),
        ("release-low", 8_000, 4_000_000, 8, 8e-4),
        ("tiny", 2_000, 64_000, 8, 3e-3),
        ("smoke", 32, 64, 4, 8e-4),
    )
}
"""By size; `release` as published. The rate of `tiny` is higher: weights are drawn from N(0, 1), and a step changes one
by no more than the rate, so that 8e-4 takes a thousand steps to change one by its own size."""


def find_size(name: str) -> GanSynthSize:
    """Return the size of a preset by its name. Raises ModelError for an unknown one."""
    return look_up("preset", name, SIZES, ModelError)


def growth_of(options: Mapping[str, Any]) -> Growth:
    """Return the growth that the options of a training, or the card of its model, describe."""
    return Growth(
        find_size(str(options["size"])).blocks,
        int(options["stable_images"]),
        int(options["transition_images"]),
        int(options["total_images"]),
        bool(options["progressive"]),
    )
