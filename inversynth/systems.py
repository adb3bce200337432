"""The systems of this toolkit: what each does, its paper, a command that runs it, and its status.

Plain data: `inversynth list`, the README and the tests read it.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class System:
    """One system. `planned` systems have no command yet."""

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
