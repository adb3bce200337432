"""Make the example sounds: `python -m inversynth.examples.cut FOLDER`; FOLDER holds the three recordings."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.audio import read_audio, resample, write_audio
from generators.command import run_command
from generators.registry import build_synth
from generators.settings import Settings
from inversynth.examples import EXAMPLES

RECORDINGS = {"guitar_harmonic": "guit_harmonics", "bell": "perc_bell", "cowbell": "drum_cowbell"}
"""Stem of the recording that each example is cut from."""

RATE = 22_050
"""Hertz: enough for the recordings, and another rate than the network's."""

LENGTH = 1.5
"""Seconds, longer than the network takes."""

FADE = 0.02
"""Seconds of the fade-out of a recording that is cut off."""

QUIETER = 10.0 ** (-12 / 20)
"""Gain of the second `fm` sound: a sound to invert may have any level."""


class CutSettings(Settings):
    """Cut the example sounds from their recordings, and render those of the synth."""

    flags_only: ClassVar = frozenset({"folder"})

    folder: CliPositionalArg[Path] = Field(description="where guit_harmonics, perc_bell and drum_cowbell (.flac) are")


def main(argv: Sequence[str] | None = None, prog: str = "python -m inversynth.examples.cut") -> int:
    """Write the examples; returns the exit code."""
    return run_command(CutSettings, _run, argv, prog)


def _run(settings: CutSettings) -> None:
    synth = build_synth("fm")
    for example in EXAMPLES:
        truth = example.truth()
        if truth is not None:
            gain = QUIETER if example.row else 1.0
            print(write_audio(example.path, (synth.render_classes(truth) * gain).astype(np.float32), synth.sample_rate))
            continue
        sound = read_audio(settings.folder / f"{RECORDINGS[example.path.stem]}.flac", length=LENGTH)
        audio = resample(sound.audio, sound.sample_rate, RATE)
        if len(audio) >= round(LENGTH * RATE):
            fade = round(FADE * RATE)
            audio[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        print(write_audio(example.path, audio, RATE))


if __name__ == "__main__":
    sys.exit(main())
