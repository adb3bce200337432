"""Progressive growth of GANSynth: stages at a stable resolution, and transitions to the next.

Everything counts images. Stage 2k is stable with k + 1 blocks, stage 2k + 1 fades the next block in.
Source: Engel et al. 2019, arXiv 1902.08710, and its code.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from generators.errors import ModelError


@dataclass(frozen=True)
class GrowthStage:
    """A part of the training in which the networks have one shape.

    Attributes: number from 0; blocks of the networks; first image, and end, the one after its last.
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
    """All stages of a training.

    Attributes: blocks of the final networks; images of a stable stage and of a transition; total, of which the last
    stage takes the rest. `progressive`: if not, there is one stage, with all blocks.
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
        """Return the progress of the fade-in after so many images, from 0 to blocks - 1."""
        if not self.progressive:
            return float(self.blocks - 1)
        image = min(image, self.blocks * self.stable + (self.blocks - 1) * self.transition - 1)
        passed, rest = divmod(image, self.stable + self.transition)
        return passed + max(0.0, (rest - self.stable) / self.transition)


def blocks_of(stage: int) -> int:
    """Return the number of blocks in a stage."""
    return (stage + 1) // 2 + 1
