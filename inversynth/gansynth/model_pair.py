"""One model, or two models that are compared on the same latents and notes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from inversynth.gansynth.session import decode_notes, open_gansynth
from inversynth.playback.sustain import lengthen
from inversynth.report.audio_page import Clip, ClipRow

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel


PER_ROW = 8
"""Sounds in a row of a comparison."""


@dataclass(frozen=True)
class LabelledModel:
    """A model and its label; `paired`: it is one of two, and the names of its files begin with its label."""

    label: str
    gansynth: "GanSynthModel"
    paired: bool = False

    def shown(
        self,
        latents: NDArray[Any],
        notes: NDArray[np.intp],
        names: list[str],
        captions: list[str],
        batch_size: int,
        seconds: float | None = None,
    ) -> list[Clip]:
        """Decode latents at notes, with names and captions in their order. Shapes: latents (n, latent), notes (n,).

        With `seconds` the notes are of that length: shorter, or held by loops.
        """
        sounds: Iterable[NDArray[np.float32]] = decode_notes(self.gansynth, latents, notes, batch_size)
        if seconds is not None:
            rate = self.gansynth.sample_rate
            sounds = [lengthen(sound, rate, max(round(seconds * rate), 1)) for sound in sounds]
        prefix = f"{self.label}_" if self.paired else ""
        return [
            Clip(f"{prefix}{name}", sound, caption)
            for name, sound, caption in zip(names, sounds, captions, strict=True)
        ]


def open_models(model: str, other: str = "") -> list[LabelledModel]:
    """Open a model, and the one to compare it with where one is named.

    Raises: ModelError for an unusable model, and for two of different latents or sample rates, or without common notes.
    """
    gansynth = open_gansynth(model)
    if not other:
        return [LabelledModel(gansynth.name, gansynth)]
    second = open_gansynth(other)
    for what, unit in (("latent", "latent dimensions"), ("sample_rate", "Hz")):
        one, two = getattr(gansynth, what), getattr(second, what)
        if one != two:
            raise ModelError(
                "models are compared on the same latents and at the same rate. "
                f"Received: {one} {unit} in {gansynth.loaded.path}, {two} in {second.loaded.path}"
            )
    if not set(gansynth.notes) & set(second.notes):
        raise ModelError(
            f"models that are compared must share notes. Received: {gansynth.notes[0]} to {gansynth.notes[-1]} in "
            f"{gansynth.loaded.path}, {second.notes[0]} to {second.notes[-1]} in {second.loaded.path}"
        )
    labels = [gansynth.name, second.name]
    if labels[0] == labels[1]:
        labels = [f"{label}-{letter}" for label, letter in zip(labels, "ab", strict=True)]
    return [LabelledModel(label, each, True) for label, each in zip(labels, (gansynth, second), strict=True)]


def side_by_side(models: Sequence[LabelledModel], made: Sequence[Sequence[Clip]], title: str) -> list[ClipRow]:
    """Return a row of sounds for each model; the rows of two models alternate, cut so that a page shows both."""
    if len(models) == 1:
        return [ClipRow(title, made[0])]
    return [
        ClipRow(
            f"{title} {first} to {min(first + PER_ROW, len(sounds)) - 1} · {model.label}",
            sounds[first : first + PER_ROW],
        )
        for first in range(0, len(made[0]), PER_ROW)
        for model, sounds in zip(models, made, strict=True)
    ]


def join_labels(models: Sequence[LabelledModel]) -> str:
    """Name the models in a sentence."""
    return " and by ".join(model.label for model in models)


def model_facts(models: Sequence[LabelledModel]) -> dict[str, str]:
    """Return the description of the models for a page."""
    return {f"Model {model.label}" if model.paired else "Model": _describe(model.gansynth) for model in models}


def _describe(gansynth: "GanSynthModel") -> str:
    notes = f"{len(gansynth.notes)} notes, MIDI {gansynth.notes[0]} to {gansynth.notes[-1]}"
    return f"{gansynth.name} ({gansynth.fingerprint}), {gansynth.seconds:g} s at {gansynth.sample_rate:,} Hz, {notes}"
