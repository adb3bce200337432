"""What a synthesizer declares of its structure, for networks and searches to use: plain data, no sound.

An *oscillator* is a part whose output is multiplied by one amplitude and then added to the others. Where a synth
declares oscillators, all else being fixed its sound is linear in their amplitudes: it is the sum of each oscillator's
sound alone at amplitude 1, times its amplitude. A synth that is nothing but such oscillators and a chain of effects
declares an `OscillatorStructure` too, from which a search renders its parts. Which stages of the search suit a synth
stands in its `search_stages`.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from generators.errors import ParameterError
from generators.parameters import ParameterSpace


@dataclass(frozen=True)
class Oscillator:
    """One oscillator: the word for its waveform, and the names of the parameters that set it.

    Of a frequency-modulated one `frequency` is the carrier, `rate` the modulation frequency, `depth` the deviation.
    """

    waveform: str
    frequency: str
    rate: str
    amplitude: str
    depth: str

    @property
    def parameters(self) -> tuple[str, str, str, str]:
        """The names of its parameters: frequency, rate, amplitude, depth."""
        names = astuple(self)
        return names[1], names[2], names[3], names[4]


@dataclass(frozen=True)
class EffectParameters:
    """Names of the parameters of the effects that the sum of all oscillators passes through, in this order.

    An ADSR envelope in straight lines (`generators.dsp.envelopes`), an RBJ low-pass (`generators.dsp.filters`) set by a
    cutoff in hertz and a quality, and a gater (`generators.dsp.modulation`) of a frequency in hertz.
    """

    attack: str
    decay: str
    sustain: str
    release: str
    cutoff: str
    quality: str
    gate: str


@dataclass(frozen=True)
class OscillatorStructure:
    """The complete signal path of a synth that is frequency-modulated oscillators through a chain of effects.

    `generators.fm.atoms` renders such a sound in parts: each oscillator alone, at amplitude 1, through any effects. The
    oscillators' waveforms are those of `atoms.WAVEFORMS`, each phase starts at 0, and `gain` multiplies their sum. All
    oscillators share the levels of their parameters, and the levels of the amplitudes are evenly spaced. The note ends
    after the synth's `note_fraction` of its length.
    """

    oscillators: tuple[Oscillator, ...]
    effects: EffectParameters
    gain: float

    def effect_columns(self, space: ParameterSpace) -> tuple[int, ...]:
        """Return the columns of the effects' parameters, in the order of `EffectParameters`.

        Raises: ParameterError for a name that the space lacks.
        """
        return tuple(space.index(name) for name in astuple(self.effects))


def oscillator_columns(space: ParameterSpace, oscillators: Sequence[Oscillator]) -> tuple[tuple[int, ...], ...]:
    """Return the columns of each oscillator's frequency, rate, amplitude and depth.

    Raises: ParameterError for a name that the space lacks or that two oscillators claim.
    """
    columns = tuple(tuple(space.index(name) for name in oscillator.parameters) for oscillator in oscillators)
    claimed = [column for each in columns for column in each]
    if len(set(claimed)) != len(claimed):
        twice = sorted({space.names[column] for column in claimed if claimed.count(column) > 1})
        raise ParameterError(f"a parameter belongs to one oscillator. Received: {', '.join(twice)} of two")
    return columns
