"""The systems of this toolkit, what each does, the paper it follows, the command that runs it and how far it is; and
the presets at which `inversynth inspect` builds a model.

Plain data, importable at once: `inversynth list`, the README and the tests read it.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class System:
    """One system. `command` is typed as it stands; `planned` systems have none yet."""

    name: str
    summary: str
    paper: str
    command: str
    status: Literal["works", "planned"]


SYSTEMS: dict[str, System] = {
    system.name: system
    for system in (
        System(
            "InverSynth",
            "a sound -> the settings of an FM synthesizer, by networks and a search",
            "Barkan et al. 2019, arXiv 1812.06349",
            "inversynth invert SOUND",
            "works",
        ),
        System(
            "NeuroSynth",
            "a GAN that learns to apply an amplitude envelope",
            "eoin-og/NeuroSynth 2018 (no paper)",
            "inversynth shape SOUND",
            "works",
        ),
        System(
            "NSynth",
            "WaveNet autoencoder of musical notes and interpolation between them",
            "Engel et al. 2017, arXiv 1704.01279",
            "inversynth decode SOUND",
            "works",
        ),
        System(
            "GANSynth",
            "progressive, pitch-conditional GAN on mel instantaneous frequency",
            "Engel et al. 2019, arXiv 1902.08710",
            "inversynth gansynth random",
            "works",
        ),
        System(
            "WAE-Fader",
            "expressive notes from a small latent space, in real time through MCNN",
            "Esling et al. 2019, arXiv 1904.06215; MCNN: Arik et al. 2019, arXiv 1808.06719",
            "inversynth wae random",
            "works",
        ),
    )
}


@dataclass(frozen=True)
class Preset:
    """What surrounds a model that is named without a file: synth, sample rate (hertz), length (seconds) and loss."""

    name: str
    summary: str
    synth: str
    sample_rate: int
    length: float
    loss: str


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("paper", "fm, 1 s at 16,384 Hz, a sigmoid for every class, as in InverSynth", "fm", 16384, 1.0, "bce"),
        Preset("softmax", "the same with one softmax a parameter", "fm", 16384, 1.0, "categorical"),
        Preset("envelope", "128 samples at 16,384 Hz, as in NeuroSynth", "envelope", 16384, 128 / 16384, "bce"),
        Preset("sine", "the two sines of the seed repositories", "sine", 16384, 1.0, "bce"),
    )
}
