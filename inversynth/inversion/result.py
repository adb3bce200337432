"""The result of an inversion, and the folder that keeps it: patch.json, target.wav, match.wav, report.html."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import full_scale_gain, write_audio
from generators.dx7.synth import Dx7Synth
from inversynth.inversion.target import Target
from inversynth.patches.formats import write_any_patch
from inversynth.patches.patch import Patch, write_patch
from inversynth.search.search import Refinement, SearchInterrupted

VOICE = "voice.syx"
"""The file of a DX7 voice, which the instrument and its emulators load."""


@dataclass(frozen=True)
class Inversion:
    """A sound, the patch found for it, and that patch's sound.

    Shapes: audio (samples,) float32, the sound found at the level of the target, rendered by the synth as it is; truth
    (parameters,) the classes that really made the target, where they are known.
    `assumptions` are what was taken for granted, by name, in words.
    """

    target: Target
    patch: Patch
    audio: NDArray[np.float32]
    truth: NDArray[np.integer[Any]] | None = None
    assumptions: Mapping[str, str] = field(default_factory=dict)


class InversionInterrupted(SearchInterrupted):
    """Ctrl-C during the search of an inversion; `inversion` is what the best patch so far makes."""

    def __init__(self, best: Refinement, inversion: Inversion) -> None:
        super().__init__(best)
        self.inversion = inversion


def write_inversion(inversion: Inversion, folder: Path, index: Path | None = None) -> Path:
    """Write patch.json, target.wav, match.wav and report.html into a folder, and voice.syx where a DX7 makes it.

    Where one of the two sounds is above full scale, both are turned down alike.

    Returns the path of the report.

    Args: index: the page that lists all reports, to which this one shall lead back.
    """
    from inversynth.report.report import write_report

    rate = inversion.target.sample_rate
    gain = np.float32(full_scale_gain([inversion.target.audio, inversion.audio]))
    write_audio(folder / "target.wav", gain * inversion.target.audio, rate)
    write_audio(folder / "match.wav", gain * inversion.audio, rate)
    write_patch(folder / "patch.json", inversion.patch)
    if inversion.patch.space.synth == Dx7Synth.name:
        write_any_patch(folder / VOICE, inversion.patch, "syx")
    return write_report(folder / "report.html", inversion, index)
