"""A trained autoencoder of notes at work: sounds to points of its space, and points with labels back to notes."""

import math
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import MelAnalysis, mel_magnitudes, mels_of, picture_of, whole_note
from generators.errors import ModelError, look_up
from models.estimation.architectures import WAE
from models.inference import NoteModel, fitting_batch, predict_in_batches
from models.model_files import load_model_named
from models.wae.conditions import conditions
from models.wae.variants import Kind, find_variant

if TYPE_CHECKING:
    import keras

Renderer = Callable[[NDArray[np.float32], NDArray[np.intp]], NDArray[np.float32]]
"""Makes notes of mel magnitudes: (n, frames, bands), MIDI notes (n,) -> (n, samples)."""


class WaeModel(NoteModel):
    """Encoder and decoder with their meaning: which styles and notes they know, and what their pictures show."""

    @property
    def kind(self) -> str:
        """A key of `models.wae.variants.KINDS`."""
        return str(self._features["kind"])

    @property
    def traits(self) -> Kind:
        return find_variant(self.kind)

    @property
    def label(self) -> str:
        """What its styles are: `instrument`, `style`, or a tag."""
        return str(self._features["style_label"])

    @property
    def styles(self) -> tuple[str, ...]:
        """Their names, in the order of weights."""
        return tuple(self._features["styles"])

    @property
    def latent(self) -> int:
        """Numbers that stand for a note."""
        return int(self.decoder.input_shape[0][-1])

    @cached_property
    def analysis(self) -> MelAnalysis:
        """What its pictures show."""
        return MelAnalysis(**self._features["analysis"])

    @property
    def samples(self) -> int:
        return self.analysis.samples

    @property
    def encoder(self) -> "keras.Model":
        return self.loaded.model.get_layer("encoder")

    @property
    def decoder(self) -> "keras.Model":
        return self.loaded.model.get_layer("decoder")

    # --- from sounds -----------------------------------------------------------------------------------------------

    def pictures_of(self, audio: NDArray[np.floating]) -> NDArray[np.float32]:
        """Show sounds as the encoder sees them: of a note's length, at a peak of 1.

        Shapes: (n, any) at the model's rate -> (n, bands, frames), log(1 + magnitude).
        """
        mels = mel_magnitudes(whole_note(audio, self.samples), self.analysis)
        return np.asarray(picture_of(mels).transpose(0, 2, 1), np.float32)

    def latents_of(self, pictures: NDArray[np.floating], batch_size: int = 64) -> NDArray[np.float32]:
        """Find where pictures lie. Shapes: (n, bands, frames) -> (n, latent)."""
        columns = [np.asarray(pictures, np.float32)[..., None]]
        return predict_in_batches(self.encoder, columns, fitting_batch(columns, batch_size))[:, : self.latent]

    def encode(self, audio: NDArray[np.floating], batch_size: int = 64) -> NDArray[np.float32]:
        """Find where sounds lie. Shapes: (n, any) at the model's rate -> (n, latent)."""
        return self.latents_of(self.pictures_of(audio), batch_size)

    # --- to sounds -------------------------------------------------------------------------------------------------

    def pictures(
        self, latents: ArrayLike, notes: ArrayLike, weights: ArrayLike, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Decode points with labels. Shapes: (n, latent), (n,), (n, styles) -> (n, bands, frames).

        Raises: ModelError as the checks below, and where numbers of rows differ.
        """
        given, mixed, asked = self.check_latents(latents), self.check_weights(weights), np.atleast_1d(notes)
        told = conditions(asked, mixed)
        if len(given) != len(told):
            raise ModelError(f"each latent is decoded at a note. Received: {len(given)} latents, {len(told)} notes")
        columns = [given, told]
        return predict_in_batches(self.decoder, columns, fitting_batch(columns, batch_size))[..., 0]

    def sounds(
        self,
        latents: ArrayLike,
        notes: ArrayLike,
        weights: ArrayLike,
        renderer: Renderer,
        batch_size: int = 8,
        on_notes: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Make notes.

        Args:
            renderer: of `models.wae.vocoders`. on_notes: told how many more notes are ready.
        Shapes: (n, latent), (n,) MIDI notes, (n, styles) -> (n, samples). Raises: ModelError as `pictures` does.
        """
        asked, parts = np.atleast_1d(np.asarray(notes)).astype(np.intp), []
        decoded = self.pictures(latents, asked, weights)
        for first in range(0, len(decoded), batch_size):
            part = slice(first, first + batch_size)
            parts.append(renderer(mels_of(decoded[part].transpose(0, 2, 1)), asked[part]))
            if on_notes:
                on_notes(len(parts[-1]))
        return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, self.samples), np.float32)

    # --- what is asked for -----------------------------------------------------------------------------------------

    def weights(self, mixture: str) -> NDArray[np.float32]:
        """Read weights of styles: `violin`, or a mixture as `violin:0.5,clarinet:0.5`. Shapes: -> (styles,).

        Raises: ModelError for an unknown style, one named twice, a weight that is no number, or weights of 0 alone.
        """
        numbers = {name: number for number, name in enumerate(self.styles)}
        found: dict[int, float] = {}
        for part in mixture.split(","):
            name, colon, text = (word.strip() for word in part.partition(":"))
            number = look_up(self.label, name, numbers, ModelError)
            if number in found:
                raise ModelError(f"a mixture names each {self.label} once. Received: {name} twice in '{mixture}'")
            found[number] = _weight(text, mixture) if colon else 1.0
        row = np.zeros(len(self.styles), np.float32)
        row[list(found)] = list(found.values())
        return self.check_weights(row[None])[0]

    def check_notes(self, notes: ArrayLike) -> NDArray[np.intp]:
        """Return notes as an array. Raises ModelError for one beyond those that the model was trained on."""
        asked = np.atleast_1d(np.asarray(notes))
        strange = [note for note in asked.tolist() if not self.notes[0] <= note <= self.notes[-1] or note != int(note)]
        if strange:
            raise ModelError(
                f"{self.name} plays notes {self.notes[0]} to {self.notes[-1]}. Received: note {strange[0]:g}"
            )
        return asked.astype(np.intp)

    def check_weights(self, weights: ArrayLike) -> NDArray[np.float32]:
        """Return weights as an array (n, styles). Raises ModelError for other shapes, no numbers, or rows of zeros."""
        given = self._check_rows("weights", weights, len(self.styles))
        if not given.any(axis=1).all():
            raise ModelError(f"one style or more must have a weight other than 0. Received: {len(self.styles)} zeros")
        return given


def load_wae(path: str | os.PathLike[str]) -> WaeModel:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no such autoencoder."""
    return WaeModel(load_model_named(WAE, path, "notes are made"))


def _weight(text: str, mixture: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise ModelError(f"weights of a mixture must be numbers, as violin:0.5. Received: '{text}' in '{mixture}'")
    return weight
