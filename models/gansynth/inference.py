"""A trained GANSynth at work: latents and notes in, sounds out, all samples of a note at once."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import ModelError
from models.estimation.architectures import GANSYNTH
from models.gansynth.representation import Normaliser, PictureForm
from models.gansynth.schedule import growth_of
from models.inference import NoteModel, fitting_batch, predict_in_batches
from models.model_files import load_model_named

if TYPE_CHECKING:
    import keras

FIRST = "block1_first_normalisation"
"""The layer whose output is the first that a latent and a note make: what GANSpaceSynth looks for directions in."""

Floats = NDArray[np.floating[Any]]


class GanSynthModel(NoteModel):
    """A generator with its meaning: which notes it knows, and what its pictures show."""

    @property
    def latent(self) -> int:
        """Numbers that stand for a timbre."""
        return int(self.loaded.model.input_shape[0][-1])

    @cached_property
    def form(self) -> PictureForm:
        """What its pictures show, at full size."""
        return PictureForm(**self._features["picture"])

    @cached_property
    def normaliser(self) -> Normaliser:
        return Normaliser(tuple(self._features["scale"]), tuple(self._features["offset"]))

    @cached_property
    def progress(self) -> float:
        """How far its last block had been faded in when it was saved."""
        growth = growth_of(self._features)
        images = int(self.loaded.card.training.get("epoch", 0)) * int(self._features["epoch_images"])
        blocks = growth.blocks - (self.form.frames // self.loaded.model.output_shape[1]).bit_length() + 1
        return float(np.clip(growth.progress(max(images - 1, 0)), max(blocks - 2, 0), blocks - 1))

    def check_notes(self, notes: ArrayLike) -> NDArray[np.intp]:
        """Return notes as an array. Raises ModelError for one that the model was not trained on."""
        asked = np.atleast_1d(np.asarray(notes))
        strange = sorted(set(asked.tolist()) - set(self.notes))
        if strange:
            raise ModelError(
                f"{self.name} plays {len(self.notes)} notes of {self.notes[0]} to {self.notes[-1]}. "
                f"Received: note {', '.join(map(str, strange[:6]))}"
            )
        return asked.astype(np.intp)

    def pictures(self, latents: ArrayLike, notes: ArrayLike, batch_size: int = 8) -> NDArray[np.float32]:
        """Make pictures in the units of `form`. Shapes: (n, latent), (n,) -> (n, frames, bins, 2)."""
        columns = self._asked(latents, notes)
        return self._whole(predict_in_batches(self.loaded.model, columns, fitting_batch(columns, batch_size)))

    def sounds(
        self,
        latents: ArrayLike,
        notes: ArrayLike,
        batch_size: int = 8,
        on_notes: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Make sounds.

        Args:
            batch_size: notes at once; the network is compiled for each size that comes up.
            on_notes: told how many more notes are ready.
        Shapes: (n, latent), (n,) MIDI notes -> (n, samples).
        Raises: ModelError as `check_latents` and `check_notes`, and where their numbers differ.
        """
        return self._sounds(self.loaded.model, self._asked(latents, notes), batch_size, on_notes)

    def first_block(self, latents: ArrayLike, notes: ArrayLike, batch_size: int = 256) -> NDArray[np.float32]:
        """Return what the first convolution makes of latents and notes. Shapes: -> (n, frames, bins, width)."""
        columns = self._asked(latents, notes)
        return predict_in_batches(self._split[0], columns, fitting_batch(columns, batch_size))

    def sounds_from_first_block(
        self, activations: Floats, batch_size: int = 8, on_notes: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Make sounds of what `first_block` returned, or of anything like it. Shapes: -> (n, samples)."""
        progress = np.full((len(activations), 1), self.progress, np.float32)
        return self._sounds(self._split[1], [np.asarray(activations, np.float32), progress], batch_size, on_notes)

    def _sounds(
        self,
        model: "keras.Model",
        columns: Sequence[Floats],
        batch_size: int,
        on_notes: Callable[[int], None] | None,
    ) -> NDArray[np.float32]:
        parts, size = [], fitting_batch(columns, batch_size)
        for first in range(0, len(columns[0]), size):
            part = [column[first : first + size] for column in columns]
            parts.append(self.form.sounds(self._whole(predict_in_batches(model, part, size))))
            if on_notes:
                on_notes(len(part[0]))
        return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, self.samples), np.float32)

    def _asked(self, latents: ArrayLike, notes: ArrayLike) -> list[NDArray[np.float32]]:
        given, asked = self.check_latents(latents), self.check_notes(notes)
        if len(given) != len(asked):
            raise ModelError(f"each latent is played at a note. Received: {len(given)} latents, {len(asked)} notes")
        one_hot = np.equal.outer(asked, np.asarray(self.notes)).astype(np.float32)
        return [given, one_hot, np.full((len(given), 1), self.progress, np.float32)]

    def _whole(self, made: Floats) -> NDArray[np.float32]:
        """Bring what the network made to full size, and to the units of `form`."""
        factor = self.form.frames // made.shape[1]
        larger = made.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else made
        return np.asarray(self.normaliser.undo(larger), np.float32)

    @cached_property
    def _split(self) -> "tuple[keras.Model, keras.Model]":
        """The network up to its first convolution, and from there on."""
        import keras

        network = self.loaded.model
        between = network.get_layer(FIRST).output
        first = keras.Model(network.inputs, between)
        return first, keras.Model([between, network.inputs[2]], network.output)


def load_gansynth(path: str | os.PathLike[str]) -> GanSynthModel:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no GANSynth."""
    return GanSynthModel(load_model_named(GANSYNTH, path, "notes are made"))
