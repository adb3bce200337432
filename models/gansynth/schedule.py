"""How GANSynth grows: stages that are stable at one resolution, and stages that pass to the next.

Everything counts images. GrowthStage 2k is stable with k + 1 blocks, stage 2k + 1 fades the next block in.
Source: Engel et al. 2019, arXiv 1902.08710, and its code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from generators.errors import ModelError
from models.gansynth.sizes import find_size


@dataclass(frozen=True)
class GrowthStage:
    """A part of the training in which the networks have one shape.

    Attributes: number from 0; blocks that are there; first image, and the one behind its last.
    """

    number: int
    blocks: int
    first: int
    end: int

    @property
    def images(self) -> int:
        return self.end - self.first

    @property
    def stable(self) -> bool:
        return self.number % 2 == 0


@dataclass(frozen=True)
class Growth:
    """The whole course.

    Attributes: blocks of the final networks; images of a stable stage and of a transition; total, of which the last
    stage takes what is left. `progressive`: otherwise there is one stage, of all blocks.
    Raises: ModelError where the total leaves nothing for the last stage.
    """

    blocks: int
    stable: int
    transition: int
    total: int
    progressive: bool = True

    def __post_init__(self) -> None:
        if self.blocks < 1 or self.stable < 1 or self.transition < 1:
            raise ModelError(
                "stages need a block, and an image each. Received: "
                f"{self.blocks} blocks, {self.stable} and {self.transition} images"
            )
        least = (self.blocks - 1) * (self.stable + self.transition) + 1 if self.progressive else 1
        if self.total < least:
            raise ModelError(
                f"growing to {self.blocks} blocks takes {least:,} images at least. Received: a total of {self.total:,}"
            )

    def stages(self) -> Iterator[GrowthStage]:
        """Yield all stages in order."""
        if not self.progressive:
            yield GrowthStage(2 * (self.blocks - 1), self.blocks, 0, self.total)
            return
        first, last = 0, 2 * (self.blocks - 1)
        for number in range(last + 1):
            end = (number // 2 + 1) * self.stable + (number + 1) // 2 * self.transition
            end = self.total if number == last else end
            yield GrowthStage(number, blocks_of(number), first, end)
            first = end

    def progress(self, image: int) -> float:
        """Return how far the blending has come when so many images have been seen, from 0 to blocks - 1."""
        if not self.progressive:
            return float(self.blocks - 1)
        image = min(image, self.blocks * self.stable + (self.blocks - 1) * self.transition - 1)
        passed, rest = divmod(image, self.stable + self.transition)
        return passed + max(0.0, (rest - self.stable) / self.transition)


SCHEDULES: dict[str, Growth] = {
    "release": Growth(7, 800_000, 800_000, 11_000_000),
    "release-low": Growth(7, 800_000, 800_000, 11_000_000),
    "tiny": Growth(6, 8_000, 8_000, 120_000),
    "smoke": Growth(3, 32, 32, 320),
}
"""By size; `release` is that of the published weights."""


def blocks_of(stage: int) -> int:
    """Return how many blocks networks have in a stage."""
    return (stage + 1) // 2 + 1


def growth_of(options: Mapping[str, Any]) -> Growth:
    """Return the course that the options of a training, or the card of its model, describe."""
    return Growth(
        find_size(str(options["size"])).blocks,
        int(options["stable_images"]),
        int(options["transition_images"]),
        int(options["total_images"]),
        bool(options["progressive"]),
    )
