"""The networks of InverSynth as tables (Barkan et al. 2019, arXiv 1812.06349), one row for each layer.

Plain data: importing it costs nothing. The builders that read these tables are in `models.estimation`:
`spectrogram_cnn`, `e2e_cnn`, `baselines` and `inverter`. All convolutions have same padding; with valid padding C6 and
C6XL could not be built on the paper's 64 x 257 spectrogram.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Convolution(NamedTuple):
    """C(F, K1, K2, S1, S2) of the paper: filters, kernel and strides, over time and frequency."""

    filters: int
    time_kernel: int
    frequency_kernel: int
    time_stride: int
    frequency_stride: int


class WaveConvolution(NamedTuple):
    """A row over raw audio: filters, kernel and stride along time."""

    filters: int
    kernel: int
    stride: int


class Dense(NamedTuple):
    """A fully connected row: units, and the fraction dropped behind it while training."""

    units: int
    dropout: float = 0.0


@dataclass(frozen=True)
class View:
    """A log spectrogram and the rows that read it. `to_top`: only its lower bins are looked at."""

    fft_length: int
    hop_length: int
    rows: tuple[Convolution, ...]
    to_top: bool = False


@dataclass(frozen=True)
class Baseline:
    """A network without convolutions: which 1000 numbers it sees, and its rows before the head."""

    features: str
    rows: tuple[Dense, ...]
    activation: str = "relu"


DENSE_UNITS = 512
"""Width of the one hidden layer between convolutions and head, in every convolutional model."""

BASELINE_INPUTS = 1000
"""How many numbers a baseline sees of a sound: centroids of its histogram, or principal components."""

_C6 = (
    Convolution(32, 3, 3, 2, 2),
    Convolution(71, 3, 3, 2, 2),
    Convolution(128, 3, 4, 2, 3),
    Convolution(128, 3, 3, 2, 2),
    Convolution(128, 3, 3, 2, 2),
    Convolution(128, 3, 3, 1, 2),
)

SPECTROGRAM_CNNS: dict[str, tuple[Convolution, ...]] = {
    "C1": (Convolution(38, 13, 26, 13, 26),),
    "C2": (Convolution(35, 6, 7, 5, 6), Convolution(87, 6, 9, 5, 8)),
    "C3": (Convolution(32, 4, 5, 3, 4), Convolution(98, 4, 6, 3, 5), Convolution(128, 4, 6, 3, 5)),
    "C4": (
        Convolution(32, 3, 4, 2, 3),
        Convolution(65, 3, 4, 2, 3),
        Convolution(105, 3, 4, 2, 3),
        Convolution(128, 4, 5, 3, 4),
    ),
    "C5": (
        Convolution(32, 3, 3, 2, 2),
        Convolution(98, 3, 3, 2, 2),
        Convolution(128, 3, 4, 2, 3),
        Convolution(128, 3, 5, 2, 4),
        Convolution(128, 3, 3, 2, 2),
    ),
    "C6": _C6,
    "C6XL": (
        Convolution(64, 3, 3, 2, 2),
        Convolution(128, 3, 3, 2, 2),
        Convolution(128, 3, 4, 2, 3),
        Convolution(128, 3, 3, 2, 2),
        Convolution(256, 3, 3, 2, 2),
        Convolution(256, 3, 3, 1, 2),
    ),
    "CE2E_2D": _C6,
}
"""Rows over time x frequency. CE2E_2D is the half of CE2E behind its learned filter bank, fed with the spectrogram."""

WAVE_FRONT: tuple[WaveConvolution, ...] = (
    WaveConvolution(96, 64, 4),
    WaveConvolution(96, 32, 4),
    WaveConvolution(128, 16, 4),
    WaveConvolution(257, 8, 4),
)
"""The learned filter bank of CE2E: strides 4 x 4 x 4 x 4 = the hop of 256 samples, 257 filters = the bins of a
spectrogram. The six rows of C6 follow."""

BASELINES: dict[str, Baseline] = {
    "FC_Linear": Baseline("bag_of_frames", (Dense(869, 0.2),), "linear"),
    "FC1": Baseline("bag_of_frames", (Dense(868, 0.3),)),
    "FC2": Baseline("bag_of_frames", (Dense(603, 0.1), Dense(602, 0.3))),
    "FC3": Baseline("bag_of_frames", (Dense(560), Dense(500, 0.2), Dense(400, 0.4))),
    "HC": Baseline("hand_crafted", (Dense(869, 0.2),), "linear"),
    "HC3": Baseline("hand_crafted", (Dense(560), Dense(500, 0.2), Dense(400, 0.4))),
}

E2E = "e2e"

INVERTER = "inverter"

INVERTER_VIEWS: dict[str, View] = {
    "short": View(
        512,
        256,
        (
            Convolution(32, 5, 5, 2, 2),
            Convolution(48, 3, 3, 2, 2),
            Convolution(64, 3, 3, 2, 2),
            Convolution(96, 3, 3, 1, 2),
            Convolution(32, 1, 1, 1, 1),
        ),
    ),
    "long": View(
        2048,
        512,
        (
            Convolution(24, 3, 5, 2, 3),
            Convolution(48, 3, 5, 2, 3),
            Convolution(64, 3, 3, 1, 2),
            Convolution(96, 3, 3, 2, 2),
            Convolution(32, 1, 1, 1, 1),
        ),
        to_top=True,
    ),
}
"""Log spectrograms that the inverter reads, and how."""

INVERTER_WAVE: tuple[WaveConvolution, ...] = (
    WaveConvolution(32, 16, 4),
    WaveConvolution(64, 8, 2),
    WaveConvolution(64, 8, 2),
    WaveConvolution(64, 8, 2),
    WaveConvolution(16, 1, 1),
)
"""Rows over the envelope of the waveform, one value for each 16 samples."""
