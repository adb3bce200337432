"""The kinds of input that models take, one row each: how a card names it, and how messages word it.

A card holds the name in `features.input`. Everything that depends on the kind of input of a model asks this table.
"""

from dataclasses import dataclass
from typing import Literal

InputName = Literal["audio", "patches", "envelope", "notes", "latents", "pictures", "mels", "voices"]
"""Names are part of the file format: `pictures` are spectrograms of notes with their conditions, `patches` are
parameter values in 0..1, `envelope` is a waveform with the classes of an envelope, `voices` is a note with what is
known of a DX7 voice."""


@dataclass(frozen=True)
class InputKind:
    """One kind of input.

    Attributes:
        name: in a card. model: what a model of this kind is called, with its article. examples: what one of its test
            sets holds. command: the command to use such a model with.
        fixed_shape: whether input and output are one vector each whose widths follow from the card, so that loading
            checks them; all others are checked by the module that runs them.
    """

    name: InputName
    model: str
    examples: str
    command: str
    fixed_shape: bool = False

    @property
    def estimates_parameters(self) -> bool:
        """Whether a model of this kind maps a sound to the classes of its synth parameters."""
        return self.name == "audio"


INPUT_KINDS: dict[str, InputKind] = {
    kind.name: kind
    for kind in (
        InputKind("audio", "an estimator of synth parameters", "sounds", "inversynth invert", fixed_shape=True),
        InputKind("patches", "a model of patches", "patches", "inversynth macros", fixed_shape=True),
        InputKind("envelope", "a generator of envelopes", "waveforms", "inversynth shape"),
        InputKind(
            "notes", "a model of notes", "notes", "inversynth decode, or a classifier with python -m benchmarks.nsynth"
        ),
        InputKind("latents", "a generator of notes", "notes", "inversynth gansynth"),
        InputKind("pictures", "an autoencoder of note spectrograms", "notes", "inversynth wae"),
        InputKind("voices", "a network for DX7 voices", "notes", "inversynth invert --synth dx7"),
        InputKind("mels", "a vocoder for mel spectrograms", "notes", "inversynth wae random --renderer mcnn"),
    )
}


def find_input_kind(name: str) -> InputKind:
    """Return a kind by its name. Any other name is a feature computed from a sound, so its model takes audio."""
    return INPUT_KINDS.get(name, INPUT_KINDS["audio"])
