"""MCNN in its sizes, one row each. Plain data: importing it costs nothing."""

import math
from dataclasses import dataclass

from generators.errors import ModelError, look_up


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Attributes:
        heads: stacks of transposed convolutions. filters: of each convolution in a head, the last is 1.
        width: of every convolution. stride: of every one, or of each.
        front: units of a layer that all heads share and that sees one frame alone; 0 for none. noisy: as many again,
            whose signs turn over from frame to frame. biased: False leaves biases out: silence in is then silence out,
            whatever is learned.
        partials: sines of the harmonic head, which needs to be told the note; 0 for none. units: of each layer of the
            network that steers it. bend: that of the softsign to start from; the published 2 bends a peak of 1 to 1/3.
    """

    heads: int
    filters: tuple[int, ...]
    width: int = 13
    stride: int | tuple[int, ...] = 2
    front: int = 0
    noisy: bool = False
    biased: bool = True
    partials: int = 0
    units: int = 0
    bend: float = 2.0

    @property
    def hop_length(self) -> int:
        """Samples made of one frame."""
        return int(self.stride ** len(self.filters)) if isinstance(self.stride, int) else math.prod(self.stride)


SIZES: dict[str, Size] = {
    "paper": Size(8, (128, 64, 32, 16, 8, 4, 2, 1)),
    "small": Size(
        *(4, (32, 16, 8, 1)), stride=(4, 4, 4, 4), front=64, noisy=True, biased=False, partials=96, units=96, bend=0.1
    ),
    "tiny": Size(
        *(4, (32, 16, 8, 1)), stride=(8, 4, 4, 4), front=64, noisy=True, biased=False, partials=96, units=96, bend=0.1
    ),
    "smoke": Size(2, (4, 1), 9, 8, front=6, noisy=True, biased=False, partials=12, units=6, bend=0.1),
}
"""`paper` is the published one. The others are ours, and have a harmonic head: `small` hears the notes that `paper`
does, `tiny` those of the autoencoder of that name in half as many frames; `smoke` only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, int] = {"paper": 7_793_938, "small": 693_032, "tiny": 466_856}
"""Weights, over 500 mel bands, and over 128 for `tiny`."""


def find_size(name: str) -> Size:
    """Return a size by its name. Raises ModelError for an unknown one."""
    return look_up("size", name, SIZES, ModelError)
