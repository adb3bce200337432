"""One model, or two that are heard on the same latents and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from generators.notes.pitches import note_name
from inversynth.gansynth.common import make_sounds, open_player
from inversynth.report.audio_page import Row, Shown

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel


ABREAST = 8
"""Sounds in a row of a comparison."""


@dataclass(frozen=True)
class Contender:
    """A model and what it is called; `beside` says that it is one of two, and its files then begin with its name."""

    label: str
    player: "GanSynthModel"
    beside: bool = False

    def shown(
        self, latents: NDArray[Any], notes: NDArray[np.intp], names: list[str], captions: list[str], batch_size: int
    ) -> list[Shown]:
        """Make sounds, with names and captions in their order. Shapes: latents (n, latent), notes (n,)."""
        sounds = make_sounds(self.player, latents, notes, batch_size)
        prefix = f"{self.label}_" if self.beside else ""
        return [Shown(f"{prefix}{name}", *rest) for name, *rest in zip(names, sounds, captions, strict=True)]


def contenders(model: str, other: str = "") -> list[Contender]:
    """Open a model, and where it is named the one to compare it with.

    Raises: ModelError for a model that is none, and for two that do not take the same latents or have another rate.
    """
    player = open_player(model)
    if not other:
        return [Contender(player.name, player)]
    second = open_player(other)
    for what, unit in (("latent", "numbers a latent"), ("sample_rate", "Hz")):
        one, two = getattr(player, what), getattr(second, what)
        if one != two:
            raise ModelError(
                "models are compared on the same latents and at the same rate. "
                f"Received: {one} {unit} in {player.loaded.path}, {two} in {second.loaded.path}"
            )
    if not set(player.notes) & set(second.notes):
        raise ModelError(
            f"models that are compared share notes. Received: {player.notes[0]} to {player.notes[-1]} in "
            f"{player.loaded.path}, {second.notes[0]} to {second.notes[-1]} in {second.loaded.path}"
        )
    labels = [player.name, second.name]
    if labels[0] == labels[1]:
        labels = [f"{label}-{letter}" for label, letter in zip(labels, "ab", strict=True)]
    return [Contender(label, each, True) for label, each in zip(labels, (player, second), strict=True)]


def side_by_side(models: Sequence[Contender], made: Sequence[Sequence[Shown]], title: str) -> list[Row]:
    """Lay what each model made in a row; of two the rows stand below each other, cut so that a page shows both."""
    if len(models) == 1:
        return [Row(title, made[0])]
    return [
        Row(
            f"{title} {first} to {min(first + ABREAST, len(sounds)) - 1} · {model.label}",
            sounds[first : first + ABREAST],
        )
        for first in range(0, len(made[0]), ABREAST)
        for model, sounds in zip(models, made, strict=True)
    ]


def told(models: Sequence[Contender]) -> str:
    """Name the models in a sentence."""
    return " and by ".join(model.label for model in models)


def facts(models: Sequence[Contender]) -> dict[str, str]:
    """Return what a page tells of its models."""
    return {f"Model {model.label}" if model.beside else "Model": _described(model.player) for model in models}


def _described(player: "GanSynthModel") -> str:
    notes = f"{len(player.notes)} notes from {note_name(player.notes[0])} to {note_name(player.notes[-1])}"
    return f"{player.name} ({player.fingerprint}), {player.seconds:g} s at {player.sample_rate:,} Hz, {notes}"
