"""The network in NumPy: from a note to voices, in milliseconds and without TensorFlow.

Its weights come in half precision with the package (`data/network.npz`); `python -m models.dx7.bundle` makes that file
from a trained model.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.audio import resample
from generators.dx7.algorithms import routing
from generators.dx7.voice import OPERATORS
from generators.errors import AudioError, ModelError, ParameterError
from models.dx7.features import LENGTH, SAMPLE_RATE, note_features
from models.dx7.tokens import (
    FIELDS,
    OPERATOR_FIELDS,
    SHARED_FIELDS,
    SIZES,
    STAGE_OF_COLUMN,
    STAGES,
    TOKEN_OF_COLUMN,
    UNKNOWN,
    Classes,
    classes_to_voices,
    columns_of,
)

Floats = NDArray[np.float32]

BUNDLED = Path(__file__).parent / "data" / "network.npz"

VERSION = 1

TEMPERATURE = 0.8
"""Of the distributions from which voices are drawn: below 1, so that unlikely values of 100 are drawn rarely."""

AT_A_TIME = 2
"""Operators whose settings are drawn in one pass, knowing those before them."""


@dataclass(frozen=True)
class VoiceNetwork:
    """The trained network. Attributes: weights: by layer and name, as `bundle` writes them."""

    weights: Mapping[str, Floats]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read weights. Raises ModelError for a file that holds none, or those of another version."""
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: np.asarray(file[name]) for name in file.files}
            if int(arrays.pop("version")) != VERSION:
                raise ValueError("another version")
            weights = {name: array.astype(np.float32) for name, array in arrays.items()}
            found = cls(weights)
            found.name_classes(
                found.hear(np.ones(SAMPLE_RATE, np.float32), SAMPLE_RATE, 60.0), np.zeros((1, len(FIELDS)))
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, IndexError) as error:
            raise ModelError(
                f"{path} must hold the network for DX7 voices, version {VERSION}. Received: {error}"
            ) from None
        return found

    def hear(self, audio: ArrayLike, sample_rate: int, note: float) -> Floats:
        """Return what the network hears in a note, for `draw` and `name_classes`.

        Args:
            audio: (samples,), from its onset on; what follows LENGTH is not heard. note: its MIDI note, or between two.
        Shapes: -> (tokens, depth).
        Raises: AudioError for silence and what is no single sound; ParameterError for another note.
        """
        sound = np.asarray(audio, np.float32)
        if sound.ndim != 1 or not len(sound) or not np.isfinite(sound).all() or not sound.any():
            raise AudioError(f"a sound must be audible and finite, (samples,). Received: an array of {sound.shape}")
        if not 0 <= note <= 127:
            raise ParameterError(f"note is a MIDI note from 0 to 127. Received: {note}")
        cut = resample(sound[: round(LENGTH * sample_rate)], sample_rate, SAMPLE_RATE)
        steps = note_features(cut[None], np.array([note])).reshape(-1, len(self.weights["frames/kernel"]))
        hidden = _relu(self._dense("frames", steps))
        for number in range(1, 1 + self._count("convolution")):
            hidden = self._normal(f"normalisation{number}", _relu(self._convolve(f"convolution{number}", hidden)))
        flat = np.append(hidden.reshape(-1), np.float32(note / 32.0 - 2.0))
        context = self._dense("context", _relu(self._dense("heard", flat)))
        return np.asarray(context.reshape(OPERATORS + 1, -1), np.float32)

    def name_classes(self, context: Floats, classes: ArrayLike) -> Floats:
        """Return logits of the classes of voices, some of which are known.

        Shapes: context (tokens, depth) or (n, tokens, depth), classes (n, columns), -1 for those to name -> (n, sum of
        sizes), the columns one after another.
        """
        given = np.asarray(classes, np.int64)
        state = context + self._embed(given)
        for number in range(1, 1 + self._count("attention")):
            state = state + self._attend(f"attention{number}", self._normal(f"attention{number}_normalisation", state))
            normal = self._normal(f"mlp{number}_normalisation", state)
            wide = _relu(self._dense(f"mlp{number}_wide", normal))
            state = state + self._dense(f"mlp{number}_narrow", wide)
        state = self._normal("final_normalisation", state)
        operators = self._dense("operator_classes", state[:, :OPERATORS]).reshape(len(given), -1)
        shared = self._dense("shared_classes", state[:, OPERATORS])
        return np.concatenate([operators, shared], axis=1)

    def draw(
        self, context: Floats, count: int, rng: np.random.Generator, temperature: float = TEMPERATURE
    ) -> NDArray[np.int64]:
        """Draw voices that may sound like a note, each of them as a whole: algorithm first, then ratios and levels.

        Args: temperature: 0 takes the likeliest class and the median of numbers. Shapes: -> (count, 155).
        """
        classes = np.full((count, len(FIELDS)), UNKNOWN, np.int64)
        for stage in range(len(STAGES)):
            self._draw_stage(context, classes, np.ones(classes.shape, bool), stage, rng, temperature)
        return classes_to_voices(classes)

    def redraw(
        self,
        context: Floats,
        classes: Classes,
        hidden: NDArray[np.bool_],
        rng: np.random.Generator,
        temperature: float = TEMPERATURE,
    ) -> Classes:
        """Draw the hidden classes of voices anew in one pass, knowing the others. Shapes: all (n, columns)."""
        found = np.where(hidden, UNKNOWN, classes)
        _fill(self.name_classes(context, found), found, hidden, rng, temperature)
        return found

    def _draw_stage(
        self,
        context: Floats,
        classes: Classes,
        wanted: NDArray[np.bool_],
        stage: int,
        rng: np.random.Generator,
        temperature: float,
    ) -> None:
        """Draw the classes of one stage: what operators share first, then operators, carriers before modulators."""
        columns = stage == STAGE_OF_COLUMN
        shared = wanted & columns & (TOKEN_OF_COLUMN == OPERATORS)
        if shared.any():
            _fill(self.name_classes(context, classes), classes, shared, rng, temperature)
        own = columns & (TOKEN_OF_COLUMN < OPERATORS)
        if not own.any():
            return
        algorithm = classes[:, columns_of("algorithm")[0]]
        order = np.argsort(rng.random((len(classes), OPERATORS)) - _CARRIERS[algorithm], axis=1)
        for first in range(0, OPERATORS, AT_A_TIME):
            chosen = np.zeros((len(classes), OPERATORS + 1), bool)
            np.put_along_axis(chosen, order[:, first : first + AT_A_TIME], True, axis=1)
            hidden = wanted & own & chosen[:, TOKEN_OF_COLUMN]
            _fill(self.name_classes(context, classes), classes, hidden, rng, temperature)

    # --- layers, as Keras computes them -------------------------------------------------------------------------------

    def _count(self, layer: str) -> int:
        return len(
            {
                name.split("/")[0]
                for name in self.weights
                if name.startswith(layer) and name.split("/")[0][len(layer) :].isdigit()
            }
        )

    def _dense(self, name: str, inputs: Floats) -> Floats:
        kernel = self.weights[f"{name}/kernel"]
        rows = inputs.reshape(-1, len(kernel)) @ kernel + self.weights[f"{name}/bias"]  # one product, not one a voice
        return np.asarray(rows.reshape(*inputs.shape[:-1], -1), np.float32)

    def _normal(self, name: str, inputs: Floats) -> Floats:
        centred = inputs - inputs.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(np.mean(np.square(centred), axis=-1, keepdims=True) + np.float32(1e-5))
        return np.asarray(scaled * self.weights[f"{name}/gamma"] + self.weights[f"{name}/beta"], np.float32)

    def _convolve(self, name: str, inputs: Floats) -> Floats:
        """Convolve (frames, channels) at stride 2, padded as TensorFlow pads."""
        kernel = self.weights[f"{name}/kernel"]
        size, steps = len(kernel), -(-len(inputs) // 2)
        missing = max((steps - 1) * 2 + size - len(inputs), 0)
        padded = np.pad(inputs, ((missing // 2, missing - missing // 2), (0, 0)))
        windows = np.stack([padded[step * 2 : step * 2 + size].reshape(-1) for step in range(steps)])
        return np.asarray(windows @ kernel.reshape(-1, kernel.shape[-1]) + self.weights[f"{name}/bias"], np.float32)

    def _embed(self, classes: Classes) -> Floats:
        own = classes[:, : OPERATORS * len(OPERATOR_FIELDS)].reshape(-1, OPERATORS, len(OPERATOR_FIELDS))
        shared = classes[:, None, OPERATORS * len(OPERATOR_FIELDS) :]
        parts = [
            self.weights[f"tokens/{name}_table"][given + offsets].sum(axis=2)
            for name, given, offsets in zip(("operator", "shared"), (own, shared), _OFFSETS, strict=True)
        ]
        return np.concatenate(parts, axis=1) + self.weights["tokens/places"]

    def _attend(self, name: str, inputs: Floats) -> Floats:
        """Attend to all tokens. Shapes: (n, tokens, depth) -> the same."""
        batch, tokens, _ = inputs.shape
        queries, keys, values = (
            np.tensordot(inputs, self.weights[f"{name}/{part}/kernel"], 1) + self.weights[f"{name}/{part}/bias"]
            for part in ("query", "key", "value")
        )  # (n, tokens, heads, size)
        scores = np.einsum("nqhd,nkhd->nhqk", queries, keys, optimize=True) / np.sqrt(np.float32(queries.shape[-1]))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = np.einsum("nhqk,nkhd->nqhd", scores, values, optimize=True).reshape(batch, tokens, -1)
        kernel = self.weights[f"{name}/attention_output/kernel"]
        return np.asarray(
            mixed @ kernel.reshape(-1, kernel.shape[-1]) + self.weights[f"{name}/attention_output/bias"], np.float32
        )


def _relu(inputs: Floats) -> Floats:
    return np.maximum(inputs, np.float32(0.0))


def _fill(
    logits: Floats, classes: Classes, hidden: NDArray[np.bool_], rng: np.random.Generator, temperature: float
) -> None:
    """Draw hidden classes into `classes`, each column by its own distribution."""
    for column in np.flatnonzero(hidden.any(axis=0)):
        rows = np.flatnonzero(hidden[:, column])
        scores = logits[rows, _STARTS[column] : _STARTS[column] + SIZES[column]].astype(np.float64)
        ordinal = FIELDS[column].ordinal
        if temperature > 0.0:
            scores /= temperature
        elif not ordinal:
            classes[rows, column] = scores.argmax(axis=1)
            continue
        shares = np.exp(scores - scores.max(axis=1, keepdims=True)).cumsum(axis=1)
        points = rng.random(len(rows)) if temperature > 0.0 else np.full(len(rows), 0.5)
        classes[rows, column] = (shares < (points * shares[:, -1])[:, None]).sum(axis=1)


def _offsets(fields: Sequence[Any]) -> NDArray[np.int64]:
    """Return where the rows of each field begin in a table, whose first row is that of the unknown class."""
    sizes = np.array([one.size + 1 for one in fields])
    return np.asarray(np.cumsum(sizes) - sizes + 1)


_OFFSETS = (_offsets(OPERATOR_FIELDS), _offsets(SHARED_FIELDS))
_STARTS = np.cumsum(SIZES) - SIZES
_CARRIERS = routing()[1].astype(np.float64)


@lru_cache(maxsize=1)
def bundled_network() -> VoiceNetwork:
    """Return the network that comes with the package."""
    return VoiceNetwork.load(BUNDLED)
