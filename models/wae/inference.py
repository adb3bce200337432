"""A trained note autoencoder: notes to latents, and latents with pitch and style back to notes."""

import math
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import MelAnalysis, log_mel_to_mel, mel_magnitudes, mel_to_log_mel, prepare_notes
from generators.errors import ModelError, look_up
from models.backend import predict_in_batches
from models.inference import NoteModel, load_model_named
from models.wae.conditions import conditions
from models.wae.presets import WAE
from models.wae.variants import Variant, find_variant
from models.wae.vocoders import Renderer, griffin_lim_renderer

if TYPE_CHECKING:
    import keras


class WaeModel(NoteModel):
    """Encoder and decoder with their card: variant, styles, notes, and the analysis behind their spectrograms."""

    @property
    def variant(self) -> Variant:
        """What the decoder is conditioned on, and what regularises the latent."""
        return find_variant(str(self._features["kind"]))

    @property
    def label(self) -> str:
        """The label that is the style: `instrument`, `style`, or a tag."""
        return str(self._features["style_label"])

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles, in the order of their weights."""
        return tuple(self._features["styles"])

    @property
    def latent(self) -> int:
        """Width of the latent."""
        return int(self.decoder.input_shape[0][-1])

    @cached_property
    def analysis(self) -> MelAnalysis:
        """Analysis of its spectrograms."""
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

    # --- from audio ------------------------------------------------------------------------------------------------

    def spectrograms_of(self, audio: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return log-mel spectrograms as the encoder takes them: of a note's length, at a peak of 1.

        Shapes: (n, any) at the model's rate -> (n, bands, frames), log(1 + magnitude).
        """
        mels = mel_magnitudes(prepare_notes(audio, self.samples), self.analysis)
        return np.asarray(mel_to_log_mel(mels).transpose(0, 2, 1), np.float32)

    def encode_spectrograms(self, spectrograms: NDArray[np.floating], batch_size: int = 64) -> NDArray[np.float32]:
        """Encode spectrograms to latents. Shapes: (n, bands, frames) -> (n, latent)."""
        columns = [np.asarray(spectrograms, np.float32)[..., None]]
        return predict_in_batches(self.encoder, columns, batch_size)[:, : self.latent]

    def encode(self, audio: NDArray[np.floating], batch_size: int = 64) -> NDArray[np.float32]:
        """Encode notes to latents. Shapes: (n, any) at the model's rate -> (n, latent)."""
        return self.encode_spectrograms(self.spectrograms_of(audio), batch_size)

    # --- to audio --------------------------------------------------------------------------------------------------

    def decode_spectrograms(
        self, latents: ArrayLike, notes: ArrayLike, weights: ArrayLike, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Decode latents to spectrograms. Shapes: (n, latent), (n,), (n, styles) -> (n, bands, frames).

        Raises: ModelError as the checks below, and where the numbers of rows differ.
        """
        given, mixed = self.check_latents(latents), self.check_weights(weights)
        condition = conditions(np.atleast_1d(notes), mixed)
        if len(given) != len(condition):
            raise ModelError(
                f"each latent is decoded at a note. Received: {len(given)} latents, {len(condition)} notes"
            )
        return predict_in_batches(self.decoder, [given, condition], batch_size)[..., 0]

    def decode(
        self,
        latents: ArrayLike,
        notes: ArrayLike,
        weights: ArrayLike,
        renderer: Renderer | None = None,
        batch_size: int = 8,
        on_notes: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Decode latents to notes.

        Args:
            weights: of the styles, a row for each note; see `style_weights`.
            renderer: of `models.wae.vocoders`; by default Griffin-Lim, which needs no further network.
            on_notes: called with the number of notes that were added.
        Shapes: (n, latent), (n,) MIDI notes, (n, styles) -> (n, samples).
        Raises: ModelError as `decode_spectrograms` does.
        """
        pitches, parts = np.atleast_1d(np.asarray(notes)).astype(np.intp), []
        spectrograms = self.decode_spectrograms(latents, pitches, weights)
        render = renderer or griffin_lim_renderer(self.analysis)
        for first in range(0, len(spectrograms), batch_size):
            part = slice(first, first + batch_size)
            parts.append(render(log_mel_to_mel(spectrograms[part].transpose(0, 2, 1)), pitches[part]))
            if on_notes:
                on_notes(len(parts[-1]))
        return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, self.samples), np.float32)

    # --- inputs ----------------------------------------------------------------------------------------------------

    def style_weights(self, mixture: str) -> NDArray[np.float32]:
        """Read weights of styles: `violin`, or a mixture as `violin:0.5,clarinet:0.5`. Shapes: -> (styles,).

        Raises: ModelError for an unknown style, one named twice, a weight that is not a number, or zeros alone.
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
        """Return notes as an array. Raises ModelError for one outside the range that the model was trained on."""
        given = np.atleast_1d(np.asarray(notes))
        outside = [note for note in given.tolist() if not self.notes[0] <= note <= self.notes[-1] or note != int(note)]
        if outside:
            raise ModelError(
                f"{self.name} plays notes {self.notes[0]} to {self.notes[-1]}. Received: note {outside[0]:g}"
            )
        return given.astype(np.intp)

    def check_weights(self, weights: ArrayLike) -> NDArray[np.float32]:
        """Return weights as an array (n, styles).

        Raises: ModelError for other shapes, values that are not finite, and rows of zeros.
        """
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
