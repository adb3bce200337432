"""The `fm` synthesizer of InverSynth (Barkan, Tsiris, Koenigstein, Katz 2019, arXiv 1812.06349).

Four oscillators (sin, saw, tri, sqr), each frequency-modulated, summed -> ADSR envelope -> resonant low-pass -> gater;
23 parameters of 16 classes. The paper contradicts itself and its code was never released, so these readings are ours:

- modulation: peak deviation B in Hz, phase(t) = 2 pi (f t + B/(2 pi v) (1 - cos 2 pi v t)), the paper's general
  formula (its Eq. 1 read literally swings by 45 kHz);
- waveforms: zero-phase at note-on, within -1..1, without the DC offset of the printed series, band-limited by
  PolyBLEP and PolyBLAMP at the instantaneous frequency;
- envelope: straight lines, the note held for 0.8 of the length, release from the level reached at note-off;
- filter: RBJ low-pass with Q = q, from rest; gater (1 + sin 2 pi f t)/2, as the text says (not the square wave);
- level: a fixed gain of 1/4 after the sum, nothing clips.

The paper's carriers lie in A4..C6. A `root` moves all of them, and the depths with them, by the interval from A4 to it
(`Synth.at_root`); at A4, the default, all is as in the paper.
"""

import sys
from collections.abc import Sequence
from math import log, pi
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp import envelopes, filters, modulation, oscillators
from generators.dsp.units import midi_to_hz
from generators.fm.kernel import render_fm
from generators.generate import generator_command
from generators.oscillator_spec import EffectParameters, Oscillator, OscillatorStructure
from generators.parameters import Parameter, ParameterSpace, even_steps
from generators.synth import A4, DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE, PitchBend, Synth

WAVEFORMS = ("sin", "saw", "tri", "sqr")
NOTE_FRACTION = 0.8
"""Part of the length for which the note is held."""
GAIN = 0.25
"""After the oscillator sum: four full amplitudes reach 1."""

_PITCHED = np.array([place < 16 and place % 4 in (0, 3) for place in range(23)])
"""Which parameters are carriers and depths, which a root transposes."""

_WORDS = {"sin": "sine", "saw": "saw", "tri": "triangle", "sqr": "square"}
_OSCILLATORS = (oscillators.sine, oscillators.saw, oscillators.triangle, oscillators.square)


def _space() -> ParameterSpace:
    notes = tuple(float(midi_to_hz(69 + step)) for step in range(16))
    level, seconds = even_steps(0.001, 1.0), even_steps(0.001, 1.0)
    parameters = []
    for wave in WAVEFORMS:
        word = _WORDS[wave]
        parameters += [
            Parameter(f"f_{wave}", notes, "Hz", f"carrier frequency of the {word}, A4 to C6", "Notes"),
            Parameter(f"v_{wave}", even_steps(1, 30), "Hz", f"modulation frequency of the {word}", "Frequency LFO"),
            Parameter(f"A_{wave}", level, "", f"amplitude of the {word}", "Oscillator amplitudes"),
            Parameter(f"B_{wave}", even_steps(0, 1500), "Hz", f"modulation depth of the {word}", "Frequency LFO"),
        ]
    parameters += [
        Parameter("attack", seconds, "s", "time to rise from silence to full level", "ADSR"),
        Parameter("decay", seconds, "s", "time to fall from full level to the sustain level", "ADSR"),
        Parameter("sustain", level, "", "level held until note-off", "ADSR"),
        Parameter("release", seconds, "s", "time to fall to silence after note-off", "ADSR"),
        Parameter("f_cut", even_steps(200, 4000), "Hz", "cutoff of the low-pass", "Filter"),
        Parameter("q", even_steps(0.01, 10), "", "resonance of the low-pass", "Filter"),
        Parameter("f_gate", even_steps(0.5, 30), "Hz", "frequency of the gater", "Amplitude LFO"),
    ]
    return ParameterSpace("fm", tuple(parameters))


class FmSynth(Synth):
    """The paper's synthesizer; `render` uses the fused kernel, `synthesize` is the same sound over `xp`."""

    name: ClassVar[str] = "fm"
    description: ClassVar[str] = (
        "four frequency-modulated oscillators, ADSR, low-pass, gater; 23 parameters of 16 classes"
    )
    oscillators: ClassVar[tuple[Oscillator, ...]] = tuple(
        Oscillator(_WORDS[wave], f"f_{wave}", f"v_{wave}", f"A_{wave}", f"B_{wave}") for wave in WAVEFORMS
    )
    structure: ClassVar[OscillatorStructure | None] = OscillatorStructure(
        oscillators,
        EffectParameters("attack", "decay", "sustain", "release", "f_cut", "q", "f_gate"),
        GAIN,
    )
    search_stages: ClassVar[tuple[str, ...]] = ("pick", "align", "beam", "restart", "match", "realign", "match on")
    note_fraction: ClassVar[float] = NOTE_FRACTION
    bends: ClassVar[bool] = True
    transposes: ClassVar[bool] = True
    dataset_name: ClassVar[str] = "InverSynth"
    space: ParameterSpace = _space()

    def __init__(
        self, sample_rate: int = DEFAULT_SAMPLE_RATE, length: float = DEFAULT_LENGTH, root: float = A4
    ) -> None:
        super().__init__(sample_rate, length)
        self.require_sample_rate(2 * 4000)
        self.note_length = self.note_fraction * self.length
        self.root = self._check_root(root)

    @property
    def options(self) -> dict[str, Any]:
        """The root, where it is another than A4."""
        return {} if self.root == A4 else {"root": self.root}

    def synthesize(self, values: Any, xp: Any = np) -> Any:
        """Render (batch, 23) -> (batch, samples) in the float type of `values`."""
        dtype = modulation.float_type(values)
        values = self._transpose(values, dtype)
        time = modulation.sample_times(self.samples, self.sample_rate, xp, dtype)
        columns = [values[:, i : i + 1] for i in range(len(self.space))]
        mix: Any = 0.0
        for number, oscillator in enumerate(_OSCILLATORS):
            frequency, rate, amplitude, depth = columns[4 * number : 4 * number + 4]
            phase, instantaneous = modulation.fm_phase(time, frequency, rate, depth, xp)
            width = oscillators.step_width(instantaneous, self.sample_rate, xp)
            mix = mix + amplitude * oscillator(phase, width, xp)
        attack, decay, sustain, release, cutoff, q, gate = columns[16:]
        shaped = GAIN * mix * envelopes.adsr(time, attack, decay, sustain, release, self.note_length, xp)
        filtered = filters.lowpass(shaped, cutoff, q, self.sample_rate, xp, dtype)
        return filtered * modulation.gater(time, gate, xp)

    def render_note(self, values: ArrayLike, held: float, bend: PitchBend | None = None) -> NDArray[np.float32]:
        """Render one sound held for any time, then its release and the ringing of its filter.

        A resonance of quality q at f Hz falls by 60 dB, a factor of 1000, in ln(1000) q / (pi f) seconds. A bend
        multiplies the instantaneous frequencies of all oscillators; rates, times and the filter stay.

        Shapes: values (23,) -> (samples,) float32; the first `length` seconds equal `render` where `held` is
        `note_length`.
        """
        from generators.fm.kernel import render_fm

        row = self._transpose(self.space.check_values(values))
        release, cutoff, q = (row[self.space.index(name)] for name in ("release", "f_cut", "q"))
        seconds = held + release + log(1000.0) * q / (pi * cutoff)
        samples = round(seconds * self.sample_rate) + 1
        factors = () if bend is None else (bend.factors(samples, self.sample_rate),)
        return render_fm(row[np.newaxis], samples, self.sample_rate, held, GAIN, *factors)[0]

    def _transpose(self, values: Any, dtype: str = "float64") -> Any:
        """Multiply carriers and depths by the ratio of the root to A4; values in the order of the `fm` space."""
        return values if self.root == A4 else values * np.where(_PITCHED, self.pitch_ratio, 1.0).astype(dtype)

    def _render_batch(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        return render_fm(self._transpose(values), self.samples, self.sample_rate, self.note_length, GAIN)


def main(argv: Sequence[str] | None = None, prog: str = "python -m generators.fm_generator") -> int:
    """Generate a dataset of `fm` sounds (named InverSynth by default); returns the exit code."""
    return generator_command(FmSynth, argv, prog)


if __name__ == "__main__":
    sys.exit(main())
