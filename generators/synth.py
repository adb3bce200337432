"""The abstract synthesizer: a parameter space and a way to turn values into audio.

A subclass declares `name` (needed to register it), `description` and `space`, and defines `synthesize`; everything else
has a default. `docs/extending.md` adds one.
"""

import abc
import copy
from dataclasses import dataclass
from math import floor, log2
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.units import A4_MIDI
from generators.errors import ParameterError
from generators.oscillator_spec import Oscillator, OscillatorStructure, oscillator_columns
from generators.parameters import ParameterSpace

DEFAULT_SAMPLE_RATE = 16384
"""Hertz; the rate of the InverSynth paper, which makes one second a power of two."""

DEFAULT_LENGTH = 1.0
"""Seconds."""

A4 = float(A4_MIDI)
"""The root at which a synth sounds as its levels say."""

LOWEST_ROOT = 9.0
"""MIDI number of A-1, 13.75 Hz: the carriers of `fm` then begin at 13.75 Hz, below the lowest pitch that is heard."""

FADE = 0.005
"""Seconds in which a synth without an envelope falls silent: long enough not to click, too short to be a decay."""


@dataclass(frozen=True)
class PitchBend:
    """Pitch bend within a note: seconds from its start at which it changes, and the semitones from each on.

    Both (changes,), the seconds rising; before the first change there is no bend.
    """

    seconds: NDArray[np.float64]
    semitones: NDArray[np.float64]

    def factors(self, samples: int, sample_rate: int) -> NDArray[np.float64]:
        """Return the factor of frequency at each sample, (samples,)."""
        places = np.clip(np.round(self.seconds * sample_rate), 0, samples).astype(np.int64)
        factors = 2.0 ** (np.concatenate([[0.0], self.semitones]) / 12.0)
        return np.repeat(factors, np.diff(places, prepend=0, append=samples))


class Synth(abc.ABC):
    """Turns `values` into `audio` at a fixed sample rate and length.

    Args:
        sample_rate: hertz. length: seconds.
    Shapes: values (batch, parameters) -> audio (batch, samples) float32; (parameters,) -> (samples,).
    """

    name: ClassVar[str]
    """What it is found by: a plain name, or the reference `package.module:Class` that it was loaded by."""
    description: ClassVar[str] = ""
    """One line, shown by `inversynth list` and in reports."""
    dataset_name: ClassVar[str] = ""
    """Default name of its datasets; its `short_name` where empty."""
    oscillators: ClassVar[tuple[Oscillator, ...]] = ()
    """Declared where the sound is linear in the amplitudes of these oscillators, given all other parameters."""
    structure: ClassVar[OscillatorStructure | None] = None
    """Declared where the sound is those oscillators and a chain of effects, and nothing else: a search can use it."""
    search_stages: ClassVar[tuple[str, ...]] = ("beam", "evolve", "turn")
    """The stages of `inversynth.search.stages` that suit this synth: by default those that need no structure."""
    note_fraction: ClassVar[float] = 1.0
    """Part of the length for which the note of a sound is held."""
    bends: ClassVar[bool] = False
    """Whether `render_note` takes a third argument, a `PitchBend` within the note."""
    transposes: ClassVar[bool] = False
    """Whether `at_root` gives this synth at another pitch: it declares its `oscillators`, and multiplies their
    frequencies and depths by `pitch_ratio` wherever it renders."""
    plays_keys: ClassVar[bool] = False
    """Whether it plays MIDI notes and velocities by itself: it then defines `render_key` and `at_key`."""
    companions: ClassVar[tuple[str, ...]] = ()
    """Further sounds that a row of a dataset holds beside its audio, by name."""
    labels: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Numbers that a row of a dataset holds beside its sounds, by name, each with the name of its integer type."""
    own_sampling: ClassVar[str] = ""
    """Name of the sampling method by which it draws patches itself: it then defines `draw_classes`."""
    space: ParameterSpace
    root: float = A4
    """MIDI number (fractions are cents / 100) that the pitch of A4 in the parameters stands for."""

    def __init__(self, sample_rate: int = DEFAULT_SAMPLE_RATE, length: float = DEFAULT_LENGTH) -> None:
        if not 1000 <= sample_rate <= 384_000:
            raise ParameterError(f"sample rate must lie in 1000..384000 Hz. Received: {sample_rate}")
        if not 0.0 < length <= 3600.0:
            raise ParameterError(f"length must lie in 0..3600 seconds. Received: {length:g}")
        self.sample_rate = int(sample_rate)
        self.length = float(length)
        self.samples = round(self.sample_rate * self.length)
        if self.samples < 2:
            raise ParameterError(f"a sound needs two or more samples. Received: {length:g} s at {sample_rate} Hz")

    @property
    def short_name(self) -> str:
        """Its name without the module of a reference, fit for names of files."""
        return self.name.rpartition(":")[2]

    @property
    def options(self) -> dict[str, Any]:
        """What rows depend on beside space, sample rate and length; ready for JSON."""
        return {}

    @property
    def roots(self) -> tuple[float, float]:
        """The lowest and the highest root at this sample rate, MIDI numbers; A4 alone for a synth not transposed.

        From A-1 to the root, in whole cents, at which the highest carrier at the greatest depth reaches half the rate:
        beyond it oscillators would alias, and `inversynth play` would silence them.
        """
        if not self.transposes or not self.oscillators:
            return A4, A4
        highest = max(
            max(self.space.levels(one.frequency)) + max(self.space.levels(one.depth)) for one in self.oscillators
        )
        return LOWEST_ROOT, A4 + floor(1200.0 * log2(self.sample_rate / 2.0 / highest)) / 100.0

    def at_root(self, root: float) -> "Synth":
        """Return this synth transposed: a patch sounds higher by the interval from A4 to `root`.

        Every carrier and every depth of frequency modulation is multiplied by 2^((root - 69)/12) when it is rendered,
        so that the whole course of the pitch is transposed; rates, times and the filter stay. Parameter space, classes
        and values stay too, so that a model of this synth estimates patches at any root.

        Args:
            root: MIDI number within `roots`; fractions are cents / 100.
        Raises: ParameterError for a synth that does not transpose, and for a root beyond what the sample rate allows.
        """
        if root == self.root:
            return self
        moved = copy.copy(self)
        moved.root = self._check_root(root)
        return moved

    @property
    def pitch_ratio(self) -> float:
        """The factor by which carriers and depths are multiplied: 2^((root - 69)/12)."""
        return 2.0 ** ((self.root - A4) / 12.0)

    @property
    def pitch_factors(self) -> NDArray[np.float64]:
        """The factor that the root gives to each parameter, (parameters,): 1 except for carriers and depths."""
        factors = np.ones(len(self.space))
        if self.root != A4:
            columns = [
                (frequency, depth) for frequency, _, _, depth in oscillator_columns(self.space, self.oscillators)
            ]
            factors[np.ravel(columns).astype(np.int64)] = self.pitch_ratio
        return factors

    @property
    def rendered_levels(self) -> tuple[NDArray[np.float64], ...]:
        """The levels of each parameter as they are rendered: those of `space`, at the root of this synth."""
        return tuple(
            np.asarray(parameter.levels, np.float64) * factor
            for parameter, factor in zip(self.space.parameters, self.pitch_factors, strict=True)
        )

    def rendered_values(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return values as they are rendered, at the root of this synth. Shapes: (…, parameters) -> the same."""
        return np.asarray(values, np.float64) * self.pitch_factors

    def _check_root(self, root: float) -> float:
        lowest, highest = self.roots
        if not self.transposes and root != A4:
            raise ParameterError(
                f"synth '{self.name}' does not transpose: its root is A4, MIDI number 69. Received: root {root:g}"
            )
        if not lowest <= root <= highest:
            raise ParameterError(
                f"the root of synth '{self.name}' at {self.sample_rate} Hz must lie in {lowest:g}..{highest:g} (MIDI "
                f"numbers). Received: {root:g}"
            )
        return float(root)

    def at_key(self, note: int, velocity: int) -> "Synth":
        """Return this synth at a MIDI note and velocity, 0..127 each. Defined where `plays_keys`."""
        raise NotImplementedError

    def require_sample_rate(self, above: float) -> None:
        """Raise ParameterError unless the sample rate exceeds `above` hertz, twice the highest setting."""
        if self.sample_rate <= above:
            raise ParameterError(
                f"synth '{self.name}' needs a sample rate above {above:g} Hz (twice its highest frequency setting). "
                f"Received: {self.sample_rate}"
            )

    @abc.abstractmethod
    def synthesize(self, values: Any, xp: Any = np) -> Any:
        """Render with the array namespace `xp` (NumPy, or `keras.ops` where gradients are wanted).

        Shapes: values (batch, parameters) -> audio (batch, samples).
        """

    def render(self, values: ArrayLike) -> NDArray[np.float32]:
        """Render a batch or one sound as fast as this synth can; float32, at the level of the synth, unclipped."""
        array = np.asarray(values, np.float64)
        self.space.check_values(array)
        batch = np.atleast_2d(array)
        audio = self._render_batch(batch)
        return audio if array.ndim == 2 else audio[0]

    def render_note(self, values: ArrayLike, held: float) -> NDArray[np.float32]:
        """Render one sound held for any time, with its release.

        A synth without an envelope, as here, fades out within 5 ms; one with an envelope overrides this.

        Args:
            held: seconds above 0, whatever the length of this synth.
        Shapes: values (parameters,) -> (samples,) float32.
        """
        audio = type(self)(self.sample_rate, held + FADE).at_root(self.root).render(values)
        time = np.arange(len(audio)) / self.sample_rate
        return (audio * np.clip((held + FADE - time) / FADE, 0.0, 1.0)).astype(np.float32)

    def render_key(self, values: ArrayLike, note: int, velocity: int, held: float) -> NDArray[np.float32]:
        """Render a MIDI note of a velocity (0..127 each), held for `held` seconds, with its release.

        Shapes: values (parameters,) -> (samples,) float32. Defined where `plays_keys`.
        """
        raise NotImplementedError

    def render_classes(self, classes: ArrayLike) -> NDArray[np.float32]:
        """Render patches given as classes."""
        return self.render(self.space.classes_to_values(classes))

    def draw_classes(self, first: int, last: int, seed: int) -> NDArray[np.uint8]:
        """Draw the patches of rows first..last-1 of a dataset, (rows, parameters). Defined where `own_sampling`."""
        raise NotImplementedError

    def render_rows(
        self, values: ArrayLike, first: int, seed: int
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
        """Render consecutive rows of a dataset, and its companions and labels; here rows are what `render` gives.

        A synth whose rows are partly random overrides this; row i is then a function of its values, `seed` and i alone.

        Args:
            first: number of the first row. seed: of the dataset, 0 or more.
        Shapes: values (rows, parameters) -> audio (rows, samples) float32, each of `companions` in that shape, and each
            of `labels`, (rows,).
        """
        return self.render(values), {}

    def _render_batch(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Render (batch, parameters); a synth with a faster kernel overrides this."""
        return np.asarray(self.synthesize(values), np.float32)

    def __repr__(self) -> str:
        root = f", root={self.root:g}" if self.root != A4 else ""
        return f"{type(self).__name__}(sample_rate={self.sample_rate}, length={self.length:g}{root})"
