"""GANSynth in its sizes, one row each. Plain data: importing it costs nothing."""

from dataclasses import dataclass

from generators.errors import ModelError, look_up

CHANNELS = 2
"""Of a picture: magnitude and phase."""


@dataclass(frozen=True)
class Size:
    """How large pictures and networks are.

    Attributes:
        start: frames and bins of the first block's picture; each further one doubles both. blocks: how many.
        base, most: block b has min(base / 2^b, most) filters. latent: numbers that stand for a timbre.
        pitches: how many there are to choose from. pitch_gain: by which the one that says which pitch is multiplied.
            The published 1 lets it count for a 257th of what the generator is given.
        group: how many pictures of one note the critic compares; the published 0 compares all of a batch.
    """

    start: tuple[int, int]
    blocks: int
    base: int
    most: int
    latent: int
    pitches: int
    pitch_gain: float = 1.0
    group: int = 0

    def width(self, block: int) -> int:
        """Return the filters of a block, counted from 1; 0 is the vector behind the critic's last convolution."""
        return min(self.base >> block, self.most)

    def resolution(self, block: int) -> tuple[int, int]:
        """Return frames and bins of a block's picture."""
        return self.start[0] << (block - 1), self.start[1] << (block - 1)


SIZES: dict[str, Size] = {
    "release": Size((2, 16), 7, 4096, 256, 256, 61),
    "release-low": Size((4, 8), 7, 4096, 256, 256, 61),
    "tiny": Size((2, 8), 6, 512, 64, 64, 24, 8.0),
    "smoke": Size((2, 8), 3, 64, 16, 8, 3),
}
"""`release` is that of the published weights and `release-low` its half in frequency; `tiny` is ours for two cores,
`smoke` only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, tuple[int, int]] = {
    "release": (7_311_246, 6_831_230),
    "release-low": (7_311_246, 6_831_230),
    "tiny": (311_724, 289_641),
}
"""Weights of generator and critic, with what makes and sees pictures at all resolutions."""


def find_size(name: str) -> Size:
    """Return a size by its name. Raises ModelError for an unknown one."""
    return look_up("preset", name, SIZES, ModelError)
