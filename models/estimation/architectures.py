"""The networks of InverSynth as tables (Barkan et al. 2019, arXiv 1812.06349), one row a layer.

Plain data: importing it costs nothing, so `--help` can list every model. The builders that walk these tables are
`models.estimation.spectrogram_cnn`, `models.estimation.e2e_cnn` and `models.estimation.baselines`. All convolutions have same padding; with valid
padding C6 and C6XL could not be built on the paper's 64 x 257 spectrogram.
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

MACROS = "macros"
"""The one that takes patches in place of sounds."""

NEUROSYNTH = "neurosynth"

NEUROSYNTH_PUBLISHED = "neurosynth-published"
"""The two that shape the envelope of a waveform, ours and the one this follows."""

NSYNTH = "nsynth"
"""The WaveNet autoencoder of notes."""

NSYNTH_BASELINE = "nsynth-baseline"
"""What it is measured against: an autoencoder of their spectrograms."""

NOTE_CLASSIFIER = "note-classifier"
"""What both are measured by: it names pitch and family of a note."""

GANSYNTH = "gansynth"
"""The progressive GAN of notes."""

WAE = "wae"
"""The Wasserstein autoencoder of notes, WAE-Fader by default."""

MCNN = "mcnn"
"""What renders their pictures."""

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

PAPER_NAMES: tuple[str, ...] = ("C1", "C2", "C3", "C4", "C5", "C6", "C6XL", E2E, "CE2E_2D", *BASELINES)
"""The networks of the paper, in the order of its tables."""

MODEL_NAMES: tuple[str, ...] = (
    *PAPER_NAMES,
    INVERTER,
    MACROS,
    NEUROSYNTH,
    NEUROSYNTH_PUBLISHED,
    NSYNTH,
    NSYNTH_BASELINE,
    NOTE_CLASSIFIER,
    GANSYNTH,
    WAE,
    MCNN,
)

OTHER_NAMES: dict[str, str] = {
    "CE2E": E2E,
    "ConvE2E": E2E,
    **{f"Conv{row}": f"C{row}" for row in ("1", "2", "3", "4", "5", "6", "6XL")},
}
"""Further spellings, the paper's tables among them. Case, spaces, hyphens and underscores never count."""

PARAMETER_COUNTS: dict[str, int] = {
    "C1": 1_174_978,
    "C2": 1_157_110,
    "C3": 1_156_338,
    "C4": 1_155_494,
    "C5": 1_155_282,
    "C6": 1_155_287,
    "C6XL": 2_279_792,
    E2E: 1_916_696,
    "CE2E_2D": 1_155_287,
    "FC_Linear": 1_190_029,
    "FC1": 1_188_660,
    "FC2": 1_189_115,
    "FC3": 1_189_028,
    "HC": 1_190_029,
    "HC3": 1_189_028,
    INVERTER: 4_536_264,
    MACROS: 40_706,
    NEUROSYNTH: 18_515,
    NEUROSYNTH_PUBLISHED: 12_649,
    NSYNTH: 180_808,
    NSYNTH_BASELINE: 574_349,
    NOTE_CLASSIFIER: 257_044,
    GANSYNTH: 601_365,
    WAE: 931_455,
    MCNN: 466_856,
}
"""Trained weights with the `fm` head of 368 and one second at 16,384 Hz (64 x 257), each near the paper's figure.
Baselines hold the fixed weights of their features besides: 80,705 for FC, 2,178,176 for HC."""

HEADS: dict[str, str] = {"bce": "sigmoid", "categorical": "softmax"}
"""Loss by name, and the head it needs: 368 independent sigmoids, or one softmax for each parameter. The paper trains
the first and reports the second as equal."""


def fold(name: str) -> str:
    """Reduce a name to what counts of it: `FC Linear`, `fc-linear` and `FC_Linear` are one."""
    return "".join(character for character in name.casefold() if character not in " _-")
