"""A trained MCNN: mel magnitudes and MIDI notes in, whole notes out."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import MelAnalysis
from generators.errors import ModelError
from models.backend import predict_in_batches
from models.inference import TrainedModel, load_model_named
from models.mcnn.presets import MCNN

if TYPE_CHECKING:
    import keras


class McnnVocoder(TrainedModel):
    """A network with its card: the analysis of the magnitudes that it renders."""

    @cached_property
    def analysis(self) -> MelAnalysis:
        return MelAnalysis(**self.loaded.card.features["analysis"])

    @property
    def samples(self) -> int:
        return self.analysis.samples

    @cached_property
    def network(self) -> "keras.Model":
        """The network for whole notes, see `models.mcnn.networks.note_renderer`."""
        from models.mcnn.networks import note_renderer

        return note_renderer(self.loaded.model, self.analysis)

    @property
    def takes_note(self) -> bool:
        """Whether it has a harmonic head, which takes the note as input."""
        return len(self.network.inputs) > 1

    def decode(self, mels: NDArray[np.floating[Any]], notes: ArrayLike, batch_size: int = 8) -> NDArray[np.float32]:
        """Render notes.

        Args:
            notes: MIDI notes, 0 or less where they are unknown; fractions lie between semitones.
            batch_size: notes at once.
        Shapes: magnitudes, not logarithms, (n, frames, bands), and (n,) -> (n, samples).
        Raises: ModelError for other shapes, and for magnitudes that are negative or not finite.
        """
        given, pitches = np.asarray(mels, np.float32), np.atleast_1d(np.asarray(notes, np.float32))
        shape = (self.analysis.frames, self.analysis.bands)
        if given.ndim != 3 or given.shape[1:] != shape or pitches.shape != (len(given),):
            raise ModelError(
                f"MCNN renders mel magnitudes of shape (n, {shape[0]}, {shape[1]}) at n notes. "
                f"Received: {given.shape} at {pitches.shape}"
            )
        if not np.isfinite(pitches).all() or not np.isfinite(given).all() or (given.size and given.min() < 0):
            raise ModelError("mel magnitudes must be 0 or more, and mels and notes finite. Received: others among them")
        columns = [given, pitches[:, None]] if self.takes_note else [given]
        return predict_in_batches(self.network, columns, batch_size)

    def render(self, mels: Any, notes: Any) -> Any:
        """Render tensors, as `decode` does arrays; a network without a harmonic head ignores the notes.

        Shapes: magnitudes (batch, frames, bands), MIDI notes (batch, 1) -> (batch, samples).
        """
        return self.network([mels, notes] if self.takes_note else mels, training=False)


def load_mcnn(path: str | os.PathLike[str]) -> McnnVocoder:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no MCNN."""
    return McnnVocoder(load_model_named(MCNN, path, "mel magnitudes are rendered"))
