"""MCNN in its sizes, and how each is trained, one row each. Plain data: importing it costs nothing."""

import math
from dataclasses import dataclass

from generators.analysis.mel import MelAnalysis
from generators.errors import ModelError, look_up

MCNN = "mcnn"


@dataclass(frozen=True)
class McnnSize:
    """Size of a network.

    Attributes:
        heads: stacks of transposed convolutions. filters: of each convolution in a head, the last is 1.
        width: kernel of every convolution. stride: of every one, or of each.
        front: units of a layer shared by all heads that sees one frame alone; 0 for none. noisy: as many again, whose
            signs alternate from frame to frame. biased: False leaves biases out, so that silence in gives silence out
            whatever the weights.
        partials: sines of the harmonic head, which needs the note as input; 0 for none. units: of each layer of the
            network that controls it. bend: initial bend of the softsign; the published 2 compresses a peak of 1 to 1/3.
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


SIZES: dict[str, McnnSize] = {
    "paper": McnnSize(8, (128, 64, 32, 16, 8, 4, 2, 1)),
    "small": McnnSize(
        *(4, (32, 16, 8, 1)), stride=(4, 4, 4, 4), front=64, noisy=True, biased=False, partials=96, units=96, bend=0.1
    ),
    "tiny": McnnSize(
        *(4, (32, 16, 8, 1)), stride=(8, 4, 4, 4), front=64, noisy=True, biased=False, partials=96, units=96, bend=0.1
    ),
    "smoke": McnnSize(2, (4, 1), 9, 8, front=6, noisy=True, biased=False, partials=12, units=6, bend=0.1),
}
"""`paper` is the published one. The others are ours and have a harmonic head: `small` renders the notes that `paper`
does, `tiny` those of the autoencoder of that name in half as many frames; `smoke` only shows that all parts fit."""

PARAMETER_COUNTS: dict[str, int] = {"paper": 7_793_938, "small": 693_032, "tiny": 466_856}
"""Weights, over 500 mel bands, and over 128 for `tiny`."""


def find_size(name: str) -> McnnSize:
    """Return the size of a preset by its name. Raises ModelError for an unknown one."""
    return look_up("size", name, SIZES, ModelError)


@dataclass(frozen=True)
class McnnPreset:
    """What the settings of a training follow where they are not set.

    Attributes:
        size: of the network, which sets the hop. bands, frames: of the mel magnitudes of a note. fft_length: samples of
            a window.
        segment: frames of a training example, 0 for whole notes. batch_size, epochs, learning_rate: of the training.
        convergence, log_magnitude, frequency, phase: weights of the loss terms.
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
        """Return how notes are analysed into mel magnitudes."""
        samples = self.fft_length + (self.frames - 1) * self.hop_length
        return MelAnalysis(sample_rate, samples, self.fft_length, self.hop_length, self.bands)


PRESETS: dict[str, McnnPreset] = {
    preset.size: preset
    for preset in (
        McnnPreset("paper", 500, 128, 2048, 64, 32, 400, 5e-4, 1.0, 6.0, 10.0, 1.0),
        McnnPreset("small", 500, 128, 2048, 0, 8, 12, 2e-3),
        McnnPreset("tiny", 128, 64, 2048, 0, 8, 12, 2e-3),
        McnnPreset("smoke", 20, 8, 512, 0, 4, 2, 2e-3),
    )
}
"""Notes are those of `models.wae.presets`, `small` those of its `paper`. A bank of sines can match frequencies but not
phases, so the terms on frequency and phase have no weight beside it; and on notes that fade away the distance of
logarithms is mostly about what is near silence, so it does not have the weight of six that is recalled of the paper."""


def find_preset(name: str) -> McnnPreset:
    """Return a preset by its name. Raises ModelError for an unknown one."""
    return look_up("size", name, PRESETS, ModelError)
