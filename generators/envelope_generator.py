"""The `envelope` synthesizer: a basic waveform times an amplitude envelope of three classes, the data of NeuroSynth.

Source: eoin-og/NeuroSynth (2018). A row holds the shaped sound, `audio`, and the same waveform before it was shaped,
`basic`; both carry the same noise, new in every row. `legacy` is the original's recipe to the sample. By default ramps
are exact instead: attack 0 and release 0 leave the sound untouched, where the original silenced its first sample.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from math import pi
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from generators.command import run_command
from generators.dsp import modulation
from generators.dsp.envelopes import attack_sustain_release
from generators.errors import ParameterError, SettingsError, look_up
from generators.generate import GeneratorSettings, generate_from_settings
from generators.parameters import Parameter, ParameterSpace
from generators.settings import DatasetName, Numbers, Settings
from generators.synth import DEFAULT_SAMPLE_RATE, FADE, Synth

Floats = NDArray[np.floating[Any]]

SAMPLES = 128
"""The length that the original trained on."""

PERIOD_DIVISOR = 10
"""A sound of n samples holds n // 10 periods (the original's rule): 12 of 10.67 samples in 128."""

SHORTEST_PERIOD, LONGEST_PERIOD = 5.0, 32.0
"""Samples; random periods are drawn uniformly between. In five samples a saw and a square still differ, and 128 samples
hold four of the longest; the original's 10.67 lies between."""

DIVISOR = 4
"""What the length must be a multiple of: the networks halve it twice."""

ATTACKS, SUSTAINS, RELEASES = (0.0, 0.2, 0.4), (1.0, 0.7, 0.4), (0.0, 0.2, 0.4)
NOISE = 0.05

JITTER = 4.0
"""Phase noise in radians per unit of the noise factor, as in the original."""

NOISE_STREAM = 0x6E6F697365
"""Separates the random stream of the noise from those of the patches, which are numbered by block; ASCII "noise"."""


def _scipy(name: str, *shape: float) -> Callable[[ArrayLike], Floats]:
    def wave(phase: ArrayLike) -> Floats:
        from scipy import signal  # half a second of import that `--help` never needs

        turn = np.mod(np.asarray(phase, np.float64), 2.0 * pi)
        turn = np.where(turn < 2.0 * pi, turn, 0.0)  # a phase just below 0, where SciPy divides 0 by 0
        return np.asarray(getattr(signal, name)(turn, *shape), np.float64)

    return wave


_saw = _scipy("sawtooth")

WAVEFORMS: dict[str, Callable[[ArrayLike], Floats]] = {
    "sin": lambda phase: np.sin(np.asarray(phase, np.float64)),
    "saw": _saw,
    "square": _scipy("square"),
    "invsaw": lambda phase: -_saw(phase),
    "triangle": _scipy("sawtooth", 0.5),
}
"""Functions of the phase in radians, within -1..1. Saw and triangle begin at -1, the square at +1."""

DRAWN = ("sin", "saw", "square")
"""Waveforms of the synth, in the order of its classes; the other two are test inputs that no network was trained on."""


def waveform(name: str, phase: ArrayLike) -> Floats:
    """Return a waveform by name at phases in radians, float64 in their shape. Raises ParameterError for others."""
    return look_up("waveform", name, WAVEFORMS, ParameterError)(phase)


def envelope_space(attacks: Sequence[float], sustains: Sequence[float], releases: Sequence[float]) -> ParameterSpace:
    """Return the parameter space of these levels, classes in the order given.

    Raises: ParameterError for no levels, levels outside 0..1, and levels that neither rise nor fall.
    """
    fraction = "fraction of the length in which the sound"
    levels = {
        "attack": (attacks, f"{fraction} rises", "Envelope"),
        "sustain": (sustains, "level between the ramps", "Envelope"),
        "release": (releases, f"{fraction} falls", "Envelope"),
    }
    waves = Parameter("waveform", tuple(map(float, range(len(DRAWN)))), "", ", ".join(DRAWN), "Waveform")
    for name, (numbers, _, _) in levels.items():
        if not all(0.0 <= number <= 1.0 for number in numbers):
            raise ParameterError(f"levels of {name} must lie in 0..1. Received: {', '.join(map(str, numbers))}")
    knobs = (
        Parameter(name, tuple(map(float, numbers)), "", text, group) for name, (numbers, text, group) in levels.items()
    )
    return ParameterSpace("envelope", (waves, *knobs))


class EnvelopeSynth(Synth):
    """A waveform under an envelope of attack, sustain and release.

    Args:
        sample_rate: hertz. length: seconds; a multiple of four samples, from 12.
        attacks, releases: fractions of the length. sustains: levels. All rise or fall; classes keep their order.
        noise: factor of the noise of rows, from 0. random_pitch, random_phase: draw both anew for each row.
        legacy: the original's ramps.
    Raises: ParameterError for anything else, and where the longest attack and release together exceed the length.
    """

    name: ClassVar[str] = "envelope"
    description: ClassVar[str] = "a waveform under an envelope, 4 parameters, 81 patches"
    companions: ClassVar[tuple[str, ...]] = ("basic",)
    space: ParameterSpace = envelope_space(ATTACKS, SUSTAINS, RELEASES)

    def __init__(
        self,
        sample_rate: int = DEFAULT_SAMPLE_RATE,
        length: float = SAMPLES / DEFAULT_SAMPLE_RATE,
        *,
        attacks: Sequence[float] = ATTACKS,
        sustains: Sequence[float] = SUSTAINS,
        releases: Sequence[float] = RELEASES,
        noise: float = NOISE,
        random_pitch: bool = False,
        random_phase: bool = False,
        legacy: bool = False,
    ) -> None:
        super().__init__(sample_rate, length)
        if self.samples % DIVISOR or self.samples < PERIOD_DIVISOR:
            raise ParameterError(
                f"the length of '{self.name}' must be a multiple of {DIVISOR} samples, 12 or more. Received: "
                f"{self.samples}. Set --seq_length"
            )
        if not 0.0 <= noise < float("inf"):
            raise ParameterError(f"noise must be a factor from 0. Received: {noise}")
        self.space = envelope_space(attacks, sustains, releases)
        self.noise = float(noise)
        self.random_pitch, self.random_phase, self.legacy = bool(random_pitch), bool(random_phase), bool(legacy)
        self._check_fit(max(attacks), max(releases))

    @property
    def options(self) -> dict[str, Any]:
        """What rows depend on beside space, sample rate and length."""
        return {
            "noise": self.noise,
            "random_pitch": self.random_pitch,
            "random_phase": self.random_phase,
            "legacy": self.legacy,
        }

    @cached_property
    def period(self) -> float:
        """Samples in a period, where pitches are not random."""
        return self.samples / (self.samples // PERIOD_DIVISOR)

    def synthesize(self, values: Any, xp: Any = np) -> Any:
        """Render (batch, 4) -> (batch, samples), without noise, from phase 0."""
        shapes = attack_sustain_release(values[:, 1], values[:, 2], values[:, 3], self.samples, self.legacy, xp)
        return self._waves(values, self.samples, xp) * shapes

    def render_rows(
        self, values: ArrayLike, first: int, seed: int
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Render rows of a dataset: the shaped sounds, and `basic`, both with the noise of (seed, row).

        Shapes: values (rows, 4) -> (rows, samples) float32, twice.
        """
        table = self.space.check_values(values)
        drawn = _uniform(seed, first, len(table), 2 * self.samples + DIVISOR)
        jitter, added = drawn[:, : self.samples], drawn[:, self.samples : 2 * self.samples]
        pitch, start = drawn[:, -2:-1], drawn[:, -1:]
        cycles = self._cycles(self.samples)
        if self.random_pitch:
            cycles = np.arange(self.samples) / (SHORTEST_PERIOD + pitch * (LONGEST_PERIOD - SHORTEST_PERIOD))
        if self.random_phase:
            cycles = cycles + start
        phases = 2.0 * pi * cycles + JITTER * self.noise * (2.0 * jitter - 1.0)
        basic = self.noise * (2.0 * added - 1.0)
        kinds = self.space.values_to_classes(table)[:, 0]
        for kind, name in enumerate(DRAWN):
            basic[kinds == kind] += waveform(name, phases[kinds == kind])
        shapes = attack_sustain_release(table[:, 1], table[:, 2], table[:, 3], self.samples, self.legacy)
        return (basic * shapes).astype(np.float32), {"basic": basic.astype(np.float32)}

    def render_note(self, values: ArrayLike, held: float) -> NDArray[np.float32]:
        """Render one sound under its envelope stretched to any time; after a release of 0 it fades out within 5 ms.

        Shapes: values (4,) -> (samples,) float32.
        """
        row = self.space.check_values(values)[None]
        samples, rest = max(round(held * self.sample_rate), 1), round(FADE * self.sample_rate)
        shape = attack_sustain_release(row[:, 1], row[:, 2], row[:, 3], samples, self.legacy)[0]
        fade = np.linspace(1.0, 0.0, rest + 2)[1:-1] * shape[-1]
        return (self._waves(row, samples + rest)[0] * np.concatenate([shape, fade])).astype(np.float32)

    def _cycles(self, samples: int) -> Floats:
        """Return the phase of each sample at the fixed pitch, in cycles 0..1, exact where a waveform jumps."""
        return np.arange(samples) * (self.samples // PERIOD_DIVISOR) % self.samples / self.samples

    def _waves(self, values: Any, samples: int, xp: Any = np) -> Any:
        """Return the waveforms without noise, (batch, 4) -> (batch, samples)."""
        phase = 2.0 * pi * self._cycles(samples)
        kind = xp.reshape(values[:, 0], (-1, 1))
        sine, saw, square = (waveform(name, phase).astype(modulation.float_type(values)) for name in DRAWN)
        return xp.where(kind < 0.5, sine, xp.where(kind < 1.5, saw, square))

    def _check_fit(self, attack: float, release: float) -> None:
        samples = [level * self.samples for level in (attack, release)]
        if self.legacy:
            samples = [int(count) + 1.0 for count in samples]
        if sum(samples) > self.samples * (1 + 1e-9):
            raise ParameterError(
                f"the longest attack and release must fit into {self.samples} samples together. Received: {attack:g} "
                f"and {release:g}, which take {sum(samples):g}. Shorten one of them"
            )


def _uniform(seed: int, first: int, rows: int, width: int) -> Floats:
    """Return numbers in 0..1 that depend on the seed, the row and the column alone, (rows, width).

    The rows lie one after the other in one stream of Philox, whose counter yields four numbers a step.
    """
    bits = np.random.Philox(np.random.SeedSequence((seed, NOISE_STREAM)))
    bits.advance(first * width // 4)
    return np.random.Generator(bits).random((rows, width))


class EnvelopeOptions(Settings):
    """The options of an `EnvelopeSynth`, for the settings of several commands to inherit."""

    seq_length: int | None = Field(
        None, ge=1, description=f"for envelope: samples per sound, a multiple of 4; {SAMPLES} unless length is set"
    )
    attacks: Numbers = Field(ATTACKS, description="for envelope: levels of attack, fractions of the length")
    sustains: Numbers = Field(SUSTAINS, description="for envelope: levels of sustain, 0..1")
    releases: Numbers = Field(RELEASES, description="for envelope: levels of release, fractions of the length")
    noise: float = Field(NOISE, ge=0, allow_inf_nan=False, description="for envelope: factor of the noise in each row")
    random_pitch: bool = Field(
        False, description=f"for envelope: periods of {SHORTEST_PERIOD:g} to {LONGEST_PERIOD:g} samples, not just one"
    )
    random_phase: bool = Field(False, description="for envelope: waveforms begin anywhere in their cycle")
    legacy: bool = Field(False, description="for envelope: the ramps of the original NeuroSynth, to the sample")

    def envelope_synth(self, sample_rate: int, length: float) -> EnvelopeSynth:
        """Return the synth that these settings ask for.

        Args:
            length: seconds; counts where the settings have a field of that name that was set, or no such field.
        Raises: SettingsError where `length` and `seq_length` were both set and differ; ParameterError as the synth.
        """
        chosen = "length" in self.model_fields_set or "length" not in type(self).model_fields
        samples = self.seq_length or (round(length * sample_rate) if chosen else SAMPLES)
        if self.seq_length and "length" in self.model_fields_set and round(length * sample_rate) != samples:
            raise SettingsError(
                f"seq_length and length set the same thing. Received: {samples} samples and {length:g} s, which is "
                f"{round(length * sample_rate)} at {sample_rate} Hz. Keep one"
            )
        return EnvelopeSynth(
            sample_rate,
            samples / sample_rate,
            attacks=self.attacks,
            sustains=self.sustains,
            releases=self.releases,
            noise=self.noise,
            random_pitch=self.random_pitch,
            random_phase=self.random_phase,
            legacy=self.legacy,
        )


class EnvelopeSettings(EnvelopeOptions, GeneratorSettings):
    """Generate a dataset of waveforms, before and after an envelope, into one HDF5 file."""

    other_flags: ClassVar = {"num_examples": ("dsize",)}

    name: DatasetName | None = Field(None, description="name of the dataset; envelope by default")
    wavefiles: bool = Field(False, description="also write every sound as a WAV file")


def main(argv: Sequence[str] | None = None, prog: str = "python -m generators.envelope_generator") -> int:
    """Generate a dataset of `envelope` sounds; returns the exit code."""

    def action(settings: EnvelopeSettings) -> None:
        synth = settings.envelope_synth(settings.sample_rate, settings.length)
        generate_from_settings(synth, settings, settings.sampling_method)

    return run_command(EnvelopeSettings, action, argv, prog)


if __name__ == "__main__":
    sys.exit(main())
