"""The `sine` synthesizer: two sine waves added, the smallest thing with something to infer.

Output (a1 sin(2 pi f1 t) + a2 sin(2 pi f2 t)) / 2. The repository this grew from used pi in place of 2 pi, which put
every tone an octave low; here 200 Hz measures 200 Hz.
"""

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from generators.dsp import modulation, oscillators
from generators.generate import generator_command
from generators.parameters import Parameter, ParameterSpace
from generators.synth import DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE, Synth

AMPLITUDES = (0.5, 0.7, 1.0)


class SineSynth(Synth):
    """Two sine waves f1, f2 (Hz) of amplitudes a1, a2."""

    name: ClassVar[str] = "sine"
    description: ClassVar[str] = "two sine waves, 4 parameters, 81 patches"
    space: ParameterSpace = ParameterSpace(
        "sine",
        (
            Parameter("f1", (100.0, 200.0, 400.0), "Hz", "frequency of the lower sine", "Notes"),
            Parameter("f2", (800.0, 1200.0, 1600.0), "Hz", "frequency of the upper sine", "Notes"),
            Parameter("a1", AMPLITUDES, "", "amplitude of the lower sine", "Amplitudes"),
            Parameter("a2", AMPLITUDES, "", "amplitude of the upper sine", "Amplitudes"),
        ),
    )

    def __init__(self, sample_rate: int = DEFAULT_SAMPLE_RATE, length: float = DEFAULT_LENGTH) -> None:
        super().__init__(sample_rate, length)
        self.require_sample_rate(2 * 1600)

    def synthesize(self, values: Any, xp: Any = np) -> Any:
        """Render (batch, 4) -> (batch, samples)."""
        time = modulation.sample_times(self.samples, self.sample_rate, xp, modulation.float_type(values))
        f1, f2, a1, a2 = (values[:, i : i + 1] for i in range(4))
        return (a1 * oscillators.sine(f1 * time, xp=xp) + a2 * oscillators.sine(f2 * time, xp=xp)) / 2.0


def main(argv: Sequence[str] | None = None, prog: str = "python -m generators.sine_generator") -> int:
    """Generate a dataset of `sine` sounds; returns the exit code."""
    return generator_command(SineSynth, argv, prog)


if __name__ == "__main__":
    sys.exit(main())
