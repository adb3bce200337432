"""A trained GANSynth: latents and MIDI notes in, notes out, all samples of a note at once."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ModelError
from models.backend import predict_in_batches, predicted_batches
from models.gansynth.presets import GANSYNTH, growth_of
from models.gansynth.representation import Normaliser, SpectrogramFormat
from models.inference import NoteModel, load_model_named

if TYPE_CHECKING:
    import keras

FIRST = "block1_first_normalisation"
"""Name of the first layer that depends on both latent and pitch; GANSpaceSynth looks for directions in its output."""

Floats = NDArray[np.floating[Any]]


class GanSynthModel(NoteModel):
    """A generator with its card: the notes it was trained on, and the format of its spectrograms."""

    @property
    def latent(self) -> int:
        """Width of the latent, which stands for a timbre."""
        return int(self.loaded.model.input_shape[0][-1])

    @cached_property
    def format(self) -> SpectrogramFormat:
        """Format of its spectrograms, at full size."""
        return SpectrogramFormat(**self._features["picture"])

    @cached_property
    def normaliser(self) -> Normaliser:
        return Normaliser(tuple(self._features["scale"]), tuple(self._features["offset"]))

    @cached_property
    def progress(self) -> float:
        """How far the last block had been faded in when the model was saved."""
        growth = growth_of(self._features)
        images = int(self.loaded.card.training.get("epoch", 0)) * int(self._features["epoch_images"])
        blocks = growth.blocks - (self.format.frames // self.loaded.model.output_shape[1]).bit_length() + 1
        return float(np.clip(growth.progress(max(images - 1, 0)), max(blocks - 2, 0), blocks - 1))

    def check_notes(self, notes: ArrayLike) -> NDArray[np.intp]:
        """Return notes as an array. Raises ModelError for one that the model was not trained on."""
        given = np.atleast_1d(np.asarray(notes))
        unknown = sorted(set(given.tolist()) - set(self.notes))
        if unknown:
            raise ModelError(
                f"{self.name} plays {len(self.notes)} notes of {self.notes[0]} to {self.notes[-1]}. "
                f"Received: note {', '.join(map(str, unknown[:6]))}"
            )
        return given.astype(np.intp)

    def spectrograms(self, latents: ArrayLike, notes: ArrayLike, batch_size: int = 8) -> NDArray[np.float32]:
        """Generate spectrograms in the units of `format`. Shapes: (n, latent), (n,) -> (n, frames, bins, 2)."""
        columns = self._inputs(latents, notes)
        return self._full_size(predict_in_batches(self.loaded.model, columns, batch_size))

    def decode(
        self,
        latents: ArrayLike,
        notes: ArrayLike,
        batch_size: int = 8,
        on_notes: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Generate notes.

        Args:
            batch_size: notes at once; the network is compiled for each size that comes up.
            on_notes: called with the number of notes that were added.
        Shapes: (n, latent), (n,) MIDI notes -> (n, samples).
        Raises: ModelError as `check_latents` and `check_notes`, and where their counts differ.
        """
        return self._decode(self.loaded.model, self._inputs(latents, notes), batch_size, on_notes)

    def first_block(self, latents: ArrayLike, notes: ArrayLike, batch_size: int = 256) -> NDArray[np.float32]:
        """Return the activations of the first convolution. Shapes: (n, latent), (n,) -> (n, frames, bins, width)."""
        columns = self._inputs(latents, notes)
        return predict_in_batches(self._split[0], columns, batch_size)

    def decode_first_block(
        self, activations: Floats, batch_size: int = 8, on_notes: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Generate notes from activations of the first convolution. Shapes: as `first_block` -> (n, samples)."""
        progress = np.full((len(activations), 1), self.progress, np.float32)
        return self._decode(self._split[1], [np.asarray(activations, np.float32), progress], batch_size, on_notes)

    def _decode(
        self,
        model: "keras.Model",
        columns: Sequence[Floats],
        batch_size: int,
        on_notes: Callable[[int], None] | None,
    ) -> NDArray[np.float32]:
        parts = []
        for spectrograms in predicted_batches(model, columns, batch_size):
            parts.append(self.format.to_audio(self._full_size(spectrograms)))
            if on_notes:
                on_notes(len(parts[-1]))
        return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, self.samples), np.float32)

    def _inputs(self, latents: ArrayLike, notes: ArrayLike) -> list[NDArray[np.float32]]:
        given, pitches = self.check_latents(latents), self.check_notes(notes)
        if len(given) != len(pitches):
            raise ModelError(f"each latent is played at a note. Received: {len(given)} latents, {len(pitches)} notes")
        one_hot = np.equal.outer(pitches, np.asarray(self.notes)).astype(np.float32)
        return [given, one_hot, np.full((len(given), 1), self.progress, np.float32)]

    def _full_size(self, made: Floats) -> NDArray[np.float32]:
        """Upscale the network's output to full size, in the units of `format`."""
        factor = self.format.frames // made.shape[1]
        larger = made.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else made
        return np.asarray(self.normaliser.undo(larger), np.float32)

    @cached_property
    def _split(self) -> "tuple[keras.Model, keras.Model]":
        """The network up to its first convolution, and the rest of it."""
        import keras

        network = self.loaded.model
        between = network.get_layer(FIRST).output
        first = keras.Model(network.inputs, between)
        return first, keras.Model([between, network.inputs[2]], network.output)


def load_gansynth(path: str | os.PathLike[str]) -> GanSynthModel:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no GANSynth."""
    return GanSynthModel(load_model_named(GANSYNTH, path, "notes are made"))
