"""MCNN in its sizes, one row each. Plain data: importing it costs nothing."""

from dataclasses import dataclass

from generators.errors import ModelError, look_up


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Attributes:
        heads: stacks of transposed convolutions. filters: of each convolution in a head, the last is 1.
        width, stride: of every convolution. front: units of a layer that all heads share and that sees one frame
            alone; 0 for none. biased: False leaves biases out: silence in is then silence out, whatever is learned.
    """

    heads: int
    filters: tuple[int, ...]
    width: int = 13
    stride: int = 2
    front: int = 0
    biased: bool = True

    @property
    def hop_length(self) -> int:
        """Samples made of one frame."""
        return int(self.stride ** len(self.filters))


SIZES: dict[str, Size] = {
    "paper": Size(8, (128, 64, 32, 16, 8, 4, 2, 1)),
    "small": Size(8, (32, 16, 16, 8, 8, 4, 2, 1), front=128, biased=False),
    "smoke": Size(2, (4, 1), 5, 4, front=6),
}
"""`paper` is the published one; `small` is ours, for real time on one core and a package of a few megabytes; `smoke`
only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, int] = {"paper": 7_793_938, "small": 594_202}
"""Weights over 500 mel bands."""


def find_size(name: str) -> Size:
    """Return a size by its name. Raises ModelError for an unknown one."""
    return look_up("size", name, SIZES, ModelError)
